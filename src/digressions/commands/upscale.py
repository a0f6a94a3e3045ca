"""``digress upscale``: a picture with more pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..console import out, plain
from ..errors import InputError
from ..geometry import Size
from .chosen import enlarged
from .options import DEFAULT_UPSCALER, Device, UpscalerName


def upscale(
    picture: Annotated[Path, typer.Argument(help="Any picture.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; PICTURE-upscaled.png if not said.")
    ] = None,
    times: Annotated[
        float | None, typer.Option(help="How many times as wide and high; 4 if not said.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT in pixels to fit into, instead of --times.")
    ] = None,
    upscaler: UpscalerName = DEFAULT_UPSCALER,
    device: Device = None,
) -> None:
    """Enlarge a picture."""
    from ..output import spare
    from ..pictures.images import check_suffix, read_image_and_hash, read_text, write_image
    from ..pictures.opening import MAX_PIXELS
    from ..upscale import check_upscaler

    if times is not None and size is not None:
        raise InputError("--times and --size are two ways to say one thing: give one of them")
    check_upscaler(upscaler)
    target = output or picture.with_name(f"{picture.stem}-upscaled.png")
    spare(picture, target)
    image, digest = read_image_and_hash(picture)
    here = Size(image.shape[1], image.shape[0])
    there = _wanted(here, times, size)
    if there.pixels > MAX_PIXELS:
        raise InputError(f"{there} has more than the {MAX_PIXELS:,} pixels that are written")
    check_suffix(target, *there)
    text = read_text(picture)
    text.pop("print", None)  # what was done last is what is made again
    text["upscale"] = json.dumps(
        {
            "image": {"path": str(picture), "sha256": digest},
            "size": list(there),
            "upscaler": upscaler,
            "version": __version__,
        }
    )
    big = enlarged(image, there, upscaler, device)
    write_image(target, big, text)
    out.print(plain(f"{target}: {there.width:,} x {there.height:,} px"))


def _wanted(here: Size, times: float | None, size: str | None) -> Size:
    """The size to enlarge to.

    Raises:
        InputError: It is not larger.
    """
    if size is not None:
        room = Size.parse(size)
        times = min(room.width / here.width, room.height / here.height)
    times = 4.0 if times is None else times
    if not 1 < times <= 64:
        asked = f"--times {times:g}" if size is None else f"--size {size}"
        raise InputError(f"{asked} is {times:.3g} times {here}: more than 1 and at most 64")
    return Size(*(max(1, round(side * times)) for side in here))
