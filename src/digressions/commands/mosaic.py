"""``digress mosaic``: a picture made of pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import duration, err, out, progress, size_of
from ..errors import InputError, StoppedError
from ..geometry import Grid
from .chosen import load_model, note_idle_negative, note_unknown, slug, world_from
from .far import (
    Address,
    CpusPerWorker,
    EngineName,
    GpusPerWorker,
    Workers,
    check_engine,
    far_engine,
)
from .options import (
    DEFAULT_UPSCALER,
    Anchor,
    Band,
    Compiled,
    Device,
    Dtype,
    Guidance,
    How,
    ModelName,
    Negative,
    OpenVino,
    PictureSize,
    Prompt,
    RootSeed,
    SamplerName,
    Steps,
    Strength,
    TinyVae,
    UpscalerName,
)

if TYPE_CHECKING:
    from ..engines.ray_engine import RayEngine
    from ..models import Model
    from ..mosaics.factory import Tally
    from ..mosaics.hypermosaic import Hypermosaic, Work
    from ..pictures.original import Original

MOST_SILENCE = 5.0  # seconds of painting before the cost is said


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
    size: PictureSize = None,
    strength: Strength = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = "",
    how: How = "mean",
    sampler: SamplerName = None,
    seed: RootSeed = 0,
    band: Band = 2,
    anchor: Anchor = 0.3,
    enlarge: Annotated[
        int, typer.Option(help="Enlarge each picture this many times, with --upscaler.")
    ] = 1,
    upscaler: UpscalerName = DEFAULT_UPSCALER,
    single: Annotated[
        str | None, typer.Option(help="Also write one big image: jpg or tif.")
    ] = None,
    reuse: Annotated[
        int | None,
        typer.Option(help="Paint only so many pictures, and use each wherever it fits."),
    ] = None,
    merge_similar: Annotated[
        float | None,
        typer.Option(
            help="Cells so near to each other in OKLab, such as 0.02, share a painted picture."
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Pictures painted at once, by each worker with --engine ray; if not said, found "
            "by measuring, and 32 for workers."
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Say where the time went; not with --engine ray.")
    ] = False,
    model: ModelName = "bundled",
    device: Device = None,
    dtype: Dtype = None,
    compiled: Compiled = False,
    tiny_vae: TinyVae = None,
    openvino: OpenVino = False,
    engine: EngineName = "local",
    address: Address = None,
    workers: Workers = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
) -> None:
    """Paint a picture made of pictures: each cell of it a picture of the same prompt."""
    from ..mosaics.hypermosaic import Hypermosaic
    from ..mosaics.sharing import Sharing
    from ..pictures.original import read_original

    if single not in (None, "jpg", "tif"):
        raise InputError(f"--single {single!r}: choose jpg or tif")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"--batch-size {batch_size} must be at least 1")
    fleet = check_engine(engine, address, workers, cpus_per_worker, gpus_per_worker)
    if profile and fleet is not None:
        raise InputError(
            "--profile looks at this process, and --engine ray paints in others: choose one"
        )
    sharing = Sharing(reuse, merge_similar)
    sharing.check()
    start = None if image is None else read_original(image)
    shape = _grid_over(grid, start)
    loaded = load_model(
        model, device, dtype, compiled=compiled, tiny_vae=tiny_vae, openvino=openvino
    )
    world = world_from(
        loaded,
        prompt,
        shape,
        seed,
        cell_prompts=[cell_prompt] if cell_prompt else None,
        image=start,
        picture_size=size,
        strength=strength,
        steps=steps,
        guidance=guidance,
        sampler=sampler,
        negative=negative,
        how=how,
        band=band,
        anchor=anchor,
        enlarge=enlarge,
        upscaler=upscaler,
    )
    job = Hypermosaic(
        loaded, world.cells, world.primary, output or Path("out") / slug(prompt), sharing
    )
    note_unknown(loaded, prompt, cell_prompt or "")
    note_idle_negative(negative, world.cells.guidance)
    if fleet is None:
        run_mosaic(job, batch_size, single, profile=profile)
        return
    special = {"compiled": compiled, "tiny_vae": tiny_vae, "openvino": openvino}
    with far_engine(fleet, loaded, device, dtype, **special) as hands:
        run_mosaic(job, batch_size, single, engine=hands)


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


def run_mosaic(
    job: Hypermosaic,
    batch_size: int | None = None,
    single: str | None = None,
    *,
    profile: bool = False,
    engine: RayEngine[Model] | None = None,
) -> None:
    """Makes a mosaic, and says what it costs, how far it is and how good it became.

    Args:
        job: What to make.
        batch_size: Pictures painted at once; found by measuring if not given.
        single: Also one big image: ``"jpg"`` or ``"tif"``.
        profile: Say where the time went.
        engine: Whose workers paint; this process if not given.

    Raises:
        StoppedError: Ctrl-C; it says how to go on.
    """
    try:
        _run_through(job, batch_size, single, profile, engine)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; finished pictures are kept in {job.folder}: the same command goes on"
        ) from None


def _run_through(
    job: Hypermosaic,
    batch_size: int | None,
    single: str | None,
    profile: bool,
    engine: RayEngine[Model] | None,
) -> None:
    estimate = job.start()
    size, side = job.mosaic.size, job.mosaic.side * job.mosaic.enlarge
    before, begun = job.model.clock.spent(), time.perf_counter()
    first = _first_pictures(job, batch_size, engine)
    left = 0 if engine is not None else estimate.to_paint - first.tally.painted
    out.print(
        f"{estimate.pictures:,} pictures of {side} px, together {size.width:,} x {size.height:,} "
        f"px ({size.megapixels}), about {size_of(estimate.disk)} on disk"
        + (f", about {duration(left / first.rate)} to paint" if left else "")
    )
    if job.sharing.job():
        out.print(str(job.variety()))
    if estimate.done:
        out.print(f"{estimate.done:,} of them are done already; going on with the rest")
    with progress() as bar:
        done = estimate.done + first.pictures
        task = bar.add_task("painting", total=estimate.pictures, completed=done)
        rest = job.paint(
            batch_size=batch_size, on_batch=lambda n: bar.advance(task, n), engine=engine
        )
    work = first.plus(rest)
    if work.pictures:
        out.print(
            f"painted {work.tally.painted:,} in {duration(work.seconds)}: "
            f"{work.rate:.1f} pictures/s, {work.inside / work.seconds:.0%} of the time inside the "
            "model" + (f", by {engine}" if engine is not None else "")
        )
    if work.tally.shared:
        out.print(_bent(work.tally))
    painted = time.perf_counter() - begun
    fidelity = job.assemble(single=single)
    out.print(f"fidelity {fidelity}")
    if profile:
        spent = job.model.clock.spent()
        stages = {stage: seconds - before.get(stage, 0.0) for stage, seconds in spent.items()}
        _show_profile(stages, painted, time.perf_counter() - begun, job, batch_size)
    out.print(
        f"open {job.folder / 'index.html'} in a browser and zoom in; "
        f"{job.folder / 'preview.jpg'} shows it from afar"
    )


def _first_pictures(
    job: Hypermosaic, batch_size: int | None, engine: RayEngine[Model] | None
) -> Work:
    """What tells how long the rest takes. Workers that are yet to start would tell nothing."""
    from ..mosaics.hypermosaic import Work

    if engine is not None:
        return Work.none()
    with err.status("painting the first pictures, to tell how long the rest takes"):
        return job.paint(batch_size=batch_size, enough=_timed_enough(job, batch_size))


def _timed_enough(job: Hypermosaic, batch_size: int | None) -> Callable[[int], bool]:
    """When the first pictures tell how long the rest takes: one batch of the size wanted, or the
    search for the best size, as far as it comes in a few seconds."""
    begun = time.perf_counter()

    def enough(painted: int) -> bool:
        if batch_size is not None:
            return painted > 0
        return painted > 0 and (job.tuned or time.perf_counter() - begun > MOST_SILENCE)

    return enough


def _bent(tally: Tally) -> str:
    """How much the correction changed pictures in places that they were not painted for."""
    shared = 255 * sum(tally.shared) / len(tally.shared)
    text = f"the correction bent shared pictures by {shared:.1f} grey levels on average"
    if not tally.own:
        return text
    return f"{text}, and by {255 * sum(tally.own) / len(tally.own):.1f} where they were painted"


def _show_profile(
    stages: dict[str, float], painted: float, whole: float, job: Hypermosaic, batch_size: int | None
) -> None:
    """Says where the time went: stages of the main thread, and those beside it."""
    from ..models import NETWORK_STAGES
    from ..mosaics.factory import MAIN_STAGES, SIDE_STAGES

    known = sum(stages.get(stage, 0.0) for stage in MAIN_STAGES)
    inside = sum(stages.get(stage, 0.0) for stage in NETWORK_STAGES)
    rows = [(stage, stages.get(stage, 0.0)) for stage in MAIN_STAGES]
    rows += [("sampling and the rest", painted - known), ("pyramid and page", whole - painted)]
    size = job.batch_size if batch_size is None else batch_size
    out.print(
        f"{duration(whole)} in all, {inside / whole:.0%} of it inside the network's own forward "
        f"passes; batches of {size}"
    )
    for stage, seconds in rows:
        out.print(f"  {stage:<22}{seconds:9.2f} s {seconds / whole:6.1%}")
    out.print("beside it, in other threads:")
    for stage in SIDE_STAGES:
        if stages.get(stage):
            out.print(f"  {stage:<22}{stages[stage]:9.2f} s {stages[stage] / whole:6.1%}")
