"""Pictures that the user gives, in whatever form: pixels, and where they came from.

A file is read once: its pixels and its SHA-256 are of the same bytes, whatever happens to it
meanwhile. What is made of it remembers both its path and its sum, and is made again only while the
file is what it was.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from ..errors import ImageError, InputError
from .decoding import MAX_PIXELS, Colour, decoded, is_file, opened, refusing
from .pyramid import is_mosaic, read_pyramid, sum_of

PictureLike: TypeAlias = str | Path | Image.Image | ArrayLike
"""A picture as a Python user has it: a path (``str`` or ``Path``) of a picture or of a mosaic's
folder, a PIL image, or an array or whatever numpy makes one of, ``(H, W, 3)``, uint8 or floats in
0..1. A mask may also be ``(H, W)``, and bool."""

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_CLOSE = 1e-3  # floats may miss 0..1 by so much and are clipped


class SourceImage(NamedTuple):
    """A start picture or a mask.

    Attributes:
        pixels: ``(H, W, 3)`` of a picture, ``(H, W)`` of a mask; uint8.
        origin: ``{"path": ..., "sha256": ...}`` of its file; of a mosaic's folder the sum is that
            of its pixels. Of a picture in memory the path is empty, and the sum is that of its
            pixels as well: what is made of it knows its start from others, and says that it cannot
            be made again from a file.
    """

    pixels: np.ndarray
    origin: dict[str, str]


def source_image(picture: PictureLike, *, mask: bool = False) -> SourceImage:
    """A picture or a mask in any form.

    Args:
        picture: See `PictureLike`. What is transparent is white in a picture, black in a mask.
        mask: Whether it is a mask: white (255) where to paint, black where to keep.

    Raises:
        ImageError: It cannot be read, or is no picture.
    """
    background = _BLACK if mask else _WHITE
    if isinstance(picture, (str, Path)):
        pixels, digest = _read_with_hash(Path(picture), background)
        origin = {"path": str(Path(picture)), "sha256": digest}
        return SourceImage(_grey(pixels) if mask else pixels, origin)
    if isinstance(picture, Image.Image):
        pixels = _decoded(picture, background)
        return _in_memory(_grey(pixels) if mask else pixels)
    return _in_memory(_values(picture, mask))


def remembered_image(origin: Mapping[str, str], *, mask: bool = False) -> SourceImage:
    """Reads a file that something was made of, which must still be what it was.

    Args:
        origin: As `SourceImage.origin`.

    Raises:
        ImageError: It cannot be read.
        InputError: It is missing or has changed, or it never was a file.
    """
    if origin.get("path") == "":
        raise InputError(
            "this was started from a picture in memory, not from a file: only Python can make it "
            "again, with the same picture"
        )
    path = Path(str(origin.get("path", "")))
    if not (is_file(path) or is_mosaic(path)):
        here = "" if path.is_absolute() else ": it is looked for from the folder that you are in"
        raise InputError(f"{path}, which this was started from, is not there{here}")
    found = source_image(path, mask=mask)
    if found.origin["sha256"] != origin.get("sha256"):
        raise InputError(f"{path} is not the picture it was when this was made")
    return found


def as_array(picture: PictureLike) -> np.ndarray:
    """A picture in any form as ``(H, W, 3)`` uint8 sRGB; what is transparent is white.

    Args:
        picture: See `PictureLike`.

    Raises:
        ImageError: It cannot be read, or is no picture.
    """
    return source_image(picture).pixels


def _read_with_hash(path: Path, background: Colour) -> tuple[np.ndarray, str]:
    if path.is_dir():
        pixels = read_pyramid(path, MAX_PIXELS)
        return pixels, sum_of(pixels)
    with refusing(path):
        content = path.read_bytes()
        with opened(path, io.BytesIO(content), MAX_PIXELS) as image:
            return decoded(image, background), hashlib.sha256(content).hexdigest()


def _in_memory(pixels: np.ndarray) -> SourceImage:
    return SourceImage(pixels, {"path": "", "sha256": sum_of(pixels)})


def _decoded(image: Image.Image, background: Colour) -> np.ndarray:
    try:
        return decoded(image, background)
    except Exception as error:  # a file that Pillow opened, and reads only now
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"the picture cannot be decoded ({reason})") from error


def _grey(rgb: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(rgb).convert("L"))


def _values(picture: PictureLike, mask: bool) -> np.ndarray:
    """Numbers in memory as pixels."""
    kind = "mask" if mask else "picture"
    try:
        values = np.asarray(picture)
    except Exception as error:  # whatever an object's own conversion raises
        raise ImageError(f"{type(picture).__name__} is not a {kind}") from error
    wanted = "(H, W)" if mask else "(H, W, 3)"
    colours = values.ndim == 3 and values.shape[2] == 3
    if not (colours or (mask and values.ndim == 2)) or not values.size:
        given = f"an array of shape {values.shape}" if values.ndim else type(picture).__name__
        raise ImageError(
            f"{given} is not a {kind}: give a path, a PIL image or an array {wanted}, uint8 or "
            "floats from 0 to 1"
        )
    values = _as_uint8(values, mask)
    return _grey(values) if mask and colours else values


def _as_uint8(values: np.ndarray, mask: bool) -> np.ndarray:
    if values.dtype == np.uint8:
        return np.array(values)
    if mask and values.dtype == bool:
        return values.astype(np.uint8) * 255
    if values.dtype.kind not in "iuf":
        raise ImageError(f"an array of {values.dtype} is not a picture: give uint8 or floats")
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f":
        if not (low >= -_CLOSE and high <= 1 + _CLOSE):  # NaN as well
            raise ImageError(f"floats of a picture go from 0 to 1, not from {low:g} to {high:g}")
        return np.rint(values.astype(np.float64) * 255).clip(0, 255).astype(np.uint8)
    if low < 0 or high > 255:
        raise ImageError(f"integers of a picture go from 0 to 255, not from {low:g} to {high:g}")
    return values.astype(np.uint8)
