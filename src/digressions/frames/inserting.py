"""Use cases without a model: the frames of a photo drawn, and the user's own pictures hung.

Needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..events import Event, Note, Preview, Saved
from ..files import parsed, write_json
from ..generate.file_texts import reads_text
from ..generate.outputs import chosen_folder
from ..generate.replay import ReplayRequest, picture_again, replays_text, sheet_text
from ..images.contact_sheet import contact_sheet
from ..images.image_files import write_image
from ..images.source_image import SourceImage, remembered_image
from .choosing import FrameInputs
from .find import Frame, draw_frames, thumbnail
from .frame_records import Opening, damaged
from .hang import hang

_SHOWN = 1000  # pixels of each photo in before-after.jpg


def save_found(
    inputs: FrameInputs, folder: Path | None = None, *, overwrite: bool = False
) -> Iterator[Event]:
    """Draws the frames of a photo into ``found.jpg`` and writes them as ``frames.json``.

    Args:
        inputs: See `choosing.read_frames`.
        folder: Where files go; the usual one, with a number where it holds others, if not given.
        overwrite: As of `outputs.chosen_output`.

    Yields:
        A `Note` for each frame, with its score and what speaks for it; `Saved` for the files.

    Raises:
        OutputError: A file cannot be written.
    """
    photo = inputs.photo
    note: dict[str, Any] = {
        "photo": photo.origin,
        "size": [photo.pixels.shape[1], photo.pixels.shape[0]],
        "focal_35mm": inputs.focal_35mm,
        "frames": [found.json_object() for found in inputs.found],
    }
    rounded = [Frame.from_json_object(each) for each in note["frames"]]  # as a replay draws them
    drawn = draw_frames(photo.pixels, rounded)
    text = {"found": json.dumps(note)}

    def plan(place: Path) -> dict[Path, dict[str, str]]:
        return {place / "found.jpg": text, place / "frames.json": text}

    folder = chosen_folder(folder, inputs.usual_folder, plan, overwrite=overwrite)
    write_image(folder / "found.jpg", drawn, text)
    write_json(folder / "frames.json", note)
    for number, found in enumerate(inputs.found, 1):
        reasons = ", ".join(f"{name} {value:.2f}" for name, value in found.reasons.items())
        yield Note(f"{number}: score {found.score:.2f}, aspect {found.aspect} ({reasons})")
    yield Preview(drawn, "the frames that were found")
    yield Saved(folder / "found.jpg", details={"frames": note["frames"]})
    yield Saved(folder / "frames.json")


@reads_text(".json")
def _found_in(path: Path) -> dict[str, str]:
    """``frames.json`` as the text that ``found.jpg`` has."""
    try:
        return {"found": path.read_text("utf-8")}
    except (OSError, ValueError) as error:
        raise damaged(error) from error


def save_inserted(
    inputs: FrameInputs, folder: Path | None = None, *, overwrite: bool = False
) -> Iterator[Event]:
    """Hangs the user's own pictures: ``room.png``, which is the photo outside the openings, and
    ``before-after.jpg``.

    Args:
        inputs: See `choosing.read_frames`.
        folder: Where files go; the usual one, with a number where it holds others, if not given.
        overwrite: As of `outputs.chosen_output`.

    Raises:
        OutputError: A file cannot be written.
    """
    frames = list(zip(inputs.frames, inputs.pictures, strict=True))
    room, text = _inserted(inputs.photo, inputs.mask, frames)

    def plan(place: Path) -> dict[Path, dict[str, str]]:
        return files_on_wall(place, text)

    folder = chosen_folder(folder, inputs.usual_folder, plan, overwrite=overwrite)
    yield from save_on_wall(folder, inputs.photo.pixels, room, text)


def hang_picture(
    photo: SourceImage, frame: Frame, picture: SourceImage, mask: SourceImage | None = None
) -> tuple[np.ndarray, dict[str, str]]:
    """A photo with a picture in one of its frames.

    Args:
        photo: That the frame was found in.
        frame: As `find.find_frames` gives it.
        picture: Is cut to the frame's aspect.
        mask: Of the photo's size, black where something stands before the frame; or ``None``.

    Returns:
        ``(H, W, 3)`` uint8, and the texts by which its file can be made again.
    """
    return _inserted(photo, mask, [(frame, picture)])


def _inserted(
    photo: SourceImage, mask: SourceImage | None, frames: Sequence[tuple[Frame, SourceImage]]
) -> tuple[np.ndarray, dict[str, str]]:
    room, notes = photo.pixels, []
    for frame, picture in frames:
        note = frame.json_object() | {"lit": bool(frame.blank), "picture": picture.origin}
        room = _hung(room, None if mask is None else mask.pixels, note, picture.pixels)
        notes.append(note)
    origin = None if mask is None else mask.origin
    return room, {"frame": json.dumps({"photo": photo.origin, "mask": origin, "hung": notes})}


def files_on_wall(folder: Path, text: Mapping[str, str]) -> dict[Path, dict[str, str]]:
    """The files of `save_on_wall`, and what each remembers."""
    room = folder / "room.png"
    both = sheet_text(text, "a photo before and after", folder, [room])
    return {room: dict(text), folder / "before-after.jpg": both}


def save_on_wall(
    folder: Path, before: np.ndarray, after: np.ndarray, text: dict[str, str]
) -> Iterator[Event]:
    """Writes ``room.png``, a photo with pictures in it, and ``before-after.jpg``.

    Args:
        before, after: The photo without and with them, ``(H, W, 3)`` uint8.
        text: What the photo with them remembers.
    """
    (room, text), (beside, sheet) = files_on_wall(folder, text).items()
    write_image(room, after, text)
    both = contact_sheet(
        [thumbnail(before, _SHOWN), thumbnail(after, _SHOWN)],
        columns=2,
        labels=["before", "after"],
    )
    write_image(beside, both, sheet)
    yield Preview(after, "room")
    yield Saved(room)
    yield Saved(beside)


@replays_text("found")
def replay_found(request: ReplayRequest) -> Iterator[Event]:
    """A photo with its frames drawn, again.

    Its text is JSON: ``photo``, a file with its SHA-256, and ``frames``.

    Raises:
        InputError: The text is damaged, or the photo is missing or has changed.
    """
    try:
        note = parsed(request.text["found"])
        frames = [Frame.from_json_object(each) for each in note["frames"]]
        drawn = draw_frames(remembered_image(note["photo"]).pixels, frames)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(error) from error
    yield Note(f"the frames that were found in {note['photo']['path'] or 'a photo'}")
    write_image(request.target, drawn, request.text)
    yield Saved(request.target)


@replays_text("frame")
def replay_inserted(request: ReplayRequest) -> Iterator[Event]:
    """A photo that the user's own pictures were hung into, again.

    Its text is JSON: ``photo``, ``mask`` and ``hung``, a list of openings with their aspect,
    whether they are ``lit``, and the picture; files with their SHA-256.

    Raises:
        InputError: The text is damaged, or a file is missing or has changed.
    """
    try:
        note = parsed(request.text["frame"])
        room = remembered_image(note["photo"]).pixels
        mask = None if note["mask"] is None else remembered_image(note["mask"], mask=True).pixels
        for one in note["hung"]:
            picture = yield from picture_again(request, dict(one["picture"]))
            room = _hung(room, mask, one, picture)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(error) from error
    yield Note(f"{note['photo']['path'] or 'a photo'} with what was hung in it")
    write_image(request.target, room, request.text)
    yield Saved(request.target)


def _hung(
    room: np.ndarray, mask: np.ndarray | None, one: dict[str, Any], picture: np.ndarray
) -> np.ndarray:
    """A photo with one more picture in it, as its JSON says."""
    opening = Opening.from_json_object(
        {"corners": one["opening"], "aspect": one["aspect"], "lit": one["lit"], "room": 0.0}
    )
    corners, aspect, lit = opening.corners, opening.aspect, opening.lit
    return hang(room, corners, picture, aspect, mask=mask, lit=lit)
