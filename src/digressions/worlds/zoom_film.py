"""The frames of a film that falls into a world for ever: the cells that it falls into, the pictures
that it shows, and how they are drawn."""

from __future__ import annotations

import itertools
import random
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from ..geometry import CellPath, Grid, Size
from ..images.colour import oklab
from ..images.image_files import to_tensor
from ..mosaics.cells import cell_seed
from ..mosaics.mosaic_spec import CELL_SIDE
from .camera import Camera, Layer, View, fade
from .droste import best_cell, small_copy
from .world import Form, World
from .world_spec import check_way

INNER = (0.2, 0.8)  # where in a picture a flight may go on, in parts of its side
BEST = 0.04  # part of the cells that a flight chooses from
DRAWN, FRAME = 1 / 6, 1.2e-4  # work of a picture that is drawn, and of a pixel: reading one is 1
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


def choose_cell(canvas: np.ndarray, grid: Grid, seed: int, like: np.ndarray | None = None) -> int:
    """A cell to fly into, drawn at random from those that stand out and are neither dark nor
    bright.

    Only such a cell's picture is readable, and only along such cells do colours live for ever (see
    `docs/decisions.md`).

    Args:
        canvas: ``(H, W, 3)`` uint8 of ``grid``.
        seed: Of the choice.
        like: A picture, ``(H, W, 3)`` uint8, whose mean colour is wanted, or ``None``.
    """
    lab = oklab(canvas)
    cells = lab.reshape(grid.rows, CELL_SIDE, grid.columns, CELL_SIDE, 3).mean((1, 3))
    padded = np.pad(cells, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = sliding_window_view(padded, (3, 3), axis=(0, 1)).std((-1, -2))
    stands_out = np.linalg.norm(cells - cells.mean((0, 1)), axis=-1)
    contrast = np.linalg.norm(around, axis=-1)
    readable = np.exp(-(((cells[..., 0] - READABLE) / 0.18) ** 2))
    score = readable * (0.02 + stands_out + contrast)
    if like is not None:
        far = np.linalg.norm(cells - oklab(like).mean((0, 1)), axis=-1)
        score = score * np.exp(-((far / 0.1) ** 2))
    score = score.reshape(-1)
    inner = sorted(inner_cells(grid), key=lambda cell: (-score[cell], cell))
    best = inner[: max(1, round(BEST * len(inner)))]
    return random.Random(seed).choice(best)


def choose_loop(world: World, levels: int, path: CellPath = ()) -> CellPath:
    """A loop of ``levels`` cells: chosen one by one, the last where the root fits best.

    Args:
        world: To fly into.
        levels: 1 or more.
        path: The first cells, where they are chosen already; all of them is the loop itself.

    Raises:
        InputError: More cells are chosen than there are levels, or one that is not in the grid.
    """
    grid = world.manifest.cells.grid
    check_way(path, levels, grid)
    if len(path) == levels:
        return path
    root = world.canvas(())
    for depth in range(len(path), levels - 1):
        seed = cell_seed(world.manifest.cells.params.seed, *path, depth)
        # The root's copy will have to find its colours in the last of them.
        like = root if depth == levels - 2 else None
        path = (*path, choose_cell(world.canvas(path), grid, seed, like))
    small = small_copy(to_tensor(root))
    return (*path, best_cell(to_tensor(world.canvas(path)), small, grid, inner_cells(grid)))


class Cost(NamedTuple):
    """What a film takes.

    Attributes:
        pictures: That it shows besides the root.
        done: How many of them are painted already.
        canvases: How many are enlarged.
    """

    pictures: int
    done: int
    canvases: int


class Needed(NamedTuple):
    """What a film shows, and what it takes to draw it.

    Attributes:
        pictures: That it shows.
        canvases: Those of them whose canvas it shows.
        work: Of so many frames from the first on, in pictures that are read: the last is of all.
    """

    pictures: list[CellPath]
    canvases: list[CellPath]
    work: list[float]


class ZoomFilm:
    """A film of one round through a world's loop; the frame after the last is the first."""

    def __init__(self, world: World, size: Size, fps: int, count: int) -> None:
        """Paints nothing yet.

        Args:
            world: It loops.
            size: Of a frame.
            fps: Frames per second.
            count: Frames in a round.
        """
        self.world, self.size, self.fps, self.count = world, size, fps, count
        manifest = world.manifest
        self.camera = Camera(manifest.cells.grid, manifest.loop, size, manifest.cells.cell)
        self._sizes: dict[Form, Size] = {
            "picture": manifest.cells.cell,
            "canvas": Size(manifest.canvas_side, manifest.canvas_side),
        }
        self._tiles: dict[tuple[Form, CellPath], np.ndarray] = {}

    def view(self, index: int) -> View:
        """What frame ``index`` shows; any number, also beyond ``count``."""
        rounds, rest = divmod(index, self.count)
        levels = len(self.world.manifest.loop)
        return self.camera.view(rounds * levels + rest * levels / self.count)

    def needed(self) -> Needed:
        """What is in view in any frame, by its shortest path: no picture is painted for less."""
        pictures: dict[CellPath, None] = {}
        canvases: dict[CellPath, None] = {}
        work, held = [0.0], set[CellPath]()
        for index in range(self.count):
            view, drawn, before = self.view(index), 0, held
            held = set()
            for layer in self.camera.layers(view):
                paths = [self.world.canonical(path) for path in self.camera.paths(view, layer)]
                pictures.update(dict.fromkeys(paths))
                drawn += len(paths)
                held.update(paths)
                if self._sharpness(layer) > 0:
                    canvases.update(dict.fromkeys(paths))
            read = len(held - before)
            work.append(work[-1] + read + DRAWN * drawn + FRAME * self.size.pixels)
        return Needed(sorted(pictures, key=len), sorted(canvases, key=len), work)

    def cost(self, needed: Needed) -> Cost:
        """What the film takes."""
        missing = self.world.missing(needed.pictures)
        painted = sum(1 for path in needed.pictures if path)
        return Cost(painted, painted - len(missing), len(needed.canvases))

    def painting(self, needed: Needed) -> Generator[int, None, None]:
        """Paints the pictures, a batch at a time; yields how many are ready. Those that are in the
        cache already are ready at once."""
        missing = sorted(self.world.missing(needed.pictures), key=lambda path: (len(path), path))
        ready = len(needed.pictures) - len(missing)
        yield ready
        for paths in _chunks(missing, self.world.batch_size):
            self.world.pictures(paths)
            ready += len(paths)
            yield ready

    def enlarging(self, needed: Needed) -> Generator[int, None, None]:
        """Enlarges the pictures whose canvas is shown, one at a time; yields as `painting`."""
        missing = self.world.missing(needed.canvases, "canvas")
        ready = len(needed.canvases) - len(missing)
        yield ready
        for path in sorted(missing, key=len):
            self.world.canvas(path)
            ready += 1
            yield ready

    def frame(self, index: int) -> np.ndarray:
        """One frame: ``(H, W, 3)`` uint8."""
        view = self.view(index)
        used = self._tiles
        self._tiles = {}
        frame = np.zeros((self.size.height, self.size.width, 3), np.float32)
        for layer in self.camera.layers(view):
            sharpness = self._sharpness(layer)
            seen = np.zeros_like(frame)
            if sharpness < 1:
                seen += (1 - sharpness) * self._drawn(view, layer, "picture", used)
            if sharpness > 0:
                seen += sharpness * self._drawn(view, layer, "canvas", used)
            frame += layer.opacity * (seen - frame)
        return np.rint(frame).clip(0, 255).astype(np.uint8)

    def _sharpness(self, layer: Layer) -> float:
        """How much of a layer is drawn from canvases: pictures do while they are not enlarged."""
        side, canvas = self._sizes["picture"].width, self._sizes["canvas"].width
        return fade(layer.cell, side, 2 * side) if canvas > side else 0.0

    def _drawn(
        self, view: View, layer: Layer, form: Form, used: dict[tuple[Form, CellPath], np.ndarray]
    ) -> np.ndarray:
        """A layer on the screen: its pictures side by side, resampled in one go, so that no seam
        shows and nothing is rounded to pixels. ``(H, W, 3)`` float32 in 0..255."""
        paths = [self.world.canonical(path) for path in self.camera.paths(view, layer)]
        self._fetch(form, paths, used)
        factor = _reduction(self._sizes[form], layer.cell)
        tiles = [self._tiles[form, path] for path in paths]
        if factor > 1:
            tiles = [np.asarray(Image.fromarray(tile).reduce(factor)) for tile in tiles]
        columns = layer.right - layer.left
        high, wide = tiles[0].shape[:2]
        rows = [
            np.concatenate(tiles[start : start + columns], axis=1)
            for start in range(0, len(tiles), columns)
        ]
        whole = Image.fromarray(np.concatenate(rows))
        count = self.camera.grid.columns**layer.level
        left, top = view.left * count - layer.left, view.top * count - layer.top
        box = (
            max(0.0, left * wide),
            max(0.0, top * high),
            min(float(whole.width), (left + view.width * count) * wide),
            min(float(whole.height), (top + view.height * count) * high),
        )
        return np.asarray(whole.resize(self.size, Image.Resampling.BICUBIC, box), np.float32)

    def _fetch(
        self,
        form: Form,
        paths: Sequence[CellPath],
        used: dict[tuple[Form, CellPath], np.ndarray],
    ) -> None:
        """Sees to it that tiles are there. Those of the frame before are at hand; others are not
        kept, so a film of any length takes the memory of two frames."""
        wanted = [path for path in dict.fromkeys(paths) if (form, path) not in self._tiles]
        missing = [path for path in wanted if (form, path) not in used]
        get = self.world.pictures if form == "picture" else self.world.canvases
        found = get(missing)
        for path in wanted:
            self._tiles[form, path] = found[path] if path in found else used[form, path]


def _reduction(size: Size, cell: float) -> int:
    """A whole factor, a power of two, that leaves a tile twice the pixels it has on the screen."""
    factor = 1
    while not any(side % (2 * factor) for side in size) and size.width / (2 * factor) >= 2 * cell:
        factor *= 2
    return factor


def _chunks(paths: Sequence[CellPath], most: int) -> Iterator[list[CellPath]]:
    """Paths of one depth, ``most`` at a time."""
    for _, group in itertools.groupby(paths, key=len):
        members = list(group)
        for start in range(0, len(members), most):
            yield members[start : start + most]
