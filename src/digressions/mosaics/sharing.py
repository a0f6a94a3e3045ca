"""One painted picture in many cells: which cells share, and what variety that costs.

Cells are compared as points: OKLab of their pixels, scaled so that a distance is the root mean
square over the pixels. About 0.02 is the least that is seen side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..geometry import Grid
from ..pictures.colour import oklab

CHOICE = 4  # nearest pictures of which the first is taken that no neighbour is
_ROWS = 1024  # points whose distances are in memory at once


class Piece(NamedTuple):
    """A picture to paint: the cell that it is painted over, and the cells that show it."""

    cell: int
    places: tuple[int, ...]


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


@dataclass(frozen=True)
class Sharing:
    """Which cells of a mosaic show the same painted picture, each with its own exact correction.

    Attributes:
        reuse: Paint so many pictures at most, and use each wherever it fits; or ``None``.
        merge: Cells at most so far apart, in OKLab, share a picture; or ``None``.
    """

    reuse: int | None = None
    merge: float | None = None

    def check(self) -> None:
        """Raises `InputError` for settings that cannot be."""
        if self.reuse is not None and self.merge is not None:
            raise InputError("--reuse and --merge-similar both say what cells share: choose one")
        if self.reuse is not None and self.reuse < 1:
            raise InputError(f"--reuse {self.reuse} must be at least 1")
        if self.merge is not None and not 0 <= self.merge <= 1:
            raise InputError(f"--merge-similar {self.merge} is out of range: 0 to 1")

    def job(self) -> dict[str, Any]:
        """What it adds to a job's settings; nothing where every cell has its own picture."""
        if self.reuse is not None:
            return {"reuse": self.reuse}
        return {} if self.merge is None else {"merge_similar": self.merge}

    def leads(self, cells: Tensor, grid: Grid, seed: int) -> np.ndarray:
        """For each cell the cell that its picture is painted over: ``(cells,)``.

        Args:
            cells: Their pixels, ``(cells, 3, h, w)`` in 0..1, as `mosaic.exact_cells` gives them.
            grid: How they lie.
            seed: Of the draw for ``reuse``.
        """
        if self.merge is None and self.reuse is None:
            return np.arange(grid.cells)
        points = points_of(cells.permute(0, 2, 3, 1).numpy() * 255)
        if self.reuse is None:
            assert self.merge is not None
            return merged(points, self.merge)
        leaders = spread(points, self.reuse, np.random.default_rng(seed))
        order, _ = nearest(points, points[leaders])
        return leaders[order[np.arange(grid.cells), varied(order, grid)]]

    def variety(self, leads: np.ndarray, cells: Tensor, grid: Grid) -> Variety:
        """What these leads make of the mosaic."""
        points = points_of(cells.permute(0, 2, 3, 1).numpy() * 255)
        placed = leads.reshape(grid.rows, grid.columns)
        pairs = [placed[:, 1:] == placed[:, :-1], placed[1:] == placed[:-1]]
        alike = np.concatenate([pair.ravel() for pair in pairs])
        apart = np.linalg.norm(points - points[leads], axis=1)
        return Variety(
            len(leads),
            len(np.unique(leads)),
            float(alike.mean()) if len(alike) else 0.0,
            float(apart.mean()),
        )


def pieces_of(leads: np.ndarray, missing: list[int]) -> list[Piece]:
    """The pictures to paint for the cells that are missing, in the order of the first of them."""
    places: dict[int, list[int]] = {}
    for cell in missing:
        places.setdefault(int(leads[cell]), []).append(cell)
    return [Piece(cell, tuple(shown)) for cell, shown in places.items()]


def points_of(pictures: np.ndarray) -> np.ndarray:
    """Pictures ``(B, H, W, 3)`` in grey levels of 255 as points, ``(B, H * W * 3)``."""
    return oklab(pictures).reshape(len(pictures), -1) / np.sqrt(pictures[0, ..., 0].size)


def merged(points: np.ndarray, most: float) -> np.ndarray:
    """Leads each point to the nearest of some that stand for all: ``(N,)`` indices.

    In order, a point that none of those before it is within ``most`` of stands for itself.
    """
    points = points.astype(np.float64)
    free = np.ones(len(points), bool)
    leaders: list[int] = []
    squares = (points**2).sum(1)
    for index in range(len(points)):
        if free[index]:
            leaders.append(index)
            rest = np.flatnonzero(free)
            gap = squares[rest] + squares[index] - 2 * points[rest] @ points[index]
            free[rest[gap <= most**2 + 1e-9]] = False
            free[index] = False
    order, _ = nearest(points, points[leaders], 1)
    return np.array(leaders)[order[:, 0]]


def spread(points: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    """At most ``count`` of the points that cover all, drawn as the first centres of k-means++.

    Arthur and Vassilvitskii 2007: a point is the likelier the farther it is from those there are,
    so common colours and rare ones both get theirs.
    """
    chosen = [drawn(np.ones(len(points)), chance)]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count and distance.any():
        chosen.append(drawn(distance, chance))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


def drawn(distance: np.ndarray, chance: np.random.Generator) -> int:
    """An index, as likely as its distance squared."""
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
