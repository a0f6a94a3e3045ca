"""What ``digress frame PHOTO PROMPT --explain`` does: an experiment, told in words and a chart."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import duration, out, plain, progress
from ..errors import StoppedError

if TYPE_CHECKING:
    from ..frames.experiment import Experiment
    from ..frames.trials import Plan
    from ..models import Model
    from ..pictures.metadata import Settings
    from ..pictures.original import Original
    from .filling import Wish

PICTURES = 6  # of each kind, if not said: enough to tell a tenth of a cause from chance
ROOM = 0.25  # where the user paints without a room


def explain_frame(model: Model, folder: Path, photo: Original, wish: Wish, pictures: int) -> None:
    """Paints the experiment into a folder and says what pulls the colours of a frame.

    Args:
        pictures: Of each kind, with the seeds from the wish's on.

    Raises:
        StoppedError: Ctrl-C; it says how to go on.
    """
    plan, experiment = _experiment(model, folder, photo, wish, pictures)
    try:
        _run(plan, experiment)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; finished pictures are kept in {folder}: the same command goes on"
        ) from None
    _tell(plan, experiment)


def _experiment(
    model: Model, folder: Path, photo: Original, wish: Wish, pictures: int
) -> tuple[Plan, Experiment]:
    from ..frames.experiment import Experiment
    from ..frames.scene import Scene, scene
    from ..frames.trials import Subject, plan
    from ..pictures.palette import palette_again

    settings, place = wish.settings, wish.place

    @functools.cache
    def seen(room: float) -> Scene:
        return scene(
            photo.pixels,
            place.opening,
            place.aspect,
            side=model.size,
            factor=model.factor,
            room=room,
        )

    subject = Subject(
        seen,
        settings.prompt,
        settings.guidance,
        settings.sampler,
        settings.negative,
        settings.how,
        None if settings.palette is None else palette_again(settings.palette),
    )
    ways = plan(
        model,
        steps=settings.steps,
        guidance=settings.guidance,
        room=place.room or ROOM,
        sampler=settings.sampler,
        timing=_timing(model, settings),
        palette=settings.palette is not None,
    )
    seeds = range(settings.seed, settings.seed + pictures)
    about: dict[str, object] = {
        "photo": photo.origin["sha256"],
        "frame": place.note(),
        **{
            name: getattr(settings, name)
            for name in ("prompt", "negative", "guidance", "sampler", "how", "palette")
        },
        "trials": [trial.name for trial in ways.trials],
    }
    return ways, Experiment(model, subject, ways.trials, seeds, folder, about)


def _timing(model: Model, settings: Settings) -> str:
    """As typed, or what a start from noise has by itself, whatever the settings start from."""
    from ..timing import PUBLISHED, timing_for_noise

    if settings.timing != PUBLISHED:
        return settings.timing
    return timing_for_noise(model, settings.sampler)


def _run(plan: Plan, experiment: Experiment) -> None:
    scene = experiment.subject.scene(plan.base.room)
    missing = len(experiment.missing)
    done = experiment.pictures - missing
    steps = sum(experiment.job(trial, seed).run for trial, seed in experiment.missing)
    out.print(
        f"{len(experiment.trials)} ways to paint the frame, {len(experiment.seeds)} pictures each: "
        f"{experiment.pictures} of {scene.size} px" + (f", {done} done already" if done else "")
    )
    if not missing:
        return
    with progress() as bar:
        task = bar.add_task("painting", total=steps)
        begun = time.perf_counter()
        first = experiment.run(most=1, on_step=lambda n: bar.advance(task, n))
        each = (time.perf_counter() - begun) / first
        bar.console.print(f"at most about {duration(each * missing)} to paint")
        experiment.run(on_step=lambda n: bar.advance(task, n))


def _tell(plan: Plan, experiment: Experiment) -> None:
    """Writes ``explain.txt``, ``explain.png``, ``ways.png`` and ``explain.json``."""
    from ..frames.explain import words
    from ..frames.findings import findings
    from ..frames.pullchart import chart, sheet
    from ..output import writing
    from ..pictures.images import write_image

    measured = experiment.measured()
    found = findings(plan, experiment.subject, measured)
    said = words(found, plan, len(experiment.seeds))
    about = {"experiment": json.dumps(experiment.about)}
    write_image(experiment.folder / "explain.png", chart(found, plan, measured), about)
    write_image(experiment.folder / "ways.png", sheet(plan, experiment), about)
    figures = dataclasses.asdict(found)
    note = json.dumps(figures, indent=1, default=lambda value: value.tolist())
    for name, text in (("explain.txt", "\n\n".join(said)), ("explain.json", note)):
        target = experiment.folder / name
        with writing(target):
            part = target.with_name(f".{name}.part")
            part.write_text(text + "\n", "utf-8")
            part.replace(target)
    for line in said:
        out.print(plain(line) + "\n")
    for name in ("explain.txt", "explain.png", "ways.png", "explain.json"):
        out.print(plain(str(experiment.folder / name)))
