"""The embedded copy: exact in its cell, and what is around it leans towards it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from digressions.geometry import Grid
from digressions.mosaics.cells import band_of
from digressions.mosaics.mosaic_spec import CELL_SIDE
from digressions.worlds.droste import best_cell, embed_copy, small_copy

GRID = Grid(8, 8)
SIDE = 8 * CELL_SIDE


def smooth(low: float, high: float) -> Tensor:
    y, x = torch.linspace(low, high, SIDE)[:, None], torch.linspace(low, high, SIDE)[None]
    return torch.stack([x + 0 * y, y + 0 * x, (x + y) / 2])


def test_the_copy_is_there_exactly_and_the_band_is_kept() -> None:
    picture, small = smooth(0.2, 0.7), small_copy(smooth(0.9, 0.1))
    band = band_of(picture[None], 2)[0]
    out = embed_copy(picture, small, GRID, 27, band)
    box = GRID.box(27, CELL_SIDE)
    assert torch.equal(out[:, box.top : box.bottom, box.left : box.right], small)
    assert (band_of(out[None], 2)[0] - band).abs().max() * 255 < 1


def test_what_is_near_leans_towards_the_copy_and_what_is_far_hardly_changes() -> None:
    picture = torch.full((3, SIDE, SIDE), 0.3)
    out = embed_copy(picture, torch.full((3, 8, 8), 0.9), GRID, 27, None)
    box = GRID.box(27, CELL_SIDE)
    row = out[0, box.top + 4]
    assert row[box.left - 1] > 0.8
    assert (row[: box.left].diff() >= 0).all()
    assert (out[:, :4] - 0.3).abs().max() < 0.01


def test_the_best_cell_is_where_the_copy_was_taken_from() -> None:
    picture = smooth(0.1, 0.9)
    box = GRID.box(44, CELL_SIDE)
    small = picture[:, box.top : box.bottom, box.left : box.right]
    assert best_cell(picture, small, GRID, range(64)) == 44
    assert best_cell(picture, small, GRID, [10, 43, 60]) == 43


@pytest.mark.parametrize("side", [16, 64, 200])
def test_a_small_copy_is_the_mean_in_whole_grey_levels(side: int) -> None:
    picture = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    small = small_copy(picture) * 255
    assert small.shape == (3, CELL_SIDE, CELL_SIDE)
    assert torch.allclose(small, small.round(), atol=1e-3)
    assert abs(float(small.mean()) / 255 - float(picture.mean())) < 0.01
