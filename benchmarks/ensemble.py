"""Every way of combining two prompts, tried on pairs of animals and judged by the model itself.

    python -m benchmarks.ensemble --out out/ensemble --update docs/ensembling.md

Each pair is painted in every way with the same seeds; then the model is asked, as a classifier,
how much of each animal is in each picture, and where. A finished strip of pictures is saved with
its figures; the same command goes on after a stop.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.machine import cpu_name, dtype_name, machine, versions
from benchmarks.page import update, write_jpeg
from digressions.ensembles.balance import balances
from digressions.ensembles.comparison import mixture
from digressions.files import write_json
from digressions.generate.job import Job
from digressions.generate.paint import painter_of
from digressions.generate.params import ResolvedParams
from digressions.images.contact_sheet import comparison_sheet
from digressions.images.image_files import read_image, to_array, to_tensor, write_image
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.prompts.scheduling import COMBINE_HELP, CombineName, network_rows
from digressions.prompts.templates import both_ways, combine_prompts

PAIRS = (
    ("giraffe", "frog"),
    ("turtle", "fox"),
    ("tiger", "parrot"),
    ("panda", "flamingo"),
    ("zebra", "fish"),
    ("lion", "butterfly"),
    ("rabbit", "crocodile"),
    ("penguin", "snail"),
    ("horse", "shark"),
    ("cat", "rooster"),
    ("dog", "duck"),
    ("cow", "crab"),
    ("pig", "dolphin"),
    ("koala", "lobster"),
    ("bear", "swan"),
    ("monkey", "whale"),
    ("mouse", "lizard"),
    ("wolf", "spider"),
    ("camel", "snake"),
    ("deer", "gorilla"),
)
BYSTANDERS = 2  # animals that are in none of a pair's prompts, to see what chance gives
LOOKS_LIKE = "photo of a {A} that looks like a {B}"


class Way(NamedTuple):
    """One way of asking for two animals.

    Attributes:
        name: As its files are called.
        words: In the table.
        prompt: From the two animals to a prompt.
        combine: A way of combining.
    """

    name: str
    words: str
    prompt: Callable[[str, str], str]
    combine: CombineName


def photo(animal: str) -> str:
    """What an animal is called in prompts and by the judge."""
    return f"photo of a {animal}"


def _pair(a: str, b: str) -> str:
    return str(combine_prompts([photo(a), photo(b)]))


def _both_ways(a: str, b: str) -> str:
    return str(combine_prompts(both_ways(LOOKS_LIKE, (a, b))))


WAYS = (
    Way("alone", "the first prompt alone", lambda a, b: photo(a), "mean"),
    Way("pair", "one prompt: a photo of A and B", lambda a, b: f"{photo(a)} and a {b}", "mean"),
    Way("mixture", "one prompt: a mixture", lambda a, b: mixture([photo(a), photo(b)]), "mean"),
    Way("looks", "one prompt: A that looks like B", lambda a, b: both_ways(LOOKS_LIKE, (a, b))[0],
        "mean"),
    Way("both-ways", "A like B AND B like A: mean (the original)", _both_ways, "mean"),
    *(Way(name, f"A AND B: {name}", _pair, name) for name in COMBINE_HELP),
)  # fmt: skip


class Found(NamedTuple):
    """What the judge says of one picture.

    Attributes:
        shares: How much of each animal is in it; see `balances`.
        bystander: The largest share of an animal that nobody asked for.
        overlap: 1 where both animals are in the same places, 0 where they stand apart.
    """

    shares: tuple[float, float]
    bystander: float
    overlap: float

    @property
    def both(self) -> bool:
        """Whether both animals are in it: each explains more than any bystander, and something."""
        return min(self.shares) > max(self.bystander, 0)


def overlap(where: Tensor) -> float:
    """How much of the weaker animal is where the other is too: 0..1; 0 where one is absent.

    Args:
        where: ``(2, h, w)``, what each explains by place.
    """
    positive = where.clamp(min=0)
    least = float(positive.sum((1, 2)).min())
    return float(positive.amin(0).sum()) / least if least > 0 else 0.0


def judge(model: Model, images: Tensor, index: int, pairs: Sequence, trials: int) -> list[Found]:
    """What is in pictures ``(B, 3, H, W)`` of a pair; other pairs lend the bystanders."""
    others = [animal for pair in pairs for animal in pair if animal not in pairs[index]]
    step = max(1, len(others) // BYSTANDERS)
    strangers = [others[(2 * index + i * step) % len(others)] for i in range(BYSTANDERS)]
    prompts = [photo(animal) for animal in (*pairs[index], *strangers)]
    found = []
    for balance in balances(model, images, prompts, trials=trials):
        a, b, *rest = balance.explained
        found.append(Found((a, b), max(rest), overlap(balance.where[:2])))
    return found


class Study:
    """The folder that a study is kept in: a strip of pictures and a note for each pair and way."""

    def __init__(self, folder: Path, model: Model, job: dict[str, Any]) -> None:
        """Claims the folder.

        Raises:
            SystemExit: It holds another study.
        """
        self.folder, self.model, self.job = folder, model, json.loads(json.dumps(job))
        stamp = folder / "study.json"
        folder.mkdir(parents=True, exist_ok=True)
        if stamp.exists() and json.loads(stamp.read_text("utf-8")) != self.job:
            raise SystemExit(f"{folder} holds another study: choose another --out, or delete it")
        stamp.write_text(json.dumps(self.job, indent=1) + "\n", "utf-8")

    def strip(self, pair: Sequence[str], way: Way) -> Path:
        """The file of the pictures of a pair, side by side."""
        return self.folder / f"{'-'.join(pair)}-{way.name}.png"

    def pictures(self, pair: Sequence[str], way: Way) -> list[np.ndarray]:
        """A finished strip, cut."""
        strip = read_image(self.strip(pair, way))
        return np.split(strip, self.job["seeds"], axis=1)

    def note(self, pair: Sequence[str], way: Way) -> dict[str, Any]:
        """What is known of a finished strip."""
        found: dict[str, Any] = json.loads(self.strip(pair, way).with_suffix(".json").read_text())
        return found

    def paint(self, pair: Sequence[str], way: Way) -> None:
        """Paints and judges a strip unless it is there."""
        note = self.strip(pair, way).with_suffix(".json")  # written last: with it, it is done
        if note.exists():
            return
        model, usual = self.model, self.model.defaults.values()
        params = ResolvedParams(
            prompt=way.prompt(*pair), seed=0, size=model.size, combine=way.combine, **usual
        )
        jobs = [Job(params.but(seed=seed)) for seed in range(self.job["seeds"])]
        begun = time.perf_counter()
        images = painter_of(model)(jobs)
        seconds = (time.perf_counter() - begun) / len(jobs)
        strip = np.concatenate([to_array(image) for image in images], axis=1)
        write_image(self.strip(pair, way), strip)
        # Judged as they are kept: rounded to 8 bits.
        kept = torch.stack([to_tensor(picture) for picture in self.pictures(pair, way)])
        pairs = self.job["pairs"]
        found = judge(model, kept, pairs.index(list(pair)), pairs, self.job["trials"])
        told = {
            "prompt": params.prompt,
            "seconds": seconds,
            "rows": network_rows(jobs[0].sub_prompts, way.combine),
            "pictures": [each._asdict() | {"both": each.both} for each in found],
        }
        write_json(note, told)
        print(f"{' and '.join(pair)}, {way.name}: {seconds:.2f} s a picture", flush=True)

    def figures(self, way: Way) -> dict[str, Any]:
        """A way's figures over all pairs and seeds."""
        notes = [self.note(pair, way) for pair in self.job["pairs"]]
        pictures = [picture for note in notes for picture in note["pictures"]]
        return {
            "name": way.name,
            "words": way.words,
            "balance": statistics.mean(min(p["shares"]) for p in pictures),
            "stronger": statistics.mean(max(p["shares"]) for p in pictures),
            "both": statistics.mean(p["both"] for p in pictures),
            "overlap": statistics.mean(p["overlap"] for p in pictures),
            "rows": statistics.mean(note["rows"] for note in notes),
            "seconds": statistics.median(note["seconds"] for note in notes),
        }


def table(figures: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, one row a way."""
    lines = [
        "| way | balance | stronger | both | overlap | rows | s a picture |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in figures:
        values = (
            f"{row['balance']:.1%}",
            f"{row['stronger']:.1%}",
            f"{row['both']:.0%}",
            f"{row['overlap']:.2f}",
            f"{row['rows']:.0f}",
            f"{row['seconds']:.2f}",
        )
        lines.append(f"| {row['words']} | {' | '.join(values)} |")
    return "\n".join(lines)


def write_sheet(study: Study, folder: Path, most: int = 6) -> str:
    """A sheet of the first pairs, seed 0, in every way; gives its file's name."""
    pairs = study.job["pairs"][:most]
    shown = [[study.pictures(pair, way)[0] for way in WAYS] for pair in pairs]
    sheet = comparison_sheet(shown, [way.words for way in WAYS], [" + ".join(p) for p in pairs])
    folder.mkdir(parents=True, exist_ok=True)
    name = "ensemble-ways.jpg"
    write_jpeg(folder / name, sheet)
    return name


def section(study: Study, figures: Sequence[dict[str, Any]], image: str) -> str:
    """The generated section in Markdown, without its marks."""
    job, usual = study.job, study.model.defaults
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    facts = (
        f"{len(job['pairs'])} pairs of animals, {job['seeds']} seeds each, model "
        f"{job['model'][:10]} at {study.model.size} px, {usual.steps} steps, guidance "
        f"{usual.guidance:g}, sampler {usual.sampler}; judged at {job['trials']} "
        f"noise levels beside {BYSTANDERS} bystanders; {job['dtype']} on "
        f"{job['device']}, threads: {job['threads']}; {used}."
    )
    picture = f"![Every way, for the first pairs](images/{image})"
    return "\n\n".join((facts, table(figures), picture)) + "\n"


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Paints, judges, prints, and updates a page where asked; returns what is written as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/ensemble"), help="folder to work in")
    parser.add_argument("--update", type=Path, help="page whose generated section to replace")
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="the first so many")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--trials", type=int, default=8, help="noise levels of the judge")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args(arguments)
    if min(asked.seeds, asked.trials) < 1 or not 2 <= asked.pairs <= len(PAIRS):
        parser.error(f"--seeds and --trials must be at least 1, --pairs 2 to {len(PAIRS)}")
    model = load(asked.model, asked.device)
    pairs = PAIRS[: asked.pairs]
    on_gpu = model.device.type == "cuda"
    job = {
        "model": model.hash,
        "dtype": dtype_name(model.dtype),
        "device": torch.cuda.get_device_name(model.device) if on_gpu else cpu_name(),
        "threads": torch.get_num_threads(),
        "pairs": [list(pair) for pair in pairs],
        "seeds": asked.seeds,
        "trials": asked.trials,
    }
    study = Study(asked.out, model, job)
    for pair in pairs:
        for way in WAYS:
            study.paint(pair, way)
    figures = [study.figures(way) for way in WAYS]
    folder = (asked.update.parent if asked.update else asked.out) / "images"
    text = section(study, figures, write_sheet(study, folder))
    report = {"machine": machine(), "job": study.job, "ways": figures}
    (asked.out / "ensemble.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(text)
    if asked.update:
        update(asked.update, text)
    return report


if __name__ == "__main__":
    main()
