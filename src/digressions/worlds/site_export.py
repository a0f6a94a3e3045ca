"""Use case: a finite world painted and written as a folder for any web server; see `site`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..distributed.executor import Executor, with_notes
from ..events import Estimate, Event, Saved, in_bytes, tracked
from ..files import slug
from ..generate.outputs import FOLDER
from ..generate.presets import notes_on_preset
from ..images.source_image import SourceImage
from ..models.base import Model
from ..mosaics.store import free_folder
from .bank import Bank, growing_bank
from .cache import Cache
from .opening import ResolvedWorld, manifest_of, notes_on_world, open_world, resolve_world
from .site import KIND, Site, job_of_site
from .world_spec import BatchParams, CacheParams, SiteSpec


def export_site(
    model: Model,
    spec: SiteSpec,
    target: str | Path | None = None,
    *,
    overwrite: bool = False,
    start: SourceImage | None = None,
    executor: Executor[Model] | None = None,
    folder: Path = FOLDER,
) -> Iterator[Event]:
    """Paints a bank and writes a site; says what it takes before and after.

    Closing it cancels; what is painted by then is kept in the cache, and is not painted again.

    Args:
        model: Paints it.
        spec: What world, of how many pictures.
        target: The folder; the first after ``out/PROMPT-site`` that is free or this very site's, if
            not given.
        overwrite: Whether what is in ``target`` may go, whatever made it.
        start: What ``spec.world.image`` is, if the caller has read it already (see
            `opening.read_start`).
        executor: Whose workers paint; this process if not given.
        folder: Where a folder named after the prompt goes.

    Raises:
        InputError, PromptError, ImageError, OutputError: It cannot be made; said before anything
            is painted, where possible.
        ExecutorError: Workers cannot be had or keep dying; what they have painted is kept.
    """
    world = resolve_world(model, spec.world, start)
    rules: Any = {"overwrite": overwrite, "executor": executor, "folder": folder}
    sizes = (spec.reuse, int(spec.max_mb * 1_000_000))
    place = None if target is None else Path(target)
    work = site_of_world(
        *(model, world, spec.world.params.prompt, *sizes, place, spec.cache, spec.batch),
        notes=list(notes_on_preset(spec, preset=spec.preset)),
        **rules,
    )
    yield from work


def site_of_world(
    model: Model,
    world: ResolvedWorld,
    title: str,
    count: int,
    most_bytes: int,
    target: Path | None,
    cache: CacheParams,
    batch: BatchParams,
    *,
    overwrite: bool = False,
    executor: Executor[Model] | None = None,
    folder: Path = FOLDER,
    notes: Sequence[Event] = (),
) -> Iterator[Event]:
    """As `export_site`, of a world with nothing left open, a number of pictures and a size."""
    manifest = manifest_of(model, world)
    if target is None:
        job = job_of_site(manifest, title, count, most_bytes)
        target = free_folder(folder / f"{slug(title)}-site", KIND, job)
    rules: Any = {"kind": world.base.record.source_type, "overwrite": overwrite}
    site = Site(target, title, manifest, count, most_bytes, **rules)
    yield from notes_on_world(model, world)
    yield from notes
    work = _exporting(model, world, site, cache, batch, executor)
    yield from work if executor is None else with_notes(executor, work)


def _exporting(
    model: Model,
    world: ResolvedWorld,
    site: Site,
    cache: CacheParams,
    batch: BatchParams,
    executor: Executor[Model] | None,
) -> Generator[Event, None, None]:
    with Cache(cache.cache, cache.limit) as pictures:
        endless = open_world(model, world, pictures, batch_size=batch.batch_size, executor=executor)
        yield from endless.notes
        size = site.expected(endless)
        yield Estimate(
            f"{site.count:,} pictures to paint and enlarge, which fill the "
            f"{world.cells.grid.cells:,} cells of every picture, endlessly: about "
            f"{in_bytes(size)}, at most {site.most_bytes / 1e6:g} MB",
            pictures=site.count,
            disk=size,
        )
        bank = yield from growing_bank(endless, site.count)
        yield from written(site, bank)


def written(site: Site, bank: Bank) -> Generator[Event, None, None]:
    """Writes a site, and says how large it became and how to look at it."""
    came_to = yield from tracked("writing", site.writing(bank), site.files_of(bank))
    yield Saved(
        site.folder,
        f"{came_to.size / 1e6:.1f} MB, pictures in quality {came_to.quality}. "
        f"Look at it: python3 -m http.server --directory {site.folder}, "
        "then http://localhost:8000/ and http://localhost:8000/screensaver.html",
        {"size": came_to.size, "quality": came_to.quality, "pictures": len(bank.next)},
    )
