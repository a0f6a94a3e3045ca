"""The frames of a photo, found or given, drawn or chosen, and the user's own pictures in them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import err, out, plain
from ..errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from ..frames.aspect import Aspect
    from ..frames.frame import Frame
    from ..pictures.original import Original

LIKELY = 0.2  # the score from which a frame is taken that nobody named
VAGUE = 0.15  # of an aspect: its error from which it is said
BLANK = 0.5  # how empty an opening must be for the light in it to be seen
MOST = 999  # candidates of a frame


_SHOWN = r"(room|found|before-after)\.(png|jpg)"
_PAINTED = r"(candidates|picture|print)(-\d+)?\.(png|jpg|tif)"


def spare(sources: Sequence[Path | None], folder: Path, *, painting: bool) -> None:
    """Makes sure that no file that a picture is made of is written over.

    Raises:
        InputError: One of them would be.
    """
    written = f"{_SHOWN}|{_PAINTED}" if painting else _SHOWN
    for path in filter(None, sources):
        here = path.resolve().parent == folder.resolve()
        if here and re.fullmatch(written, path.name):
            raise InputError(f"{path} would be written over: choose another -o")


def mask_over(mask: Path, room: Original, photo: Path) -> Original:
    from ..pictures.original import read_original

    hole = read_original(mask, mask=True)
    if hole.pixels.shape != room.pixels.shape[:2]:
        (high, wide), (rows, columns) = room.pixels.shape[:2], hole.pixels.shape
        raise InputError(
            f"{mask} is {columns} x {rows} pixels, {photo} is {wide} x {high}: "
            "a mask needs the size of its photo"
        )
    return hole


def frames_in(
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


def chosen(
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
        there = "1 frame" if len(found) == 1 else f"{len(found)} frames"
        raise InputError(f"{wanted} pictures, but only {there}: leave some out")
    return [number - 1 for number in numbers] if numbers else list(range(wanted))


def check_likely(taken: list[Frame], photo: Path) -> None:
    """Refuses what is hardly a frame, where the user named none.

    Raises:
        InputError: The score of one of them is low.
    """
    for number, each in enumerate(taken, 1):
        if each.score < LIKELY:
            after = f" after {number - 1}" if number > 1 else ""
            raise InputError(
                f"{photo}: what is most like a frame{after} has score {each.score:.2f}: --frame "
                f"{number} takes it all the same, --find shows all, --corners x,y x,y x,y x,y says "
                "where another is"
            )


def note_vague(number: int, aspect: Aspect) -> None:
    """Says so where the photo leaves the shape of a frame open."""
    if aspect.standard is None and aspect.error > VAGUE * aspect.value:
        err.print(
            f"[yellow]note:[/yellow] the photo hardly says how wide frame {number} is: "
            f"width / height {aspect}"
        )


def write_found(folder: Path, room: Original, frames: list[Frame], focal: float | None) -> None:
    from ..frames.sketch import frame_of, noted, sketch
    from ..output import writing
    from ..pictures.images import write_image

    notes = [noted(found) for found in frames]
    note = {
        "photo": room.origin,
        "size": [room.pixels.shape[1], room.pixels.shape[0]],
        "focal_35mm": focal,
        "frames": notes,
    }
    drawn = sketch(room.pixels, [frame_of(each) for each in notes])  # as a replay draws them
    write_image(folder / "found.jpg", drawn, {"found": json.dumps(note)})
    target = folder / "frames.json"
    with writing(target):
        part = folder / ".frames.json.part"
        part.write_text(json.dumps(note, indent=1) + "\n", "utf-8")
        part.replace(target)
    for number, found in enumerate(frames, 1):
        reasons = ", ".join(f"{name} {value:.2f}" for name, value in found.reasons.items())
        out.print(plain(f"{number}: score {found.score:.2f}, aspect {found.aspect} ({reasons})"))
    out.print(f"{folder / 'found.jpg'}\n{target}")


def write_hung(
    folder: Path,
    room: Original,
    frames: list[Frame],
    pictures: list[tuple[Path, Original]],
    hole: Original | None,
) -> None:
    """``room.png``, which is the photo outside the openings, and both side by side."""
    from ..frames.again import hang_again
    from ..frames.sketch import noted
    from ..pictures.images import write_image

    hung = [
        noted(found) | {"lit": found.reasons["empty"] >= BLANK, "picture": picture.origin}
        for found, (_, picture) in zip(frames, pictures, strict=True)
    ]
    mask = None if hole is None else hole.origin
    text = {"frame": json.dumps({"photo": room.origin, "mask": mask, "hung": hung})}
    filled = hang_again(text["frame"])
    write_image(folder / "room.png", filled, text)
    write_before_after(folder / "before-after.jpg", room.pixels, filled, text)
    out.print(plain(f"{folder / 'room.png'}\n{folder / 'before-after.jpg'}"))


def write_before_after(
    path: Path, before: np.ndarray, after: np.ndarray, text: dict[str, str]
) -> None:
    """Both photos side by side."""
    from ..frames.sketch import shrunk
    from ..pictures.contactsheet import contact_sheet
    from ..pictures.images import write_image

    both = contact_sheet(
        [shrunk(before, 1000), shrunk(after, 1000)], columns=2, labels=["before", "after"]
    )
    write_image(path, both, text)


def picked(pick: Sequence[int] | None, frames: int, count: int | None) -> list[int | None]:
    """Which candidate each frame takes, ``None`` to have them shown.

    Raises:
        InputError: There is no such candidate, or neither one number nor one a frame was given.
    """
    if not pick:
        return [None] * frames
    if len(pick) not in (1, frames):
        raise InputError(
            f"{len(pick)} times --pick for {frames} frames: give it once for all, or once for each"
        )
    for number in pick:
        if not 1 <= number <= (count or MOST):
            raise InputError(f"--pick {number} is out of range: 1 to {count or MOST} candidates")
    return [*pick] if len(pick) == frames else [pick[0]] * frames
