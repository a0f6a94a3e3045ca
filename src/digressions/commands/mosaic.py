"""``digress mosaic``: a picture made of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
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
from .making import run_mosaic
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
