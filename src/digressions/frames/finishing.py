"""From a candidate to the wall and to paper: repainted, enlarged, printed, hung.

Repainting is image-to-image at a larger size, in windows that agree where it is larger than the
model. What comes out is enlarged by an upscaler to the pixels that the photo and the print take.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..events import Event, Note, Saved
from ..generate.metadata import Record
from ..generate.params import GenerationParams, KeepParams, ResolvedParams
from ..generate.pictures import Picture
from ..generate.resolving import resolve
from ..generate.windows import (
    repainted,
    strength_for,
    window_holds_the_thing,
    windows_in,
    windows_serve,
)
from ..geometry import Size
from ..images.image_files import write_image
from ..images.upscale import enlarging, load_upscaler
from ..models.base import FEW_PIXELS, Model
from ..pace import paced
from ..prints.print_job import PrintJob
from ..prints.printing import notes, printed, proof_path
from ..prompts.unnamed import without_thing
from .aspect import upright_size
from .candidates import FrameTask, hung
from .choosing import FrameInputs
from .frame_records import Opening, RoomDetails, kept, picture_details, texts_of, with_details
from .frame_spec import REFINED, FramePrintSpec, RefineParams
from .inserting import save_on_wall


def refined_size(aspect: float, scale: float, side: int, *, composed: bool = False) -> Size:
    """Of the result for a picture of an aspect, in pixels.

    Args:
        aspect: Width / height.
        scale: Of the longer side, in sides of the model.
        side: That the model was trained at, in pixels.
        composed: Whether the picture may be a square with more ground; it is not made smaller.
    """
    longest = side * max(scale, aspect, 1 / aspect) if composed else scale * side
    return Size(
        max(1, round(longest * min(1.0, aspect))), max(1, round(longest * min(1.0, 1 / aspect)))
    )


def refine_params(
    model: Model, params: GenerationParams, asked: RefineParams, opening: Opening, seed: int
) -> ResolvedParams | None:
    """What a picture is repainted by, or ``None`` where it is left as it is.

    Everything but prompt, strength and size is as of the picture itself, as the user asked for it:
    nothing is masked here, so what suits a masked area (see `resolving.resolve`) does not count.

    Args:
        params: Of the picture.
        asked: How to repaint it.
        opening: That it is for.
        seed: Its seed.

    Raises:
        InputError: The model cannot work with them, or would paint its thing once more into every
            window.
    """
    if asked.refine is None:
        return None
    scale = asked.refine_scale or (1.0 if model.size < FEW_PIXELS else REFINED)
    composed = opening.compose != "stretch"
    size = refined_size(opening.aspect, scale, model.size, composed=composed)
    if not (windows_serve(model, size) or (composed and window_holds_the_thing(model, size))):
        instead = ", or give `refine_scale` 1" if scale > 1 else ""
        raise InputError(
            f"`refine` would paint its thing again into each of {windows_in(model, size)} windows "
            f"of {model.size} px, since {model.shown} has no more for a picture of {size}: leave "
            f"it out, as pictures are enlarged anyway{instead}"
        )
    strength = asked.refine_strength
    if strength is None:
        strength = strength_for(model.size, size)
    own = params.but(prompt=asked.refine, seed=seed, strength=strength, masked_content=None)
    return resolve(model, own.but(size=size))


_LONGEST = 8192  # pixels of a finished picture that is for the photo alone


def finish(
    model: Model,
    task: FrameTask,
    candidate: Picture,
    folder: Path,
    paper: FramePrintSpec,
    *,
    several: bool,
    device: str | None = None,
) -> Generator[Event, None, Picture]:
    """Repaints a candidate if that was asked for, enlarges, writes and prints it.

    A picture that is there already, made by the same settings, is taken as it is.

    Args:
        several: Whether there are other frames, so that names need the frame's number.
        device: Of an upscaler from a file: the best there is if not given.

    Returns:
        The finished picture.
    """
    number = f"-{task.number}" if several else ""
    record = picture_record(task, candidate.record, paper.upscaler)
    path = folder / f"picture{number}.png"
    pixels = kept(path, record)
    if pixels is None:
        name = f"repainting frame {task.number}"
        pixels = yield from finished(model, candidate.array, record, name, device=device)
        write_image(path, pixels, texts_of(record))
    yield Saved(path)
    if task.print_job is not None:
        target = folder / f"print{number}{paper.suffix}"
        own = Size(candidate.array.shape[1], candidate.array.shape[0])
        if task.opening.compose == "auto" and task.refine is None:
            yield from notes(task.print_job, own)
        text = texts_of(print_record(record, own, task.print_job))
        proof = proof_path(target) if paper.proof else None
        yield from printed(task.print_job, pixels, target, text, proof=proof, device=device)
    else:
        for stale in sorted(folder.glob(f"print{number}.*")):
            yield Note(f"{stale} belongs to an earlier picture", "note")
    return Picture(pixels, record)


def finished(
    model: Model,
    candidate: np.ndarray,
    record: Record,
    task: str = "repainting",
    *,
    device: str | None = None,
) -> Generator[Event, None, np.ndarray]:
    """A candidate ``(h, w, 3)`` uint8 as the record of its picture says.

    Args:
        task: What the progress of repainting is called.
        device: Of an upscaler from a file: the best there is if not given.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    details = picture_details(record)
    name = record.upscaler or "lanczos"
    upscaler = load_upscaler(name, device=device)
    if details.refine is not None:
        away = without_thing(details.refine.prompt, record.params.prompt)
        candidate = yield from repainted(model, candidate, details.refine, upscaler, task, away)
    assert details.size is not None
    work = enlarging(candidate, *details.size, upscaler)
    task = f"enlarging with {name}"
    return (yield from paced(task, "enlarge", work, details.size.height))


def picture_record(task: FrameTask, candidate: Record, upscaler: str) -> Record:
    """The record of a candidate's finished picture."""
    details, refine = picture_details(candidate), task.refine
    if refine is not None:
        refine = refine.but(seed=candidate.params.seed)
    size = finished_size(task.opening, task.print_job)
    details = details.but(made="picture", size=size, refine=refine)
    return with_details(candidate, details, upscaler=upscaler)


def finished_size(opening: Opening, print_job: PrintJob | None) -> Size:
    """The pixels of a finished picture: as many as the photo shows and the print takes."""
    wide, high = upright_size(opening.corners, opening.aspect, _LONGEST)
    if print_job is not None:
        # Of any size of this aspect the same share is printed.
        box, target = print_job.placement(Size(10_000, max(1, round(10_000 / opening.aspect))))
        wide = max(wide, round(10_000 * max(
            target.size.width / box.size.width, target.size.height / box.size.height
        )) + 1)  # fmt: skip
    return Size(wide, max(high, round(wide / opening.aspect)))


def print_record(picture: Record, own: Size, job: PrintJob) -> Record:
    """The record of a picture's print.

    Args:
        own: Pixels that it has of its own, before it was enlarged.
    """
    details = picture_details(picture)
    if details.refine is not None:
        own = details.refine.size
    assert details.size is not None
    how = job.remembered(details.size) | {"effective_dpi": round(job.effective_dpi(own), 1)}
    return with_details(picture, details.but(made="print", print=how))


def room_record(pictures: Sequence[Record], keep: KeepParams) -> Record:
    """The record of a photo with pictures in it.

    Args:
        keep: What of the photo's file went along.
    """
    return with_details(pictures[0], RoomDetails(pictures=list(pictures)), keep=keep)


def save_room(folder: Path, inputs: FrameInputs, pictures: Sequence[Picture]) -> Iterator[Event]:
    """Writes ``room.png``, the photo with the pictures in it, and ``before-after.jpg``."""
    filled = hung(inputs.photo.pixels, inputs.mask_pixels, pictures)
    text = room_record([picture.record for picture in pictures], inputs.keep).to_text()
    yield from save_on_wall(folder, inputs.photo, filled, text, inputs.keep)
