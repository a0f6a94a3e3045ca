"""``digress mosaic``: a picture made of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..geometry import Grid
from .chosen import load_model, note_idle_negative, note_unknown, slug, world_from
from .far import FleetOptions, far_engine
from .groups import CellOptions, TunedModelOptions, spread
from .making import run_mosaic
from .options import PictureSize, Prompt, StartImage

if TYPE_CHECKING:
    from ..pictures.original import Original


@spread
def mosaic(
    prompt: Prompt,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder; out/PROMPT if not said.")
    ] = None,
    image: StartImage = None,
    grid: Annotated[
        str, typer.Option(help="Cells across, or ACROSSxDOWN; one number is the longer side.")
    ] = "64",
    cell_prompt: Annotated[
        str | None, typer.Option(help="What the cells show; the prompt if not said.")
    ] = None,
    size: PictureSize = None,
    cells: CellOptions,
    enlarge: Annotated[
        int, typer.Option(help="Enlarge each picture this many times, with --upscaler.")
    ] = 1,
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
    model: TunedModelOptions,
    fleet: FleetOptions,
) -> None:
    """Paint a picture made of pictures: each cell of it a picture of the same prompt."""
    from ..mosaics.hypermosaic import Hypermosaic
    from ..mosaics.sharing import Sharing
    from ..pictures.original import read_original

    if single not in (None, "jpg", "tif"):
        raise InputError(f"--single {single!r}: choose jpg or tif")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"--batch-size {batch_size} must be at least 1")
    fleet.check()
    if profile and fleet.far:
        raise InputError(
            "--profile looks at this process, and --engine ray paints in others: choose one"
        )
    sharing = Sharing(reuse, merge_similar)
    sharing.check()
    start = None if image is None else read_original(image)
    shape = _grid_over(grid, start)
    loaded = load_model(model)
    world = world_from(
        loaded,
        prompt,
        shape,
        cells,
        cell_prompts=[cell_prompt] if cell_prompt else None,
        image=start,
        picture_size=size,
        enlarge=enlarge,
    )
    job = Hypermosaic(
        loaded, world.cells, world.primary, output or Path("out") / slug(prompt), sharing
    )
    note_unknown(loaded, prompt, cell_prompt or "")
    note_idle_negative(cells.negative, world.cells.guidance)
    if not fleet.far:
        run_mosaic(job, batch_size, single, profile=profile)
        return
    with far_engine(fleet, loaded, model) as hands:
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
