"""The ``digress`` command: parse, call, print."""

from __future__ import annotations

import dataclasses
import random
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .console import duration, err, fail, out, plain, progress, size_of
from .errors import DigressionsError, InputError, StoppedError
from .geometry import Grid, Size

if TYPE_CHECKING:
    import numpy as np

    from .hypermosaic import Hypermosaic
    from .metadata import Settings
    from .models import Model

app = typer.Typer(
    help="Creative work with diffusion models: pictures made of pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Prompt = Annotated[str, typer.Argument(help="What to paint, like 'photo of a turtle'.")]
ModelName = Annotated[
    str, typer.Option("--model", help="'bundled', a folder in diffusers layout, or a hub id.")
]
Device = Annotated[
    str | None, typer.Option(help="cuda, mps or cpu; the best there is if not said.")
]
Dtype = Annotated[str | None, typer.Option(help="float32, float16 or bfloat16.")]
Steps = Annotated[int | None, typer.Option(help="Steps of the whole way from noise.")]
Guidance = Annotated[float | None, typer.Option(help="Guidance scale; 1 for none.")]
Strength = Annotated[float | None, typer.Option(help="0..1: how freely to paint over a picture.")]
Negative = Annotated[str, typer.Option(help="What not to paint.")]
SamplerName = Annotated[
    str | None, typer.Option("--sampler", help="ddim, euler_ancestral, dpmpp_2m or lcm.")
]
UpscalerName = Annotated[
    str,
    typer.Option(
        "--upscaler", help="lanczos, realesrgan-animevideo, realesrgan-anime or realesrgan."
    ),
]
Seed = Annotated[int | None, typer.Option(help="The same seed paints the same; drawn if not said.")]


def main() -> None:
    """Runs the command line; every error made on purpose is one line and an exit code."""
    try:
        code = app(standalone_mode=False)
    except DigressionsError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("stopped", StoppedError.exit_code)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except Exception as error:  # a wrong use of the command line, or Ctrl-C under an older Typer
        if isinstance(error, typer.Abort):
            fail("stopped", StoppedError.exit_code)
        format_message = getattr(error, "format_message", None)
        if format_message is None:
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # type: ignore[attr-defined]
            sys.exit(2)
        path = getattr(getattr(error, "ctx", None), "command_path", "digress")
        message = " ".join(format_message().split()).rstrip(".")
        fail(f"{message}: '{path} --help' shows what there is", 2)
    if code == StoppedError.exit_code:  # Typer makes this of Ctrl-C
        fail("stopped", code)
    if isinstance(code, int):
        sys.exit(code)


@app.command()
def mosaic(
    prompt: Prompt,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder; out/PROMPT if not said.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="Start from this picture, not a painted one.")
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
    sampler: SamplerName = None,
    seed: Seed = 0,
    band: Annotated[
        int, typer.Option(help="Values a cell and side that equal the picture; 0 for none.")
    ] = 2,
    anchor: Annotated[
        float, typer.Option(help="0..1: how strongly each step is steered to the cell's colours.")
    ] = 0.3,
    upscaler: UpscalerName = "realesrgan-animevideo",
    single: Annotated[
        str | None, typer.Option(help="Also write one big image: jpg or tif.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Pictures painted at once.")] = 32,
    model: ModelName = "bundled",
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Paint a picture made of pictures: each cell of it a picture of the same prompt."""
    from .hypermosaic import Hypermosaic, Primary
    from .images import read_image
    from .mosaic import Mosaic

    if single not in (None, "jpg", "tif"):
        raise InputError(f"--single {single!r}: choose jpg or tif")
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size} must be at least 1")
    start = read_image(image) if image else None
    shape = Grid.parse(grid, start.shape[1] / start.shape[0] if start is not None else None)
    if start is not None and (shape.columns > start.shape[1] or shape.rows > start.shape[0]):
        raise InputError(
            f"--grid {shape} does not fit {image}, which is {start.shape[1]} x {start.shape[0]} "
            "pixels: a cell needs at least one"
        )
    loaded = _load(model, device, dtype)
    likes = loaded.defaults.for_cells()
    root = _seed(seed)
    plan = Mosaic(
        prompt=cell_prompt or prompt,
        grid=shape,
        side=_first(size, loaded.size),
        strength=_first(strength, likes.strength),
        steps=_first(steps, likes.steps),
        guidance=_first(guidance, likes.guidance),
        sampler=sampler or likes.sampler,
        seed=root,
        negative=negative,
        band=band,
        anchor=anchor,
    )
    settings = _settings(
        loaded, prompt, root, Size(loaded.size, loaded.size), negative=negative, image=image
    )
    folder = output or Path("out") / _slug(prompt)
    job = Hypermosaic(loaded, plan, Primary(settings, start, upscaler), folder)
    _run(job, batch_size, single)


def _run(job: Hypermosaic, batch_size: int, single: str | None) -> None:
    try:
        _run_through(job, batch_size, single)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; finished pictures are kept in {job.folder}: the same command goes on"
        ) from None


def _run_through(job: Hypermosaic, batch_size: int, single: str | None) -> None:
    estimate = job.start()
    size, left = job.mosaic.size, estimate.pictures - estimate.done
    first = job.paint(batch_size=batch_size, most=batch_size)  # says how long the rest will take
    out.print(
        f"{estimate.pictures:,} pictures of {job.mosaic.side} px, together {size.width:,} x "
        f"{size.height:,} px ({estimate.pixels / 1e6:,.1f} Mpx), about {size_of(estimate.disk)} "
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


@app.command()
def paint(
    prompt: Prompt,
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
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = "",
    sampler: SamplerName = None,
    seed: Seed = None,
    enlarge: Annotated[
        int, typer.Option(help="Enlarge the result this many times, with --upscaler.")
    ] = 1,
    upscaler: UpscalerName = "realesrgan-animevideo",
    model: ModelName = "bundled",
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Paint a picture, or several with a contact sheet."""
    from .images import read_image, read_mask
    from .upscale import check_upscaler

    if n < 1:
        raise InputError(f"-n {n} must be at least 1")
    if not 1 <= enlarge <= 16:
        raise InputError(f"--enlarge {enlarge} is out of range: 1 to 16")
    if mask is not None and image is None:
        raise InputError("--mask needs --image, the picture to keep the rest of")
    check_upscaler(upscaler)
    # Before the model is loaded: it is the quicker answer.
    start = None if image is None else read_image(image)
    hole = None if mask is None else read_mask(mask)
    loaded = _load(model, device, dtype)
    first = _seed(seed)
    wanted = Size.parse(size) if size else Size(loaded.size, loaded.size)
    settings = _settings(
        loaded,
        prompt,
        first,
        wanted,
        negative=negative,
        sampler=sampler,
        steps=steps,
        guidance=guidance,
        strength=_first(strength, loaded.defaults.strength) if image else None,
        image=image,
        mask=mask,
        upscaler=upscaler if enlarge > 1 else None,
        extra={"enlarge": enlarge} if enlarge > 1 else {},
    )
    target = output or Path("out") / f"{_slug(prompt)}.png"
    wanted_all = [dataclasses.replace(settings, seed=first + i) for i in range(n)]
    _paint_all(loaded, wanted_all, target, start, hole)


def _paint_all(
    model: Model,
    wanted: list[Settings],
    target: Path,
    image: np.ndarray | None,
    mask: np.ndarray | None,
) -> None:
    from .contactsheet import contact_sheet
    from .hypermosaic import job_of
    from .images import check_suffix, cover, to_array, write_image
    from .metadata import to_text
    from .paint import check
    from .paint import paint as run
    from .replay import enlarged
    from .upscale import check_upscaler

    check_suffix(target)
    size = (wanted[0].width, wanted[0].height)
    image = None if image is None else cover(image, *size)
    mask = None if mask is None else cover(mask, *size)
    jobs = [job_of(settings, image, mask) for settings in wanted]
    for job, settings in zip(jobs, wanted, strict=True):
        check(model, job)  # before the progress bar: an error is one line
        check_upscaler(settings.upscaler or "lanczos")
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


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A picture that this program made.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File or folder; FILE-replay if not said.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Where the model is now, if it has moved.")
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Make a picture again from what its file remembers."""
    from .images import read_text, write_image
    from .metadata import from_text, to_text
    from .replay import difference, model_for, mosaic_again, primary_again, started_from

    settings = from_text(read_text(file), str(file))
    loaded = _load(model_for(settings, model, str(file)), device, dtype)
    if reason := difference(settings, loaded.hash):
        err.print(f"[yellow]note:[/yellow] {plain(f'{file} {reason}')}")
    target = output or file.with_name(f"{file.stem}-replay{file.suffix}")
    settings = dataclasses.replace(settings, model=loaded.name, model_hash=loaded.hash)
    if settings.command == "mosaic":
        folder = output or file.with_name(f"{file.stem}-replay")
        _run(mosaic_again(loaded, settings, folder), 32, None)
    elif "enlarged" in settings.extra:
        write_image(target, primary_again(loaded, settings), to_text(settings))
        out.print(str(target))
    else:
        _paint_all(loaded, [settings], target, *started_from(settings))


def _settings(
    model: Model,
    prompt: str,
    seed: int,
    size: Size,
    *,
    image: Path | None = None,
    mask: Path | None = None,
    **given: Any,
) -> Settings:
    """Settings of a picture, with the model's likes where the user said nothing."""
    from .metadata import Settings
    from .replay import origin

    likes: dict[str, Any] = {
        "sampler": model.defaults.sampler,
        "steps": model.defaults.steps,
        "guidance": model.defaults.guidance,
    }
    chosen = likes | {key: value for key, value in given.items() if value is not None}
    return Settings(
        command="paint",
        prompt=prompt,
        model=model.name,
        model_hash=model.hash,
        seed=seed,
        width=size.width,
        height=size.height,
        version=__version__,
        image=None if image is None else origin(image),
        mask=None if mask is None else origin(mask),
        **chosen,
    )


def _load(name: str, device: str | None, dtype: str | None) -> Model:
    from .models import load

    with err.status(f"loading {plain(name)}"):
        return load(name, device, dtype)


def _seed(seed: int | None) -> int:
    return random.SystemRandom().randrange(2**32) if seed is None else seed


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _slug(prompt: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60] or "picture"
