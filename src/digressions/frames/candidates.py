"""The candidates that are painted into an opening: kept as files, shown on a sheet."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..events import Event, Note, Preview, Progress
from ..files import slug
from ..generate.metadata import Record
from ..generate.paint import Painted, paint_jobs
from ..generate.params import ResolvedParams
from ..generate.pictures import Picture
from ..generate.previews import PaintPreviews
from ..generate.record_reading import record_of
from ..images.contact_sheet import contact_sheet
from ..images.image_files import read_image, read_text, resample, to_array, write_image
from ..interrupts import interrupts_held
from ..models.base import Model
from ..prints.print_job import PrintJob
from .choosing import FrameInputs
from .find import Frame, surroundings
from .frame_records import Opening, kept, picture_details, texts_of
from .hang import hang
from .scene import Scene

BATCH = 8  # pictures that a kill can cost
_SHEET_ROW = 300  # pixels


@dataclass(frozen=True)
class FrameTask:
    """What one frame shall get.

    Attributes:
        number: Of the frame, from 1, as `choosing.numbered` gives them.
        frame: Where it is.
        opening: The same as files remember it.
        record: Of the first candidate; those of the others have the seeds that follow.
        count: How many candidates.
        pick: Which of them to finish, from 1; ``None`` to have them shown.
        refine: What the picked one is repainted by, or ``None``; the seed is that of the candidate.
        print_job: How to print it, or ``None``.
    """

    number: int
    frame: Frame
    opening: Opening
    record: Record
    count: int
    pick: int | None
    refine: ResolvedParams | None
    print_job: PrintJob | None

    @property
    def records(self) -> list[Record]:
        """Of all candidates, or of the one that is picked."""
        numbers = range(1, self.count + 1) if self.pick is None else [self.pick]
        first = self.record.params
        return [
            self.record.but(params=first.but(seed=first.seed + number - 1)) for number in numbers
        ]

    def paths(self, folder: Path) -> list[Path]:
        """Where the candidates of `records` are kept in an output folder."""
        stem = f"{self.number}-{slug(self.record.params.prompt)[:40]}"
        return [
            folder / "candidates" / f"{stem}-{record.params.seed}.png" for record in self.records
        ]

    def kept(self, folder: Path) -> dict[int, np.ndarray]:
        """The candidates that an earlier run has painted by the same settings, by their place in
        `records`."""
        found = zip(self.paths(folder), self.records, strict=True)
        pixels = {i: kept(path, record) for i, (path, record) in enumerate(found)}
        return {i: each for i, each in pixels.items() if each is not None}


def notes_on_composing(model: Model, task: FrameTask) -> Iterator[Note]:
    """Says that a picture is not painted in the aspect of its frame."""
    if task.opening.compose == "auto":
        yield Note(
            f"frame {task.number} is {task.opening.aspect:.2f} times as wide as high, where "
            f"{model.shown} would paint a thing twice: it is painted on a square, and its ground "
            "is carried on, or a part of it taken; `compose` stretch paints all of it at once"
        )


def paint_candidates(
    model: Model,
    task: FrameTask,
    seen: Scene,
    folder: Path,
    previews: PaintPreviews | None = None,
) -> Generator[Event, None, list[Picture]]:
    """Paints the candidates of a frame that an output folder does not hold yet.

    Each is on disk before the next batch begins.

    Args:
        seen: What `scene_of` gives for the task.
        previews: As of `paint.paint_jobs`.

    Returns:
        The pictures of ``task.records``.
    """
    records, paths, found = task.records, task.paths(folder), task.kept(folder)
    missing = [i for i in range(len(records)) if i not in found]
    jobs = [seen.job(records[i].params) for i in missing]
    painting = paint_jobs(
        model, jobs, batch_size=BATCH, finishing=interrupts_held, previews=previews
    )
    for event in painting if jobs else ():
        if isinstance(event, Painted):
            i = missing[event.job]
            made = seen.cut(to_array(event.image))
            found[i] = made.pixels
            write_image(paths[i], found[i], texts_of(records[i]))
            named = f"frame {task.number}, seed {records[i].params.seed}"
            yield Preview(found[i], named)
            if told := made.told(seen.compose):
                yield Note(f"{named}: {told}")
        elif isinstance(event, Progress):
            yield Progress(f"painting frame {task.number}", event.done, event.total)
        else:
            yield event
    return [Picture(found[i], record) for i, record in enumerate(records)]


def candidate_sheet(
    inputs: FrameInputs, task: FrameTask, pictures: Sequence[Picture]
) -> np.ndarray:
    """A contact sheet: every candidate alone and on its wall, ``(H, W, 3)`` uint8."""
    pairs = []
    for picture in pictures:
        wall = on_its_wall(inputs, task.number, picture)
        wide = max(1, round(_SHEET_ROW * wall.shape[1] / wall.shape[0]))
        alone = max(1, round(_SHEET_ROW * task.opening.aspect))
        both = resample(picture.array, alone, _SHEET_ROW), resample(wall, wide, _SHEET_ROW)
        pairs.append(np.hstack(both))
    labels = [f"{i}: seed {picture.params.seed}" for i, picture in enumerate(pictures, 1)]
    return contact_sheet(pairs, labels=labels)


def on_its_wall(inputs: FrameInputs, number: int, picture: Picture) -> np.ndarray:
    """The part of the room around a frame, with a picture in it, ``(H, W, 3)`` uint8.

    Args:
        number: Of the frame, from 1.
    """
    photo = inputs.photo.pixels
    rows, columns = surroundings(inputs.found[number - 1], photo.shape)
    return hung(photo, inputs.mask_pixels, [picture])[rows, columns]


def candidate_of(path: Path) -> Picture:
    """A candidate out of its file.

    Raises:
        ImageError, InputError: It is none.
    """
    return Picture(read_image(path), record_of(read_text(path)))


def hung(photo: np.ndarray, mask: np.ndarray | None, pictures: Sequence[Picture]) -> np.ndarray:
    """A photo ``(H, W, 3)`` uint8 with pictures in the openings that they were painted for."""
    for picture in pictures:
        opening = picture_details(picture.record).opening
        photo = hang(
            photo, opening.corners, picture.array, opening.aspect, mask=mask, lit=opening.lit
        )
    return photo
