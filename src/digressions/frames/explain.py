"""Use case: an experiment that tells what pulls the colours of pictures in a frame, in words that
follow from its figures.

What is within its error of nothing is not called a cause. Parameters are in backquotes, as in
`events`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, OutputError, in_words
from ..events import Estimate, Event, Note, Progress, Saved, counted
from ..files import numbered, whole_file
from ..images.image_files import write_image
from ..images.source_image import PictureLike
from ..images.xmp import SourceType, marked
from ..models.base import Model
from ..pace import Pace
from .chart import chart, sheet
from .choosing import FrameInputs, notes_on_sources, read_frames
from .experiment import RESULTS, Experiment
from .findings import GREY, LITTLE, SEEN, Findings, Influence, Interval, causes, findings
from .frame_records import Opening
from .frame_spec import EXPLAIN_PICTURES, ROOM, FrameSpec
from .scene import Scene, room_for, scene
from .trials import LEAK, PHOTO, Plan, Subject, noise_params, plan


def words(found: Findings, plan: Plan, seeds: int) -> list[str]:
    """What was found, a paragraph each."""
    return [
        _free(found),
        _masked(found, plan, seeds),
        _wall(found, plan, seeds),
        *_others(found, plan, seeds),
        _sum(found, plan),
    ]


def _free(found: Findings) -> str:
    text = (
        f"Painted freely, without a room, this prompt has a chroma of {_plus_minus(found.chroma)}; "
        f"below {GREY:g} most people say grey."
    )
    if found.chroma.high < GREY:
        return text + (
            " So the prompt is grey by itself, and no frame is needed to explain grey pictures."
        )
    if found.chroma.low < GREY:
        return text + " So the prompt is near grey by itself."
    return text + " So the prompt is not to blame."


def _masked(found: Findings, plan: Plan, seeds: int) -> str:
    parts = [
        f"at `strength` {strength:g} {_in_words(influence)}"
        for strength, influence in sorted(found.masked.items())
    ]
    influences = [*found.masked.values(), found.through]
    strongest = _strongest(influences)
    text = f"The masked area. {_verdict(strongest, 'What is in it', seeds)} When painting starts "
    text += f"from it, {'; '.join(parts)}. From noise alone {_in_words(found.through)}"
    if any(value.sure for value in (found.through.lightness, found.through.colour)):
        text += (
            ", because the autoencoder's latents around it hold something of what is in it; so it "
            "is filled with the colours around it before painting."
        )
    else:
        text += "."
    leak = found.against_base[plan.fills[LEAK][PHOTO].name]
    text += (
        f" In this photo it is {_described(found.masked_colour)}: from it, at `strength` {LEAK:g}, "
        f"pictures have {_share(leak.chroma)} of the chroma that they have from noise"
        f"{_lighter(leak.lighter)}."
    )
    return text


def _wall(found: Findings, plan: Plan, seeds: int) -> str:
    parts = [
        f"with `room` {room:g} {_in_words(influence)}"
        for room, influence in sorted(found.room.items())
    ]
    strongest = _strongest(list(found.room.values()))
    base = found.effects[plan.base.name]
    return (
        f"The room. {_verdict(strongest, 'Its colour', seeds)} Painted from noise, "
        + "; ".join(parts)
        + f". In this photo it is {_described(found.room_colour)}: in it pictures have "
        f"{_share(base.chroma)} of the chroma that they have without a room, and "
        f"{_share(base.contrast)} of the contrast{_lighter(base.lighter)}."
    )


def _others(found: Findings, plan: Plan, seeds: int) -> list[str]:
    lines = []
    for trial in plan.steps:
        if trial != plan.base:
            effect = found.against_base[trial.name]
            lines.append(f"{trial.params.steps} steps give {_share(effect.chroma)}")
    text = (
        f"The steps. Against {plan.base.params.steps} steps, "
        + " and ".join(lines)
        + " of the chroma"
    )
    changed = [
        _far(found.against_base[trial.name].distance) for trial in plan.steps if trial != plan.base
    ]
    if any(changed):
        text += "; they change the mean colour visibly."
    else:
        text += "; they do not change the mean colour visibly."
    found_cures = [
        f"{name} gives {_share(found.against_base[trial.name].chroma)} of the chroma and "
        f"{_share(found.against_base[trial.name].contrast)} of the contrast"
        for name, trial in plan.cures.items()
    ]
    cures = ["What else may help, against painting from noise: " + "; ".join(found_cures) + "."]
    return [text, *(cures if found_cures else [])]


def _sum(found: Findings, plan: Plan) -> str:
    losses = [c for c in causes(found, plan) if c.sure and c.chroma.value < 1 - LITTLE]
    if not losses:
        return (
            "In sum: nothing that was tried takes colour away here. Where pictures are grey all "
            "the same, it is the prompt or the model."
        )
    first = losses[0]
    text = (
        f"In sum: what takes most colour away here is {first.name}: {_share(first.chroma)} is "
        f"left. {first.mend[0].upper()}{first.mend[1:]}."
    )
    others = [f"{cause.name} ({_share(cause.chroma)} left)" for cause in losses[1:]]
    return text + (f" Then {'; '.join(others)}." if others else " Nothing else does for certain.")


def _strongest(influences: list[Influence]) -> Interval:
    """The slope furthest from 0 among those that are told from chance; of all if none is."""
    values = [value for each in influences for value in (each.lightness, each.colour)]
    return max(values, key=lambda value: (value.sure, abs(value.value)))


def _verdict(value: Interval, what: str, seeds: int) -> str:
    if max(abs(value.low), abs(value.high)) < LITTLE:
        return f"{what} pulls nothing worth speaking of."
    if not value.sure:
        return f"Whether {what[0].lower()}{what[1:]} pulls cannot be told from {seeds} seeds."
    if value.value < 0:
        return f"{what} pushes away: the picture goes against it."
    if value.value >= 0.5:
        return f"{what} pulls strongly."
    return f"{what} pulls." if value.value >= 0.15 else f"{what} pulls a little."


def _in_words(influence: Influence) -> str:
    return (
        f"{_share(influence.lightness)} of its lightness and {_share(influence.colour)} of its "
        "colour come through"
    )


def _share(value: Interval) -> str:
    return f"{100 * value.value:.0f} % ± {100 * value.error:.0f}"


def _plus_minus(value: Interval) -> str:
    return f"{value.value:.3f} ± {value.error:.3f}"


def _lighter(value: Interval) -> str:
    if not value.sure or abs(value.value) < SEEN:
        return ""
    return f", and are {'lighter' if value.value > 0 else 'darker'} by {abs(value.value):.2f}"


def _far(value: Interval) -> bool:
    return value.low > SEEN


def _described(lab: np.ndarray) -> str:
    """A colour in words, with its figures."""
    lightness, chroma = float(lab[0]), float(np.hypot(lab[1], lab[2]))
    light = "dark" if lightness < 0.4 else "of middle lightness" if lightness < 0.7 else "light"
    figures = f"lightness {lightness:.2f}, chroma {chroma:.3f}"
    if chroma < GREY:
        return f"{light} and nearly grey ({figures})"
    return f"{light} and {_hue(lab)} ({figures})"


def _hue(lab: np.ndarray) -> str:
    """The nearest of eight hues, by angle in OKLab."""
    angle = float(np.degrees(np.arctan2(lab[2], lab[1]))) % 360
    return min(_HUES, key=lambda hue: min(abs(angle - hue[0]), 360 - abs(angle - hue[0])))[1]


_HUES = (
    *((25, "red"), (60, "orange"), (105, "yellow"), (145, "green")),
    *((195, "turquoise"), (255, "blue"), (305, "violet"), (350, "pink")),
)


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
    room = room_for(model) if spec.room is None else spec.room
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

    colours = None if inputs.palette is None else inputs.palette[0]
    params = noise_params(model, spec.params.but(prompt=spec.prompts[0], seed=spec.seed))
    ways = plan(model, params, opening.room, palette=colours is not None)
    count = spec.n or EXPLAIN_PICTURES
    about: dict[str, Any] = {
        "photo": photo.origin["sha256"],
        "opening": opening.json_object(),
        **{name: value for name, value in params.json_object().items() if name not in _VARIED},
        "palette": None if inputs.palette is None else inputs.palette[1],
        "trials": [trial.name for trial in ways.trials],
    }
    seeds = range(spec.seed, spec.seed + count)
    made = model, Subject(seen, colours), ways.trials, seeds, folder, about
    return ways, Experiment(*made, overwrite=overwrite)


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
    steps = sum(experiment.job(trial, seed).num_steps for trial, seed in todo)
    pace, before, now = Pace(), 0, 0
    for most in (1, None):  # one by itself, to be warm
        for event in experiment.run(most=most):
            if isinstance(event, Progress):
                now = before + event.done
                yield Progress(event.task, now, steps)
            else:  # at the end of a batch
                pace.note(now)
                yield event
                yield from pace.estimate(steps, "paint")
        before = now


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
