"""Whether things with outlines alike make better hybrids: ten animals, each with the animal that
`digress ensemble --suggest` puts first among many, and with the one that it puts last.

    python -m benchmarks.hybrids --out out/hybrids --update docs/ensembling.md

Of each pair eight pictures are painted, and the one with the best balance is kept: what a user gets
by ``-n 8 --best 1``. Then a pair that does not go together is painted in several ways. A finished
row is saved; the same command goes on after a stop.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.machine import cpu_name, dtype_name, versions
from benchmarks.page import update, write_jpeg
from digressions.ensembles.balance import balances
from digressions.ensembles.ensemble_spec import SuggestSpec
from digressions.ensembles.suggestions import ranked
from digressions.events import completed
from digressions.files import write_json
from digressions.generate.job import Job
from digressions.generate.paint import painter_of
from digressions.generate.params import GenerationParams
from digressions.generate.start import Inputs, start_job
from digressions.geometry import Size
from digressions.images.contact_sheet import comparison_sheet, contact_sheet
from digressions.images.image_files import read_image, to_array, write_image
from digressions.images.masks import read_region
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.prompts.scheduling import CombineName

THINGS = (
    "giraffe",
    "frog",
    "turtle",
    "fox",
    "parrot",
    "panda",
    "penguin",
    "elephant",
    "snail",
    "owl",
)
OTHERS = (
    *("cat", "dog", "rabbit", "mouse", "bear", "koala", "tiger", "lion", "cow", "pig", "monkey"),
    *("deer", "horse", "zebra", "camel", "llama", "kangaroo", "hedgehog", "crocodile", "lizard"),
    *("snake", "fish", "shark", "whale", "dolphin", "octopus", "crab", "lobster", "butterfly"),
    *("honeybee", "rooster", "duck", "swan", "flamingo", "eagle", "bat", "wolf", "gorilla"),
)
HARD = ("giraffe", "frog")


class Way(NamedTuple):
    """One way of painting the hard pair: as in the table, its prompts and what else differs."""

    words: str
    prompt: str
    combine: CombineName = "mean"
    steps: int | None = None
    regions: tuple[str, ...] = ()


def photo(thing: str) -> str:
    """What a thing is called in prompts and by the judge."""
    return f"photo of a {thing}"


_A, _B = map(photo, HARD)
WAYS = (
    Way("mean", f"{_A} AND {_B}"),
    Way("mean, 24 steps", f"{_A} AND {_B}", steps=24),
    Way("sum", f"{_A} AND {_B}", "sum"),
    Way("superpose", f"{_A} AND {_B}", "superpose"),
    Way("giraffe 1.5", f"{_A} :1.5 AND {_B}"),
    Way("frog 1.5", f"{_A} AND {_B} :1.5"),
    Way("frog from 20 %", f"{_A} AND {_B} @0.2-1"),
    Way("sum, frog from 20 %", f"{_A} AND {_B} @0.2-1", "sum"),
    Way("giraffe, then frog", f"[{_A}:{_B}:0.3]"),
    Way("sum, frog on top", f"{_A} AND {_B}", "sum", regions=("all", "top")),
    Way("sum, frog below", f"{_A} AND {_B}", "sum", regions=("all", "bottom")),
)


class Study:
    """The folder that a study is kept in: a strip of pictures and their shares for each row."""

    def __init__(self, folder: Path, model: Model, seeds: int, trials: int) -> None:
        """Claims the folder.

        Raises:
            SystemExit: It holds another study.
        """
        self.folder, self.model, self.seeds, self.trials = folder, model, seeds, trials
        job = {"model": model.hash, "seeds": seeds, "trials": trials}
        stamp = folder / "study.json"
        folder.mkdir(parents=True, exist_ok=True)
        if stamp.exists() and json.loads(stamp.read_text("utf-8")) != job:
            raise SystemExit(f"{folder} holds another study: choose another --out, or delete it")
        stamp.write_text(json.dumps(job) + "\n", "utf-8")

    def row(self, name: str, pair: Sequence[str], way: Way) -> tuple[list[np.ndarray], list[Any]]:
        """Pictures of a pair and the shares of both in each, the best balance first."""
        strip, note = self.folder / f"{name}.png", self.folder / f"{name}.json"
        if not note.exists():
            images = painter_of(self.model)([self._job(way, seed) for seed in range(self.seeds)])
            found = balances(self.model, images, list(map(photo, pair)), trials=self.trials)
            shares = [list(each.explained) for each in found]
            order = sorted(range(self.seeds), key=lambda i: -min(shares[i]))
            write_image(strip, np.concatenate([to_array(images[i]) for i in order], axis=1))
            write_json(note, {"shares": [shares[i] for i in order], "seeds": order})
            print(f"{name}: {min(shares[order[0]]):.1%}", flush=True)
        pictures = np.split(read_image(strip), self.seeds, axis=1)
        return pictures, json.loads(note.read_text("utf-8"))["shares"]

    def _job(self, way: Way, seed: int) -> Job:
        usual, side = self.model.defaults.values(), self.model.size
        usual |= {} if way.steps is None else {"steps": way.steps}
        open_ = GenerationParams(prompt=way.prompt, combine=way.combine, seed=seed)
        params = open_.resolved(usual, size=Size(side, side))
        regions = [read_region(name) for name in way.regions] or None
        return start_job(params, Inputs(regions=regions, region_softness=0.1))


def best(shares: Sequence[Sequence[float]]) -> float:
    """The balance of the picture that is kept."""
    return max(min(each) for each in shares)


def pairs_of(model: Model) -> list[tuple[str, str, float, bool]]:
    """Each thing with the animal most like it and with that least like it: the two, how alike their
    outlines are, and whether it is the most."""
    found = []
    for thing in THINGS:
        among = [each for each in (*THINGS, *OTHERS) if each != thing]
        order = completed(ranked(model, SuggestSpec.of(thing=thing, among=among, n=len(among))))
        found += [(thing, order[0].thing, order[0].likeness, True)]
        found += [(thing, order[-1].thing, order[-1].likeness, False)]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Paints, judges, prints, and updates a page where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/hybrids"), help="folder to work in")
    parser.add_argument("--update", type=Path, help="page whose generated section to replace")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--trials", type=int, default=8, help="noise levels of the judge")
    asked = parser.parse_args(arguments)
    model = load("bundled", "cpu")
    study = Study(asked.out, model, asked.seeds, asked.trials)
    kept = asked.out / "pairs.json"
    if not kept.exists():
        write_json(kept, pairs_of(model))
    pairs = [tuple(pair) for pair in json.loads(kept.read_text("utf-8"))]
    shown: dict[bool, list[tuple[np.ndarray, str]]] = {True: [], False: []}
    figures: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for a, b, alike, most in pairs:
        way = Way("sum", f"{photo(a)} AND {photo(b)}", "sum")
        pictures, shares = study.row(f"{a}-{b}", (a, b), way)
        shown[most].append((pictures[0], f"{a} + {b} {alike:.0%}, {best(shares):.1%}"))
        figures[most].append((alike, best(shares)))
    rows = [study.row(f"hard-{number}", HARD, way) for number, way in enumerate(WAYS)]
    folder = (asked.update.parent if asked.update else asked.out) / "images"
    folder.mkdir(parents=True, exist_ok=True)
    both = [*shown[True], *shown[False]]
    sheet = contact_sheet(
        [each for each, _ in both], len(THINGS), labels=[text for _, text in both]
    )
    write_jpeg(folder / "hybrids.jpg", sheet)
    labels = [
        f"{way.words}: {best(shares):.1%}" for way, (_, shares) in zip(WAYS, rows, strict=True)
    ]
    four = [pictures[:4] for pictures, _ in rows]
    sheet = comparison_sheet(four, ["the best", "", "", ""], labels)
    write_jpeg(folder / "giraffe-frog.jpg", sheet)
    text = section(model, asked, figures, rows)
    print(text)
    if asked.update:
        update(asked.update, text, "hybrids")


def section(
    model: Model,
    asked: argparse.Namespace,
    figures: dict[bool, list[tuple[float, float]]],
    rows: Sequence[tuple[list[np.ndarray], list[Any]]],
) -> str:
    """The generated section in Markdown, without its marks."""
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    among = len(THINGS) + len(OTHERS) - 1
    lines = [
        f"The best of {asked.seeds} seeds, judged at {asked.trials} noise levels; model "
        f"{model.hash[:10]}, {dtype_name(model.dtype)} on {cpu_name()}, threads: "
        f"{torch.get_num_threads()}; {used}.",
        "",
        "| pairs | likeness of outlines | balance, mean | the least |",
        "| --- | ---: | ---: | ---: |",
    ]
    for most, words in ((True, f"the most alike of {among}"), (False, "the least alike")):
        alike, found = zip(*figures[most], strict=True)
        lines.append(
            f"| {words} | {statistics.mean(alike):.0%} | {statistics.mean(found):.1%} | "
            f"{min(found):.1%} |"
        )
    lines += ["", "![Ten pairs most alike, and ten least](images/hybrids.jpg)", ""]
    lines += ["| giraffe and frog | the best | mean of all seeds |", "| --- | ---: | ---: |"]
    for way, (_, shares) in zip(WAYS, rows, strict=True):
        mean = statistics.mean(min(each) for each in shares)
        lines.append(f"| {way.words} | {best(shares):.1%} | {mean:.1%} |")
    lines += ["", "![Giraffe and frog in several ways](images/giraffe-frog.jpg)", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
