"""``digress print``: a picture as a file for a printer, exact in size and colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import err, out, plain
from ..errors import InputError
from ..geometry import Size
from ..prints.lengths import millimetres, parse_length
from ..prints.papersizes import nearest_frame, parse_size
from .chosen import enlarged
from .options import DEFAULT_UPSCALER, Device, UpscalerName

if TYPE_CHECKING:
    import numpy as np

    from ..prints.inks import Profile
    from ..prints.order import Order
    from ..prints.paper import Sheet

LOW_DPI = 200  # below, a print of arm's length looks soft
SAMPLES = 1_000_000  # pixels are looked at for the share of colours that cannot be printed


def print_(
    picture: Annotated[Path, typer.Argument(help="Any picture.")],
    size: Annotated[
        str, typer.Option(help="The paper as cut: 21x29.7cm, 8x10in, A4, letter, 'A4 landscape'.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help=".pdf, .tif, .png, .jpg; PICTURE.pdf if not said."),
    ] = None,
    dpi: Annotated[int, typer.Option(help="Pixels an inch.")] = 240,
    bleed: Annotated[str, typer.Option(help="Printed beyond the cut on each side: 3mm.")] = "0",
    safe: Annotated[str, typer.Option(help="To keep free of what matters, inside the cut.")] = "0",
    mat: Annotated[str, typer.Option(help="What a mat or frame hides on each side: 5mm.")] = "0",
    marks: Annotated[bool, typer.Option("--marks", help="Crop marks.")] = False,
    fit: Annotated[
        str, typer.Option(help="fill: cut off what does not fit; whole: leave paper free.")
    ] = "fill",
    edge: Annotated[
        str,
        typer.Option(help="What bleed and mat get: mirror, the picture mirrored; picture, of it."),
    ] = "mirror",
    icc: Annotated[Path | None, typer.Option(help="Convert to this CMYK or RGB profile.")] = None,
    intent: Annotated[
        str, typer.Option(help="perceptual, relative, saturation or absolute.")
    ] = "relative",
    proof: Annotated[
        bool, typer.Option("--proof", help="Also OUTPUT-proof.png: how it will look.")
    ] = False,
    upscaler: UpscalerName = DEFAULT_UPSCALER,
    device: Device = None,
) -> None:
    """Make a file for a printer, of an exact size."""
    from ..output import spare
    from ..pictures.images import read_text
    from ..pictures.original import read_original
    from ..prints.inks import INTENTS
    from ..prints.order import Order, read_ink
    from ..prints.paper import MAX_DPI, Sheet
    from ..upscale import check_upscaler

    if not 1 <= dpi <= MAX_DPI:
        raise InputError(f"--dpi {dpi} is out of range: 1 to {MAX_DPI}")
    if intent not in INTENTS:
        raise InputError(f"--intent {intent!r} is not known: choose one of {', '.join(INTENTS)}")
    check_upscaler(upscaler)
    ink = None if icc is None else read_ink(icc)
    image, origin = read_original(picture)
    own = Size(image.shape[1], image.shape[0])
    sheet = Sheet(
        parse_size(size, dpi, landscape=own.width > own.height),
        dpi,
        parse_length(bleed, dpi, "--bleed"),
        parse_length(safe, dpi, "--safe"),
        parse_length(mat, dpi, "--mat"),
        marks,
    )
    order = Order(sheet, fit, edge, upscaler, ink, intent)
    order.place(own)
    target = output or picture.with_suffix(".pdf")
    spare(picture, target)
    order.check(target)
    proof_target = target.with_name(f"{target.stem}-proof.png")
    if proof and picture.resolve() == proof_target.resolve():
        raise InputError(f"the proof would overwrite {picture}: choose another -o")

    say_sheet(sheet)
    say_pixels(own, order)
    text = read_text(picture)
    text["print"] = json.dumps({"image": origin} | order.remembered(own))
    placed = order.placed(image, lambda part, there, how: enlarged(part, there, how, device))
    if ink is not None:
        _say_gamut(placed, ink.profile)
    order.write(target, placed, own, text, proof_target if proof else None)
    out.print(plain(str(target)))
    if proof:
        out.print(plain(str(proof_target)))


def say_sheet(sheet: Sheet) -> None:
    """What is printed, in lengths and in pixels."""
    name, sold = nearest_frame(sheet.trim)
    same = max(abs(a - b) for a, b in zip(sold, sheet.trim, strict=True)) < 0.5
    parts = [f"{sheet.trim} as cut ({name if same else f'nearest that is sold: {name}'})"]
    if sheet.mat:
        seen = type(sheet.trim)(*(side - 2 * sheet.mat for side in sheet.trim))
        parts.append(f"{seen} seen")
    if sheet.bleed:
        parts.append(f"{millimetres(sheet.bleed)} mm bleed")
    parts.append(f"{sheet.media.width:,} x {sheet.media.height:,} px at {sheet.dpi} DPI")
    out.print(plain(", ".join(parts)))


def say_pixels(picture: Size, order: Order, *, whole: str = "--fit whole") -> None:
    """How many DPI a picture of a size has of its own, and what becomes of it.

    Args:
        whole: How to keep all of it where some is cut off.
    """
    effective = order.effective_dpi(picture)
    placement, upscaler = order.place(picture), order.upscaler_for(picture)
    line = f"the picture's own {picture.width:,} x {picture.height:,} px are {effective:.0f} DPI"
    if upscaler is not None:
        line += f": enlarged {placement.enlargement:.2f} times with {upscaler}"
    lost = 1 - placement.crop.size.pixels / picture.pixels
    if lost >= 0.005:
        line += f"; {100 * lost:.0f} % of it is cut off to fit ({whole} keeps it"
        trim = order.sheet.trim
        ratio = picture.width / picture.height * trim.width / trim.height
        turned = 1 - min(ratio, 1 / ratio)
        if turned < lost - 0.05:
            line += f", {trim.turned()} would cut off {100 * turned:.0f} %"
        line += ")"
    out.print(plain(line))
    if effective < LOW_DPI:
        err.print(
            f"[yellow]warning:[/yellow] {effective:.0f} DPI are less than {LOW_DPI}: "
            "from near it will look soft, or as the upscaler imagines it"
        )
    elif order.sheet.dpi < LOW_DPI:
        err.print(f"[yellow]warning:[/yellow] --dpi {order.sheet.dpi} is less than {LOW_DPI}")


def _say_gamut(placed: np.ndarray, profile: Profile) -> None:
    from ..prints.inks import out_of_gamut

    step = max(1, round((placed.size / 3 / SAMPLES) ** 0.5))
    share = out_of_gamut(placed[::step, ::step], profile).mean()
    line = f"{100 * share:.1f} % of the picture has colours that {profile.name} cannot print"
    if share >= 0.01:
        err.print(f"[yellow]warning:[/yellow] {plain(line)}: --proof shows where")
    else:
        out.print(plain(line))
