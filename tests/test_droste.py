"""The embedded copy: exact in its cell, and what is around it leans towards it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from digressions.geometry import Grid
from digressions.mosaics.cells import band_of
from digressions.mosaics.mosaic_spec import CELL_SIDE
from digressions.worlds.droste import FADES, PART, embed_copy, embed_in_itself, misfits, small_copy

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
    reach = round(min(FADES, PART * 8) * CELL_SIDE)
    assert row[box.left - reach] == pytest.approx(0.3 + 0.6 / 2.718, abs=0.02)
    assert (out[:, -1:] - 0.3).abs().max() < 0.02


def test_of_four_cells_a_picture_is_left_when_it_holds_itself() -> None:
    picture = smooth(0.1, 0.9)[:, ::4, ::4]
    out, _ = embed_in_itself(picture, Grid(2, 2), 3)
    assert (out - picture)[:, :CELL_SIDE, :CELL_SIDE].abs().mean() < 0.01


def test_a_copy_has_no_border() -> None:
    """Its edges go on into the picture, each with its own colour."""
    small = torch.full((3, 8, 8), 0.5)
    small[:, :, :2], small[:, :, -2:], small[:, 2:6, 2:6] = 0.9, 0.1, 0.0
    picture = torch.full((3, SIDE, SIDE), 0.3)
    box = GRID.box(27, CELL_SIDE)
    out = embed_copy(picture, small, GRID, 27, None)[0, box.top + 4]
    assert out[box.left - 1] == pytest.approx(0.9, abs=0.1)
    assert out[box.right] == pytest.approx(0.1, abs=0.1)
    assert picture.eq(0.3).all()  # what was given is not changed


def test_a_copy_is_seen_least_where_it_was_taken_from() -> None:
    picture = smooth(0.1, 0.9)
    box = GRID.box(44, CELL_SIDE)
    small = picture[:, box.top : box.bottom, box.left : box.right]
    found = misfits(picture, small, GRID, range(64))
    assert found.argmin() == 44
    assert found[44] < found[43] < found[60] < found[10]


def test_what_is_around_a_place_counts_as_well() -> None:
    picture, small = torch.full((3, SIDE, SIDE), 0.2), torch.full((3, 8, 8), 0.8)
    for cell in (18, 45):
        box = GRID.box(cell, CELL_SIDE)
        picture[:, box.top : box.bottom, box.left : box.right] = 0.8
    box = GRID.box(45, CELL_SIDE)
    picture[:, box.top - 8 : box.bottom + 8, box.left - 8 : box.right + 8] = 0.8
    alone, among, none = misfits(picture, small, GRID, [18, 45, 8])
    assert among < 0.01 < alone < none


@pytest.mark.parametrize("side", [16, 64, 200])
def test_a_small_copy_is_the_mean_in_whole_grey_levels(side: int) -> None:
    picture = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    small = small_copy(picture) * 255
    assert small.shape == (3, CELL_SIDE, CELL_SIDE)
    assert torch.allclose(small, small.round(), atol=1e-3)
    assert abs(float(small.mean()) / 255 - float(picture.mean())) < 0.01
