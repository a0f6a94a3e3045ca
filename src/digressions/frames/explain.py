"""Use case: an experiment that tells what pulls the colours of pictures in a frame."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import InputError, OutputError, in_words
from ..events import Estimate, Event, Note, Progress, Saved, counted
from ..files import numbered, whole_file
from ..generate.job import Job
from ..generate.paint import batches
from ..images.image_files import write_image
from ..images.source_image import PictureLike
from ..images.xmp import SourceType, marked
from ..models.base import Model
from ..pace import Pace
from .chart import chart, sheet
from .choosing import FrameInputs, notes_on_sources, read_frames
from .each_frame import asked_of_each
from .experiment import BATCH, RESULTS, Experiment
from .explain_words import words
from .findings import findings
from .frame_records import Opening
from .frame_spec import ROOM, FrameSpec
from .scene import Scene, room_for, scene
from .trials import Plan, Subject, noise_params, plan


def explain_frame(
    model: Model,
    photo: PictureLike,
    spec: FrameSpec,
    folder: Path | None = None,
    inputs: FrameInputs | None = None,
    *,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Paints an experiment into a frame, and says what pulls the colours of pictures in it.

    A picture is a file as soon as it is painted; the same experiment in the same folder goes on
    where it was.

    Args:
        model: Paints the pictures.
        photo: A path, a PIL image or an array.
        spec: One prompt, and which frame; pictures of each kind have the seeds from its own on.
        folder: Where files go: the pictures, ``explain.txt``, ``explain.png``, ``ways.png`` and
            ``explain.json``. It holds nothing else. ``explain`` in the usual folder of a photo, if
            not given, with a number where that holds another experiment.
        inputs: What `read_frames` made of photo and spec, if the caller has it already.
        overwrite: Whether another experiment's files in ``folder`` may go.

    Yields:
        `Estimate` before, and again once the time can be told, `Progress` in steps and a `Preview`
        of each picture, what was found as a `Note` for each paragraph, and `Saved`.

    Raises:
        InputError, PromptError, ImageError, OutputError: Something cannot be, before anything is
            painted.
    """
    inputs = inputs or read_frames(photo, spec, folder)
    if len(inputs.chosen) != 1:
        raise InputError("`explain` is about one frame", field="frame")
    if folder is None:
        ways, experiment = _in_free_folder(model, spec, inputs)
    else:
        ways, experiment = experiment_of(model, spec, inputs, folder, overwrite=overwrite)
    yield from notes_on_sources(inputs)
    yield from _painting(ways, experiment)
    yield from _findings(ways, experiment)


def _in_free_folder(model: Model, spec: FrameSpec, inputs: FrameInputs) -> tuple[Plan, Experiment]:
    for folder in numbered(inputs.usual_folder, folder=True):
        with suppress(OutputError):  # another experiment is there
            return experiment_of(model, spec, inputs, folder / "explain")
    raise AssertionError  # there is always another number


def experiment_of(
    model: Model, spec: FrameSpec, inputs: FrameInputs, folder: Path, *, overwrite: bool = False
) -> tuple[Plan, Experiment]:
    """The experiment for the first of the chosen frames; nothing is written yet.

    Raises:
        InputError, PromptError, OutputError: As `Experiment`.
    """
    (frame, *_), photo = inputs.frames, inputs.photo
    ((asked, *_),) = asked_of_each(spec, 1)
    room = room_for(model) if asked is None else asked
    opening = Opening(
        corners=frame.opening, aspect=frame.aspect.value, lit=bool(frame.blank), room=room or ROOM
    )

    @functools.cache
    def seen(much: float) -> Scene:
        return scene(
            photo.pixels,
            opening.corners,
            opening.aspect,
            side=model.size,
            vae_scale_factor=model.vae_scale_factor,
            room=much,
        )

    (palette,) = inputs.palettes
    colours = None if palette is None else palette[0]
    params = noise_params(model, spec.params.but(prompt=spec.prompts[0], seed=spec.seed))
    ways = plan(model, params, opening.room, palette=colours is not None)
    count = spec.explain_pictures
    about: dict[str, Any] = {
        "photo": photo.origin["sha256"],
        "opening": opening.json_object(),
        **{name: value for name, value in params.json_object().items() if name not in _VARIED},
        "palette": None if palette is None else palette[1],
        "trials": [trial.name for trial in ways.trials],
    }
    seeds = range(spec.seed, spec.seed + count)
    made = model, Subject(seen, colours), ways.trials, seeds, folder, about
    return ways, Experiment(*made, overwrite=overwrite)


_CALL = 2.5  # what a call of the network takes besides its pictures, in pictures, on a CPU
_VARIED = ("seed", "size", "strength", "masked_content")  # from picture to picture, or always alike


def _painting(plan: Plan, experiment: Experiment) -> Iterator[Event]:
    todo = experiment.missing
    missing, done = len(todo), experiment.pictures - len(todo)
    size = experiment.subject.scene(plan.base.room).size
    text = (
        f"{len(experiment.trials)} ways to paint the frame, "
        f"{counted(len(experiment.seeds), 'picture')} each: {experiment.pictures:,} of {size} px"
    )
    yield Estimate(text + (f", {done:,} done already" if done else ""), missing, done)
    if not missing:
        return
    jobs = [experiment.job(trial, seed) for trial, seed in todo]
    steps, pace, done, worked = sum(job.num_steps for job in jobs), Pace(), 0, 0.0
    work = _work(jobs[1:])
    for most in (1, None):  # one by itself, to be warm
        before = done
        for event in experiment.run(most=most):
            if isinstance(event, Progress):
                yield Progress(event.task, before + event.done, steps)
                if most is None and before + event.done > done:
                    worked += before + event.done - done + _CALL
                    pace.note(worked)
                    yield from pace.estimate(work, "paint")
                done = before + event.done
            else:
                yield event


def _work(jobs: Sequence[Job]) -> float:
    """What it takes to paint jobs, in steps of one picture: small batches take longer for each."""
    groups = [[jobs[i].num_steps for i in batch] for batch in batches(jobs, BATCH)]
    return sum(sum(steps) + _CALL * max(steps) for steps in groups)


def _findings(plan: Plan, experiment: Experiment) -> Iterator[Event]:
    """Writes ``explain.txt``, ``explain.png``, ``ways.png`` and ``explain.json``."""
    folder, measured = experiment.folder, experiment.measured()
    found = findings(plan, experiment.subject, measured)
    said = words(found, plan, len(experiment.seeds))
    about = {"experiment": json.dumps(experiment.about)}
    write_image(folder / "explain.png", chart(found, plan, measured), about)
    pictures = marked(about, SourceType.COMPOSITE)
    write_image(folder / "ways.png", sheet(plan, experiment), pictures)
    figures = dataclasses.asdict(found)
    text = "\n\n".join(in_words(paragraph, lambda name: name) for paragraph in said)
    note = json.dumps(figures, indent=1, default=lambda value: value.tolist())
    for name, content in (("explain.txt", text), ("explain.json", note)):
        with whole_file(folder / name) as part:
            part.write_text(content + "\n", "utf-8")
    for paragraph in said:
        yield Note(paragraph)
    for name in RESULTS:
        yield Saved(folder / name)
