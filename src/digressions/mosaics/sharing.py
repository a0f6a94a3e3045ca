"""One painted picture in many cells: which cells share, and what variety that costs.

Cells are compared as points: OKLab of their pixels, scaled so that a distance is the root mean
square over the pixels. About 0.02 is the least that is seen side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..geometry import Grid
from ..images.colour import oklab
from .mosaic_spec import SharingParams

CHOICE = 4  # nearest pictures of which the first is taken that no neighbour is
_ROWS = 1024  # points whose distances are in memory at once


class CellTask(NamedTuple):
    """A picture to paint: the cell that it is painted over, and the cells that show it."""

    cell: int
    shown_in: tuple[int, ...]


class Variety(NamedTuple):
    """What sharing leaves.

    Attributes:
        cells: In all.
        pictures: Different ones.
        alike: Part of the pairs of neighbours, 0..1, that show the same picture.
        distance: Root mean square in OKLab from a cell to the cell that its picture is painted
            over; the mean over cells.
    """

    cells: int
    pictures: int
    alike: float
    distance: float

    def __str__(self) -> str:
        return (
            f"{self.pictures:,} pictures for {self.cells:,} cells "
            f"({self.pictures / self.cells:.0%}); {self.alike:.0%} of neighbours show the same "
            f"one; a cell is {self.distance:.3f} in OKLab from what its picture is painted over"
        )


def source_cells(sharing: SharingParams, cells: Tensor, grid: Grid, seed: int) -> np.ndarray:
    """For each cell the cell that its picture is painted over: ``(cells,)`` indices.

    Args:
        sharing: Which cells share.
        cells: Their pixels, ``(cells, 3, h, w)`` in 0..1, as `cells.exact_cells` gives them.
        grid: How they lie.
        seed: Of the draw for ``reuse``.
    """
    if sharing.merge_similar is None and sharing.reuse is None:
        return np.arange(grid.cells)
    points = points_of(cells.permute(0, 2, 3, 1).numpy() * 255)
    if sharing.reuse is None:
        assert sharing.merge_similar is not None
        return merged(points, sharing.merge_similar)
    chosen = covering(points, sharing.reuse, np.random.default_rng(seed))
    order, _ = nearest(points, points[chosen])
    return np.asarray(chosen[order[np.arange(grid.cells), varied(order, grid)]])


def variety_of(sources: np.ndarray, cells: Tensor, grid: Grid) -> Variety:
    """What these source cells (see `source_cells`) make of the mosaic."""
    points = points_of(cells.permute(0, 2, 3, 1).numpy() * 255)
    placed = sources.reshape(grid.rows, grid.columns)
    pairs = [placed[:, 1:] == placed[:, :-1], placed[1:] == placed[:-1]]
    alike = np.concatenate([pair.ravel() for pair in pairs])
    distance = np.linalg.norm(points - points[sources], axis=1)
    return Variety(
        len(sources),
        len(np.unique(sources)),
        float(alike.mean()) if len(alike) else 0.0,
        float(distance.mean()),
    )


def tasks_of(sources: np.ndarray, missing: Sequence[int]) -> list[CellTask]:
    """The pictures to paint for the cells that are missing, in the order of the first of them."""
    shown_in: dict[int, list[int]] = {}
    for cell in missing:
        shown_in.setdefault(int(sources[cell]), []).append(cell)
    return [CellTask(cell, tuple(cells)) for cell, cells in shown_in.items()]


def points_of(pictures: np.ndarray) -> np.ndarray:
    """Pictures ``(B, H, W, 3)`` in grey levels of 255 as points, ``(B, H * W * 3)``."""
    pixels = pictures[0, ..., 0].size
    return np.asarray(oklab(pictures).reshape(len(pictures), -1) / np.sqrt(pixels))


def merged(points: np.ndarray, most: float) -> np.ndarray:
    """For each point the nearest of some that represent all: ``(N,)`` indices.

    A point represents itself unless it lies within ``most`` of one before it that does.
    """
    points = points.astype(np.float64)
    free = np.ones(len(points), bool)
    chosen: list[int] = []
    squares = (points**2).sum(1)
    for index in range(len(points)):
        if free[index]:
            chosen.append(index)
            rest = np.flatnonzero(free)
            gap = squares[rest] + squares[index] - 2 * points[rest] @ points[index]
            free[rest[gap <= most**2 + 1e-9]] = False
            free[index] = False
    order, _ = nearest(points, points[chosen], 1)
    return np.asarray(np.array(chosen)[order[:, 0]])


def covering(points: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    """At most ``count`` of the points that cover all, drawn as the first centres of k-means++
    (Arthur and Vassilvitskii 2007).

    The farther a point is from those that are chosen, the likelier it is chosen next, so common
    colours and rare ones both get theirs.
    """
    chosen = [drawn(np.ones(len(points)), chance)]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count and distance.any():
        chosen.append(drawn(distance, chance))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


def drawn(distance: np.ndarray, chance: np.random.Generator) -> int:
    """An index, drawn with a probability proportional to its distance squared."""
    weight = distance.astype(np.float64) ** 2
    if weight.sum() == 0:
        return int(chance.integers(len(weight)))
    return int(chance.choice(len(weight), p=weight / weight.sum()))


def nearest(
    points: np.ndarray, centres: np.ndarray, choice: int = CHOICE
) -> tuple[np.ndarray, np.ndarray]:
    """The ``choice`` nearest centres of each point and their distances, nearest first."""
    orders, distances = [], []
    for start in range(0, len(points), _ROWS):
        part = points[start : start + _ROWS]
        squares = (part**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * part @ centres.T
        order = np.argsort(squares, axis=1, kind="stable")[:, :choice]
        orders.append(order)
        distances.append(np.sqrt(np.take_along_axis(squares, order, 1).clip(0)))
    return np.concatenate(orders), np.concatenate(distances)


def varied(order: np.ndarray, grid: Grid) -> np.ndarray:
    """For each cell the first of its candidates ``(cells, K)`` that no neighbour before it took."""
    picked = np.zeros(grid.cells, int)
    for cell in range(grid.cells):
        row, column = grid.place(cell)
        around = [(row, column - 1), *((row - 1, column + shift) for shift in (-1, 0, 1))]
        taken = {
            int(order[r * grid.columns + c, picked[r * grid.columns + c]])
            for r, c in around
            if r >= 0 and 0 <= c < grid.columns
        }
        free = [k for k, picture in enumerate(order[cell]) if int(picture) not in taken]
        picked[cell] = free[0] if free else 0
    return picked
