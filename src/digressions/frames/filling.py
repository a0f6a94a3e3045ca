"""Use case: pictures painted into the frames of a photo, from there to the wall and to paper; and
their files made again."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError, errors_about
from ..events import Estimate, Event, Note, Saved, counted
from ..generate.found_files import used_files
from ..generate.job import check
from ..generate.keeping import kept_of
from ..generate.kinds import MAX_SEED
from ..generate.metadata import Record
from ..generate.notes import notes_on
from ..generate.outputs import chosen_folder
from ..generate.pictures import Picture
from ..generate.previews import PaintPreviews
from ..generate.replay import ReplayRequest, replays_kind
from ..generate.resolving import resolve
from ..generate.start import Inputs, inputs_of, record_for
from ..generate.windows import painted_alone, window_job, windows_in
from ..geometry import Size
from ..images.colour import remembered_palette
from ..images.image_files import check_suffix, write_image
from ..images.source_image import PictureLike
from ..models.base import Model
from ..prints.print_job import PrintJob
from ..prints.printing import notes, printed
from ..prompts.scheduling import network_rows
from .candidates import (
    FrameTask,
    candidate_sheet,
    hung,
    notes_on_composing,
    paint_candidates,
)
from .choosing import FrameInputs, notes_on_aspect, notes_on_sources, read_frames
from .each_frame import Asked, asked_of_each
from .find import Frame
from .finishing import finish, finished, refine_params, save_room
from .frame_files import LATE, are_shown, candidates_text, files_of, sheet_path
from .frame_kinds import MAX_CANDIDATES
from .frame_records import (
    KIND,
    Opening,
    PictureDetails,
    picture_details,
    room_details,
    texts_of,
    with_details,
)
from .frame_spec import MAX_REFINED, FrameSpec
from .scene import Scene, compose_for, layout, room_for, scene_of


def fill_frames(
    model: Model,
    photo: PictureLike,
    spec: FrameSpec,
    folder: Path | None = None,
    inputs: FrameInputs | None = None,
    *,
    overwrite: bool = False,
    device: str | None = None,
    previews: PaintPreviews | None = None,
) -> Iterator[Event]:
    """Paints candidates into frames; then shows them, or finishes the chosen ones.

    What is in the folder already, made by the same settings, is taken as it is; closing the
    generator loses at most a batch.

    Args:
        model: Paints them.
        photo: A path, a PIL image or an array.
        spec: What to paint, where, and how to finish it.
        folder: Where files go: ``candidates/`` and, where some are to be chosen from, contact
            sheets; else ``picture.png``, the printer's file, ``room.png`` and ``before-after.jpg``.
            ``out/PHOTO-frame`` if not given, with a number where that holds others of these.
        inputs: What `read_frames` made of photo and spec, if the caller has it already.
        overwrite: As of `outputs.chosen_output`.
        device: Of an upscaler from a file: the best there is if not given.
        previews: As of `paint.paint_jobs`.

    Yields:
        Among others `Saved` for each contact sheet, whose details have ``candidates``: the files
        of what is on it, in its order, and ``frame``: their frame's number.

    Raises:
        InputError, PromptError, ImageError, OutputError: Something is wrong; raised before anything
            is painted.
    """
    inputs = read_frames(photo, spec, folder) if inputs is None else inputs
    if not spec.prompts:
        raise InputError("a prompt is needed: say what to paint into the frame", field="prompts")
    tasks = tasks_for(model, spec, inputs)
    scenes = _checked(model, tasks, inputs)

    def planned(place: Path) -> dict[Path, dict[str, str]]:
        return files_of(place, tasks, scenes, spec.paper, spec.keep)

    usual = inputs.usual_folder
    folder = chosen_folder(folder, usual, planned, overwrite=overwrite, aside=LATE)
    yield from _costs(model, tasks, scenes, inputs, folder)
    painted: list[list[Picture]] = []
    for task, seen in zip(tasks, scenes, strict=True):
        painted.append((yield from paint_candidates(model, task, seen, folder, previews)))
    several = len(tasks) > 1
    if are_shown(tasks):
        yield from _shown(folder, inputs, tasks, painted)
        return
    done: list[Picture] = []
    for task, (picture, *_) in zip(tasks, painted, strict=True):
        finishing = finish(model, task, picture, folder, spec.paper, several=several, device=device)
        done.append((yield from finishing))
    yield from save_room(folder, inputs, done)


def tasks_for(model: Model, spec: FrameSpec, inputs: FrameInputs) -> list[FrameTask]:
    """What every chosen frame shall get, with the model's defaults where the user said nothing.

    Frame ``k`` starts at the seed ``spec.seed + 1000 (k - 1)``.

    Raises:
        InputError: Parameters that contradict each other, that the model cannot work with, or a
            frame that does not fit it.
    """
    count = len(inputs.chosen)
    texts = spec.prompts * count if len(spec.prompts) == 1 else spec.prompts
    wanted = zip(texts, asked_of_each(spec, count), strict=True)
    return [
        _task(model, spec, inputs, rank, text, asked, spec.seed + rank * (MAX_CANDIDATES + 1))
        for rank, (text, asked) in enumerate(wanted)
    ]


def _task(
    model: Model,
    spec: FrameSpec,
    inputs: FrameInputs,
    rank: int,
    prompt: str,
    asked: Asked,
    seed: int,
) -> FrameTask:
    if seed + MAX_CANDIDATES > MAX_SEED:
        raise InputError(f"`seed` {spec.seed} leaves no room for the seeds of all candidates")
    index, palette = inputs.chosen[rank], inputs.palettes[rank]
    frame: Frame = inputs.found[index]
    if palette is None:
        spec = spec.but(palette=None)
    own = spec.params.but(prompt=prompt, seed=seed)
    with errors_about("prompts"):
        params = resolve(model, own, mask=True, palette=palette is not None)
    aspect = frame.aspect.value
    compose = compose_for(model, spec, params, aspect, asked.room)
    room = room_for(model) if asked.room is None and compose == "stretch" else asked.room or 0.0
    opening = Opening(
        corners=frame.opening, aspect=aspect, lit=bool(frame.blank), room=room, compose=compose
    )
    where = layout(opening.painted_aspect, room, model.size, model.vae_scale_factor)
    params = params.but(size=where.canvas)
    with errors_about("prompts"):
        record = record_for(model, params, Inputs(inputs.photo, inputs.mask, palette))
    with errors_about("refine"):
        refine = refine_params(model, own, spec.refining, opening, seed)
    if refine is not None:
        own_prompts = {"prompts": [params.prompt], "negative": [params.negative]}
        record = record.but(files=used_files(model, **own_prompts, refine=[refine.prompt]))
    return FrameTask(
        index + 1,
        frame,
        opening,
        with_details(record, PictureDetails(made="candidate", opening=opening)),
        asked.candidates,
        asked.pick,
        refine,
        spec.paper.for_aspect(opening.aspect),
    )


def _checked(model: Model, tasks: Sequence[FrameTask], inputs: FrameInputs) -> list[Scene]:
    """What the model sees of every frame, once it is sure that all can be painted."""
    photo = inputs.photo.pixels
    scenes = []
    for task, palette in zip(tasks, inputs.palettes, strict=True):
        colours = None if palette is None else palette[0]
        params = task.record.params
        seen = scene_of(model, photo, task.opening, params, colours)
        with errors_about("prompts"):
            check(model, seen.job(params))
        if task.refine is not None:
            with errors_about("refine"):
                check(model, window_job(model, photo[:8, :8], task.refine)[0])
        scenes.append(seen)
    return scenes


def _costs(
    model: Model,
    tasks: Sequence[FrameTask],
    scenes: Sequence[Scene],
    inputs: FrameInputs,
    folder: Path,
) -> Iterator[Event]:
    """What is to be painted and printed, and what one should know about it."""
    first, *others = (task.record.params for task in tasks)
    refining = [] if tasks[0].refine is None else [tasks[0].refine.prompt]
    yield from notes_on(model, first, *(params.prompt for params in others), *refining)
    yield from notes_on_sources(inputs)
    count = sum(len(task.records) for task in tasks)
    done = sum(len(task.kept(folder)) for task in tasks)
    rows = 0
    for task, seen in zip(tasks, scenes, strict=True):
        job = seen.job(task.record.params)
        rows += len(task.records) * network_rows(job.sub_prompts, job.params.combine)
    text = f"{counted(count, 'picture')} for {counted(len(tasks), 'frame')}; the network is asked "
    text += counted(rows, "time") + (f"; {done:,} of the pictures are done already" if done else "")
    yield Estimate(text, pictures=count - done, done=done)
    for task, seen in zip(tasks, scenes, strict=True):
        yield from notes_on_aspect(task.number, task.frame)
        yield from notes_on_composing(model, task)
        own: Size | None = None if task.opening.compose == "auto" else seen.composed_size
        if task.refine is not None:
            own = task.refine.size
            each = windows_in(model, own)
            yield Note(
                f"frame {task.number}: repainted at {own.width:,} x {own.height:,} px, "
                f"{counted(each, 'window')} a step, at strength {task.refine.strength:g}"
            )
        if task.print_job is not None and own is not None:  # else once it is composed
            yield from notes(task.print_job, own)


def _shown(
    folder: Path,
    inputs: FrameInputs,
    tasks: Sequence[FrameTask],
    painted: Sequence[Sequence[Picture]],
) -> Iterator[Event]:
    """A contact sheet for every frame."""
    for task, pictures in zip(tasks, painted, strict=True):
        path = sheet_path(folder, task, len(tasks) > 1)
        sheet = candidate_sheet(inputs, task, pictures)
        write_image(path, sheet, candidates_text(folder, task))
        files = [str(each) for each in task.paths(folder)]
        found = {"frame": task.number, "candidates": files}
        yield Saved(path, "choose one: `pick` finishes it", found)


@replays_kind(KIND)
def replay_frame(request: ReplayRequest, model: Model, record: Record) -> Iterator[Event]:
    """A candidate, a picture, a room or a print again, from the photo on.

    Raises:
        InputError: The settings are damaged, or a file is missing or has changed.
    """
    inputs, target = inputs_of(record), request.target
    if inputs.image is None:
        raise InputError("the settings name no photo")
    photo, mask = inputs.image.pixels, None if inputs.mask is None else inputs.mask.pixels
    room = room_details(record)
    job = None if room is not None else _print_job(record)
    if job is None:
        check_suffix(target)
    else:
        job.check(target)
    what = "the room" if room is not None else f"a {picture_details(record).made}"
    yield Note(f"{what} of a frame, {record.params.prompt!r:.80}, seed {record.params.seed}")
    pictures: list[Picture] = []
    for own in [record] if room is None else room.pictures:
        pixels = yield from _picture(model, photo, own, request.device)
        pictures.append(Picture(pixels, own))
    made = pictures[0].array if room is None else hung(photo, mask, pictures)
    if job is None:
        write_image(target, made, texts_of(record), kept_of(inputs.image, record.keep))
        yield Saved(target)
    else:
        yield from printed(job, made, target, texts_of(record), device=request.device)


def _print_job(record: Record) -> PrintJob | None:
    """How to print what a record is of, or ``None`` where it is no print."""
    details = picture_details(record)
    return PrintJob.from_remembered(details.print) if details.made == "print" else None


def _picture(
    model: Model, photo: np.ndarray, record: Record, device: str | None
) -> Generator[Event, None, np.ndarray]:
    details, params = picture_details(record), record.params
    if details.refine is not None and max(details.refine.size) > MAX_REFINED * model.size:
        raise InputError(f"`refine_scale`: {details.refine.size} px is more than {model.shown} has")
    palette = None if record.palette is None else remembered_palette(record.palette)
    seen = scene_of(model, photo, details.opening, params, palette)
    candidate = seen.cut((yield from painted_alone(model, seen.job(params)))).pixels
    if details.made == "candidate":
        return candidate
    return (yield from finished(model, candidate, record, device=device))
