"""``digress export-site``: a finite world as a folder that any web server can give."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import out, progress, size_of
from ..errors import InputError, StoppedError
from .chosen import check_reuse, grown, loaded_world, slug
from .groups import CacheOptions, CellOptions, ModelOptions, RootOptions, spread
from .options import Prompt

if TYPE_CHECKING:
    from ..models import Model
    from ..mosaics.primary import Primary
    from ..worlds.manifest import Manifest
    from ..worlds.site import Site


@spread
def export_site(
    prompt: Prompt,
    *,
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
    root: RootOptions,
    cells: CellOptions,
    cache: CacheOptions,
    batch_size: Annotated[int, typer.Option(help="Pictures painted at once.")] = 32,
    model: ModelOptions,
) -> None:
    """Make a folder that zooms for ever in any browser, from any web server, with no program."""
    from ..worlds.genesis import manifest_of
    from ..worlds.site import Site

    check_reuse(reuse)
    if not (math.isfinite(max_mb) and max_mb > 0):
        raise InputError(f"--max-mb {max_mb:g} must be more than 0")
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size} must be at least 1")
    cache.check()
    loaded, world = loaded_world(prompt, root, cells, model)
    manifest = manifest_of(loaded, world)
    target = output or Path("out") / f"{slug(prompt)}-site"
    site = Site(target, prompt, manifest, reuse, int(max_mb * 1_000_000))
    write_site(site, loaded, manifest, world.primary, cache.store, batch_size)


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
