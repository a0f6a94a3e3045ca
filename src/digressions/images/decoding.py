"""Decoding a picture from outside: which kinds of files, how large, in which colours, and what is
said when it fails. Whatever its mode, its profile or its transparency, it comes out as sRGB.
"""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from ..errors import ImageError

MAX_PIXELS = 200_000_000
Colour = tuple[int, int, int]
"""Red, green and blue, 0..255."""
# Not among them: EPS and others that run programs.
_KINDS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM"),
    *("AVIF", "JPEG2000", "ICO", "TGA"),
)
_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # what a profile of each colour space is for
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
    with _pillow_limit(max(max_pixels, MAX_PIXELS)):
        image = Image.open(source, formats=_KINDS)
    with image:
        if image.width * image.height > max_pixels:
            raise ImageError(
                f"{path} has {image.width:,} x {image.height:,} pixels, more than the "
                f"{max_pixels:,} that are read: make it smaller first"
            )
        yield image


@contextlib.contextmanager
def _pillow_limit(pixels: int) -> Iterator[None]:
    """Sets Pillow's limit of pixels, one for the whole process, to another value in the block.

    So that ours decides, and names the size. Pillow refuses twice as many, which guards what only
    it sees: the tiles of a TIFF, the pictures inside an icon.
    """
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
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
            raise ImageError(f"{str(path)!r:.80} is not the name of a file: give a picture")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ImageError(f"{path} is not a file: give a picture")
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path} has more than the {MAX_PIXELS:,} pixels that are read: make it smaller first"
        ) from error
    except FileNotFoundError as error:
        raise ImageError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder: give a picture") from error
    except PermissionError as error:
        raise ImageError(f"{path} cannot be read: permission denied") from error
    except UnidentifiedImageError as error:
        empty = path.is_file() and path.stat().st_size == 0
        reason = "is empty" if empty else "is not a picture, or of a kind that is not known here"
        raise ImageError(f"{path} {reason}: give a PNG, JPEG, WebP or TIFF") from error
    except Exception as error:  # decoders raise whatever they like on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path} is damaged ({reason}): save it again") from error


def decoded(image: Image.Image, background: Colour) -> np.ndarray:
    """An opened picture of any of Pillow's modes as ``(H, W, 3)`` uint8 sRGB.

    EXIF orientation is applied; the rest as `to_srgb`.

    Raises:
        Exception: Whatever Pillow raises for what it cannot decode; see `refusing`.
    """
    image.load()
    return np.array(to_srgb(ImageOps.exif_transpose(image), background))


def to_srgb(image: Image.Image, background: Colour) -> Image.Image:
    """A loaded picture of any of Pillow's modes as ``RGB``, in sRGB.

    Colours are converted from an embedded profile, 16 bits and floats in 0..1 are scaled to 8 bits,
    alpha is composited over ``background``, which is sRGB already.
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):  # 16-bit grey comes as I;16 or I, floats as F
        image = _eight_bits(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    opaque = _without_alpha(image)
    image = (_converted(opaque, profile) if profile else opaque).convert("RGB")
    if alpha is None:
        return image
    return Image.composite(image, Image.new("RGB", image.size, background), alpha)


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    values = values * 255 if image.mode == "F" else values / 257
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


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
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that does not fit its picture says nothing about its colours
    return converted or image
