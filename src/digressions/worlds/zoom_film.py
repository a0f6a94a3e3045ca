"""The frames of a film that falls into a world for ever: the pictures that it shows, and how they
are drawn. The way that it takes is in `ways`."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence

import numpy as np
from PIL import Image

from ..geometry import CellPath, Size
from ..images.image_files import to_tensor
from .camera import APPEARS, CLEAR, Camera, Layer, View, fade
from .droste import faded, small_copy
from .film_work import Cost, FrameWork, Needed
from .world import Form, World


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
        frames, held = list[FrameWork](), (set[CellPath](), set[CellPath]())
        for index in range(self.count):
            view, drawn, resampled, before = self.view(index), 0, 0, held
            held = set(), set()
            for layer in self.camera.layers(view):
                paths = [self.world.canonical(path) for path in self.camera.paths(view, layer)]
                pictures.update(dict.fromkeys(paths))
                drawn += len(paths)
                sharpness = self._sharpness(layer)
                if sharpness > 0:
                    canvases.update(dict.fromkeys(paths))
                for shown, form in zip((sharpness < 1, sharpness > 0), held, strict=True):
                    resampled += shown
                    form.update(paths if shown else ())
            new = [len(now - then) for now, then in zip(held, before, strict=True)]
            frames.append(FrameWork(new[0], new[1], drawn, resampled * self.size.pixels))
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
        are only the colours of the copy's edges until pictures of its size appear, so that it comes
        with the others around it and not as a speck before them."""
        tile, loop = self._tiles[form, path], self.world.manifest.loop
        if path != loop[:-1]:
            return tile
        grid = self.world.manifest.cells.grid
        shown = fade(width / grid.columns, APPEARS, CLEAR)
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
