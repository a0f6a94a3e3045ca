"""``digress export-site``: a finite world as a folder that any web server can give."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import out, progress, size_of
from ..errors import InputError, StoppedError
from ..geometry import Grid
from .chosen import check_reuse, grown, load_model, slug, world_from
from .options import (
    DEFAULT_UPSCALER,
    Anchor,
    Band,
    CacheFile,
    CacheSize,
    CellPrompts,
    Device,
    Dtype,
    Guidance,
    How,
    ModelName,
    Negative,
    PictureSize,
    Prompt,
    RootSeed,
    SamplerName,
    StartImage,
    Steps,
    Strength,
    UpscalerName,
    WorldGrid,
)
from .zoom import DEFAULT_CACHE

if TYPE_CHECKING:
    from ..models import Model
    from ..mosaics.primary import Primary
    from ..worlds.manifest import Manifest
    from ..worlds.site import Site


def export_site(
    prompt: Prompt,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder; out/PROMPT-site if not said."),
    ] = None,
    reuse: Annotated[
        int, typer.Option(help="Pictures that the whole world is made of, again and again.")
    ] = 256,
    max_mb: Annotated[
        float, typer.Option(help="What the folder may take; the pictures' quality goes by it.")
    ] = 20,
    image: StartImage = None,
    grid: WorldGrid = "64",
    cell_prompt: CellPrompts = None,
    picture_size: PictureSize = None,
    strength: Strength = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = "",
    how: How = "mean",
    sampler: SamplerName = None,
    seed: RootSeed = 0,
    band: Band = 2,
    anchor: Anchor = 0.3,
    upscaler: UpscalerName = DEFAULT_UPSCALER,
    cache: CacheFile = DEFAULT_CACHE[0],
    cache_size: CacheSize = 1000,
    batch_size: Annotated[int, typer.Option(help="Pictures painted at once.")] = 32,
    model: ModelName = "bundled",
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Make a folder that zooms for ever in any browser, from any web server, with no program."""
    from ..pictures.original import read_original
    from ..worlds.genesis import manifest_of
    from ..worlds.site import Site

    check_reuse(reuse)
    if not (math.isfinite(max_mb) and max_mb > 0):
        raise InputError(f"--max-mb {max_mb:g} must be more than 0")
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size} must be at least 1")
    if cache_size < 0:
        raise InputError(f"--cache-size {cache_size} must be at least 0")
    shape = Grid.parse(grid)
    start = None if image is None else read_original(image)
    loaded = load_model(model, device, dtype)
    world = world_from(
        loaded,
        prompt,
        shape,
        seed,
        cell_prompts=cell_prompt,
        image=start,
        picture_size=picture_size,
        strength=strength,
        steps=steps,
        guidance=guidance,
        sampler=sampler,
        negative=negative,
        how=how,
        band=band,
        anchor=anchor,
        upscaler=upscaler,
    )
    manifest = manifest_of(loaded, world)
    target = output or Path("out") / f"{slug(prompt)}-site"
    site = Site(target, prompt, manifest, reuse, int(max_mb * 1_000_000))
    store = (cache, cache_size * 1_000_000)
    write_site(site, loaded, manifest, world.primary, store, batch_size)


def write_site(
    site: Site,
    model: Model,
    manifest: Manifest,
    primary: Primary,
    cache: tuple[Path, int],
    batch_size: int,
) -> None:
    """Paints a bank and writes a site; says what it takes before and after.

    Raises:
        StoppedError: Ctrl-C; it says how to go on.
    """
    from ..worlds.cache import Cache
    from ..worlds.genesis import open_world

    try:
        with Cache(*cache) as pictures:
            world = open_world(manifest, model, primary, pictures, batch_size=batch_size)
            out.print(
                f"{site.count:,} pictures to paint and to enlarge, for all "
                f"{manifest.cells.grid.cells:,} cells of each of them, without end: about "
                f"{size_of(site.expected(world))}, at most {site.most_bytes / 1e6:g} MB"
            )
            bank = grown(world, site.count)
            with progress() as bar:
                task = bar.add_task("writing", total=None)
                written = site.write(world, bank, lambda n: bar.advance(task, n))
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; what is painted is kept in {cache[0]}: the same command goes on"
        ) from None
    out.print(
        f"{site.folder}: {written.size / 1e6:.1f} MB, pictures in quality {written.quality}. "
        f"Look at it: python3 -m http.server --directory {site.folder}, "
        "then http://localhost:8000/ and http://localhost:8000/screensaver.html"
    )
