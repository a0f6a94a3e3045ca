"""No photo is shown twice within a few cells: what an assignment put too near is moved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...geometry import Grid
from .pricing import Prices

_ROUNDS = 4
_TRIED = 512  # of the cheapest changes of one cell


class Spread(NamedTuple):
    """Photos of cells, none too near to itself as far as that can be.

    Attributes:
        photos: Of each cell: ``(cells,)`` indices.
        near: Cells that still show a photo that is shown within the distance as well.
    """

    photos: np.ndarray
    near: int


def spread(prices: Prices, chosen: np.ndarray, grid: Grid, repeat: int, apart: int) -> Spread:
    """Moves photos that are shown twice within ``apart`` cells, across, down or diagonally.

    Each takes the cheapest change that brings none nearer: another photo that may still be used,
    or another cell's in exchange.

    Args:
        prices: What photos cost in cells.
        chosen: Of each cell: ``(cells,)`` indices.
        grid: How cells lie.
        repeat: How many times each may be used.
        apart: 0 for any distance.
    """
    chosen = chosen.copy()
    if not apart:
        return Spread(chosen, 0)
    near = _near(chosen, grid, apart)
    kept = prices.kept(chosen)
    for _ in range(_ROUNDS):
        before = len(near)
        used = np.bincount(chosen, minlength=prices.photos)
        for cell in near:
            if chosen[cell] in _around(chosen, grid, cell, apart):
                moved = _move(prices, chosen, kept, used, grid, int(cell), repeat, apart)
                for each in moved:
                    kept[each] = prices.costs(np.array([each]), chosen[[each]])[0, 0]
        near = _near(chosen, grid, apart)
        if len(near) in (0, before):
            break
    return Spread(chosen, len(near))


def _move(
    prices: Prices,
    chosen: np.ndarray,
    kept: np.ndarray,
    used: np.ndarray,
    grid: Grid,
    cell: int,
    repeat: int,
    apart: int,
) -> list[int]:
    """The cheapest change that takes one cell's photo away from the same one nearby, if there is
    any; changes ``chosen`` and ``used``, and gives the cells that show another photo now."""
    own = int(chosen[cell])
    here = prices.costs(np.array([cell]))[0]
    replaced = here - here[own]
    replaced[used >= repeat] = np.inf
    replaced[_around(chosen, grid, cell, apart)] = np.inf
    replaced[own] = np.inf
    photo = int(replaced.argmin())
    other = _exchange(prices, chosen, kept, grid, cell, here, float(replaced[photo]), apart)
    if other is not None:
        chosen[cell], chosen[other] = chosen[other], own
        return [cell, other]
    if not np.isfinite(replaced[photo]):
        return []
    used[own], used[photo] = used[own] - 1, used[photo] + 1
    chosen[cell] = photo
    return [cell]


def _exchange(
    prices: Prices,
    chosen: np.ndarray,
    kept: np.ndarray,
    grid: Grid,
    cell: int,
    here: np.ndarray,
    limit: float,
    apart: int,
) -> int | None:
    """The cell to exchange photos with most cheaply, for less than a limit."""
    own = int(chosen[cell])
    gained = prices.costs(slice(None), np.array([own]))[:, 0] + here[chosen] - here[own]
    gained -= kept
    gained[chosen == own] = np.inf
    tried = np.argsort(gained, kind="stable")[:_TRIED]
    for other in tried[gained[tried] < limit].tolist():
        theirs = int(chosen[other])
        chosen[cell], chosen[other] = theirs, own
        fits = theirs not in _around(chosen, grid, cell, apart)
        fits = fits and own not in _around(chosen, grid, other, apart)
        chosen[cell], chosen[other] = own, theirs
        if fits:
            return int(other)
    return None


def _around(chosen: np.ndarray, grid: Grid, cell: int, apart: int) -> np.ndarray:
    """The photos of the other cells within a distance."""
    row, column = grid.place(int(cell))
    placed = chosen.reshape(grid.rows, grid.columns)
    top, left = max(0, row - apart), max(0, column - apart)
    window = placed[top : row + apart + 1, left : column + apart + 1]
    own = (row - top) * window.shape[1] + column - left
    return np.delete(window.ravel(), own)


def _near(chosen: np.ndarray, grid: Grid, apart: int) -> np.ndarray:
    """The cells that show a photo that one before them shows within a distance."""
    placed = chosen.reshape(grid.rows, grid.columns)
    found = np.zeros(placed.shape, bool)
    for down in range(apart + 1):
        for across in range(-apart if down else 1, apart + 1):
            if down >= grid.rows or abs(across) >= grid.columns:
                continue
            left, right = max(0, -across), grid.columns - max(0, across)
            later = placed[down:, left + across : right + across]
            earlier = placed[: grid.rows - down, left:right]
            found[down:, left + across : right + across] |= later == earlier
    return np.flatnonzero(found)
