"""From a candidate to the wall and to paper: repainted, enlarged, printed, hung.

Repainting is image-to-image at a larger size, in windows that agree where it is larger than the
model. What comes out is enlarged by an upscaler to the pixels that the photo and the print take.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ..diffusion.denoise import window_starts
from ..events import Event, Note, Progress, Saved, tracked
from ..generate.job import Job
from ..generate.metadata import Record
from ..generate.paint import Painted, paint_jobs
from ..generate.params import GenerationParams, ResolvedParams
from ..generate.pictures import Picture
from ..generate.start import resolve
from ..geometry import Box, Size
from ..images.image_files import to_array, to_tensor, write_image
from ..images.upscale import Upscaler, enlarge, enlarging, load_upscaler
from ..models.base import Model
from ..prints.print_job import PrintJob
from ..prints.printing import printed, proof_path
from .aspect import upright_size
from .candidates import FrameTask, hung
from .choosing import FrameInputs
from .frame_records import Opening, RoomDetails, kept, picture_details, texts_of, with_details
from .frame_spec import FramePrintSpec, RefineParams
from .inserting import save_on_wall


def refined_size(aspect: float, scale: float, side: int) -> Size:
    """Of the result for a picture of an aspect, in pixels.

    Args:
        aspect: Width / height.
        scale: Of the longer side, in sides of the model.
        side: That the model was trained at, in pixels.
    """
    longest = scale * side
    return Size(
        max(1, round(longest * min(1.0, aspect))), max(1, round(longest * min(1.0, 1 / aspect)))
    )


def refine_params(
    model: Model, params: GenerationParams, asked: RefineParams, picture: Size, seed: int
) -> ResolvedParams | None:
    """What a picture is repainted by, or ``None`` where it is left as it is.

    Everything but prompt, strength and size is as of the picture itself, as the user asked for it:
    nothing is masked here, so what suits a masked area (see `start.resolve`) does not count.

    Args:
        params: Of the picture.
        asked: How to repaint it.
        picture: Its size in pixels.
        seed: Its seed.

    Raises:
        InputError: The model cannot work with them.
    """
    if asked.refine is None:
        return None
    own = params.but(
        prompt=asked.refine, seed=seed, strength=asked.refine_strength, masked_content=None
    )
    size = refined_size(picture.width / picture.height, asked.refine_scale, model.size)
    return resolve(model, own.but(size=size))


def windows(size: Size, side: int, vae_scale_factor: int) -> int:
    """How many times a step asks the network for a picture of a size.

    Args:
        size: Of the picture, in pixels.
        side: That the model was trained at, in pixels.
        vae_scale_factor: Pixels per latent, along a side.
    """
    factor = vae_scale_factor
    canvas = _canvas(size, side, factor)
    return math.prod(len(window_starts(s // factor, side // factor)) for s in canvas)


def refine_job(model: Model, picture: np.ndarray, params: ResolvedParams) -> tuple[Job, Box]:
    """The job that repaints a picture, and where the picture lies on its canvas.

    The picture is padded to the model's size, mirrored as far as it reaches. What is larger is
    painted in windows of the model's size that agree at every step.

    Args:
        picture: ``(h, w, 3)`` uint8, already of the wanted size.
        params: See `refine_params`; the size is that of the canvas, whatever they say.
    """
    height, width = picture.shape[:2]
    canvas = _canvas(Size(width, height), model.size, model.vae_scale_factor)
    left, top = (canvas.width - width) // 2, (canvas.height - height) // 2
    around = ((top, canvas.height - height - top), (left, canvas.width - width - left), (0, 0))
    padded = np.pad(picture, around, mode="symmetric")
    # An inpainting network is told that all of it is to be painted.
    everywhere = torch.ones(1, canvas.height, canvas.width) if model.inpainting else None
    job = Job(params.but(size=canvas), to_tensor(padded), everywhere, tiles=True)
    return job, Box(left, top, left + width, top + height)


def refined(
    model: Model,
    picture: np.ndarray,
    params: ResolvedParams,
    upscaler: Upscaler,
    task: str = "repainting",
) -> Generator[Progress, None, np.ndarray]:
    """Repaints a picture ``(h, w, 3)`` uint8.

    Args:
        params: See `refine_params`.
        upscaler: Enlarges it before it is painted over.
        task: What the progress is called.

    Yields:
        Progress in steps.

    Returns:
        The picture at ``params.size``.
    """
    job, box = refine_job(model, enlarge(picture, *params.size, upscaler), params)
    painted = yield from painted_alone(model, job, task)
    return painted[box.top : box.bottom, box.left : box.right]


def painted_alone(
    model: Model, job: Job, task: str = "painting"
) -> Generator[Progress, None, np.ndarray]:
    """Paints one job. Yields progress in steps, and returns ``(H, W, 3)`` uint8."""
    image: np.ndarray | None = None
    for found in paint_jobs(model, [job]):
        if isinstance(found, Painted):
            image = to_array(found.image)
        else:
            yield Progress(task, found.done, found.total)
    assert image is not None  # a job gives a picture
    return image


def _canvas(size: Size, side: int, factor: int) -> Size:
    return Size(*(max(side, -(-length // factor) * factor) for length in size))


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
        candidate = yield from refined(model, candidate, details.refine, upscaler, task)
    assert details.size is not None
    work = enlarging(candidate, *details.size, upscaler)
    return (yield from tracked(f"enlarging with {name}", work, details.size.height))


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


def room_record(pictures: Sequence[Record]) -> Record:
    """The record of a photo with pictures in it."""
    return with_details(pictures[0], RoomDetails(pictures=list(pictures)))


def save_room(folder: Path, inputs: FrameInputs, pictures: Sequence[Picture]) -> Iterator[Event]:
    """Writes ``room.png``, the photo with the pictures in it, and ``before-after.jpg``."""
    filled = hung(inputs.photo.pixels, inputs.mask_pixels, pictures)
    text = room_record([picture.record for picture in pictures]).to_text()
    yield from save_on_wall(folder, inputs.photo.pixels, filled, text)
