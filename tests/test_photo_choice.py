"""Which photo goes where: the cheapest way, in few bends, none too often and none too near."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from digressions.events import completed
from digressions.geometry import Grid, Size
from digressions.mosaics.cells import correct_band
from digressions.mosaics.photos import assignment
from digressions.mosaics.photos.assignment import SLACK, assigned, auctioned
from digressions.mosaics.photos.cropping import turned
from digressions.mosaics.photos.photo_spec import PhotoMosaic
from digressions.mosaics.photos.pricing import BENDING, Prices, coordinates
from digressions.mosaics.photos.spreading import spread


def mosaic(grid: tuple[int, int] = (4, 3), **values: Any) -> PhotoMosaic:
    usual: dict[str, Any] = {"cell": Size(64, 64), "band": 2, "bend": 1.0, "repeat": 1, "apart": 0}
    usual |= {"mirrored": False, "rotated": False}
    return PhotoMosaic(grid=Grid(*grid), **usual | values)


def values(count: int, seed: int = 0) -> np.ndarray:
    """Cells or photos in 8 x 8 values: ``(count, 8, 8, 3)`` uint8."""
    chance = np.random.default_rng(seed)
    means = chance.uniform(30, 225, (count, 1, 1, 3))
    return np.clip(means + chance.normal(0, 25, (count, 8, 8, 3)), 0, 255).astype(np.uint8)


def prices_of(count: int, photos: int, grid: tuple[int, int] = (4, 3), **changes: Any) -> Prices:
    turns = changes.pop("turns", [0])
    return Prices(mosaic(grid, **changes), values(count), values(photos, 1), turns)


# --- prices ----------------------------------------------------------------------------------


def test_a_photo_of_the_cell_itself_costs_nothing() -> None:
    cells = values(6)
    for band, bend in ((0, 1.0), (2, 1.0), (4, 1.0), (2, 0.5), (2, 0.0)):
        costs = Prices(mosaic(band=band, bend=bend), cells, cells, [0]).costs(np.arange(6))
        assert np.allclose(np.diag(costs), 0, atol=1e-5)
        assert (costs + np.eye(6) > 1e-3).all()


def test_the_price_of_bending_is_the_exponent_that_the_correction_needs() -> None:
    """Flat pictures, whose tone curve is known: `correct_band` bends them by just that."""
    dark, light = (np.full((1, 8, 8, 3), value, np.uint8) for value in (60, 150))
    (cost,) = Prices(mosaic(), light, dark, [0]).costs(np.array([0]))[0]
    start, wanted = (torch.from_numpy(each).permute(0, 3, 1, 2) / 255 for each in (dark, light))
    bent = correct_band(start, torch.full((1, 3, 2, 2), float(wanted.mean()))).images
    exponent = float(bent.log().mean() / start.log().mean())
    assert np.isclose(cost, (BENDING * np.log(exponent)) ** 2, rtol=0.01)


def test_with_the_correction_likeness_counts_more_than_colour() -> None:
    """Of two photos, one of the cell's colour and one of its drawing in other colours, an exact
    mosaic takes the second, and one that bends nothing the first."""
    drawing = np.zeros((1, 8, 8, 3), int)
    drawing[:, ::2, ::2] = 40
    cell = 120 + drawing
    same_colour = np.full((1, 8, 8, 3), 130, int)
    same_drawing = 82 + drawing
    photos = np.concatenate([same_colour, same_drawing]).astype(np.uint8)
    for band, best in ((2, 1), (0, 0)):
        prices = Prices(mosaic(band=band), cell.astype(np.uint8), photos, [0])
        assert prices.costs(np.array([0]))[0].argmin() == best


def test_of_the_turns_the_best_one_is_priced_and_shown() -> None:
    cells = values(5)
    for turn in range(8):
        turns = list(range(8))
        photos = np.rot90(cells, turn % 4, (1, 2))
        photos = np.ascontiguousarray(photos if turn < 4 else photos[..., ::-1, :])
        prices = Prices(mosaic(), cells, photos, turns)
        assert np.allclose(np.diag(prices.costs(np.arange(5))), 0, atol=1e-5)
        for cell, best in enumerate(prices.best_turns(np.arange(5)).tolist()):
            assert np.array_equal(turned(photos[cell], best), cells[cell])


def test_coordinates_do_not_depend_on_the_company() -> None:
    pictures = values(7)
    alone = np.concatenate([coordinates(mosaic(), pictures[k : k + 1]) for k in range(7)])
    assert np.allclose(coordinates(mosaic(), pictures), alone)


# --- assignment ------------------------------------------------------------------------------


def best_sum(costs: np.ndarray, places: np.ndarray) -> float:
    """The least sum there is, by trying everything."""
    columns = np.repeat(np.arange(len(places)), places)
    rows = np.arange(len(costs))
    return min(
        float(costs[rows, list(order)].sum())
        for order in itertools.permutations(columns, len(costs))
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_assignment_is_the_best_but_for_its_slack(seed: int) -> None:
    chance = np.random.default_rng(seed)
    costs = chance.random((5, 4)).astype(np.float32) ** 2
    places = np.array([2, 1, 0, 3]) if seed % 2 else np.array([2, 2, 2, 1])
    chosen = auctioned(costs.copy(), places)
    assert (np.bincount(chosen, minlength=4) <= places).all()
    total = float(costs[np.arange(5), chosen].sum())
    assert total <= best_sum(costs, places) + 5 * SLACK * costs[:, places > 0].min(1).mean() + 1e-6


def test_every_photo_is_used_where_there_are_as_many_as_cells() -> None:
    chosen = completed(assigned(prices_of(40, 40, (8, 5)), 1))
    assert sorted(chosen.tolist()) == list(range(40))


@pytest.mark.parametrize(("photos", "repeat"), [(1, 12), (1, 99), (5, 3), (12, 1), (300, 1)])
def test_no_photo_is_used_too_often(photos: int, repeat: int) -> None:
    chosen = completed(assigned(prices_of(12, photos), repeat))
    assert np.bincount(chosen).max() <= repeat


@pytest.mark.parametrize(("photos", "repeat"), [(40, 2), (90, 1), (7, 9)])
def test_cells_that_look_at_few_photos_at_a_time_get_the_same(
    photos: int, repeat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = prices_of(60, photos, (10, 6))
    found = []
    for some in (2, 5, 1000):
        monkeypatch.setattr(assignment, "_LOOKED_AT", some)
        found.append(completed(assigned(prices, repeat)))
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(found[1], found[2])


def test_photos_that_are_all_alike_are_dealt_out() -> None:
    same = np.repeat(values(1), 6, 0)
    prices = Prices(mosaic(), values(12), same, [0])
    assert np.bincount(completed(assigned(prices, 2))).tolist() == [2] * 6


def test_more_than_fits_into_memory_is_dealt_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = prices_of(60, 20, (10, 6))
    whole = completed(assigned(prices, 4))
    monkeypatch.setattr(assignment, "AT_ONCE", 300)  # four blocks
    parts = completed(assigned(prices, 4))
    assert np.bincount(parts, minlength=20).max() <= 4
    for repeat in (3, 5, 60):
        assert np.bincount(completed(assigned(prices, repeat))).max() <= repeat
    costs = prices.costs(np.arange(60))
    found = [float(costs[np.arange(60), chosen].mean()) for chosen in (whole, parts)]
    assert found[0] <= found[1] < 1.5 * found[0]


# --- not too near ----------------------------------------------------------------------------


def nearest_pair(photos: np.ndarray, grid: Grid) -> int:
    """The least distance between two cells that show the same photo."""
    found = 99
    for one, other in itertools.combinations(range(grid.cells), 2):
        if photos[one] == photos[other]:
            (r, c), (s, d) = grid.place(one), grid.place(other)
            found = min(found, max(abs(r - s), abs(c - d)))
    return found


@pytest.mark.parametrize("apart", [1, 2, 3])
def test_the_same_photo_is_not_shown_within_a_distance(apart: int) -> None:
    grid = Grid(12, 9)
    smooth = np.repeat(values(4), 27, 0)  # neighbours that want the same photos
    prices = Prices(mosaic((12, 9)), smooth, values(40, 3), [0])
    chosen = completed(assigned(prices, 6))
    assert nearest_pair(chosen, grid) <= 1
    found = spread(prices, chosen, grid, 6, apart)
    assert found.near == 0
    assert nearest_pair(found.photos, grid) > apart
    assert np.bincount(found.photos).max() <= 6


def test_exchanges_do_where_every_photo_is_used_up() -> None:
    grid = Grid(8, 8)
    prices = Prices(mosaic((8, 8)), np.repeat(values(4), 16, 0), values(32, 3), [0])
    chosen = completed(assigned(prices, 2))
    found = spread(prices, chosen, grid, 2, 1)
    assert np.bincount(found.photos).tolist() == [2] * 32
    assert nearest_pair(found.photos, grid) > 1


def test_too_few_photos_are_told() -> None:
    prices = prices_of(12, 2)
    found = spread(prices, completed(assigned(prices, 12)), Grid(4, 3), 12, 3)
    assert found.near > 0


def test_any_distance_changes_nothing() -> None:
    prices = prices_of(12, 3)
    chosen = completed(assigned(prices, 12))
    assert np.array_equal(spread(prices, chosen, Grid(4, 3), 12, 0).photos, chosen)
