"""Use cases without a model: the frames of a photo drawn, and the user's own pictures hung.

Needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError, verbatim
from ..events import Event, Note, Preview, Saved
from ..files import parsed, write_json
from ..generate.file_texts import reads_text, text_of
from ..generate.keeping import kept_of
from ..generate.marks import composite_mark
from ..generate.outputs import chosen_folder
from ..generate.params import KeepParams
from ..generate.replay import ReplayRequest, picture_again, replays_text, sheet_text
from ..images.contact_sheet import contact_sheet
from ..images.image_files import thumbnail, write_image
from ..images.mask_files import remembered_mask
from ..images.source_image import SourceImage, remembered_image
from .choosing import FrameInputs, notes_on_sources
from .find import Frame, draw_frames
from .frame_records import Opening, damaged
from .frame_spec import FramePrintSpec
from .hang import hang

if TYPE_CHECKING:
    from ..prints.print_job import PrintJob

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
    yield from photo.notes()
    note: dict[str, Any] = {
        "photo": photo.origin,
        "size": [photo.pixels.shape[1], photo.pixels.shape[0]],
        "focal_35mm": inputs.focal_35mm,
        "frames": [
            {"number": number} | found.json_object() for number, found in enumerate(inputs.found, 1)
        ],
    }
    rounded = [Frame.from_json_object(each) for each in note["frames"]]  # as a replay draws them
    drawn = draw_frames(photo.pixels, rounded)
    text = {"found": json.dumps(note)} | composite_mark([photo])

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
    inputs: FrameInputs,
    paper: FramePrintSpec,
    folder: Path | None = None,
    *,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Hangs the user's own pictures: ``room.png``, which is the photo outside the openings,
    ``before-after.jpg``, and the printer's file of each that is asked for.

    Args:
        inputs: See `choosing.read_frames`.
        paper: How to print them, if at all.
        folder: Where files go; the usual one, with a number where it holds others, if not given.
        overwrite: As of `outputs.chosen_output`.

    Raises:
        OutputError: A file cannot be written.
    """
    room, text = _inserted(
        inputs.photo,
        inputs.mask,
        list(zip(inputs.frames, inputs.pictures, strict=True)),
        inputs.keep,
    )
    text |= composite_mark([inputs.photo, *inputs.pictures])
    prints = _prints(inputs, paper)

    def plan(place: Path) -> dict[Path, dict[str, str]]:
        files = files_on_wall(place, text)
        for each in prints:
            files |= each.files(place)
        return files

    folder = chosen_folder(folder, inputs.usual_folder, plan, overwrite=overwrite)
    yield from notes_on_sources(inputs)
    for each in prints:
        yield from each.printed(folder)
    yield from save_on_wall(folder, inputs.photo, room, text, inputs.keep)


class _Print(NamedTuple):
    """The print of a picture of the user's; what writes it needs torch.

    Attributes:
        name: Of its file.
        picture: What is printed.
        job: How.
        text: What the file remembers.
        proof: Whether a proof goes beside it.
    """

    name: str
    picture: SourceImage
    job: PrintJob
    text: dict[str, str]
    proof: bool

    def files(self, folder: Path) -> dict[Path, dict[str, str]]:
        """Its files, and what each remembers."""
        from ..prints.printing import print_files

        return print_files(folder / self.name, self.text, proof=self.proof)

    def printed(self, folder: Path) -> Iterator[Event]:
        """Writes them."""
        from ..prints.printing import print_source

        yield from print_source(
            self.job, self.picture, folder / self.name, self.text, proof=self.proof
        )


def _prints(inputs: FrameInputs, paper: FramePrintSpec) -> list[_Print]:
    """The prints of the user's pictures, as far as they are asked for."""
    found = []
    for place, picture in zip(inputs.chosen, inputs.pictures, strict=True):
        job = paper.for_aspect(inputs.found[place].aspect.value)
        if job is not None:
            from ..prints.printing import print_text

            number = f"-{place + 1}" if len(inputs.chosen) > 1 else ""
            path = picture.origin["path"]
            text = print_text(
                job, picture.size, picture.origin, text_of(Path(path)) if path else {}
            )
            found.append(_Print(f"print{number}{paper.suffix}", picture, job, text, paper.proof))
    return found


def check_frame(frame: object) -> None:
    """Raises `InputError` where what is given as a frame is none."""
    if not isinstance(frame, Frame):
        raise InputError(
            f"`frame` is {frame!r:.40}: it must be one of those that find_frames gives, such as "
            "find_frames(photo)[0]",
            field="frame",
        )


def hang_picture(
    photo: SourceImage,
    frame: Frame,
    picture: SourceImage,
    mask: SourceImage | None = None,
    *,
    keep: KeepParams | None = None,
    text: Mapping[str, str] | None = None,
) -> tuple[np.ndarray, dict[str, str]]:
    """A photo with a picture in one of its frames.

    Args:
        photo: That the frame was found in.
        frame: As `find.find_frames` gives it.
        picture: Is cut to the frame's aspect.
        mask: Of the photo's size, black where something stands before the frame; or ``None``.
        keep: What of the photo's file goes along; see `keeping.kept_of`.
        text: What a picture in memory remembers.

    Returns:
        ``(H, W, 3)`` uint8, and the texts by which its file can be made again.
    """
    room, own = _inserted(photo, mask, [(frame, picture)], keep or KeepParams())
    return room, own | composite_mark([photo, picture], text)


def _inserted(
    photo: SourceImage,
    mask: SourceImage | None,
    frames: Sequence[tuple[Frame, SourceImage]],
    keep: KeepParams,
) -> tuple[np.ndarray, dict[str, str]]:
    room, notes = photo.pixels, []
    for frame, picture in frames:
        note = frame.json_object() | {"lit": bool(frame.blank), "picture": picture.origin}
        room = _hung(room, None if mask is None else mask.pixels, note, picture.pixels)
        notes.append(note)
    origin = None if mask is None else mask.origin
    made = {"photo": photo.origin, "mask": origin, "hung": notes, "keep": keep.json_object()}
    return room, {"frame": json.dumps(made)}


def files_on_wall(folder: Path, text: Mapping[str, str]) -> dict[Path, dict[str, str]]:
    """The files of `save_on_wall`, and what each remembers."""
    room = folder / "room.png"
    both = sheet_text(text, "a photo before and after", folder, [room])
    return {room: dict(text), folder / "before-after.jpg": both}


def save_on_wall(
    folder: Path, photo: SourceImage, after: np.ndarray, text: dict[str, str], keep: KeepParams
) -> Iterator[Event]:
    """Writes ``room.png``, a photo with pictures in it, and ``before-after.jpg``.

    Args:
        photo: Without them.
        after: With them, ``(H, W, 3)`` uint8.
        text: What the photo with them remembers.
        keep: What of the photo's file goes along into that.
    """
    (room, text), (beside, sheet) = files_on_wall(folder, text).items()
    write_image(room, after, text, kept_of(photo, keep))
    both = contact_sheet(
        [thumbnail(photo.pixels, _SHOWN), thumbnail(after, _SHOWN)],
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
    name = note["photo"]["path"] or "a photo"
    yield Note(verbatim(f"the frames that were found in {name}"))
    write_image(request.target, drawn, request.text)
    yield Saved(request.target)


@replays_text("frame")
def replay_inserted(request: ReplayRequest) -> Iterator[Event]:
    """A photo that the user's own pictures were hung into, again.

    Its text is JSON: ``photo``, ``mask``, ``keep`` and ``hung``, a list of openings with their
    aspect, whether they are ``lit``, and the picture; files with their SHA-256.

    Raises:
        InputError: The text is damaged, or a file is missing or has changed.
    """
    try:
        note = parsed(request.text["frame"])
        photo = remembered_image(note["photo"])
        keep = KeepParams.from_json_object(note.get("keep", {}))
        mask = None if note["mask"] is None else remembered_mask(note["mask"], photo).pixels
        room = photo.pixels
        for one in note["hung"]:
            picture = yield from picture_again(request, dict(one["picture"]))
            room = _hung(room, mask, one, picture.pixels)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(error) from error
    yield Note(verbatim(f"{photo.name} with what was hung in it"))
    write_image(request.target, room, request.text, kept_of(photo, keep))
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
