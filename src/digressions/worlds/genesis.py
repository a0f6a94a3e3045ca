"""From a model and settings to an open world."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..batching import Painter
from ..job import check, job_of
from ..models import Model
from ..mosaics.mosaic import Mosaic, check_cells
from ..mosaics.primary import Primary, make_primary
from ..paint import painter_of
from ..pictures.images import from_png, to_png
from ..upscale import check_upscaler, load_upscaler
from .cache import Cache
from .manifest import Manifest
from .world import World

# Of a root that is painted: the model and the upscaler stand in the manifest themselves.
_NO_MATTER = {"command", "model", "model_hash", "version", "image", "mask", "upscaler", "extra"}


@dataclass(frozen=True)
class WorldSettings:
    """What a world grows from, besides the model.

    Attributes:
        primary: The picture at its root.
        cells: How its cells are painted.
        deeper: Prompts of depth 2, 3, ...; after the last comes that of `cells` again.
    """

    primary: Primary
    cells: Mosaic
    deeper: tuple[str, ...] = ()


def manifest_of(model: Model, settings: WorldSettings) -> Manifest:
    """The manifest of the world that grows from settings.

    Raises:
        InputError: What painting its pictures would raise, before anything is painted or written.
    """
    primary, deeper = settings.primary, settings.deeper
    manifest = Manifest(model.hash, _root_of(primary), settings.cells, deeper, primary.upscaler)
    manifest.check()
    for depth in range(1, len(deeper) + 2):
        check_cells(model, manifest.cells_at(depth))
    if primary.image is None:
        check(model, job_of(primary.settings))
    check_upscaler(primary.upscaler)
    return manifest


def open_world(
    manifest: Manifest,
    model: Model,
    primary: Primary,
    cache: Cache,
    *,
    batch_size: int = 32,
    painter: Painter | None = None,
    on_painted: Callable[[int], None] | None = None,
) -> World:
    """The world of a manifest that `manifest_of` made; makes its root unless the cache has it.

    ``painter`` paints its pictures; the model itself if not given.
    """
    key = hashlib.sha256(
        f"{model.hash}:{manifest.canvas_side}:{manifest.root}".encode()
    ).hexdigest()

    def make(keys: list[str]) -> Mapping[str, bytes]:
        return {key: to_png(make_primary(model, primary, manifest.cells)) for key in keys}

    root = from_png(cache.obtain([key], make)[key], cache.path)
    return World(
        manifest,
        root,
        painter or painter_of(model),
        load_upscaler(primary.upscaler),
        cache,
        batch_size=batch_size,
        on_painted=on_painted,
    )


def _root_of(primary: Primary) -> str:
    """What tells one primary from another, wherever its files are."""
    settings = primary.settings
    if primary.image is not None:
        return json.dumps({"image": (settings.image or {}).get("sha256")})
    given = dataclasses.asdict(settings).items()
    return json.dumps({k: v for k, v in given if k not in _NO_MATTER}, sort_keys=True)
