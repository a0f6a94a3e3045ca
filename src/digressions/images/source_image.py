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

from ..errors import ImageError, InputError, errors_about, verbatim
from ..events import Note
from ..geometry import Size
from .carried import Carried, carried_by
from .decoding import (
    CLOSE,
    MAX_PIXELS,
    is_file,
    layers,
    opened,
    over,
    pictures_in,
    quietly,
    refusing,
)
from .pyramid import is_mosaic, read_pyramid, sum_of

PictureLike: TypeAlias = str | Path | Image.Image | ArrayLike
"""A picture as a Python user has it: a path (``str`` or ``Path``) of a picture or of a mosaic's
folder, a PIL image, or an array or whatever numpy makes one of, ``(H, W, 3)``, uint8 or floats in
0..1. A mask may also be ``(H, W)``, and bool."""

_WHITE = (255, 255, 255)


class SourceImage(NamedTuple):
    """A start picture or a mask.

    Attributes:
        pixels: ``(H, W, 3)`` of a picture, ``(H, W)`` of a mask; uint8.
        origin: ``{"path": ..., "sha256": ...}`` of its file; of a mosaic's folder the sum is that
            of its pixels. Of a picture in memory the path is empty, and the sum is that of its
            pixels as well: what is made of it knows its start from others, and says that it cannot
            be made again from a file.
        layer: Of a picture that is transparent somewhere: its colours and its alpha,
            ``(H, W, 4)`` uint8, not yet over white. Else ``None``.
        frames: Pictures in its file, such as an animation's; only the first is taken.
        complete: Whether its file has its end. If not, all pixels are there nevertheless.
        carried: What else its file holds that can go along.
    """

    pixels: np.ndarray
    origin: dict[str, str]
    layer: np.ndarray | None = None
    frames: int = 1
    complete: bool = True
    carried: Carried = Carried()

    @property
    def size(self) -> Size:
        """In pixels."""
        return Size(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def name(self) -> str:
        """What messages call it, see `errors.verbatim`."""
        return verbatim(self.origin["path"] or "the picture")

    def notes(self, *, flattened: bool = True) -> list[Note]:
        """What a user should know of what is not taken from it.

        Args:
            flattened: Whether what is transparent becomes white.
        """
        found = []
        if flattened and self.layer is not None:
            found.append(f"{self.name} is transparent in places: they count as white")
        if self.frames > 1:
            found.append(f"{self.name} holds {self.frames:,} pictures: only the first is taken")
        if not self.complete:
            found.append(f"{self.name} is cut short at its end: its pixels are all there")
        return [Note(text, "note") for text in found]


def source_image(picture: PictureLike, name: str = "picture") -> SourceImage:
    """A picture in any form.

    Args:
        picture: See `PictureLike`. What is transparent is white.
        name: Of the parameter that it was given as, which errors are about.

    Raises:
        ImageError: It cannot be read, or is no picture.
    """
    with errors_about(name):
        return _source_image(picture)


def _source_image(picture: PictureLike) -> SourceImage:
    if not isinstance(picture, (str, Path, Image.Image)):
        return in_memory(values_of(picture, mask=False))
    read = read_layers(picture)
    if read.alpha is None:
        return SourceImage(
            read.colours, read.origin, None, read.frames, read.complete, read.carried
        )
    layer = np.dstack([read.colours, read.alpha])
    flat = over(_WHITE, read.colours, read.alpha)
    return SourceImage(flat, read.origin, layer, read.frames, carried=read.carried)


def remembered_image(origin: Mapping[str, str | None]) -> SourceImage:
    """Reads a file that something was made of, which must still be what it was.

    Args:
        origin: As `SourceImage.origin`.

    Raises:
        ImageError: It cannot be read.
        InputError: It is missing or has changed, or it never was a file.
    """
    return unchanged(source_image(remembered_path(origin)), origin)


def remembered_path(origin: Mapping[str, str | None]) -> Path:
    """Where a file is that something was made of.

    Raises:
        InputError: It is missing, or never was a file.
    """
    if origin.get("path") == "":
        raise InputError(
            "this was started from a picture in memory, not from a file: only Python can make it "
            "again, with the same picture"
        )
    path = Path(str(origin.get("path", "")))
    if not (is_file(path) or is_mosaic(path)):
        here = "" if path.is_absolute() else ": it is looked for from the folder that you are in"
        raise InputError(f"{verbatim(path)}, which this was started from, is not there{here}")
    return path


def unchanged(found: SourceImage, origin: Mapping[str, str | None]) -> SourceImage:
    """What was found, if it is what it was.

    Raises:
        InputError: It is not.
    """
    check_unchanged(found.origin, origin)
    return found


def check_unchanged(found: Mapping[str, str], origin: Mapping[str, str | None]) -> None:
    """Raises `InputError` where a picture is not what it was, by two of `SourceImage.origin`."""
    if found["sha256"] != origin.get("sha256"):
        name = verbatim(found["path"] or "the picture")
        raise InputError(f"{name} is not the picture it was when this was made")


def as_array(picture: PictureLike) -> np.ndarray:
    """A picture in any form as ``(H, W, 3)`` uint8 sRGB; what is transparent is white.

    Args:
        picture: See `PictureLike`.

    Raises:
        ImageError: It cannot be read, or is no picture.
    """
    return source_image(picture).pixels


class Layers(NamedTuple):
    """A picture as it was read: colours and alpha as of `decoding.layers`, the rest as of
    `SourceImage`."""

    colours: np.ndarray
    alpha: np.ndarray | None
    complete: bool
    origin: dict[str, str]
    frames: int
    carried: Carried = Carried()


def read_layers(picture: str | Path | Image.Image) -> Layers:
    """Reads a file, or a picture that somebody has opened or made.

    Raises:
        ImageError: It cannot be read.
    """
    return _decoded(picture) if isinstance(picture, Image.Image) else _from_file(Path(picture))


def _from_file(path: Path) -> Layers:
    if path.is_dir():
        pixels = read_pyramid(path, MAX_PIXELS)
        return Layers(pixels, None, True, {"path": str(path), "sha256": sum_of(pixels)}, 1)
    with refusing(path):
        content = path.read_bytes()
        with opened(path, io.BytesIO(content), MAX_PIXELS) as image:
            origin = {"path": str(path), "sha256": hashlib.sha256(content).hexdigest()}
            read = layers(image)
            with quietly():
                return Layers(*read, origin, pictures_in(image), carried_by(image))


def _decoded(image: Image.Image) -> Layers:
    """A picture that somebody has opened or made."""
    try:
        colours, alpha, complete = layers(image)
        with quietly():
            carried = carried_by(image)
    except ImageError:
        raise
    except Exception as error:  # a file that Pillow opened, and reads only now
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"the picture cannot be decoded ({reason})") from error
    content = colours if alpha is None else np.dstack([colours, alpha])
    origin = in_memory(content).origin
    return Layers(colours, alpha, complete, origin, pictures_in(image), carried)


def in_memory(pixels: np.ndarray) -> SourceImage:
    """Pixels that come from no file."""
    return SourceImage(pixels, {"path": "", "sha256": sum_of(pixels)})


def grey(rgb: np.ndarray) -> np.ndarray:
    """``(H, W, 3)`` uint8 to ``(H, W)`` uint8."""
    return np.array(Image.fromarray(rgb).convert("L"))


def values_of(picture: PictureLike, mask: bool) -> np.ndarray:
    """Numbers in memory as pixels.

    Raises:
        ImageError: They are no picture, or no mask.
    """
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
    return grey(values) if mask and colours else values


def _as_uint8(values: np.ndarray, mask: bool) -> np.ndarray:
    if values.dtype == np.uint8:
        return np.array(values)
    if mask and values.dtype == bool:
        return values.astype(np.uint8) * 255
    if values.dtype.kind not in "iuf":
        raise ImageError(f"an array of {values.dtype} is not a picture: give uint8 or floats")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ImageError("some floats of the picture are no numbers (NaN)")
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f":
        if low < -CLOSE or high > 1 + CLOSE:
            raise ImageError(f"floats of a picture go from 0 to 1, not from {low:g} to {high:g}")
        return np.rint(values.astype(np.float64) * 255).clip(0, 255).astype(np.uint8)
    if low < 0 or high > 255:
        raise ImageError(f"integers of a picture go from 0 to 255, not from {low:g} to {high:g}")
    return values.astype(np.uint8)
