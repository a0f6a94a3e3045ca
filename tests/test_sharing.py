"""Cells that share a painted picture: which is painted over for which, and what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from digressions.errors import InputError
from digressions.geometry import Grid
from digressions.mosaics.mosaic_spec import SharingParams
from digressions.mosaics.sharing import (
    CellTask,
    merged,
    points_of,
    source_cells,
    tasks_of,
    variety_of,
)

GRID = Grid(6, 5)


def cells(seed: int = 0, flat: float = 0.0) -> torch.Tensor:
    """Cells of one colour each, as far apart as ``flat`` lets them: ``(cells, 3, 8, 8)``."""
    colours = torch.rand(GRID.cells, 3, 1, 1, generator=torch.Generator().manual_seed(seed))
    return (0.5 + (1 - flat) * (colours - 0.5)).expand(-1, -1, 8, 8)


def points(found: torch.Tensor) -> np.ndarray:
    return points_of(found.permute(0, 2, 3, 1).numpy() * 255)


def test_a_distance_of_points_is_that_of_their_colours() -> None:
    # OKLab's lightness of white is 1 and of black 0, whatever the number of pixels.
    for side in (1, 8):
        pair = np.stack([np.zeros((side, side, 3)), np.full((side, side, 3), 255)])
        assert np.linalg.norm(np.subtract(*points_of(pair))) == pytest.approx(1, abs=1e-3)


@given(st.integers(0, 50), st.floats(0, 0.3))
def test_merged_cells_are_near_the_one_that_is_painted_for_them(seed: int, most: float) -> None:
    found = points(cells(seed))
    sources = merged(found, most)
    painted = np.unique(sources)
    assert np.array_equal(sources[painted], painted)
    assert (np.linalg.norm(found - found[sources], axis=1) <= most + 1e-4).all()
    gaps = np.linalg.norm(found[painted][:, None] - found[painted], axis=2)
    assert (gaps[~np.eye(len(painted), dtype=bool)] > most - 1e-4).all()


def test_nothing_apart_merges_only_what_is_equal() -> None:
    found = points(torch.cat([cells(1)[:3], cells(1)[:3], cells(2)[:1]]))
    assert merged(found, 0.0).tolist() == [0, 1, 2, 0, 1, 2, 6]


def test_the_farther_apart_cells_may_be_the_fewer_are_painted() -> None:
    counts = [len(np.unique(merged(points(cells()), most))) for most in (0, 0.05, 0.15, 1)]
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (GRID.cells, 1)


@pytest.mark.parametrize("count", [1, 4, 12, 1000])
def test_no_more_pictures_are_used_than_were_asked_for(count: int) -> None:
    sharing = SharingParams(reuse=count)
    sources = source_cells(sharing, cells(), GRID, seed=3)
    assert len(np.unique(sources)) <= min(count, GRID.cells)
    assert np.array_equal(sources, source_cells(sharing, cells(), GRID, seed=3))


def test_reused_pictures_are_no_neighbours_of_themselves_and_fit() -> None:
    sources = source_cells(SharingParams(reuse=12), cells(), GRID, seed=3)
    variety = variety_of(sources, cells(), GRID)
    assert variety.alike == 0
    chance = variety_of(np.random.default_rng(0).permutation(sources), cells(), GRID)
    assert variety.distance < 0.7 * chance.distance


def test_cells_that_are_all_alike_need_one_picture() -> None:
    same = cells(flat=1.0)
    for sharing in (SharingParams(reuse=5), SharingParams(merge_similar=0.0)):
        sources = source_cells(sharing, same, GRID, seed=0)
        assert len(np.unique(sources)) == 1
        assert variety_of(sources, same, GRID)[1:] == (1, 1.0, pytest.approx(0, abs=1e-6))


def test_without_sharing_every_cell_has_its_own_picture() -> None:
    assert source_cells(SharingParams(), cells(), GRID, 0).tolist() == list(range(GRID.cells))


def test_tasks_paint_sources_and_place_what_is_missing() -> None:
    sources = np.array([0, 1, 0, 1, 4, 0])
    assert tasks_of(sources, [1, 2, 3, 5]) == [CellTask(1, (1, 3)), CellTask(0, (2, 5))]
    assert tasks_of(sources, []) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"reuse": 2, "merge_similar": 0.1}, "choose one"),
        ({"reuse": 0}, "reuse 0"),
        ({"reuse": 1.5}, "reuse is 1.5"),
        ({"merge_similar": -0.1}, "merge_similar -0.1"),
        ({"merge_similar": float("nan")}, "merge_similar is nan"),
    ],
)
def test_what_cannot_be_shared_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        SharingParams(**values).check()
