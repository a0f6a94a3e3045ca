"""``digress mosaic``: a picture made of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import duration, out, progress, size_of
from ..errors import InputError, StoppedError
from ..geometry import Grid, Size
from .options import (
    DEFAULT_UPSCALER,
    Device,
    Dtype,
    Guidance,
    How,
    ModelName,
    Negative,
    Prompt,
    RootSeed,
    SamplerName,
    Steps,
    Strength,
    UpscalerName,
    first_given,
    load_model,
    note_idle_negative,
    note_unknown,
    settings_for,
    slug,
)

if TYPE_CHECKING:
    from ..mosaics.hypermosaic import Hypermosaic
    from ..pictures.original import Original


def mosaic(
    prompt: Prompt,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder; out/PROMPT if not said.")
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            help="Start from this picture, its transparent parts white, and not a painted one."
        ),
    ] = None,
    grid: Annotated[
        str, typer.Option(help="Cells across, or ACROSSxDOWN; one number is the longer side.")
    ] = "64",
    cell_prompt: Annotated[
        str | None, typer.Option(help="What the cells show; the prompt if not said.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Width and height of each picture; the model's if not said.")
    ] = None,
    strength: Strength = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = "",
    how: How = "mean",
    sampler: SamplerName = None,
    seed: RootSeed = 0,
    band: Annotated[
        int, typer.Option(help="Values a cell and side that equal the picture; 0 for none.")
    ] = 2,
    anchor: Annotated[
        float, typer.Option(help="0..1: how strongly each step is steered to the cell's colours.")
    ] = 0.3,
    enlarge: Annotated[
        int, typer.Option(help="Enlarge each picture this many times, with --upscaler.")
    ] = 1,
    upscaler: UpscalerName = DEFAULT_UPSCALER,
    single: Annotated[
        str | None, typer.Option(help="Also write one big image: jpg or tif.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Pictures painted at once.")] = 32,
    model: ModelName = "bundled",
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Paint a picture made of pictures: each cell of it a picture of the same prompt."""
    from ..mosaics.hypermosaic import Hypermosaic
    from ..mosaics.mosaic import Mosaic
    from ..mosaics.primary import Primary
    from ..pictures.original import read_original

    if single not in (None, "jpg", "tif"):
        raise InputError(f"--single {single!r}: choose jpg or tif")
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size} must be at least 1")
    start = None if image is None else read_original(image)
    shape = _grid_over(grid, start)
    loaded = load_model(model, device, dtype)
    likes = loaded.defaults.for_cells()
    root = seed
    plan = Mosaic(
        prompt=cell_prompt or prompt,
        grid=shape,
        side=first_given(size, loaded.size),
        strength=first_given(strength, likes.strength),
        steps=first_given(steps, likes.steps),
        guidance=first_given(guidance, likes.guidance),
        sampler=sampler or likes.sampler,
        seed=root,
        negative=negative,
        band=band,
        anchor=anchor,
        enlarge=enlarge,
        upscaler=upscaler if enlarge > 1 else "lanczos",
        how=how,
    )
    size_of_primary = Size(loaded.size, loaded.size)
    settings = settings_for(
        loaded, prompt, root, size_of_primary, negative=negative, how=how, image=start
    )
    folder = output or Path("out") / slug(prompt)
    primary = Primary(settings, None if start is None else start.pixels, upscaler)
    job = Hypermosaic(loaded, plan, primary, folder)
    note_unknown(loaded, prompt, cell_prompt or "")
    note_idle_negative(negative, plan.guidance)
    run_mosaic(job, batch_size, single)


def _grid_over(text: str, start: Original | None) -> Grid:
    """The grid as typed, its cells square on the start picture where there is one."""
    if start is None:
        return Grid.parse(text)
    height, width = start.pixels.shape[:2]
    grid = Grid.parse(text, width / height)
    if grid.columns > width or grid.rows > height:
        raise InputError(
            f"--grid {grid} does not fit {start.origin['path']}, which is {width} x {height} "
            "pixels: a cell needs at least one pixel"
        )
    return grid


def run_mosaic(job: Hypermosaic, batch_size: int, single: str | None) -> None:
    """Makes a mosaic, and says what it costs, how far it is and how good it became.

    Raises:
        StoppedError: Ctrl-C; it says how to go on.
    """
    try:
        _run_through(job, batch_size, single)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; finished pictures are kept in {job.folder}: the same command goes on"
        ) from None


def _run_through(job: Hypermosaic, batch_size: int, single: str | None) -> None:
    estimate = job.start()
    size, side = job.mosaic.size, job.mosaic.side * job.mosaic.enlarge
    left = estimate.pictures - estimate.done
    first = job.paint(batch_size=batch_size, most=batch_size)  # says how long the rest will take
    out.print(
        f"{estimate.pictures:,} pictures of {side} px, together {size.width:,} x {size.height:,} "
        f"px ({estimate.pixels / 1e6:,.1f} Mpx), about {size_of(estimate.disk)} "
        f"on disk" + (f", about {duration(left / first.rate)} to paint" if left else "")
    )
    if estimate.done:
        out.print(f"{estimate.done:,} of them are done already; going on with the rest")
    with progress() as bar:
        done = estimate.done + first.pictures
        task = bar.add_task("painting", total=estimate.pictures, completed=done)
        rest = job.paint(batch_size=batch_size, on_batch=lambda n: bar.advance(task, n))
    work = first.plus(rest)
    if work.pictures:
        out.print(
            f"painted {work.pictures:,} in {duration(work.seconds)}: {work.rate:.1f} pictures/s, "
            f"{work.inside / work.seconds:.0%} of the time inside the model"
        )
    fidelity = job.assemble(single=single)
    out.print(f"fidelity {fidelity}")
    out.print(
        f"open {job.folder / 'index.html'} in a browser and zoom in; "
        f"{job.folder / 'preview.jpg'} shows it from afar"
    )
