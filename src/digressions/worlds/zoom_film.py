"""The frames of a film that falls into a world for ever: the cells that it falls into, the pictures
that it shows, and how they are drawn."""

from __future__ import annotations

import itertools
import random
from collections.abc import Generator, Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from ..geometry import CellPath, Grid, Size
from ..images.colour import oklab
from ..images.image_files import to_tensor
from ..mosaics.cells import cell_seed
from ..mosaics.mosaic_spec import CELL_SIDE
from .camera import Camera, Layer, View, fade
from .droste import faded, left_over, misfits, small_copy
from .film_work import Cost, FrameWork, Needed
from .world import Form, World
from .world_spec import check_way

INNER = (0.2, 0.8)  # where in a picture a flight may go on, in parts of its side
BEST = 0.04  # part of the cells that a flight chooses from
WINDOWS = (3, 7, 15)  # cells across, in which something should be seen on the way down
TRIED = 12  # pictures in which a place for the root's copy is looked for
PLACES = 8  # that are tried out
HIDDEN, SHOWN = 8.0, 24.0  # pixels on the screen at which the root's copy begins to show, and does
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
        self._small = small_copy(to_tensor(world.canvas(())))

    def view(self, index: int) -> View:
        """What frame ``index`` shows; any number, also beyond ``count``."""
        rounds, rest = divmod(index, self.count)
        levels = len(self.world.manifest.loop)
        return self.camera.view(rounds * levels + rest * levels / self.count)

    def needed(self) -> Needed:
        """What is in view in any frame, by its shortest path: no picture is painted for less."""
        pictures: dict[CellPath, None] = {}
        canvases: dict[CellPath, None] = {}
        frames, held = list[FrameWork](), set[CellPath]()
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
            frames.append(FrameWork(len(held - before), drawn, self.size.pixels))
        return Needed(sorted(pictures, key=len), sorted(canvases, key=len), frames)

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
        tiles = [self._tile(form, path, layer.cell) for path in paths]
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

    def _tile(self, form: Form, path: CellPath, width: float) -> np.ndarray:
        """A tile that is ``width`` wide on the screen. In that which holds the root's copy there
        are only the colours of the copy's edges, until it is large enough to be more than a speck.
        """
        tile, loop = self._tiles[form, path], self.world.manifest.loop
        if path != loop[:-1]:
            return tile
        grid = self.world.manifest.cells.grid
        shown = fade(width / grid.columns, HIDDEN, SHOWN)
        return faded(tile, self._small, grid, loop[-1], shown) if shown < 1 else tile

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
