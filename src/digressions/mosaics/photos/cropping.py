"""Which part of a photo a cell shows."""

from __future__ import annotations

import math

import numpy as np
import pyvips
from PIL import Image

from ...geometry import Box, Size
from ..mosaic_spec import CELL_SIDE
from .photo_spec import Crop

TURNS = 8
"""Ways to turn a photo: rotated by 0, 90, 180 or 270 degrees (0..3), the same mirrored (4..7)."""


def crop_box(pixels: np.ndarray, aspect: str, crop: Crop) -> Box:
    """The largest part of a picture that has an aspect.

    Args:
        pixels: ``(H, W, 3)`` uint8.
        aspect: Width and height, such as ``"3:2"``.
        crop: ``"attention"``: where libvips finds edges, skin and saturated colours; or
            ``"centre"``.
    """
    height, width = pixels.shape[:2]
    wide, high = map(int, aspect.split(":"))
    unit = min(width / wide, height / high)
    size = Size(min(width, max(1, round(wide * unit))), min(height, max(1, round(high * unit))))
    left, top = (width - size.width) // 2, (height - size.height) // 2
    if crop == "attention" and size != (width, height):
        image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
        found = image.copy(interpretation="srgb").smartcrop(*size, interesting="attention")
        left, top = -found.xoffset, -found.yoffset
    return Box(left, top, left + size.width, top + size.height)


def scaled(box: Box, old: Size, new: Size) -> Box:
    """A part of a picture in the pixels of the same picture at another size."""
    across, down = new.width / old.width, new.height / old.height
    left, top = math.floor(box.left * across), math.floor(box.top * down)
    right = max(left + 1, min(new.width, round(box.right * across)))
    return Box(left, top, right, max(top + 1, min(new.height, round(box.bottom * down))))


def cut(pixels: np.ndarray, box: Box, size: Size) -> np.ndarray:
    """A part of a picture at a size, ``(h, w, 3)`` uint8."""
    image = Image.fromarray(pixels[box.top : box.bottom, box.left : box.right])
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def coarse(pixels: np.ndarray, box: Box) -> np.ndarray:
    """A part of a picture as a cell is compared: means over 8 x 8 boxes, ``(8, 8, 3)`` uint8."""
    image = Image.fromarray(pixels[box.top : box.bottom, box.left : box.right])
    return np.asarray(image.resize((CELL_SIDE, CELL_SIDE), Image.Resampling.BOX))


def turned(pictures: np.ndarray, turn: int) -> np.ndarray:
    """Pictures ``(..., H, W, 3)`` in one of the `TURNS`."""
    pictures = np.rot90(pictures, turn % 4, (-3, -2))
    return pictures[..., ::-1, :] if turn >= 4 else pictures


def turns_for(cell: Size, *, mirrored: bool, rotated: bool) -> list[int]:
    """The turns that photos are tried in: a quarter turn only where cells are square."""
    quarters = [0] if not rotated else [0, 1, 2, 3] if cell.width == cell.height else [0, 2]
    return quarters + [4 + quarter for quarter in quarters if mirrored]
