"""The way that a flight goes down: into which cells, and where a loop closes."""

from __future__ import annotations

import random

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..geometry import CellPath, Grid
from ..images.colour import oklab
from ..images.image_files import to_tensor
from ..mosaics.cells import cell_seed
from ..mosaics.mosaic_spec import CELL_SIDE
from .droste import left_over, misfits, small_copy
from .world import World
from .world_spec import check_way

INNER = (0.2, 0.8)  # where in a picture a flight may go on, in parts of its side
BEST = 0.04  # part of the cells that a flight chooses from
WINDOWS = (3, 7, 15)  # cells across, in which something should be seen on the way down
TRIED = 12  # pictures in which a place for the root's copy is looked for
PLACES = 8  # that are tried out
READABLE = 0.62  # lightness that leaves a picture room to be darker and brighter


def inner_cells(grid: Grid) -> list[int]:
    """Cells that are far enough from the border to fly into."""
    low, high = INNER
    return [
        cell
        for cell in range(grid.cells)
        if all(
            low <= (place + 0.5) / count <= high
            for place, count in zip(grid.place(cell), (grid.rows, grid.columns), strict=True)
        )
    ]


def scores(canvas: np.ndarray, grid: Grid) -> np.ndarray:
    """How well a flight into each cell of a canvas can be read, ``(cells,)``.

    What it flies into is neither dark nor bright, for only such a picture is readable, and only
    along such cells do colours live for ever (see `docs/decisions.md`). Something is in sight all
    the way: the colours around a cell differ as seen through a small window as well as a large one.

    Args:
        canvas: ``(H, W, 3)`` uint8 of ``grid``.
    """
    lab = oklab(canvas)
    cells = lab.reshape(grid.rows, CELL_SIDE, grid.columns, CELL_SIDE, 3).mean((1, 3))
    windows = [min(window, min(grid.rows, grid.columns) | 1) for window in WINDOWS]
    contrast = np.prod([0.01 + _contrast(cells, window) for window in windows], axis=0)
    stands_out = np.linalg.norm(cells - cells.mean((0, 1)), axis=-1)
    readable = np.exp(-(((cells[..., 0] - READABLE) / 0.18) ** 2))
    found: np.ndarray = readable * (0.02 + stands_out + contrast ** (1 / len(windows)))
    return found.reshape(-1)


def _contrast(cells: np.ndarray, window: int) -> np.ndarray:
    """How much colours differ in a square around each cell: ``(rows, columns)``."""
    half = window // 2
    padded = np.pad(cells, ((half, half), (half, half), (0, 0)), mode="edge")
    around = sliding_window_view(padded, (window, window), axis=(0, 1)).std((-1, -2))
    found: np.ndarray = np.linalg.norm(around, axis=-1)
    return found


def best_cells(canvas: np.ndarray, grid: Grid, like: np.ndarray | None = None) -> list[int]:
    """The cells that a flight chooses from, the best first; see `scores`.

    Args:
        canvas: ``(H, W, 3)`` uint8 of ``grid``.
        like: A picture, ``(H, W, 3)`` uint8, whose mean colour is wanted, or ``None``.
    """
    score = scores(canvas, grid)
    if like is not None:
        means = oklab(canvas).reshape(grid.rows, CELL_SIDE, grid.columns, CELL_SIDE, 3)
        far = np.linalg.norm(means.mean((1, 3)) - oklab(like).mean((0, 1)), axis=-1)
        score = score * np.exp(-((far.reshape(-1) / 0.1) ** 2))
    inner = sorted(inner_cells(grid), key=lambda cell: (-score[cell], cell))
    return inner[: max(1, round(BEST * len(inner)))]


def choose_cell(canvas: np.ndarray, grid: Grid, seed: int, like: np.ndarray | None = None) -> int:
    """A cell to fly into, drawn at random from `best_cells`.

    Args:
        canvas, like: As of `best_cells`.
        seed: Of the choice.
    """
    return random.Random(seed).choice(best_cells(canvas, grid, like))


def choose_loop(world: World, levels: int, path: CellPath = ()) -> CellPath:
    """A loop of ``levels`` cells, chosen one by one. The last two are chosen together, so that the
    root's copy is seen least: some pictures are painted to find the place.

    Args:
        world: To fly into.
        levels: 1 or more.
        path: The first cells, where they are chosen already; all of them is the loop itself.

    Raises:
        InputError: More cells are chosen than there are levels, or one that is not in the grid.
    """
    grid = world.manifest.cells.grid
    check_way(path, levels, grid)
    for depth in range(len(path), levels - 2):
        seed = cell_seed(world.manifest.cells.params.seed, *path, depth)
        path = (*path, choose_cell(world.canvas(path), grid, seed))
    root = world.canvas(())
    if len(path) == levels - 2:
        seed = cell_seed(world.manifest.cells.params.seed, *path, levels - 2)
        best = best_cells(world.canvas(path), grid, like=root)
        tried = sorted(random.Random(seed).sample(best, min(TRIED, len(best))))
        world.pictures((*path, cell) for cell in tried)  # in batches
        ways = [way for cell in tried for way in _last_cells(world, (*path, cell), root)]
        return _closing(world, ways, root)
    if len(path) == levels - 1:
        return _closing(world, _last_cells(world, path, root), root)
    return path


def _last_cells(world: World, path: CellPath, root: np.ndarray) -> list[tuple[float, CellPath]]:
    """Where in a picture the root's copy is seen least, beside how much else there is to see: a
    number, the less the better, and the whole way, for some of its cells."""
    grid, canvas = world.manifest.cells.grid, world.canvas(path)
    cells, score = inner_cells(grid), scores(canvas, grid)
    sight = np.sqrt((0.02 + score[cells]) * (0.02 + score.mean()))
    cost = misfits(to_tensor(canvas), small_copy(to_tensor(root)), grid, cells) / sight
    return [(float(cost[i]), (*path, cells[i])) for i in np.argsort(cost, kind="stable")[:PLACES]]


def _closing(world: World, ways: list[tuple[float, CellPath]], root: np.ndarray) -> CellPath:
    """The first of some ways, by their numbers, whose last picture makes up for the root's copy; or
    of the first few the one that comes nearest to that."""
    mosaic, small = world.manifest.cells, small_copy(to_tensor(root))
    first = [way for _, way in sorted(ways)[:PLACES]]
    if not mosaic.band:
        return first[0]
    off: dict[CellPath, float] = {}
    for way in first:
        canvas = to_tensor(world.canvas(way[:-1]))
        off[way] = left_over(canvas, small, mosaic.grid, way[-1], mosaic.band)
        if off[way] <= 0.5:
            break
    return min(off, key=off.__getitem__)
