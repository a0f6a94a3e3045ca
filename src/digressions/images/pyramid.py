"""The folder of a mosaic as a picture: the tiles of its Deep Zoom pyramid put together."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..errors import ImageError, verbatim
from ..geometry import Size
from .decoding import is_file

_NAME = "mosaic"
_PREVIEW = "preview.jpg"
_MOST = 2**31  # pixels of a side that a description is believed


class _Pyramid(NamedTuple):
    """What the description of a pyramid says.

    Attributes:
        size: Of the whole picture in pixels.
        tile: Pixels a side of a tile.
        suffix: Of its files.
    """

    size: Size
    tile: int
    suffix: str


def is_mosaic(folder: Path) -> bool:
    """Whether a folder is that of a finished mosaic."""
    return is_file(folder / f"{_NAME}.dzi")


def preview_of(folder: Path) -> Path:
    """The file of a mosaic's folder that remembers how it was made.

    Raises:
        ImageError: It is not the folder of a finished mosaic.
    """
    _check(folder)
    return folder / _PREVIEW


def read_pyramid(folder: Path, max_pixels: int) -> np.ndarray:
    """A mosaic with all the pixels that it has: ``(H, W, 3)`` uint8.

    Args:
        folder: Of a mosaic.
        max_pixels: Where it has more, it is read in half its size, or a quarter, ...

    Raises:
        ImageError: It is not the folder of a finished mosaic, or damaged.
    """
    _check(folder)
    try:
        return _joined(folder / f"{_NAME}_files", _described(folder / f"{_NAME}.dzi"), max_pixels)
    except Exception as error:  # as in `decoding.refusing`
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{verbatim(folder)} is a damaged mosaic ({reason})") from error


def sum_of(pixels: np.ndarray) -> str:
    """SHA-256 of a picture in memory, 64 hex digits."""
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()


def _check(folder: Path) -> None:
    if is_mosaic(folder):
        return
    if (folder / "manifest.json").is_file():
        raise ImageError(
            f"{verbatim(folder)} is no finished mosaic: run the command that began it again"
        )
    raise ImageError(f"{verbatim(folder)} is a folder: give a picture, or the folder of a mosaic")


def _described(path: Path) -> _Pyramid:
    content = path.read_bytes()
    if b"<!" in content:  # no DTD, no entities of its own
        raise ValueError("a description with a document type")
    image = ET.fromstring(content)
    (size,) = image.findall("{*}Size")
    sides = Size(int(size.attrib["Width"]), int(size.attrib["Height"]))
    tile, suffix = int(image.attrib["TileSize"]), image.attrib["Format"]
    if not 1 <= min(*sides, tile) <= max(*sides, tile) <= _MOST or not suffix.isalnum():
        raise ValueError("no size of a picture")
    if image.attrib["Overlap"] != "0":
        raise ValueError("tiles that overlap")
    return _Pyramid(sides, tile, suffix)


def _joined(folder: Path, pyramid: _Pyramid, max_pixels: int) -> np.ndarray:
    level, size = (max(pyramid.size) - 1).bit_length(), pyramid.size
    while size.pixels > max_pixels:
        level, size = level - 1, Size(*((side + 1) // 2 for side in size))
    out = np.empty((size.height, size.width, 3), np.uint8)
    for top in range(0, size.height, pyramid.tile):
        for left in range(0, size.width, pyramid.tile):
            place = f"{left // pyramid.tile}_{top // pyramid.tile}.{pyramid.suffix}"
            with Image.open(folder / str(level) / place) as tile:
                part = out[top : top + pyramid.tile, left : left + pyramid.tile]
                part[...] = np.asarray(tile.convert("RGB"))
    return out
