"""From a model and a `WorldSpec` to an open world."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..distributed.executor import Executor
from ..distributed.remote_model import NamedHashes, distributed_painter
from ..errors import errors_about
from ..events import Note
from ..generate.batching import Painter
from ..generate.notes import notes_on, notes_on_cells, notes_on_mix
from ..generate.paint import painter_of
from ..geometry import Size
from ..images.image_files import from_png, to_png
from ..images.source_image import SourceImage, source_image
from ..images.upscale import check_upscaler, load_upscaler
from ..models.base import Model
from ..mosaics.base_image import (
    BaseImage,
    base_image_of,
    check_base_image,
    make_base_image,
    notes_on_base_image,
    toned,
)
from ..mosaics.cell_shape import nearest_ratio, ratio, shape_for
from ..mosaics.cells import check_cells
from ..mosaics.mosaic_spec import BATCH_SIZE, Mosaic, mosaic_of
from .cache import Cache, check_cache
from .manifest import Manifest
from .world import World
from .world_spec import CacheParams, WorldSpec


@dataclass(frozen=True, eq=False)
class ResolvedWorld:
    """A world with nothing left open: with the same model, the same pictures.

    Attributes:
        base: The picture at its root, which is made when the world is opened.
        cells: How its cells are painted.
        deeper: Prompts of depth 2, 3, ...; after the last comes that of `cells` again.
        notes: On the base image, for which not all that was asked for counts.
    """

    base: BaseImage
    cells: Mosaic
    deeper: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def prompts(self) -> list[str]:
        """Of all its pictures, negative ones too."""
        own, cells = self.base.record.params, self.cells
        root = [] if self.base.image is not None else [own.prompt, own.negative]
        return [*root, *cells.prompts, *self.deeper, cells.params.negative]


def read_start(spec: WorldSpec, cache: CacheParams | None = None) -> SourceImage | None:
    """The picture that a world starts from, and whether the spec can be, as far as that shows
    without a model.

    Args:
        spec: Of the world.
        cache: What keeps its pictures, where there is one.

    Raises:
        ImageError: The picture cannot be read.
        InputError: The grid is not square, there is no such upscaler, or settings that would do
            nothing.
        OutputError: The cache cannot be written.
    """
    spec.check()
    check_upscaler(spec.upscaler)
    if cache is not None:
        check_cache(cache.cache)
    return None if spec.image is None else source_image(spec.image, "image")


def resolve_world(model: Model, spec: WorldSpec, start: SourceImage | None = None) -> ResolvedWorld:
    """A world with the model's defaults where the user said nothing.

    Args:
        model: Paints it.
        spec: What it is.
        start: What `read_start` made of the spec, if the caller has it already.

    Raises:
        InputError, ImageError: As `read_start`; or the model cannot paint it.
    """
    start = read_start(spec) if start is None else start
    prompts, deeper = spec.cell_prompt or (), spec.deeper_prompt or ()
    shape = _shape_of(model, spec, start)
    cells = mosaic_of(
        *(model, spec.params, spec.cells, spec.cell_grid),
        prompts=prompts,
        shape=shape,
        deeper=deeper,
    )
    aspect = cells.cell.width / cells.cell.height
    base = base_image_of(
        *(model, spec.params, start, spec.upscaler, spec.fit, spec.tone, aspect),
        cell_prompt=cells.prompts,
        deeper_prompt=deeper,
    )
    notes = notes_on_base_image(base, spec.params, cell_prompts=bool(prompts))
    return ResolvedWorld(base, cells, tuple(deeper), tuple(notes))


def _shape_of(model: Model, spec: WorldSpec, start: SourceImage | None) -> Size | None:
    """The size of a picture, where it is no square of the model's own size."""
    if spec.params.size is not None:
        return spec.params.size
    if spec.cell_aspect is not None:
        aspect = ratio(spec.cell_aspect)
    elif start is not None:
        aspect = nearest_ratio(Size(start.pixels.shape[1], start.pixels.shape[0]))
    else:
        return None
    shape = shape_for(model, aspect)
    return None if shape == (model.size, model.size) else shape


def notes_on_world(model: Model, world: ResolvedWorld) -> Iterator[Note]:
    """What a user should know about parameters that will not do what they seem to."""
    prompts = *world.cells.prompts, world.base.record.params.prompt, *world.deeper
    yield from notes_on(model, world.cells.params, *prompts)
    yield from notes_on_mix(model, world.cells.params, [*world.cells.prompts, *world.deeper])
    yield from notes_on_cells(model, world.cells.params.size)
    yield from world.notes
    mend = "`fit` pad keeps all of it"
    cell = world.cells.cell
    yield from world.base.notes(cell, f"a world of {cell} pictures", mend)


def manifest_of(model: Model, world: ResolvedWorld) -> Manifest:
    """The manifest of a world.

    Raises:
        InputError: What painting its pictures would raise, before anything is painted or written.
    """
    base, deeper = world.base, world.deeper
    manifest = Manifest(
        model=model.hash_for(*world.prompts),
        root=json.dumps(base.identity, sort_keys=True),
        cells=world.cells,
        deeper=deeper,
        upscaler=base.upscaler,
    )
    manifest.check()
    own = [base.record.params.prompt]
    for depth in range(1, len(deeper) + 2):
        usual = "prompt" if world.cells.prompts == own else "cell_prompt"
        with errors_about(usual if depth == 1 else "deeper_prompt"):
            check_cells(model, manifest.cells_at(depth))
    check_base_image(model, base)
    return manifest


def open_world(
    model: Model,
    world: ResolvedWorld,
    cache: Cache,
    *,
    batch_size: int = BATCH_SIZE,
    executor: Executor[Model] | None = None,
) -> World:
    """A world, open; makes its root unless the cache has it. Its ``notes`` are to be said.

    Args:
        model: Paints the root.
        world: What it is.
        cache: Keeps its pictures.
        batch_size: Pictures painted at once, at most, by each worker.
        executor: Whose workers paint the other pictures; the model here if not given.

    Raises:
        InputError: As `manifest_of`.
        ExecutorError: There are no workers.
    """
    manifest, base, cells = manifest_of(model, world), world.base, world.cells
    shape = "" if cells.cell.width == cells.cell.height else f":{cells.cell}"
    own = base.record.params
    weights = model.hash_for(own.prompt, own.negative)
    text = f"{weights}:{manifest.canvas_side}{shape}:{manifest.root}"
    key = hashlib.sha256(text.encode()).hexdigest()

    def make(keys: list[str]) -> Mapping[str, bytes]:
        return {
            key: to_png(make_base_image(model, base, cells.base_size, cells.size)) for key in keys
        }

    root, notes = toned(base, from_png(cache.obtain([key], make)[key], cache.path))
    if executor is None:
        painter: Painter = painter_of(model)
    else:
        named = NamedHashes.of(model, *world.prompts)
        painter = distributed_painter(executor, batch_size, named)
        batch_size *= executor.wanted  # asked for at once, so that all have something to do
    upscaler = load_upscaler(base.upscaler)
    opened = World(manifest, root, painter, upscaler, cache, batch_size=batch_size)
    opened.notes = tuple(notes)
    return opened
