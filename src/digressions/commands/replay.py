"""``digress replay``: a picture again, from what its file remembers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import err, out, plain, progress
from ..errors import InputError
from ..geometry import Size
from .chosen import enlarged, load_model
from .groups import CacheOptions, TunedModelOptions
from .making import run_mosaic
from .options import Device, Dtype, TinyVae
from .paint import paint_all
from .zoom import run_flight

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from ..job import Job
    from ..models import Model
    from ..pictures.metadata import Settings


def replay(
    file: Annotated[Path, typer.Argument(help="A picture, a film or a print of this program.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File or folder; FILE-replay if not said.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Where the model is now, if it has moved.")
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    tiny_vae: TinyVae = None,
) -> None:
    """Make a picture or a film again from what its file remembers."""
    from ..pictures.images import write_image
    from ..pictures.metadata import from_text, to_text
    from ..pictures.palette import palette_again
    from ..replay import (
        difference,
        model_for,
        mosaic_again,
        primary_again,
        regions_of,
        started_from,
    )
    from ..worlds.flight import flight_from

    text = _text_of(file)
    target = output or file.with_name(f"{file.stem}-replay{file.suffix}")
    if _made_of_files(text, target, device):
        out.print(plain(str(target)))
        return
    settings = from_text(text, str(file))
    name = model_for(settings, model, str(file))
    loaded = load_model(TunedModelOptions(name, device, dtype, tiny_vae=tiny_vae))
    if reason := difference(settings, loaded.hash):
        err.print(f"[yellow]note:[/yellow] {plain(f'{file} {reason}')}")
    settings = dataclasses.replace(settings, model=loaded.name, model_hash=loaded.hash)
    if settings.command == "mosaic":
        folder = output or file.with_name(f"{file.stem}-replay")
        run_mosaic(mosaic_again(loaded, settings, folder))
    elif settings.command == "zoom":
        # A frame of a folder of PNGs remembers the film, too.
        target = target if output or file.suffix.lower() != ".png" else target.with_suffix("")
        run_flight(
            loaded, flight_from(settings, started_from(settings)[0]), target, CacheOptions().store
        )
    elif settings.command == "frame":
        _frame_again(loaded, settings, target, device)
        out.print(plain(str(target)))
    elif "enlarged" in settings.extra:
        write_image(target, primary_again(loaded, settings), to_text(settings))
        out.print(str(target))
    else:
        palette = None if settings.palette is None else palette_again(settings.palette)
        paint_all(
            loaded, [settings], target, *started_from(settings), regions_of(settings), palette
        )


def _text_of(file: Path) -> dict[str, str]:
    """What a file of any kind remembers."""
    suffix = file.suffix.lower()
    if suffix == ".pdf":
        from ..prints.pdf import read_pdf_text

        return read_pdf_text(file)
    from ..pictures.film import VIDEOS, read_film_text
    from ..pictures.images import read_text

    return read_film_text(file) if suffix in VIDEOS else read_text(file)


def _made_of_files(text: dict[str, str], target: Path, device: str | None) -> bool:
    """Makes again what needs no model: a print, an enlarged picture, a photo with one hung into it.

    What was done last counts, as a file remembers what it was made of as well.
    """
    from ..pictures.images import check_suffix, write_image

    def large(image: np.ndarray, size: Size, upscaler: str) -> np.ndarray:
        return enlarged(image, size, upscaler, device)

    if "print" in text:
        from ..prints.order import print_again

        print_again(target, text, large)
    elif "upscale" in text:
        from ..replay import upscaled_again

        check_suffix(target)
        write_image(target, upscaled_again(text["upscale"], large), text)
    elif "found" in text:
        from ..frames.again import find_again

        check_suffix(target)
        write_image(target, find_again(text["found"]), text)
    elif "frame" in text:
        from ..frames.again import hang_again

        check_suffix(target)
        write_image(target, hang_again(text["frame"]), text)
    else:
        return False
    return True


def _frame_again(model: Model, settings: Settings, target: Path, device: str | None) -> None:
    from ..frames.again import make_again
    from ..paint import paint
    from ..pictures.images import check_suffix, write_image
    from ..pictures.metadata import to_text
    from ..replay import started_from
    from ..timing import retimed

    photo, mask = started_from(settings)
    if photo is None:
        raise InputError("the settings name no photo")
    if "print" not in settings.extra.get("frame", {}):
        check_suffix(target)
    with progress() as bar:
        task = bar.add_task("painting", total=None)

        def painted(job: Job) -> Tensor:
            bar.update(task, total=bar.tasks[task].completed + job.run)
            (found,) = paint(
                retimed(model, settings.timing), [job], on_step=lambda n: bar.advance(task, n)
            )
            return found.image

        again = make_again(model, photo, mask, settings, painted)
    if again.order is None:
        write_image(target, again.pixels, to_text(settings))
        return
    again.order.check(target)
    size = Size(again.pixels.shape[1], again.pixels.shape[0])
    placed = again.order.placed(
        again.pixels, lambda part, there, how: enlarged(part, there, how, device)
    )
    again.order.write(target, placed, size, to_text(settings))
