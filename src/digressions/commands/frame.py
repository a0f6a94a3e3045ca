"""``digress frame``: picture frames in a photo, and pictures hung into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import out, plain
from ..errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from ..frames.frame import Frame
    from ..pictures.original import Original


def frame(
    photo: Annotated[Path, typer.Argument(help="A photo of a wall with frames.")],
    find: Annotated[
        bool, typer.Option("--find", help="Draw the frames that are found, and write a JSON.")
    ] = False,
    insert: Annotated[
        list[Path] | None, typer.Option(help="Hang this picture; once for each frame picked.")
    ] = None,
    pick: Annotated[
        list[int] | None, typer.Option(help="Number of a frame as --find shows it; the best first.")
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
) -> None:
    """Find the picture frames in a photo, and hang pictures into them."""
    from ..pictures.images import focal_length, read_image
    from ..pictures.original import read_original

    if not find and not insert:
        raise InputError("say what to do: --find draws the frames, --insert PICTURE hangs one")
    if corners is not None and mask is not None:
        raise InputError("--corners and --mask both say where the opening is: give one of them")
    room = read_original(photo)
    focal = focal_length(photo)
    pictures = [(path, read_image(path)) for path in insert or []]
    hole = None if mask is None else _mask_over(mask, room, photo)
    frames = _frames(room.pixels, focal, corners, hole, photo)
    if snap:
        from dataclasses import replace

        frames = [replace(found, aspect=found.aspect.snapped()) for found in frames]
    picked = _picked(frames, pick, len(pictures))
    folder = output or Path("out") / f"{photo.stem}-frame"
    if find:
        _write_found(folder, room, frames, focal)
    if pictures:
        _write_room(folder, room, [frames[i] for i in picked], pictures, hole)


def _mask_over(mask: Path, room: Original, photo: Path) -> np.ndarray:
    from ..pictures.images import read_mask

    pixels = read_mask(mask)
    if pixels.shape != room.pixels.shape[:2]:
        high, wide = room.pixels.shape[:2]
        raise InputError(
            f"{mask} is {pixels.shape[1]} x {pixels.shape[0]} pixels, {photo} is {wide} x {high}: "
            "a mask needs the size of its photo"
        )
    return pixels


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


def _picked(frames: list[Frame], pick: list[int] | None, pictures: int) -> list[int]:
    """Which frames get the pictures, from 0."""
    count = f"1 to {len(frames)}" if len(frames) > 1 else "there is 1"
    for number in pick or []:
        if not 1 <= number <= len(frames):
            raise InputError(f"--pick {number}: no such frame; {count}, as --find shows")
    if pick and pictures and len(pick) != pictures:
        raise InputError(f"{len(pick)} frames picked for {pictures} pictures: --pick one for each")
    if pictures > len(frames):
        raise InputError(f"{pictures} pictures, but only {len(frames)} frames: leave some out")
    return [number - 1 for number in pick] if pick else list(range(pictures))


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
        "aspect": round(found.aspect.value, 5),
        "aspect_error": round(found.aspect.error, 5),
        "standard": found.aspect.standard,
    }


def _write_room(
    folder: Path,
    room: Original,
    frames: list[Frame],
    pictures: list[tuple[Path, np.ndarray]],
    hole: np.ndarray | None,
) -> None:
    """``room.png``, which is the photo outside the openings, and both side by side."""
    from ..frames.hang import insert
    from ..frames.sketch import shrunk
    from ..pictures.contactsheet import contact_sheet
    from ..pictures.images import write_image

    hung = room.pixels
    for found, (_, picture) in zip(frames, pictures, strict=True):
        lit = found.reasons["empty"] >= 0.5
        hung = insert(hung, found.opening, picture, found.aspect.value, mask=hole, lit=lit)
    made = {
        "photo": room.origin,
        "hung": [
            _as_json(found) | {"picture": str(path)}
            for found, (path, _) in zip(frames, pictures, strict=True)
        ],
    }
    text = {"frame": json.dumps(made)}
    write_image(folder / "room.png", hung, text)
    both = contact_sheet(
        [shrunk(room.pixels, 1000), shrunk(hung, 1000)], columns=2, labels=["before", "after"]
    )
    write_image(folder / "before-after.jpg", both)
    out.print(f"{folder / 'room.png'}\n{folder / 'before-after.jpg'}")
