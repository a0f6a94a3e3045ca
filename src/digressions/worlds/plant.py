"""A small copy of a picture, planted in a cell of another: what makes a world loop.

Pictures are ``(3, H, W)`` float32 in 0..1, cut into cells of `CELL_SIDE` pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import Grid
from ..mosaics.band import correct_band
from ..mosaics.mosaic import CELL_SIDE
from ..pictures.colour import oklab

SWEEPS = 4  # each leaves b^2 / cells of the error of the one before


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


def planted(picture: Tensor, small: Tensor, grid: Grid, cell: int, band: Tensor | None) -> Tensor:
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
    picture = with_copy(picture, small, grid, cell)
    for _ in range(SWEEPS if band is not None else 0):
        assert band is not None
        picture = with_copy(correct_band(picture[None], band[None]).images[0], small, grid, cell)
    return picture


def with_copy(picture: Tensor, small: Tensor, grid: Grid, cell: int) -> Tensor:
    """A picture with one cell replaced."""
    box = grid.box(cell, CELL_SIDE)
    picture = picture.clone()
    picture[:, box.top : box.bottom, box.left : box.right] = small
    return picture
