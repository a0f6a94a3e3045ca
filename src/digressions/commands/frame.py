"""``digress frame``: picture frames in a photo, and pictures painted or hung into them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ..console import out, plain
from ..errors import InputError
from ..geometry import Size
from .explain import PICTURES, explain_frame
from .filling import MOST, picks, write_before_after
from .options import (
    DEFAULT_UPSCALER,
    Device,
    Dtype,
    Guidance,
    Hole,
    How,
    ModelName,
    Negative,
    Palette,
    Rescale,
    RootSeed,
    SamplerName,
    Steps,
    Timing,
    UpscalerName,
    hole_settings,
    load_model,
    settings_for,
)

if TYPE_CHECKING:
    import numpy as np

    from ..frames.frame import Frame
    from ..models import Model
    from ..pictures.original import Original
    from ..prints.order import Order
    from .filling import Finish

BLANK = 0.5  # how empty an opening must be for the light in it to be seen
PRINTED = ("pdf", "tif", "png", "jpg")
SMALL = 256  # pixels: a model of fewer has none to spare for the room


def frame(
    photo: Annotated[Path, typer.Argument(help="A photo of a wall with frames.")],
    prompts: Annotated[
        list[str] | None,
        typer.Argument(help="What to paint into the best frame; one more for the next, and so on."),
    ] = None,
    frames: Annotated[
        list[int] | None,
        typer.Option(
            "--frame", help="Number of a frame as --find shows it, in the order of the prompts."
        ),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", help="Candidates for each frame, on a contact sheet.")
    ] = None,
    pick: Annotated[
        list[int] | None,
        typer.Option(help="Finish this candidate; once for all frames, or once for each."),
    ] = None,
    room: Annotated[
        float | None,
        typer.Option(
            help="0..1: how much of the room the model sees, in shorter sides of the opening; 0.25 "
            "if not said, 0 for models of few pixels."
        ),
    ] = None,
    refine: Annotated[
        str | None, typer.Option(help="Repaint the picture with this prompt, larger.")
    ] = None,
    refine_strength: Annotated[
        float, typer.Option(help="0..1: how freely --refine paints over it.")
    ] = 0.5,
    refine_scale: Annotated[
        float, typer.Option(help="1..4: its size, in sizes of the model.")
    ] = 2.0,
    size: Annotated[
        str | None, typer.Option(help="Also a file for the printer: 21x29.7cm, 8x10in, A4.")
    ] = None,
    dpi: Annotated[int, typer.Option(help="Its pixels an inch.")] = 240,
    bleed: Annotated[str, typer.Option(help="Printed beyond the cut on each side: 3mm.")] = "0",
    mat: Annotated[str, typer.Option(help="What a mat or frame hides on each side: 5mm.")] = "0",
    print_as: Annotated[str, typer.Option(help="pdf, tif, png or jpg.")] = "pdf",
    find: Annotated[
        bool, typer.Option("--find", help="Draw the frames that are found, and write a JSON.")
    ] = False,
    insert: Annotated[
        list[Path] | None, typer.Option(help="Hang this picture instead; once for each frame.")
    ] = None,
    corners: Annotated[
        tuple[str, str, str, str] | None,
        typer.Option(help="Corners of the opening instead, in pixels: x,y x,y x,y x,y."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="White where the opening is, black what stands before it."),
    ] = None,
    snap: Annotated[
        bool, typer.Option("--snap", help="Take the nearest standard aspect where it fits.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder; out/PHOTO-frame if not said.")
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            help="0..1: below 1 what is in the opening shows through; 1 if not said, 0.9 with a "
            "palette."
        ),
    ] = None,
    hole: Hole = None,
    palette: Palette = None,
    timing: Timing = None,
    rescale: Rescale = 0.0,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Find out what pulls the colours: many paintings, a chart, words."
        ),
    ] = False,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = "",
    how: How = "mean",
    sampler: SamplerName = None,
    seed: RootSeed = 0,
    upscaler: UpscalerName = DEFAULT_UPSCALER,
    model: ModelName = "bundled",
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Find the picture frames in a photo, and paint pictures into them."""
    from ..frames.filling import Place, candidate_settings
    from ..pictures.images import focal_length
    from ..pictures.original import read_original
    from ..pictures.palette import read_palette
    from ..upscale import check_upscaler
    from .filling import Wish, fill_frames

    if not (find or insert or prompts):
        raise InputError(
            "say what to do: a prompt paints into the best frame, --find draws the frames, "
            "--insert PICTURE hangs one"
        )
    if explain and len(prompts or []) != 1:
        raise InputError("--explain needs one prompt: what to paint into the frame")
    if insert and prompts:
        raise InputError("a prompt and --insert both say what to hang: give one of them")
    if corners is not None and mask is not None:
        raise InputError("--corners and --mask both say where the opening is: give one of them")
    finish = _finish(refine, refine_strength, refine_scale, upscaler, print_as)
    picked = picks(pick, max(len(prompts or []), len(frames or []), 1), n)
    if n is not None and not 1 <= n <= MOST:
        raise InputError(f"-n {n} is out of range: 1 to {MOST}")
    check_upscaler(upscaler)
    order = None if size is None else _Paper(size, dpi, bleed, mat, upscaler)
    if order is not None:
        order.of(aspect=1.0)
    wall = read_original(photo)
    focal = focal_length(photo)
    pictures = [(path, read_original(path)) for path in insert or []]
    cut = None if mask is None else _mask_over(mask, wall, photo)
    colours = None if palette is None else read_palette(palette)
    found = _frames(wall.pixels, focal, corners, None if cut is None else cut.pixels, photo)
    if snap:
        found = [replace(each, aspect=each.aspect.snapped()) for each in found]
    wanted = len(pictures or prompts or [])
    chosen = _chosen(found, frames, wanted, one_for_all=bool(prompts) and wanted == 1)
    folder = output or Path("out") / f"{photo.stem}-frame"
    if find:
        _write_found(folder, wall, found, focal)
    if pictures:
        _write_room(folder, wall, [found[i] for i in chosen], pictures, cut)
    if not prompts:
        return
    loaded = load_model(model, device, dtype)
    texts = prompts * len(chosen) if len(prompts) == 1 else prompts
    wishes = []
    for rank, (index, text, number) in enumerate(zip(chosen, texts, picked, strict=True)):
        each = found[index]
        settings = settings_for(
            loaded,
            text,
            seed + rank * (MOST + 1),
            Size(loaded.size, loaded.size),
            negative=negative,
            sampler=sampler,
            steps=steps,
            guidance=guidance,
            rescale=rescale,
            image=wall,
            mask=cut,
            how=how,
            **hole_settings(
                loaded,
                strength=strength,
                sampler=sampler,
                hole=hole,
                timing=timing,
                palette=None if colours is None else colours[1],
            ),
        )
        seen = room_for(loaded) if room is None else room
        place = Place(each.opening, each.aspect.value, each.reasons["empty"] >= BLANK, seen)
        paper = None if order is None else order.of(each.aspect.value)
        settings = candidate_settings(settings, loaded, place)
        wishes.append(Wish(index + 1, each, settings, n or 1, number, paper))
    if explain:
        explain_frame(loaded, folder / "explain", wall, wishes[0], n or PICTURES)
        return
    fill_frames(loaded, folder, wall, cut, wishes, finish, device)


class _Paper(NamedTuple):
    """The paper as typed."""

    size: str
    dpi: int
    bleed: str
    mat: str
    upscaler: str

    def of(self, aspect: float) -> Order:
        """The order for a picture of an aspect, which says how a named size lies."""
        from ..prints.lengths import parse_length
        from ..prints.order import Order
        from ..prints.paper import MAX_DPI, Sheet
        from ..prints.papersizes import parse_size

        if not 1 <= self.dpi <= MAX_DPI:
            raise InputError(f"--dpi {self.dpi} is out of range: 1 to {MAX_DPI}")
        sheet = Sheet(
            parse_size(self.size, self.dpi, landscape=aspect > 1),
            self.dpi,
            parse_length(self.bleed, self.dpi, "--bleed"),
            mat=parse_length(self.mat, self.dpi, "--mat"),
        )
        return Order(sheet, upscaler=self.upscaler)


def room_for(model: Model) -> float:
    """How much of the room a model sees, if not said."""
    from ..frames.scene import ROOM

    return ROOM if model.size >= SMALL else 0.0


def _finish(
    prompt: str | None, strength: float, scale: float, upscaler: str, print_as: str
) -> Finish:
    from ..frames.refine import Refinement
    from .filling import Finish

    if print_as not in PRINTED:
        raise InputError(f"--print-as {print_as!r} is not known: choose {', '.join(PRINTED)}")
    plan = None if prompt is None else Refinement(prompt, strength, scale)
    return Finish(plan, upscaler, f".{print_as}")


def _mask_over(mask: Path, room: Original, photo: Path) -> Original:
    from ..pictures.original import read_original

    hole = read_original(mask, mask=True)
    if hole.pixels.shape != room.pixels.shape[:2]:
        (high, wide), (rows, columns) = room.pixels.shape[:2], hole.pixels.shape
        raise InputError(
            f"{mask} is {columns} x {rows} pixels, {photo} is {wide} x {high}: "
            "a mask needs the size of its photo"
        )
    return hole


def _frames(
    room: np.ndarray,
    focal: float | None,
    corners: tuple[str, str, str, str] | None,
    hole: np.ndarray | None,
    photo: Path,
) -> list[Frame]:
    """The frames that were given, or else found."""
    from ..frames.frame import find, given, opening_of
    from ..geometry import Quad

    if corners is not None:
        return [given(room, Quad.parse(corners), focal)]
    if hole is not None:
        return [given(room, opening_of(hole), focal)]
    frames = find(room, focal)
    if frames:
        return frames
    nearest = find(room, focal, least=0.0)
    if not nearest:
        raise InputError(
            f"{photo}: no frame found, and no four straight edges that meet: give the corners of "
            "the opening with --corners x,y x,y x,y x,y"
        )
    best = nearest[0]
    weakest = min(("edges", "straight", "corners", "rectangle"), key=best.reasons.__getitem__)
    raise InputError(
        f"{photo}: no frame found; the nearest has score {best.score:.2f} ({weakest} "
        f"{best.reasons[weakest]:.2f}): if it is one, give --corners {best.opening}"
    )


def _chosen(
    found: list[Frame], numbers: list[int] | None, wanted: int, *, one_for_all: bool
) -> list[int]:
    """Which frames get the pictures or prompts, from 0, in their order."""
    count = f"1 to {len(found)}" if len(found) > 1 else "there is 1"
    for number in numbers or []:
        if not 1 <= number <= len(found):
            raise InputError(f"--frame {number}: no such frame; {count}, as --find shows")
    if numbers and len(set(numbers)) < len(numbers):
        raise InputError("--frame names a frame twice: a frame takes one picture")
    if numbers and wanted and len(numbers) != wanted and not one_for_all:
        raise InputError(f"{len(numbers)} times --frame for {wanted} pictures: one for each")
    if wanted > len(found):
        raise InputError(f"{wanted} pictures, but only {len(found)} frames: leave some out")
    return [number - 1 for number in numbers] if numbers else list(range(wanted))


def _write_found(folder: Path, room: Original, frames: list[Frame], focal: float | None) -> None:
    from ..frames.sketch import sketch
    from ..output import writing
    from ..pictures.images import write_image

    note = {
        "photo": room.origin,
        "size": [room.pixels.shape[1], room.pixels.shape[0]],
        "focal_35mm": focal,
        "frames": [_as_json(found) for found in frames],
    }
    write_image(folder / "found.jpg", sketch(room.pixels, frames))
    target = folder / "frames.json"
    with writing(target):
        part = folder / ".frames.json.part"
        part.write_text(json.dumps(note, indent=1) + "\n", "utf-8")
        part.replace(target)
    for number, found in enumerate(frames, 1):
        reasons = ", ".join(f"{name} {value:.2f}" for name, value in found.reasons.items())
        out.print(plain(f"{number}: score {found.score:.2f}, aspect {found.aspect} ({reasons})"))
    out.print(f"{folder / 'found.jpg'}\n{target}")


def _as_json(found: Frame) -> dict[str, object]:
    return {
        "opening": found.opening,
        "outer": found.outer,
        "score": round(found.score, 4),
        "reasons": {name: round(value, 4) for name, value in found.reasons.items()},
        "aspect": found.aspect.value,
        "aspect_error": round(found.aspect.error, 5),
        "standard": found.aspect.standard,
    }


def _write_room(
    folder: Path,
    room: Original,
    frames: list[Frame],
    pictures: list[tuple[Path, Original]],
    hole: Original | None,
) -> None:
    """``room.png``, which is the photo outside the openings, and both side by side."""
    from ..frames.filling import hang_again
    from ..pictures.images import write_image

    hung = [
        _as_json(found) | {"lit": found.reasons["empty"] >= BLANK, "picture": picture.origin}
        for found, (_, picture) in zip(frames, pictures, strict=True)
    ]
    mask = None if hole is None else hole.origin
    text = {"frame": json.dumps({"photo": room.origin, "mask": mask, "hung": hung})}
    filled = hang_again(text["frame"])
    write_image(folder / "room.png", filled, text)
    write_before_after(folder / "before-after.jpg", room.pixels, filled, text)
    out.print(plain(f"{folder / 'room.png'}\n{folder / 'before-after.jpg'}"))
