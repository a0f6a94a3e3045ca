"""``digress replay``: a picture again, from what its file remembers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from ..console import err, out, plain
from .mosaic import run_mosaic
from .options import Device, Dtype, load_model
from .paint import paint_all
from .zoom import run_flight


def replay(
    file: Annotated[Path, typer.Argument(help="A picture or a film that this program made.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File or folder; FILE-replay if not said.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Where the model is now, if it has moved.")
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Make a picture or a film again from what its file remembers."""
    from ..pictures.film import VIDEOS, read_film_text
    from ..pictures.images import read_text, write_image
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

    text = read_film_text(file) if file.suffix.lower() in VIDEOS else read_text(file)
    settings = from_text(text, str(file))
    loaded = load_model(model_for(settings, model, str(file)), device, dtype)
    if reason := difference(settings, loaded.hash):
        err.print(f"[yellow]note:[/yellow] {plain(f'{file} {reason}')}")
    target = output or file.with_name(f"{file.stem}-replay{file.suffix}")
    settings = dataclasses.replace(settings, model=loaded.name, model_hash=loaded.hash)
    if settings.command == "mosaic":
        folder = output or file.with_name(f"{file.stem}-replay")
        run_mosaic(mosaic_again(loaded, settings, folder), 32, None)
    elif settings.command == "zoom":
        # A frame of a folder of PNGs remembers the film, too.
        target = target if output or file.suffix.lower() != ".png" else target.with_suffix("")
        run_flight(loaded, flight_from(settings, started_from(settings)[0]), target)
    elif "enlarged" in settings.extra:
        write_image(target, primary_again(loaded, settings), to_text(settings))
        out.print(str(target))
    else:
        palette = None if settings.palette is None else palette_again(settings.palette)
        paint_all(
            loaded, [settings], target, *started_from(settings), regions_of(settings), palette
        )
