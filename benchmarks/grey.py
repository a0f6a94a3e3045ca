"""Why pictures in frames come out grey: what pulls their colours, right ways and wrong ways.

    python -m benchmarks.grey --out out/grey --update docs/why-grey.md

Paints the experiment of ``digress frame --explain`` into rooms that are rendered by seed, and the
wrong ways of `wrongways.py` beside it. A picture is kept when it is painted; the same command goes
on after a stop, also with more rooms or seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from benchmarks.machine import cpu_name, dtype_name
from benchmarks.page import update, write_jpeg
from benchmarks.render import photograph
from benchmarks.rooms import room
from benchmarks.wrongways import WAYS
from digressions.events import completed
from digressions.frames.chart import Bar, panel
from digressions.frames.experiment import Experiment, measure
from digressions.frames.findings import Effect, Influence, Interval, compared, findings, interval
from digressions.frames.scene import Scene, scene
from digressions.frames.trials import LEAK, PHOTO, Plan, Subject, Trial, noise_params, plan
from digressions.generate.params import GenerationParams
from digressions.homography import Quad
from digressions.images.colour import from_oklab, palette_of_colours
from digressions.images.contact_sheet import comparison_sheet
from digressions.images.image_files import read_image, to_array, write_image
from digressions.models.loading import load
from digressions.models.stable_diffusion import StableDiffusion

PROMPTS = ("painting of a fox", "drawing of a frog", "photo of a parrot", "cartoon of a rose")
PALETTE = ("navy", "orange", "darkred")
ROOM = 0.25
AXES = ("lightness", "colour")
PARTS = ("chroma", "contrast", "lighter", "distance")


class Study(NamedTuple):
    """One room and what is painted into it."""

    seed: int
    plan: Plan
    experiment: Experiment


def blank_rooms(count: int) -> list[int]:
    """Seeds of the first rooms whose first hanging is a blank frame that nothing stands before."""
    seeds: list[int] = []
    seed = 0
    while len(seeds) < count:
        found = room(seed, 800).hangings[0]
        if found.content == "blank" and found.kind in ("frame", "mat"):
            photo = photograph(room(seed, 800))
            if photo.visible[0] > 0.99:
                seeds.append(seed)
        seed += 1
    return seeds


def study(
    model: StableDiffusion, seed: int, prompt: str, seeds: Sequence[int], folder: Path
) -> Study:
    """The experiment in a room."""
    found = room(seed, 800)
    photo, hanging = photograph(found).pixels, found.hangings[0]
    opening = Quad.trusted(found.corners(hanging))

    @functools.cache
    def seen(much: float) -> Scene:
        size = {"side": model.size, "vae_scale_factor": model.vae_scale_factor}
        return scene(photo, opening, hanging.aspect, room=much, **size)

    subject = Subject(seen, palette_of_colours(PALETTE))
    params = noise_params(model, GenerationParams(prompt=prompt, seed=seeds[0]))
    ways = plan(model, params, ROOM, palette=True)
    about: dict[str, object] = {"room": seed, "prompt": prompt, "dtype": dtype_name(model.dtype)}
    return Study(
        seed, ways, Experiment(model, subject, ways.trials, seeds, folder / f"room{seed}", about)
    )


def paint_wrong(done: Study, name: str) -> list[np.ndarray]:
    """The openings that a wrong way paints, one a seed; kept beside the experiment's."""
    content, fill, strength, way = WAYS[name]
    experiment = done.experiment
    trial = done.plan.base.but(fill=fill, masked_content=content, strength=strength)
    stem = name.replace(" ", "-").replace(",", "")
    paths = [experiment.folder / "wrong" / f"{stem}-seed{s}.png" for s in experiment.seeds]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    if missing:
        jobs = [experiment.job(trial, experiment.seeds[i]) for i in missing]
        images = way(experiment.model, jobs)
        for i, image in zip(missing, images, strict=True):
            write_image(paths[i], to_array(image))
    ready = experiment.subject.scene(trial.room)
    return [ready.cut(read_image(path)).pixels for path in paths]


def over_rooms(values: Sequence[Interval]) -> Interval:
    """The mean of what the rooms gave, and its error over the rooms."""
    return interval([value.value for value in values])


class Row(NamedTuple):
    """A way of painting, over all rooms: against painting freely, its chroma against painting from
    noise in the same room, and its mean colour."""

    name: str
    effect: Effect
    against_noise: Interval
    colour: np.ndarray


def rows_of(studies: Sequence[Study]) -> tuple[list[Row], dict[str, Influence]]:
    """Every way against painting freely, and what pulls how strongly."""
    rights: dict[str, list[tuple[Effect, Interval, np.ndarray]]] = {}
    pulls: dict[str, list[Influence]] = {}
    for done in studies:
        measured = done.experiment.measured()
        found = findings(done.plan, done.experiment.subject, measured)
        free = measured[done.plan.free]
        base = measured[done.plan.base]
        ways = [(name, measured[trial]) for name, trial in named(done.plan)]
        ways += [(name, measure(paint_wrong(done, name))) for name in WAYS]
        for name, own in ways:
            row = compared(free, own), compared(base, own).chroma, own.colour.mean(0)
            rights.setdefault(name, []).append(row)
        own_pulls = {f"masked area, from it at strength {s:g}": p for s, p in found.masked.items()}
        own_pulls["masked area, from noise, not filled"] = found.through
        own_pulls |= {f"room, --room {much:g}": p for much, p in found.room.items()}
        for name, pull in own_pulls.items():
            pulls.setdefault(name, []).append(pull)
    rows = [
        Row(
            name,
            Effect(*(over_rooms([getattr(e, part) for e, _, _ in each]) for part in PARTS)),
            over_rooms([ratio for _, ratio, _ in each]),
            np.mean([colour for _, _, colour in each], axis=0),
        )
        for name, each in rights.items()
    ]
    joined = {
        name: Influence(
            over_rooms([p.lightness for p in each]), over_rooms([p.colour for p in each])
        )
        for name, each in pulls.items()
    }
    return rows, joined


def named(ways: Plan) -> list[tuple[str, Trial]]:
    """The right ways that the page shows."""
    rows = [("freely, without a room", ways.free), ("from noise (the default)", ways.base)]
    rows += [(name, trial) for name, trial in ways.cures.items()]
    rows.append(("from noise, area not filled", ways.unfilled[PHOTO]))
    rows += [
        (f"from the blank, strength {strength:g}", fills[PHOTO])
        for strength, fills in sorted(ways.fills.items(), reverse=True)
    ]
    rows.append((f"from noise, strength {LEAK:g}", ways.noise))
    rows += [(f"--room {trial.room:g}", trial) for trial in ways.rooms if trial != ways.base]
    rows += [(f"{trial.params.steps} steps", trial) for trial in ways.steps if trial != ways.base]
    return rows


def table(rows: Sequence[Row], pulls: dict[str, Influence]) -> str:
    """Two Markdown tables."""
    lines = ["| what pulls | of its lightness | of its colour |", "| --- | ---: | ---: |"]
    for name, pull in pulls.items():
        lines.append(f"| {name} | {_percent(pull.lightness)} | {_percent(pull.colour)} |")
    lines += [
        "",
        "| way | chroma | against from noise | contrast | lighter by |",
        "| --- |" + " ---: |" * 4,
    ]
    for row in rows:
        effect = row.effect
        lines.append(
            f"| {row.name} | {_percent(effect.chroma)} | {_percent(row.against_noise)} | "
            f"{_percent(effect.contrast)} | "
            f"{effect.lighter.value:+.3f} ± {effect.lighter.error:.3f} |"
        )
    return "\n".join(lines)


def _percent(value: Interval) -> str:
    return f"{100 * value.value:.0f} % ± {100 * value.error:.0f}"


def chart(rows: Sequence[Row], pulls: dict[str, Influence]) -> np.ndarray:
    """The same as two panels."""
    return np.concatenate(
        [
            panel(
                "How much of its colour comes through in the picture",
                [Bar(name, (pull.lightness, pull.colour)) for name, pull in pulls.items()],
                0.0,
                ("of lightness", "of colour"),
            ),
            panel(
                "How colourful pictures are, against painting from noise (squares: mean colour)",
                [Bar(row.name, (row.against_noise,), from_oklab(row.colour)) for row in rows[1:]],
                1.0,
            ),
        ]
    )


def sheet(studies: Sequence[Study]) -> np.ndarray:
    """The first seed of every way in every room."""
    names, pictures = [], []

    def add(name: str, of: Callable[[Study], np.ndarray]) -> None:
        shown = [Image.fromarray(of(done)).resize((72, 72)) for done in studies]
        names.append(name)
        pictures.append([np.asarray(image) for image in shown])

    def blank(done: Study) -> np.ndarray:
        ready = done.experiment.subject.scene(ROOM)
        return np.rint(ready.pixels * 255).astype(np.uint8)

    add("the room", blank)
    for index, (name, _) in enumerate(named(studies[0].plan)):
        add(name, lambda d, index=index: d.experiment.painted(named(d.plan)[index][1])[0])
    for name in WAYS:
        add(name, lambda d, name=name: paint_wrong(d, name)[0])
    across = [f"room {d.seed}: {d.plan.base.params.prompt}" for d in studies]
    return comparison_sheet(pictures, across, names, gap=4, least=72)


def section(studies: Sequence[Study], rows: Sequence[Row], pulls: dict[str, Influence]) -> str:
    """The generated part of the page."""
    first = studies[0].experiment
    base = studies[0].plan.base.params
    prompts = ", ".join(f'"{done.plan.base.params.prompt}"' for done in studies)
    return (
        f"{len(studies)} rooms (seeds {', '.join(str(done.seed) for done in studies)}; {prompts}), "
        f"{len(first.seeds)} pictures of each kind in each; the bundled model, "
        f"{base.steps} steps, {dtype_name(first.model.dtype)}, on {cpu_name()}. "
        "± is a 95 % interval over the rooms.\n\n"
        f"{table(rows, pulls)}\n\n![The figures as a chart](images/grey-chart.png)\n\n"
        "The first picture of every way in every room:\n\n"
        "![Pictures of all ways](images/grey.jpg)\n"
    )


def main(arguments: Sequence[str] | None = None) -> str:
    """Runs the study, and gives back the generated part of the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/grey"))
    parser.add_argument("--update", type=Path, help="page to write the result into")
    parser.add_argument("--rooms", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=4, help="pictures of each kind in each room")
    asked = parser.parse_args(arguments)
    if asked.rooms < 2 or asked.seeds < 3:
        parser.error("--rooms must be at least 2, --seeds at least 3")
    model = load("bundled", "cpu", "float32")
    studies = []
    for index, seed in enumerate(blank_rooms(asked.rooms)):
        prompt = PROMPTS[index % len(PROMPTS)]
        done = study(model, seed, prompt, range(1, asked.seeds + 1), asked.out)
        painted = completed(done.experiment.run())
        print(f"room {seed}: {painted} pictures painted", flush=True)
        studies.append(done)
    rows, pulls = rows_of(studies)
    text = section(studies, rows, pulls)
    print(text)
    images = (asked.update.parent if asked.update else asked.out) / "images"
    images.mkdir(parents=True, exist_ok=True)
    Image.fromarray(chart(rows, pulls)).save(images / "grey-chart.png", optimize=True)
    write_jpeg(images / "grey.jpg", sheet(studies))
    figures = {
        "threads": torch.get_num_threads(),
        "pulls": {name: dataclasses.asdict(pull) for name, pull in pulls.items()},
        "ways": {row.name: dataclasses.asdict(row.effect) for row in rows},
    }
    (asked.out / "grey.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    if asked.update:
        update(asked.update, text)
    return text


if __name__ == "__main__":
    main()
