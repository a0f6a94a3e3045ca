"""Picture files: the only way in and the only way out; bytes and tensors in between.

Inside the package a picture on this side of torch is ``(H, W, 3)`` uint8, sRGB. What a file holds
besides its pixels are texts (see `text_chunks`). For a picture of the user's own, which may also be
a PIL image or an array and is remembered by its SHA-256, see `source_image`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ..errors import ImageError, OutputError, verbatim
from ..files import whole_file
from .carried import NOTHING, Carried
from .decoding import MAX_PIXELS, Colour, decoded, opened, quietly, refusing
from .pyramid import preview_of, read_pyramid
from .text_chunks import save_options, texts_of

if TYPE_CHECKING:
    from torch import Tensor

_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}
_SUFFIXES |= {".tiff": "TIFF"}
MAX_JPEG_SIDE = 65_500  # libjpeg's own limit
_SIDES = {"JPEG": MAX_JPEG_SIDE, "WEBP": 16_383}  # the longest side that the kind of file can have


# --- reading ---------------------------------------------------------------------------------


def read_image(
    path: str | Path, *, background: Colour = (255, 255, 255), max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Reads a picture of any common kind as ``(H, W, 3)`` uint8 sRGB.

    EXIF orientation is applied, an embedded profile converted from, 16 bits scaled down, alpha
    composited over ``background`` (in sRGB values, as browsers do). Of an animation, the first
    picture; of the folder of a mosaic, the mosaic.

    Raises:
        ImageError: No such file, not a picture, damaged, or of more than ``max_pixels``.
    """
    path = Path(path)
    if path.is_dir():
        return read_pyramid(path, max_pixels)
    with refusing(path), opened(path, path, max_pixels) as image:
        return decoded(image, background)


def read_text(path: str | Path) -> dict[str, str]:
    """The texts that `write_image` left in a file; empty where there are none.

    Raises:
        ImageError: As `read_image`.
    """
    path = Path(path)
    if path.is_dir():
        path = preview_of(path)
    with refusing(path), opened(path, path, MAX_PIXELS) as image, quietly():
        return texts_of(image)


def focal_length(path: str | Path) -> float | None:
    """The 35 mm equivalent focal length in mm that a photo's EXIF has; ``None`` without one.

    Raises:
        ImageError: As `read_image`.
    """
    path = Path(path)
    if path.is_dir():
        return None
    with refusing(path), opened(path, path, MAX_PIXELS) as image:
        with quietly():
            exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
        try:
            focal = float(exif.get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
        except (TypeError, ValueError, ZeroDivisionError):
            return None
        return focal if 5 <= focal <= 2000 else None  # 0 stands for unknown


# --- writing ---------------------------------------------------------------------------------


def write_image(
    path: str | Path,
    image: np.ndarray,
    text: Mapping[str, str] | None = None,
    carried: Carried = NOTHING,
) -> Path:
    """Writes a picture, whole or not at all, with texts that `read_text` gives back.

    Args:
        path: ``.png``, ``.jpg`` (quality 95, colour not subsampled), ``.webp`` or ``.tif``.
        image: ``(H, W, 3)`` uint8 sRGB; ``(H, W, 4)`` with alpha, for what `keeps_alpha`.
        carried: What goes along from the file that it was made of.

    Returns:
        The path.

    Raises:
        OutputError: Another suffix, a side or texts that do not fit the kind of file, or a place
            that cannot be written.
    """
    path = Path(path)
    kind = check_suffix(path, image.shape[1], image.shape[0])
    options = save_options(kind, text or {})
    ours = options.get("exif")
    options |= carried.options(ours if isinstance(ours, Image.Exif) else None)
    if kind == "JPEG":
        options |= {"quality": 95, "subsampling": 0}
    elif kind == "WEBP":
        options |= {"quality": 95}
    with whole_file(path) as part:
        Image.fromarray(carried.coloured(image)).save(part, kind, **options)
    return path


def kind_of(path: Path) -> str | None:
    """Pillow's name for the kind of image file that a path asks for; ``None`` for others."""
    return _SUFFIXES.get(path.suffix.lower())


def keeps_alpha(path: Path) -> bool:
    """Whether the kind of file that a path asks for can be transparent."""
    return kind_of(path) != "JPEG"


def check_suffix(path: Path, width: int = 1, height: int = 1) -> str:
    """Pillow's name for the kind of file that a path asks for.

    Raises:
        OutputError: `write_image` would not write a picture of this size to it.
    """
    kind = kind_of(path)
    if kind is None:
        fault = f"cannot write {path.suffix!r}" if path.suffix else "it has no suffix"
        raise OutputError(f"{verbatim(path)}: {fault}: use .png, .jpg, .webp or .tif")
    if max(width, height) > _SIDES.get(kind, width + height):
        raise OutputError(
            f"{verbatim(path)}: {width:,} x {height:,} pixels do not fit a {path.suffix}, whose "
            f"sides are at most {_SIDES[kind]:,}: use .png or .tif"
        )
    return kind


# --- in memory -------------------------------------------------------------------------------


def resample(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """To exactly ``width x height``: Lanczos, widened to filter when shrinking.

    A picture of that size already is returned as it is, not copied.
    """
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
    return np.array(resized)


def thumbnail(image: np.ndarray, longest: int) -> np.ndarray:
    """An image ``(H, W, 3)`` uint8 whose longer side has at most ``longest`` pixels."""
    factor = min(1.0, longest / max(image.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    return resample(image, width, height)


def cover(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cuts the middle out in the aspect of ``width x height`` and resamples it to that."""
    fitted = ImageOps.fit(Image.fromarray(image), (width, height), Image.Resampling.LANCZOS)
    return np.array(fitted)


def to_png(image: np.ndarray) -> bytes:
    """``(H, W, 3)`` uint8 as the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def to_webp(image: np.ndarray, quality: int, text: Mapping[str, str] | None = None) -> bytes:
    """``(H, W, 3)`` uint8 as the bytes of a lossy WebP with texts; quality 0..100."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=quality, **save_options("WEBP", text or {}))
    return buffer.getvalue()


def to_jpeg(image: np.ndarray, quality: int) -> bytes:
    """``(H, W, 3)`` uint8 as the bytes of a JPEG, in a tenth of the time of a WebP; quality
    0..100."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def from_png(png: bytes, store: Path | None = None) -> np.ndarray:
    """What `to_png` was given.

    Args:
        store: The file that keeps it, for the message.

    Raises:
        ImageError: It is damaged.
    """
    try:
        return np.asarray(Image.open(io.BytesIO(png), formats=("PNG",)).convert("RGB"))
    except Exception as error:  # as in `decoding.refusing`
        raise ImageError(
            f"{store or 'a store'} holds a damaged picture: delete the file, and what it held is "
            "painted again"
        ) from error


def to_tensor(image: np.ndarray) -> Tensor:
    """``(H, W, 3)`` uint8 to ``(3, H, W)`` float32 in 0..1."""
    import torch

    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def to_array(image: Tensor) -> np.ndarray:
    """``(3, H, W)`` float32 in 0..1 to ``(H, W, 3)`` uint8, rounded to nearest."""
    return np.rint(image.permute(1, 2, 0).numpy() * 255).clip(0, 255).astype(np.uint8)
