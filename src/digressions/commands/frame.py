"""``digress frame``: picture frames in a photo, and pictures painted or hung into them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..geometry import Size
from ..output import check_folder
from .chosen import hole_settings, load_model, settings_for
from .explain import PICTURES, explain_frame
from .groups import ModelOptions, spread
from .hanging import (
    BLANK,
    MOST,
    check_likely,
    chosen,
    frames_in,
    mask_over,
    picked,
    spare,
    write_found,
    write_hung,
)
from .options import (
    DEFAULT_UPSCALER,
    Guidance,
    Hole,
    How,
    Negative,
    Palette,
    Rescale,
    RootSeed,
    SamplerName,
    Steps,
    Timing,
    UpscalerName,
)
from .papers import PaperOptions

if TYPE_CHECKING:
    from ..models import Model
    from .filling import Finish

SMALL = 256  # pixels: a model of fewer has none to spare for the room


@spread
def frame(
    photo: Annotated[Path, typer.Argument(help="A photo of a wall with frames.")],
    *,
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
    paper: PaperOptions,
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
    model: ModelOptions,
) -> None:
    """Find the picture frames in a photo, and paint pictures into them."""
    from ..pictures.images import focal_length
    from ..pictures.original import read_original
    from ..pictures.palette import read_palette
    from ..upscale import check_upscaler

    if not (find or insert or prompts):
        raise InputError(
            "say what to do: a prompt paints into the best frame, --find draws the frames, "
            "--insert PICTURE hangs one"
        )
    if any(not text.strip() for text in prompts or []):
        raise InputError("an empty prompt says nothing: what is to be in the frame?")
    if explain and len(prompts or []) != 1:
        raise InputError("--explain needs one prompt: what to paint into the frame")
    if insert and prompts:
        raise InputError("a prompt and --insert both say what to hang: give one of them")
    if corners is not None and mask is not None:
        raise InputError("--corners and --mask both say where the opening is: give one of them")
    folder = output or Path("out") / f"{photo.stem}-frame"
    _check_idle(bool(prompts), explain, size=paper.size, refine=refine, pick=pick or None, n=n)
    colour_source = None if palette is None else Path(palette)
    check_folder(folder)
    spare([photo, mask, colour_source, *(insert or [])], folder, painting=bool(prompts))
    finish = _finish(refine, refine_strength, refine_scale, upscaler, paper.suffix)
    numbers = picked(pick, max(len(prompts or []), len(frames or []), 1), n)
    if n is not None and not 1 <= n <= MOST:
        raise InputError(f"-n {n} is out of range: 1 to {MOST}")
    check_upscaler(upscaler)
    paper.check(upscaler)
    wall = read_original(photo)
    focal = focal_length(photo)
    pictures = [(path, read_original(path)) for path in insert or []]
    cut = None if mask is None else mask_over(mask, wall, photo)
    colours = None if palette is None else read_palette(palette)
    found = frames_in(wall.pixels, focal, corners, None if cut is None else cut.pixels, photo)
    if snap:
        found = [replace(each, aspect=each.aspect.snapped()) for each in found]
    wanted = len(pictures or prompts or [])
    places = chosen(found, frames, wanted, one_for_all=bool(prompts) and wanted == 1)
    if frames is None:
        check_likely([found[i] for i in places], photo)
    if find:
        write_found(folder, wall, found, focal)
    if pictures:
        write_hung(folder, wall, [found[i] for i in places], pictures, cut)
    if not prompts:
        return
    from ..frames.filling import Place, candidate_settings  # with torch: --find goes without
    from .filling import Wish, fill_frames

    loaded = load_model(model)
    texts = prompts * len(places) if len(prompts) == 1 else prompts
    wishes = []
    for rank, (index, text, number) in enumerate(zip(places, texts, numbers, strict=True)):
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
        order = paper.order(each.aspect.value, upscaler)
        settings = candidate_settings(settings, loaded, place)
        wishes.append(Wish(index + 1, each, settings, n or 1, number, order))
    if explain:
        explain_frame(loaded, folder / "explain", wall, wishes[0], n or PICTURES)
        return
    fill_frames(loaded, folder, wall, cut, wishes, finish, model.device)


def _check_idle(
    painting: bool,
    explain: bool,
    *,
    size: str | None,
    refine: str | None,
    pick: list[int] | None,
    n: int | None,
) -> None:
    """Refuses options that would do nothing."""
    options = {"--size": size, "--refine": refine, "--pick": pick}
    for name in (name for name, value in options.items() if value is not None):
        if explain:
            raise InputError(f"{name} does nothing with --explain: give one of them")
        if not painting:
            print_it = ": digress print PICTURE prints one of yours" if name == "--size" else ""
            raise InputError(f"{name} is about painted pictures, and needs a prompt{print_it}")
    if n is not None and not painting:
        raise InputError("-n is about painted pictures, and needs a prompt")


def room_for(model: Model) -> float:
    """How much of the room a model sees, if not said."""
    from ..frames.scene import ROOM

    return ROOM if model.size >= SMALL else 0.0


def _finish(
    prompt: str | None, strength: float, scale: float, upscaler: str, suffix: str
) -> Finish:
    from .filling import Finish

    if prompt is None:
        return Finish(None, upscaler, suffix)
    from ..frames.refine import Refinement  # with torch: --find goes without

    return Finish(Refinement(prompt, strength, scale), upscaler, suffix)
