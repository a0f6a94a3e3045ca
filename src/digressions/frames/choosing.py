"""Which frames of a photo get what: found or given, chosen or refused. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError, verbatim
from ..events import Note, counted
from ..generate.keeping import notes_on_keeping
from ..generate.outputs import FOLDER, check_place
from ..generate.params import KeepParams
from ..geometry import Size
from ..homography import Quad
from ..images.colour import Palette, read_palette
from ..images.fitting import cut_note
from ..images.image_files import focal_length
from ..images.mask_files import read_mask
from ..images.source_image import PictureLike, SourceImage, source_image
from ..images.upscale import check_upscaler
from ..prompts.choices import variants
from ..prompts.scheduling import negative_text, parsed
from .each_frame import asked_of_each, for_each
from .find import Frame, find_frames, frame_at, opening_in_mask
from .frame_spec import NO_PALETTE, FrameSpec

LIKELY = 0.5
"""The score from which a frame is taken that nobody named: below, it is more often none."""
VAGUE = 0.15  # of an aspect: its error from which it is said
_SHOWN = r"(room|found|before-after)\.(png|jpg)"
_PAINTED = r"(candidates|picture|print)(-\d+)?(-proof)?\.(png|jpg|tif)"


class FrameInputs(NamedTuple):
    """A photo, its frames, and what goes into which of them.

    Attributes:
        photo: The photo.
        focal_35mm: Its focal length as EXIF has it, in mm for 35 mm film, or ``None``.
        mask: White where the opening is, black what stands before it; or ``None``.
        found: All frames, in the order of their numbers (see `numbered`).
        chosen: Those that get something: places in ``found`` from 0, in the order of the prompts
            or pictures.
        pictures: The user's own, one for each chosen frame; none where some are painted.
        palettes: Of each chosen frame, colours to paint it from and how to remember them; or
            ``None``.
        keep: What of the photo's file goes along into the room.
        within: Holds the usual folder.
    """

    photo: SourceImage
    focal_35mm: float | None
    mask: SourceImage | None
    found: list[Frame]
    chosen: list[int]
    pictures: list[SourceImage]
    palettes: list[Palette | None]
    keep: KeepParams
    within: Path = FOLDER

    @property
    def usual_folder(self) -> Path:
        """Where files go if nobody says."""
        return self.within / f"{Path(self.photo.origin['path'] or 'photo').stem}-frame"

    @property
    def frames(self) -> list[Frame]:
        """The chosen ones."""
        return [self.found[index] for index in self.chosen]

    @property
    def mask_pixels(self) -> np.ndarray | None:
        """``(H, W)`` uint8, or ``None``."""
        return None if self.mask is None else self.mask.pixels


def read_frames(
    photo: PictureLike, spec: FrameSpec, folder: Path | None, *, within: Path = FOLDER
) -> FrameInputs:
    """Reads the user's files, finds the frames and chooses among them.

    All that can be found wrong without a model is found here, and nothing is written.

    Args:
        photo: A path, a PIL image or an array.
        spec: What to do with its frames.
        folder: Where files will be written, if the user says.
        within: Holds the usual folder, which is taken if not.

    Raises:
        ImageError: A picture cannot be read.
        PromptError: A prompt cannot be read.
        InputError: Parameters contradict each other, there are no such frames, or what is most like
            a frame hardly is one.
        OutputError: The folder cannot be written to.
    """
    spec.check()
    _check_prompts(spec)
    check_place(folder)
    sources = [Path(photo)] if isinstance(photo, (str, Path)) else []
    if folder is not None:
        painting = bool(spec.prompts or spec.paper.size)
        check_sources([*sources, *spec.source_files()], folder, painting=painting)
    wanted = len(spec.insert or spec.prompts)
    asked_of_each(spec, max(len(spec.prompts), len(spec.frame or []), 1))
    check_upscaler(spec.paper.upscaler)
    wall = source_image(photo, "photo")
    focal = focal_length(sources[0]) if sources else None
    pictures = [source_image(picture, "insert") for picture in spec.insert or []]
    mask = None if spec.mask is None else read_mask(spec.mask, wall, spec.mask_alpha)
    palettes = [
        None if text == NO_PALETTE else read_palette(text) for text in spec.palette or [NO_PALETTE]
    ]
    found = frames_in(wall, focal, spec, mask)
    numbers = choose(found, spec.frame, wanted, one_for_all=len(spec.prompts) == 1)
    if not spec.frame:
        check_likely(found, numbers, name_of(wall))
    for index in numbers:
        job = spec.paper.for_aspect(found[index].aspect.value)
        if job is not None:
            job.check(Path(f"print{spec.paper.suffix}"))
    palettes = for_each("palette", palettes, len(numbers))
    return FrameInputs(wall, focal, mask, found, numbers, pictures, palettes, spec.keep, within)


def _check_prompts(spec: FrameSpec) -> None:
    """Raises `PromptError` for a prompt that cannot be read."""
    for text in [*spec.prompts, spec.refining.refine]:
        if text is not None:
            parsed(text)
    for each in variants(parsed(spec.params.negative)):
        negative_text(str(each))


def name_of(photo: SourceImage) -> str:
    """What messages call a photo."""
    return verbatim(photo.origin["path"] or "the photo")


def check_sources(sources: Iterable[Path], folder: Path, *, painting: bool) -> None:
    """Makes sure that no file that a picture is made of is written over.

    Args:
        sources: The user's files.
        folder: Where files will be written.
        painting: Whether pictures are painted.

    Raises:
        InputError: One of them would be.
    """
    written = f"{_SHOWN}|{_PAINTED}" if painting else _SHOWN
    for path in sources:
        here = path.resolve().parent == folder.resolve()
        if here and re.fullmatch(written, path.name):
            raise InputError(f"{verbatim(path)} would be written over: choose another `output`")


def frames_in(
    photo: SourceImage, focal_35mm: float | None, spec: FrameSpec, mask: SourceImage | None
) -> list[Frame]:
    """The frames that were given, or else found, in the order of their numbers.

    Raises:
        InputError: There are none.
    """
    pixels = photo.pixels
    if spec.corners is not None:
        quads = map(Quad.parse, spec.corners)
        found = [frame_at(pixels, quad, focal_35mm) for quad in quads]
    elif mask is not None:
        found = [frame_at(pixels, opening_in_mask(mask.pixels), focal_35mm)]
    else:
        found = numbered(find_frames(pixels, focal_35mm))
    if not found:
        raise _none_found(photo, focal_35mm)
    return [replace(each, aspect=each.aspect.snapped()) for each in found] if spec.snap else found


def numbered(found: Sequence[Frame]) -> list[Frame]:
    """Frames as they are numbered: by place, as one reads, so that a photo's numbers stay when
    something hangs in its frames and their scores are others. What is hardly a frame comes after.
    """
    likely = [frame for frame in found if frame.score >= LIKELY]
    rest = [frame for frame in found if frame.score < LIKELY]
    return [*_as_one_reads(likely), *_as_one_reads(rest)]


def _as_one_reads(frames: Sequence[Frame]) -> list[Frame]:
    """In rows from top to bottom, each from left to right. A row is what hangs at the height of
    its highest frame's centre, or has its own centre at the height of that frame."""
    left = sorted(frames, key=lambda frame: float(frame.opening.array[:, 1].mean()))
    ordered: list[Frame] = []
    while left:
        first = _height(left[0])
        row = [frame for frame in left if _share_a_row(first, _height(frame))]
        ordered += sorted(row, key=lambda frame: float(frame.opening.array[:, 0].mean()))
        left = [frame for frame in left if not any(frame is each for each in row)]
    return ordered


def _height(frame: Frame) -> tuple[float, float, float]:
    """Top, centre and bottom of an opening."""
    rows = frame.opening.array[:, 1]
    return float(rows.min()), float(rows.mean()), float(rows.max())


def _share_a_row(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return one[0] <= other[1] <= one[2] or other[0] <= one[1] <= other[2]


def _none_found(photo: SourceImage, focal_35mm: float | None) -> InputError:
    name, nearest = name_of(photo), find_frames(photo.pixels, focal_35mm, least=0.0)
    if not nearest:
        return InputError(
            f"{name}: no frame found, not even four straight edges that meet: give the corners "
            "of the opening with `corners` x,y x,y x,y x,y"
        )
    best = nearest[0]
    weakest = min(("edges", "straight", "corners", "rectangle"), key=best.reasons.__getitem__)
    return InputError(
        f"{name}: no frame found; the nearest has score {best.score:.2f} ({weakest} "
        f"{best.reasons[weakest]:.2f}): if it is one, give `corners` {best.opening}"
    )


def choose(
    found: Sequence[Frame], numbers: Sequence[int] | None, wanted: int, *, one_for_all: bool
) -> list[int]:
    """Which frames get the pictures or prompts, from 0, in their order.

    Args:
        found: In the order of their numbers.
        numbers: As the user gave them, from 1; the surest if not given, in their order.
        wanted: How many prompts or pictures there are.
        one_for_all: Whether a single prompt is for all the numbers.

    Raises:
        InputError: There are no such frames, or not as many as pictures.
    """
    count = f"1 to {len(found)}" if len(found) > 1 else "there is 1"
    for number in numbers or []:
        if not 1 <= number <= len(found):
            raise InputError(f"`frame` {number}: no such frame; {count}, as `find` shows")
    if numbers and len(set(numbers)) < len(numbers):
        raise InputError("`frame` names a frame twice: a frame takes one picture")
    if numbers and wanted and len(numbers) != wanted and not one_for_all:
        raise InputError(f"{len(numbers)} times `frame` for {wanted} pictures: one for each")
    if wanted > len(found):
        raise InputError(
            f"{wanted} pictures, but only {counted(len(found), 'frame')}: leave some out"
        )
    if numbers:
        return [number - 1 for number in numbers]
    return sorted(_surest(found, range(len(found)))[:wanted])


def _surest(found: Sequence[Frame], places: Iterable[int]) -> list[int]:
    """Places in ``found``, that of the surest frame first."""
    return sorted(places, key=lambda place: -found[place].preference)


def check_likely(found: Sequence[Frame], chosen: Sequence[int], photo: str) -> None:
    """Refuses what is hardly a frame, where the user named none.

    Args:
        found: In the order of their numbers.
        chosen: Places in ``found``.
        photo: What to call the photo.

    Raises:
        InputError: The score of one of them is low.
    """
    for likely, place in enumerate(_surest(found, chosen)):
        if found[place].score < LIKELY:
            after = f" after {likely}" if likely else ""
            raise InputError(
                f"{photo}: what is most like a frame{after} has score {found[place].score:.2f}, "
                f"and is more often none: `frame` {place + 1} takes it anyway, `find` shows all of "
                "them, `corners` x,y x,y x,y x,y gives another"
            )


def notes_on_aspect(number: int, frame: Frame) -> Iterator[Note]:
    """Says so where the photo leaves the shape of a frame open.

    Args:
        number: Of the frame, from 1.
    """
    aspect = frame.aspect
    if aspect.standard is None and aspect.error > VAGUE * aspect.value:
        yield Note(
            f"the photo does not show clearly how wide frame {number} is: width / height {aspect}",
            "note",
        )


def notes_on_sources(inputs: FrameInputs) -> Iterator[Note]:
    """What a user should know of what is not taken from the photo and the pictures."""
    yield from inputs.photo.notes()
    yield from notes_on_keeping(inputs.photo, inputs.keep)
    for index, picture in zip(inputs.chosen, inputs.pictures, strict=False):
        yield from notes_on_hanging(picture, inputs.found[index], f"frame {index + 1}")


def notes_on_hanging(picture: SourceImage, frame: Frame, name: str) -> Iterator[Note]:
    """What a user should know of what is not taken from a picture that hangs in a frame.

    Args:
        name: What to call the frame.
    """
    yield from picture.notes()
    own, aspect = Size(picture.pixels.shape[1], picture.pixels.shape[0]), frame.aspect.value
    to = f"{name}, whose width / height is {aspect:.3f}"
    yield from cut_note(picture.name, own, aspect, to)
