"""The Droste effect: a small copy of a picture embedded in a cell, so that a world loops.

Pictures of which copies are embedded are ``(3, H, W)`` float32 in 0..1, cut into cells of
`CELL_SIDE` pixels. `resized_exactly`, which makes the two sizes of a picture that a world needs, is
about ``(H, W, 3)`` uint8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import Grid, Size
from ..images.colour import oklab
from ..images.image_files import resample, to_array, to_tensor
from ..images.upscale import Upscaler
from ..mosaics.cells import band_of, correct_band
from ..mosaics.mosaic_spec import CELL_SIDE

SWEEPS = 4  # each leaves b^2 / cells of the error of the one before


def resized_exactly(image: np.ndarray, size: Size, upscaler: Upscaler) -> np.ndarray:
    """A picture at another size, equal in the finest boxes that both sizes share.

    Averaged to as many values down as the greatest common divisor of the heights, and across
    likewise, both agree to one grey level. Enlarged once by the upscaler, then resampled: a second
    time would cost 16 times as much. What enlargers and filters overshoot is bent back by
    `correct_band`.

    Args:
        image: ``(H, W, 3)`` uint8.
        size: Of the result, in pixels.

    Returns:
        ``(size.height, size.width, 3)`` uint8.
    """
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    larger = height < size.height or width < size.width
    enlarged = upscaler(image) if larger and upscaler.name != "lanczos" else image
    resized = to_tensor(resample(enlarged, *size))[None]
    shared = math.gcd(size.height, height), math.gcd(size.width, width)
    band = band_of(to_tensor(image)[None], *shared)
    return to_array(correct_band(resized, band).images[0])


def small_copy(picture: Tensor) -> Tensor:
    """A picture at the size of a cell, ``(3, CELL_SIDE, CELL_SIDE)``, in whole grey levels."""
    return (F.adaptive_avg_pool2d(picture, CELL_SIDE) * 255).round() / 255


def best_cell(picture: Tensor, small: Tensor, grid: Grid, cells: Sequence[int]) -> int:
    """The one of ``cells`` that looks most like a small copy: nearest in OKLab, pixel by pixel."""
    wanted = oklab(small.permute(1, 2, 0).numpy() * 255)
    seen = oklab(picture.permute(1, 2, 0).numpy() * 255)
    boxes = [grid.box(cell, CELL_SIDE) for cell in cells]
    errors = [
        np.square(seen[box.top : box.bottom, box.left : box.right] - wanted).sum() for box in boxes
    ]
    return cells[int(np.argmin(errors))]


def embed_copy(
    picture: Tensor, small: Tensor, grid: Grid, cell: int, band: Tensor | None
) -> Tensor:
    """A picture with a small copy in a cell, and the picture around it adapted.

    The colours around the cell lean towards the copy's, less with distance, so that it does not
    stand there as a speck; and with a band the rest makes up for what the copy changed in it.

    Args:
        picture: ``(3, H, W)`` of ``grid``.
        small: ``(3, CELL_SIDE, CELL_SIDE)``, which the cell then is, exactly.
        band: ``(3, b, b)`` that the whole must keep, or ``None``.
    """
    box = grid.box(cell, CELL_SIDE)
    inside = picture[:, box.top : box.bottom, box.left : box.right]
    change = (small - inside).mean((1, 2), keepdim=True)
    x, y = (torch.arange(side) + 0.5 for side in (picture.shape[2], picture.shape[1]))
    beside = (box.left - x).clamp(min=0) + (x - box.right).clamp(min=0)
    above = (box.top - y).clamp(min=0) + (y - box.bottom).clamp(min=0)
    nearness = (-(beside[None] ** 2 + above[:, None] ** 2) / CELL_SIDE**2).exp()
    picture = (picture + change * nearness).clamp(0, 1)
    picture = replace_cell(picture, small, grid, cell)
    for _ in range(SWEEPS if band is not None else 0):
        assert band is not None
        picture = replace_cell(correct_band(picture[None], band[None]).images[0], small, grid, cell)
    return picture


def embed_in_itself(picture: Tensor, grid: Grid, cell: int) -> tuple[Tensor, Tensor]:
    """A picture that holds its own small copy in a cell, which holds one in turn: a fixed point.

    Returns:
        The picture, and its small copy.
    """
    small = small_copy(picture)
    for _ in range(4):  # a copy changes the copy's mean by one part in the number of cells
        picture = embed_copy(picture, small, grid, cell, None)
        small = small_copy(picture)
    return replace_cell(picture, small, grid, cell), small


def replace_cell(picture: Tensor, small: Tensor, grid: Grid, cell: int) -> Tensor:
    """A picture with one cell replaced by ``(3, CELL_SIDE, CELL_SIDE)``."""
    box = grid.box(cell, CELL_SIDE)
    picture = picture.clone()
    picture[:, box.top : box.bottom, box.left : box.right] = small
    return picture
