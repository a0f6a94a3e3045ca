"""The endless picture as a pure function: `World.picture` takes a path of cells to a picture.

    root  ->  its cell, enlarged  ->  painted over  ->  that picture's cell, enlarged  ->  ...

    world = World.open(model, "photo of a turtle", seed=5, grid=16, cache="w.sqlite")
    world.picture((3, 200, 17))  # (H, W, 3) uint8

A world is its `Manifest` and nothing else. The same manifest and the same model give the same
pictures, in whatever order and on whatever machine they are asked for, within the last bits of the
kernels; what is kept in the cache is only kept to save time.

Every picture has two forms: the picture as it was painted, of ``cells.cell`` pixels, and its canvas
of `CELL_SIDE` values a cell and side, that its cells are cut from; so a canvas is square, whatever
the shape of the picture. A canvas averaged over the finest boxes that both sizes share is its
picture, and a picture averaged to the band is its cell of the parent's
canvas, each within one grey level: so nothing drifts, however deep.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, in_words
from ..events import Note
from ..generate.batching import Painter
from ..generate.kinds import check_model
from ..geometry import CellPath, Size
from ..images.image_files import from_png, to_array, to_png, to_tensor
from ..images.source_image import PictureLike
from ..images.upscale import Upscaler
from ..models.base import Model
from ..mosaics.cells import band_of, cell_seed, cells_of, exact_cells, paint_over
from ..mosaics.mosaic_spec import BATCH_SIZE, Mosaic
from .cache import Cache
from .droste import change_by_copy, embed_in_itself, replace_cell, resized_exactly, small_copy
from .manifest import Manifest
from .world_spec import CacheParams, WorldSpec, path_of

Form = Literal["picture", "canvas"]


class World:
    """Pictures by path, painted when they are first asked for.

    A context manager that closes the cache, which the worlds that `looped` gives share.

    Attributes:
        manifest: What it is.
        cache: Keeps its pictures.
        batch_size: Pictures painted at once, at most.
        notes: What a user should know about its root.
    """

    notes: tuple[Note, ...] = ()

    def __init__(
        self,
        manifest: Manifest,
        root: np.ndarray,
        painter: Painter,
        upscaler: Upscaler,
        cache: Cache,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Opens a world; nothing is painted. `World.open` does it from a prompt.

        Args:
            manifest: What it is. The caller makes sure that painter, upscaler and root are the
                ones it names.
            root: The root's canvas, ``(canvas_side, canvas_side, 3)`` uint8.
            painter: Paints batches of jobs.
            upscaler: Enlarges a picture once, towards its canvas.
            cache: Keeps pictures.
            batch_size: Pictures painted at once, at most.

        Raises:
            InputError: A manifest that contradicts itself, or a root of another size.
        """
        manifest.check()
        side = manifest.canvas_side
        if root.shape != (side, side, 3):
            raise InputError(f"the root is {root.shape} but the world needs {(side, side, 3)}")
        self.manifest, self.cache, self.batch_size = manifest, cache, batch_size
        self._plain_root, self._painter, self._upscaler = root, painter, upscaler
        self._settle_root()

    @classmethod
    def open(
        cls,
        model: Model,
        prompt: str,
        *,
        seed: int | None = None,
        grid: int | str | None = None,
        image: PictureLike | None = None,
        cache: str | Path | None = None,
        cache_size: int | None = None,
        batch_size: int = BATCH_SIZE,
        **parameters: Any,
    ) -> World:
        """Opens the world of a prompt; paints nothing but its root, and that only once.

        Words that the model does not know, and what else one would not expect, are warned of.

        Args:
            model: Paints it.
            prompt: Of the root, and of its cells unless ``cell_prompt`` is given.
            seed: The same seed paints the same world; 0 if not given.
            grid: Cells across, and as many down; 64 if not given.
            image: A picture to start from, instead of a painted one.
            cache: The SQLite file that keeps what is painted; ``out/worlds.sqlite`` if not given.
            cache_size: Megabytes that it may take; 1000 if not given.
            batch_size: Pictures painted at once, at most.
            parameters: Any other of `WorldSpec`, by name.

        Raises:
            InputError, PromptError, ImageError, OutputError: Something in it is wrong.
        """
        # What stands above this module:
        from .opening import manifest_of, notes_on_world, open_world, resolve_world

        check_model(model)
        given = {"prompt": prompt, "seed": seed, "grid": grid, "image": image}
        spec = WorldSpec.of(**given, **parameters)
        where = CacheParams.of(cache=cache, cache_size=cache_size)
        world = resolve_world(model, spec)
        manifest_of(model, world)  # raises what is wrong with it before a file is made
        for note in notes_on_world(model, world):
            warnings.warn(in_words(note.text, lambda name: name), stacklevel=2)
        opened = Cache(where.cache, where.limit)
        try:
            made = open_world(model, world, opened, batch_size=batch_size)
            for note in made.notes:
                warnings.warn(in_words(note.text, lambda name: name), stacklevel=2)
            return made
        except BaseException:
            opened.close()
            raise

    def close(self) -> None:
        """Closes the cache."""
        self.cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def looped(self, loop: CellPath) -> Self:
        """The world like this one with its root embedded in a cell."""
        other = copy.copy(self)
        other.manifest = self.manifest.but(loop=loop)
        other.manifest.check()
        other._settle_root()
        return other

    def _settle_root(self) -> None:
        """The root's two forms, and its small copy; in a loop of one cell it holds itself."""
        root, loop = to_tensor(self._plain_root), self.manifest.loop
        self._root, self._small = self._plain_root, small_copy(root)
        if len(loop) == 1:
            embedded, self._small = embed_in_itself(root, self.manifest.cells.grid, loop[-1])
            self._root = to_array(embedded)
        cell = self.manifest.cells.cell
        self._root_picture = resized_exactly(self._root, cell, self._upscaler)

    @property
    def _canvas_size(self) -> Size:
        side = self.manifest.canvas_side
        return Size(side, side)

    def canonical(self, path: CellPath) -> CellPath:
        """The shortest path to the same picture: every round through the loop is left out."""
        loop = self.manifest.loop
        while loop and path[: len(loop)] == loop:
            path = path[len(loop) :]
        return path

    def picture(self, path: CellPath) -> np.ndarray:
        """One picture: ``(H, W, 3)`` uint8. Raises `InputError` as `pictures`."""
        path = path_of(path)
        return self.pictures([path])[path]

    def pictures(self, paths: Iterable[CellPath]) -> dict[CellPath, np.ndarray]:
        """Pictures by path; those of one depth are painted together.

        Raises:
            InputError: A path with a cell that is not in the grid.
        """
        places = self._places(paths)
        found: dict[CellPath, np.ndarray] = {(): self._root_picture}
        by_depth = sorted({place for place in places.values() if place}, key=len)
        for _, group in itertools.groupby(by_depth, key=len):
            found |= self._pictures_at(list(group))
        return {path: found[place] for path, place in places.items()}

    def canvas(self, path: CellPath) -> np.ndarray:
        """What the cells of a picture are cut from: ``(canvas_side, canvas_side, 3)`` uint8."""
        path = path_of(path)
        return self.canvases([path])[path]

    def canvases(self, paths: Iterable[CellPath]) -> dict[CellPath, np.ndarray]:
        """Canvases by path. Raises `InputError` as `pictures`."""
        places = self._places(paths)
        keys = {place: self._key("canvas", place) for place in places.values()}
        pngs = self.cache.get(keys.values())
        found = {
            place: from_png(pngs[key], self.cache.path)
            for place, key in keys.items()
            if key in pngs
        }
        self.pictures(place for place in keys if place not in found)  # in batches
        for place in keys.keys() - found.keys():
            found[place] = self._canvas(place)
        return {path: found[place] for path, place in places.items()}

    def missing(self, paths: Iterable[CellPath], form: Form = "picture") -> set[CellPath]:
        """Those of some canonical paths that are not in the cache in a form."""
        keys = {self._key(form, path): path for path in paths if path}
        found = self.cache.get(keys)
        return {path for key, path in keys.items() if key not in found}

    def residual(self, path: CellPath) -> float:
        """Largest difference in the band, in grey levels, between a picture and its cell of the
        parent's canvas. ``path`` is not empty; the loop itself leads to the embedded copy."""
        b = self.manifest.cells.band or 1
        parent = to_tensor(self.canvas(path[:-1]))
        wanted = band_of(exact_cells(parent, self.manifest.cells, path[-1:]), b)
        seen = band_of(to_tensor(self.picture(path))[None], b)
        return float((seen - wanted).abs().max()) * 255

    def _places(self, paths: Iterable[CellPath]) -> dict[CellPath, CellPath]:
        places = {path: self.canonical(path) for path in paths}
        for path in places:
            self.manifest.check_path(path)
        return places

    def _pictures_at(self, paths: Sequence[CellPath]) -> dict[CellPath, np.ndarray]:
        missing = self.missing(paths)
        parents = {path[:-1] for path in missing}
        canvases = {parent: self._canvas(parent) for parent in sorted(parents)}
        make = functools.partial(self._paint, canvases)
        return self._obtain("picture", paths, make, self.batch_size)

    def _canvas(self, path: CellPath) -> np.ndarray:
        """Walks down from the nearest ancestor whose canvas is there: a loop, so that depth costs
        no stack, that holds what it needs, so that an eviction on the way does no harm."""
        canvas, known = self._root, 0
        for depth in range(len(path), 0, -1):
            found = self.cache.get([self._key("canvas", path[:depth])])
            if found:
                (png,) = found.values()
                canvas, known = from_png(png, self.cache.path), depth
                break
        for depth in range(known + 1, len(path) + 1):
            here = path[:depth]
            paint = functools.partial(self._paint, {here[:-1]: canvas})
            picture = self._obtain("picture", [here], paint)[here]
            enlarge = functools.partial(self._enlarge, picture)
            canvas = self._obtain("canvas", [here], enlarge)[here]
        return canvas

    def _obtain(
        self,
        form: Form,
        paths: Sequence[CellPath],
        make: Callable[[Sequence[CellPath]], Sequence[np.ndarray]],
        most: int = 1,
    ) -> dict[CellPath, np.ndarray]:
        keys = {self._key(form, path): path for path in paths}

        def make_pngs(wanted: list[str]) -> Mapping[str, bytes]:
            made = make([keys[key] for key in wanted])
            return {key: to_png(image) for key, image in zip(wanted, made, strict=True)}

        pngs = self.cache.obtain(keys, make_pngs, most)
        return {path: from_png(pngs[key], self.cache.path) for key, path in keys.items()}

    def _key(self, form: Form, path: CellPath) -> str:
        text = f"{self.manifest.id}:{form}:{':'.join(map(str, path))}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _paint(
        self, canvases: Mapping[CellPath, np.ndarray], paths: Sequence[CellPath]
    ) -> list[np.ndarray]:
        """Paints one batch of one depth."""
        mosaic = self.manifest.cells_at(len(paths[0]))
        starts, exact = [], []
        for parent, group in itertools.groupby(paths, key=lambda path: path[:-1]):
            here = list(group)
            cells = [path[-1] for path in here]
            # One that was found and is evicted by now: its parent's canvas is not at hand.
            held = canvases[parent] if parent in canvases else self._canvas(parent)
            canvas = to_tensor(held)
            starts.append(cells_of(canvas, mosaic, cells, self._seeds(here)))
            exact.append(exact_cells(canvas, mosaic, cells))
        pixels = torch.cat(exact)
        painted = self._paint_over(mosaic, paths, torch.cat(starts), pixels)
        images = [image.permute(1, 2, 0).numpy() for image in painted]
        for index, path in enumerate(paths):
            if path == self.manifest.loop[:-1]:
                images[index] = self._with_root(images[index], pixels[index])
        return images

    def _paint_over(
        self, mosaic: Mosaic, paths: Sequence[CellPath], starts: Tensor, exact: Tensor
    ) -> Tensor:
        """Pictures of some paths, exact in the band: ``(B, 3, H, W)`` uint8."""
        return paint_over(self._painter, mosaic, self._seeds(paths), starts, exact)

    def _seeds(self, paths: Iterable[CellPath]) -> list[int]:
        return [cell_seed(self.manifest.cells.params.seed, *path) for path in paths]

    def _enlarge(self, picture: np.ndarray, paths: Sequence[CellPath]) -> list[np.ndarray]:
        (path,) = paths
        canvas = self._enlarged(picture, path)
        if path == self.manifest.loop[:-1]:
            grid, cell = self.manifest.cells.grid, self.manifest.loop[-1]
            canvas = to_array(replace_cell(to_tensor(canvas), self._small, grid, cell))
        return [canvas]

    def _enlarged(self, picture: np.ndarray, path: CellPath) -> np.ndarray:
        """The canvas of the picture at a path, without the root in it."""
        return resized_exactly(picture, self._canvas_size, self._upscaler)

    def _with_root(self, picture: np.ndarray, exact: Tensor) -> np.ndarray:
        """The picture that the root is embedded in; still exact in the band."""
        mosaic, loop = self.manifest.cells, self.manifest.loop
        band = band_of(exact, mosaic.band) if mosaic.band else None
        canvas = to_tensor(self._enlarged(picture, loop[:-1]))
        change = change_by_copy(canvas, self._small, mosaic.grid, loop[-1], band, mosaic.cell)
        return to_array(to_tensor(picture) + change)
