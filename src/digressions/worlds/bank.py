"""A finite world: endless, but made of a bank of N pictures that are used again and again.

The bank's pictures are pictures of the endless world, at paths chosen so that their colours cover
those of their own cells. A map leads from every cell of every one of them to another of them. So
nothing is painted any more, however far one goes, and each picture in its place is still exact: it
is bent to its cell's colours there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple, SupportsIndex, overload

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..events import Event, Note, Progress
from ..geometry import CellPath, Grid
from ..images.image_files import to_tensor
from ..mosaics.cells import band_of, correct_band, to_bytes
from ..mosaics.mosaic_spec import CELL_SIDE, Mosaic
from ..mosaics.sharing import drawn, nearest, points_of, varied
from .world import World

CLOSE = 0.05  # in OKLab: a bend of the tones by so much is hardly seen
_ROUND = 32  # pictures that are chosen before their own cells are looked at
_BOXES = 2  # values a side of a picture that colours are compared in


class Coverage(NamedTuple):
    """How well a bank has the colours of its own cells.

    Attributes:
        pictures: In the bank.
        close: Part of their cells, 0..1, whose picture is within `CLOSE`.
        error: Mean distance in OKLab from a cell to its picture.
        looked_at: In how many of them cells were looked at; ``None`` for all.
    """

    pictures: int
    close: float
    error: float
    looked_at: int | None = None

    def __str__(self) -> str:
        cells = "their own cells"
        if self.looked_at is not None:
            cells = f"the cells of a sample of {self.looked_at}"
        return (
            f"{self.pictures} pictures cover {self.close:.0%} of {cells} within "
            f"{CLOSE} in OKLab; mean distance {self.error:.3f}"
        )


class Lazy(Sequence[np.ndarray]):
    """Arrays that are made when they are asked for, and kept while they are in use. Any thread may
    ask."""

    def __init__(self, count: int, make: Callable[[int], np.ndarray], kept: int | None) -> None:
        """
        Args:
            count: How many there are.
            make: Makes one, always the same.
            kept: How many are kept, or ``None`` for all.
        """
        self._count, self._make = count, functools.lru_cache(kept)(make)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[np.ndarray]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> np.ndarray | list[np.ndarray]:
        numbers = range(self._count)[index]
        if isinstance(numbers, range):
            return [self._make(number) for number in numbers]
        return self._make(numbers)


class Bank(NamedTuple):
    """Pictures and what leads from one to the next.

    Attributes:
        paths: Of painted pictures in the endless world; the first is the root.
        pictures: Of each ``(side, side, 3)`` uint8; the first is the root.
        canvases: Their canvases, ``(canvas_side, canvas_side, 3)`` uint8.
        next: Of each ``(cells,)``, the picture for each of its cells.
        coverage: How well they serve.
    """

    paths: list[CellPath]
    pictures: Sequence[np.ndarray]
    canvases: Sequence[np.ndarray]
    next: Sequence[np.ndarray]
    coverage: Coverage


def colours_of(pictures: np.ndarray) -> np.ndarray:
    """Pictures ``(B, H, W, 3)`` uint8 as points: OKLab of 2 x 2 boxes, ``(B, 12)``."""
    images = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float()
    boxes = band_of(images, _BOXES).permute(0, 2, 3, 1).numpy()
    return points_of(boxes)


def cells_colours(canvas: np.ndarray, grid: Grid) -> np.ndarray:
    """The cells of a canvas as points, in reading order: ``(cells, 12)``."""
    cut = canvas.reshape(grid.rows, CELL_SIDE, grid.columns, CELL_SIDE, 3).swapaxes(1, 2)
    return colours_of(cut.reshape(grid.cells, CELL_SIDE, CELL_SIDE, 3))


def growing_bank(world: World, count: int) -> Generator[Event, None, Bank]:
    """Chooses and paints a bank of ``count`` pictures of a world.

    New pictures are painted over the bank's own cells. Which, is drawn as in `sharing.covering`.
    Because a picture is exact in the band, its colours are known before it is painted, and a batch
    can be chosen at once.

    Args:
        world: Endless.
        count: 2 or more.

    Yields:
        Progress after each batch, and at the end a note on how well the bank serves.

    Returns:
        The bank; of fewer pictures where these serve all colours there are.

    Raises:
        InputError: ``count`` is less than 2.
    """
    if count < 2:
        raise InputError(f"`reuse` {count} must be at least 2")
    chance = np.random.default_rng(world.manifest.cells.params.seed)
    grid = world.manifest.cells.grid
    paths: list[CellPath] = [()]
    cells = cells_colours(world.canvas(()), grid)
    places: list[CellPath] = [(cell,) for cell in range(grid.cells)]
    distance = _distances(cells, colours_of(world.picture(())[None])[0])
    while len(paths) < count:
        fresh: list[CellPath] = []
        for _ in range(min(_ROUND, count - len(paths))):
            chosen = drawn(distance, chance)
            fresh.append(places[chosen])
            distance = np.minimum(distance, _distances(cells, cells[chosen]))
        fresh = [path for path in dict.fromkeys(fresh) if path not in paths]
        if not fresh:
            break  # every colour there is has its picture
        world.pictures(fresh)
        paths += fresh
        found = [cells_colours(world.canvas(path), grid) for path in fresh]
        centres = colours_of(np.stack(list(world.pictures(paths).values())))
        gaps = [nearest(points, centres, 1)[1][:, 0] for points in found]
        cells, distance = np.concatenate([cells, *found]), np.concatenate([distance, *gaps])
        places += [(*path, cell) for path in fresh for cell in range(grid.cells)]
        yield Progress("painting the bank", len(paths), count)
    bank = _mapped(world, paths)
    yield Note(str(bank.coverage))
    return bank


def _mapped(world: World, paths: list[CellPath]) -> Bank:
    """Leads every cell of every picture to one of the nearest, none like its neighbours'."""
    grid = world.manifest.cells.grid
    pictures = np.stack([world.picture(path) for path in paths])
    centres = colours_of(pictures)
    leads, errors = [], []
    for path in paths:
        order, distances = nearest(cells_colours(world.canvas(path), grid), centres)
        picked = varied(order, grid)
        leads.append(order[np.arange(grid.cells), picked])
        errors.append(distances[np.arange(grid.cells), picked])
    error = np.concatenate(errors)
    coverage = Coverage(len(paths), float((error <= CLOSE).mean()), float(error.mean()))
    canvases = Lazy(len(paths), lambda index: world.canvas(paths[index]), 1)
    return Bank(paths, list(pictures), canvases, leads, coverage)


def _distances(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(points - centre, axis=1))


class FiniteWorld(World):
    """The world of a bank: looks like the one that the bank is of, and paints nothing."""

    def __init__(self, world: World, bank: Bank) -> None:
        """The finite world of a bank of an endless one."""
        super().__init__(
            world.manifest.but(reuse=len(bank.next)),
            world._plain_root,
            world._painter,
            world._upscaler,
            world.cache,
            batch_size=world.batch_size,
        )
        self.bank = bank

    def index(self, path: CellPath) -> int:
        """Which of the bank's pictures a path leads to."""
        return functools.reduce(lambda at, cell: int(self.bank.next[at][cell]), path, 0)

    def _paint_over(
        self, mosaic: Mosaic, paths: Sequence[CellPath], starts: Tensor, exact: Tensor
    ) -> Tensor:
        pictures = [to_tensor(self.bank.pictures[self.index(path)]) for path in paths]
        images = torch.stack(pictures)
        if mosaic.band:
            images = correct_band(images, band_of(exact, mosaic.band)).images
        return to_bytes(images)
