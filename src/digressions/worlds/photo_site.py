"""Use case: a world of photos as a folder of files that zooms without end in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..events import Estimate, Event, in_bytes
from ..files import check_folder, slug
from ..generate.outputs import FOLDER
from ..generate.presets import notes_on_preset
from ..images.xmp import SourceType, source_type
from ..mosaics.store import free_folder
from .cache import Cache
from .photo_world import check_photo_world, resolve_photo_world
from .photo_world_spec import PhotoSiteSpec
from .site import KIND, Site, job_of_site
from .site_export import written


def export_photo_site(
    spec: PhotoSiteSpec, target: Path | None = None, *, overwrite: bool = False
) -> Iterator[Event]:
    """Writes a site of the user's photos; says what it takes before and after.

    No name and no place of a photo is in it.

    Args:
        spec: What world, of how many photos.
        target: The folder; the first after ``out/PHOTOS-site`` that is free or this very site's,
            if not given.
        overwrite: Whether what is in ``target`` may go, whatever made it.

    Raises:
        InputError, ImageError, OutputError: It cannot be made.
    """
    check_photo_world(spec.world, spec.cache)
    check_folder(FOLDER if target is None else target)
    yield from notes_on_preset(spec, preset=spec.preset)
    # A picture to start from is one of the bank's.
    most = spec.reuse if spec.world.image is None else max(1, spec.reuse - 1)
    world = yield from resolve_photo_world(spec.world, most)
    title, count = spec.world.title, len(world.bank.next)
    most_bytes = int(spec.max_mb * 1_000_000)
    if target is None:
        job = job_of_site(world.manifest, title, count, most_bytes)
        target = free_folder(FOLDER / f"{slug(title)}-site", KIND, job)
    found = source_type(world.mark)
    kind = SourceType(found) if found else None
    rules: Any = {"kind": kind, "overwrite": overwrite}
    site = Site(target, title, world.manifest, count, most_bytes, **rules)
    with Cache(spec.cache.cache, spec.cache.limit) as cache:
        size = site.expected(world.open(cache))
    yield Estimate(
        f"{count:,} pictures, which fill the {spec.world.cell_grid.cells:,} cells of each of them, "
        f"endlessly: about {in_bytes(size)}, at most {spec.max_mb:g} MB",
        disk=size,
    )
    yield from written(site, world.bank)
