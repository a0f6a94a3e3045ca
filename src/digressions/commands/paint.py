"""``digress paint``: a picture, or several."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import out, progress
from ..errors import InputError
from ..geometry import Size
from .chosen import (
    drawn,
    load_model,
    note_idle_negative,
    note_unknown,
    settings_for,
    slug,
    start_settings,
)
from .groups import TunedModelOptions, spread
from .options import (
    DEFAULT_UPSCALER,
    Guidance,
    Hole,
    How,
    Negative,
    Palette,
    Prompt,
    Rescale,
    SamplerName,
    Seed,
    Steps,
    Strength,
    Timing,
    UpscalerName,
)

if TYPE_CHECKING:
    import numpy as np

    from ..models import Model
    from ..pictures.metadata import Settings


@spread
def paint(
    prompt: Prompt,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; out/PROMPT.png if not said.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Paint over this picture.")] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Paint only where this is white; needs --image.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many, with seeds one after the other.")] = 1,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT; the model's own if not said.")
    ] = None,
    strength: Strength = None,
    hole: Hole = None,
    palette: Palette = None,
    timing: Timing = None,
    steps: Steps = None,
    guidance: Guidance = None,
    rescale: Rescale = 0.0,
    negative: Negative = "",
    how: How = "mean",
    sampler: SamplerName = None,
    seed: Seed = None,
    enlarge: Annotated[
        int, typer.Option(help="Enlarge the result this many times, with --upscaler.")
    ] = 1,
    upscaler: UpscalerName = DEFAULT_UPSCALER,
    model: TunedModelOptions,
) -> None:
    """Paint a picture, or several with a contact sheet."""
    from ..pictures.original import read_original
    from ..pictures.palette import read_palette
    from ..upscale import check_upscaler

    if n < 1:
        raise InputError(f"-n {n} must be at least 1")
    if not 1 <= enlarge <= 16:
        raise InputError(f"--enlarge {enlarge} is out of range: 1 to 16")
    if mask is not None and image is None:
        raise InputError("--mask needs --image, the picture to keep the rest of")
    if mask is None and (hole is not None or palette is not None):
        raise InputError("--hole and --palette need --mask, which says where the hole is")
    check_upscaler(upscaler)
    # Before the model is loaded: it is the quicker answer.
    start = None if image is None else read_original(image)
    cut = None if mask is None else read_original(mask, mask=True)
    colours = None if palette is None else read_palette(palette)
    loaded = load_model(model)
    first = drawn(seed)
    wanted = Size.parse(size) if size else Size(loaded.size, loaded.size)
    settings = settings_for(
        loaded,
        prompt,
        first,
        wanted,
        negative=negative,
        sampler=sampler,
        steps=steps,
        guidance=guidance,
        rescale=rescale,
        image=start,
        mask=cut,
        upscaler=upscaler if enlarge > 1 else None,
        extra={"enlarge": enlarge} if enlarge > 1 else {},
        how=how,
        **start_settings(
            loaded,
            start,
            cut,
            strength=strength,
            sampler=sampler,
            timing=timing,
            hole=hole,
            palette=None if colours is None else colours[1],
        ),
    )
    target = output or Path("out") / f"{slug(prompt)}.png"
    wanted_all = [dataclasses.replace(settings, seed=first + i) for i in range(n)]
    paint_all(
        loaded,
        wanted_all,
        target,
        None if start is None else start.pixels,
        None if cut is None else cut.pixels,
        palette=None if colours is None else colours[0],
    )


def paint_all(
    model: Model,
    wanted: list[Settings],
    target: Path,
    image: np.ndarray | None,
    mask: np.ndarray | None,
    regions: np.ndarray | None = None,
    palette: np.ndarray | None = None,
) -> None:
    """Paints pictures of one size, from one start picture, and writes and names their files.

    Args:
        model: Paints them.
        wanted: One a picture; they differ in their seeds.
        target: The file of a single picture; of several, each seed goes into its name.
        image: ``(H, W, 3)`` uint8 of any size to paint over, or ``None``.
        mask: ``(H, W)`` uint8 of any size, white where to paint, or ``None``.
        palette: Colours to put into the mask before painting (see `palette`), or ``None``.
        regions: ``(prompts, H, W)`` uint8 of the pictures' size, white where a prompt counts.
    """
    from ..job import check, job_of
    from ..paint import paint as run
    from ..pictures.contactsheet import contact_sheet
    from ..pictures.images import check_suffix, cover, to_array, write_image
    from ..pictures.metadata import to_text
    from ..pictures.palette import started
    from ..replay import enlarged
    from ..timing import retimed
    from ..upscale import check_upscaler

    size = (wanted[0].width, wanted[0].height)
    times = wanted[0].extra.get("enlarge", 1)
    check_suffix(target, times * size[0], times * size[1])
    model = retimed(model, wanted[0].timing)
    if image is not None and mask is not None:
        # Before it is made smaller, which would mix what is in the hole into its edge.
        exact = cover(mask, image.shape[1], image.shape[0])
        image = started(image, exact, wanted[0].hole, palette)
    image = None if image is None else cover(image, *size)
    mask = None if mask is None else cover(mask, *size)
    jobs = [job_of(settings, image, mask, regions) for settings in wanted]
    for job, settings in zip(jobs, wanted, strict=True):
        check(model, job)  # before the progress bar: an error is one line
        check_upscaler(settings.upscaler or "lanczos")
    note_unknown(model, wanted[0].prompt)
    note_idle_negative(wanted[0].negative, wanted[0].guidance)
    pictures: dict[int, Any] = {}
    with progress() as bar:
        task = bar.add_task("painting", total=sum(job.run for job in jobs))
        for index, painted in run(model, jobs, on_step=lambda n: bar.advance(task, n)):
            pictures[index] = enlarged(to_array(painted), wanted[index])
    for index, settings in enumerate(wanted):
        path = target
        if len(wanted) > 1:
            path = target.with_name(f"{target.stem}-{settings.seed}{target.suffix}")
        write_image(path, pictures[index], to_text(settings))
        out.print(str(path))
    if len(wanted) > 1:
        labels = [f"seed {settings.seed}" for settings in wanted]
        sheet = contact_sheet([pictures[i] for i in range(len(wanted))], labels=labels)
        path = target.with_name(f"{target.stem}-sheet{target.suffix}")
        write_image(path, sheet, to_text(wanted[0]) | {"seeds": f"{[s.seed for s in wanted]}"})
        out.print(str(path))
