"""Decoding a picture from outside: which kinds of files, how large, in which colours, and what is
said when it fails. Whatever its mode, its profile or its transparency, it comes out as sRGB.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import (
    Image,
    ImageCms,
    ImageOps,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
)

from ..errors import ImageError, MissingExtraError, verbatim

MAX_PIXELS = 200_000_000
Colour = tuple[int, int, int]
"""Red, green and blue, 0..255."""
# Not among them: EPS and others that run programs.
_KINDS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM"),
    *("AVIF", "JPEG2000", "ICO", "TGA"),
)
_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # what a profile of each colour space is for
CLOSE = 1e-3
"""Floats of a picture may miss 0..1 by so much, and are clipped."""
_HEAD = 64  # bytes that tell a HEIC
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis")
_JPEG_END = b"\xff\xd9"
_PHOTOMETRIC, _BITS, _WHITE_IS_ZERO = 262, 258, 0  # tags of TIFF, and a value
for _order, _raw in ((b"II", "I;32S"), (b"MM", "I;32BS")):
    # Whole numbers of 32 bits that Pillow has no entry for; `_eight_bits` sees to black and white.
    for _way, _sign in ((0, 1), (0, 2), (1, 1)):
        TiffImagePlugin.OPEN_INFO.setdefault((_order, _way, (_sign,), 1, (32,), ()), ("I", _raw))
_PILLOW = threading.Lock()
# A profile of a photo printer and a long workflow have more than the 1 MiB that Pillow takes of one
# chunk; as much as it takes of all together.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY


@contextlib.contextmanager
def opened(path: Path, source: Path | io.BytesIO, max_pixels: int) -> Iterator[Image.Image]:
    """A picture whose header is read, from a file or from its bytes.

    Args:
        path: What the file is called in a message.

    Raises:
        ImageError: It has more than ``max_pixels``.
        Exception: Whatever Pillow raises for what it cannot read; see `refusing`.
    """
    kinds = (*_KINDS, "HEIF") if _is_heic(path, source) else _KINDS
    with _pillow_limit(max(max_pixels, MAX_PIXELS)):
        image = Image.open(source, formats=kinds)
    with image:
        if image.width * image.height > max_pixels:
            raise ImageError(
                f"{verbatim(path)} has {image.width:,} x {image.height:,} pixels, more than the "
                f"{max_pixels:,} that are read: make it smaller first"
            )
        yield image


def _is_heic(path: Path, source: Path | io.BytesIO) -> bool:
    """Whether a file is a phone's HEIC, which Pillow learns to read here.

    Raises:
        ImageError: It is, and what reads it is not installed.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(_HEAD)
    else:
        head = source.getbuffer()[:_HEAD].tobytes()
    if head[4:8] != b"ftyp" or not any(brand in head for brand in _HEIC):
        return False
    if importlib.util.find_spec("pillow_heif") is None:
        reason = MissingExtraError("pillow-heif", "heic")
        raise ImageError(f"{verbatim(path)} is HEIC: {reason}, or save it as JPEG") from reason
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return True


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keeps what Pillow says of odd EXIF to itself: Python's warnings are not for users."""
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _pillow_limit(pixels: int) -> Iterator[None]:
    """Sets Pillow's limit of pixels, one for the whole process, to another value in the block.

    So that ours decides, and names the size. Pillow refuses twice as many, which guards what only
    it sees: the tiles of a TIFF, the pictures inside an icon.
    """
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures and of odd EXIF
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def is_file(path: Path) -> bool:
    """Whether there is such a file. A name that no system accepts counts as no file."""
    try:
        return path.is_file()
    except OSError:
        return False


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turns what fails in the block into an `ImageError` about this file, in one line."""
    try:
        if "\0" in str(path):
            raise ImageError(
                f"{verbatim(repr(str(path))):.80} is not the name of a file: give a picture"
            )
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ImageError(f"{verbatim(path)} is not a file: give a picture")
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{verbatim(path)} has more than the {MAX_PIXELS:,} pixels that are read: make it "
            "smaller first"
        ) from error
    except FileNotFoundError as error:
        raise ImageError(f"{verbatim(path)}: there is no such file") from error
    except IsADirectoryError as error:
        raise ImageError(f"{verbatim(path)} is a folder: give a picture") from error
    except PermissionError as error:
        raise ImageError(f"{verbatim(path)} cannot be read: permission denied") from error
    except UnidentifiedImageError as error:
        empty = path.is_file() and path.stat().st_size == 0
        reason = "is empty" if empty else "is not a picture, or of a kind that is not known here"
        raise ImageError(f"{verbatim(path)} {reason}: give a PNG, JPEG, WebP or TIFF") from error
    except Exception as error:  # decoders raise whatever they like on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{verbatim(path)} is damaged ({reason}): save it again") from error


def decoded(image: Image.Image, background: Colour) -> np.ndarray:
    """An opened picture of any of Pillow's modes as ``(H, W, 3)`` uint8 sRGB.

    What is transparent is composited over ``background``; the rest as `layers`.

    Raises:
        Exception: Whatever Pillow raises for what it cannot decode; see `refusing`.
    """
    colours, alpha, _ = layers(image)
    return colours if alpha is None else over(background, colours, alpha)


class Decoded(NamedTuple):
    """A picture's pixels.

    Attributes:
        colours: ``(H, W, 3)`` uint8 sRGB.
        alpha: ``(H, W)`` uint8, 0 where it is transparent, 255 where it is opaque; ``None`` where
            all of it is.
        complete: Whether its file has its end.
    """

    colours: np.ndarray
    alpha: np.ndarray | None
    complete: bool


def layers(image: Image.Image) -> Decoded:
    """An opened picture of any of Pillow's modes as colours and transparency.

    EXIF orientation is applied, colours are converted from an embedded profile, 16 and 32 bits and
    floats in 0..1 are scaled to 8 bits.

    Raises:
        ImageError: Floats of another range.
        Exception: Whatever Pillow raises for what it cannot decode; see `refusing`.
    """
    with quietly():
        image, complete = _loaded(image)
        profile = image.info.get("icc_profile")
        if image.mode.startswith(("I", "F")):  # 16-bit grey comes as I;16 or I, floats as F
            upright = _eight_bits(image)
        else:
            upright = ImageOps.exif_transpose(image)
    alpha = None
    if upright.has_transparency_data:
        alpha = np.array(upright.convert("RGBA").getchannel("A"))
    opaque = _without_alpha(upright)
    colours = np.array((_converted(opaque, profile) if profile else opaque).convert("RGB"))
    return Decoded(colours, None if alpha is None or alpha.min() == 255 else alpha, complete)


def _loaded(image: Image.Image) -> tuple[Image.Image, bool]:
    """A picture with its pixels, and whether its file has its end.

    A JPEG may lack nothing but the marker at its end, as from cameras that were switched off and
    from broken downloads. Its pixels are all there if they do not depend on what would follow.
    """
    try:
        image.load()
        return image, True
    except OSError:
        file = getattr(image, "fp", None)
        if image.format not in ("JPEG", "MPO") or file is None:
            raise
        file.seek(0)
        content = file.read()
        found, other = (
            Image.open(io.BytesIO(content + more + _JPEG_END)) for more in (b"", b"\x55" * 512)
        )
        if not np.array_equal(np.asarray(found), np.asarray(other)):
            raise
        return found, False


_SEVERAL = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
"""Kinds of files that hold several pictures; those of an icon are one in several sizes."""


def pictures_in(image: Image.Image) -> int:
    """How many pictures the file of an opened one holds: frames of an animation, pages."""
    return int(getattr(image, "n_frames", 1)) if image.format in _SEVERAL else 1


def over(background: Colour, colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours ``(H, W, 3)`` uint8 by their alpha ``(H, W)`` uint8 over a colour, both sRGB."""
    ground = Image.new("RGB", (alpha.shape[1], alpha.shape[0]), background)
    return np.array(Image.composite(Image.fromarray(colours), ground, Image.fromarray(alpha)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of one channel of 16 or 32 bits or of floats, upright, as ``L`` or ``LA``."""
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image).astype(np.float64)
    whole = 65535
    if image.mode == "F":
        whole = 1
        if np.isnan(values).any():
            raise ImageError("some of its floats are no numbers (NaN): save it with 8 or 16 bits")
        low, high = float(values.min()), float(values.max())
        if low < -CLOSE or high > 1 + CLOSE:
            raise ImageError(
                f"its floats go from {low:g} to {high:g}, and those of a picture from 0 to 1: "
                "save it with 8 or 16 bits"
            )
    elif 32 in tags.get(_BITS, ()):
        whole, values = 2**32 - 1, values % 2**32  # which Pillow reads as signed
    grey = values * (255 / whole)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # which Pillow heeds up to 8 bits
        grey = 255 - grey
    found = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        found.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    if "exif" in image.info:
        found.info["exif"] = image.info["exif"]
    return ImageOps.exif_transpose(found)


def _without_alpha(image: Image.Image) -> Image.Image:
    """The colours alone, in one of the modes that profiles are for."""
    match image.mode:
        case "L" | "RGB" | "CMYK":
            return image
        case "1":
            return image.convert("L")
        case "LA" | "La":
            return image.convert("LA").getchannel("L")
        case _:  # a palette's colours are what its profile is about
            return image.convert("RGBA").convert("RGB")


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODES.get(source.profile.xcolor_space.strip()) != image.mode:
            return image
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except Exception:  # LittleCMS has its own, and Pillow's on the way to it
        return image  # a profile that does not fit its picture says nothing about its colours
    return converted or image
