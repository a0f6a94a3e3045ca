"""What every figure needs: the model that paints, the judge, and real drawings to set beside."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from captions import TEMPLATES, Scene, with_article
from compose import SIZE, compose
from judge import UNSEEN, Judge
from PIL import Image
from torch import Tensor

from digressions.generate.job import Job
from digressions.generate.paint import Painted, paint_jobs
from digressions.generate.params import ResolvedParams
from digressions.models.base import Model

Whose = Literal["unseen", "judge", "generator"]


def literal(text: str) -> str:
    """A name as a prompt that means just that: brackets and colons are syntax otherwise."""
    return re.sub(r"([\\()\[\]:|@])", r"\\\1", text)


def prompt(style: str, name: str) -> str:
    """``("ink", "owl")`` -> ``"ink drawing of an owl"``."""
    return TEMPLATES[style][0].format(with_article(literal(name)))


def is_plain(scene: Scene) -> bool:
    """Whether a scene shows what a prompt of a name alone means, on whatever ground."""
    return replace(scene, ground=None, mirrored=False) == Scene()


def plain_composites(drawings: Tensor, g: torch.Generator, side: int = SIZE) -> Tensor:
    """Composites (B, 3, side, side) of one thing by day, whole and in its own colours: what a
    prompt of a name alone means."""
    pictures, scenes = compose(drawings, g, side)
    while again := [
        i
        for i, scene in enumerate(scenes)
        if replace(scene, ground=None, mirrored=False) != Scene()
    ]:
        redone, changed = compose(drawings[again], g, side)
        pictures[again] = redone
        for i, scene in zip(again, changed, strict=True):
            scenes[i] = scene
    return pictures


@dataclass
class Bench:
    """Everything that the figures are measured with.

    Attributes:
        model: What is measured.
        judge: Says what a picture shows.
        drawings: (N, S, S, 4), uint8, of the concepts that the judge knows.
        records: What they are.
        out: Where sheets go.
        steps: Network passes of a picture; there is no guidance.
        pictures: How many a cell of the table is measured on, as a rule.
        per_concept: How many of each concept are painted.
        batch: Pictures painted at once.
        sampler: The package's: lcm for a consistency model.
    """

    model: Model
    judge: Judge
    drawings: Tensor
    records: list[dict]
    out: Path
    steps: int = 4
    pictures: int = 64
    per_concept: int = 4
    batch: int = 32
    sampler: str = "ddim"

    def __post_init__(self) -> None:
        self.place = {name: i for i, name in enumerate(self.judge.names)}
        self.known = {record["concept"]: record for record in reversed(self.records)}
        there = [c for c in self.place if c in self.known]  # a dataset may hold fewer things
        self.animals = [c for c in there if "animal" in self.known[c]["categories"]]

    def seed(self, offset: int) -> torch.Generator:
        """Where chance comes from; each figure has an offset of its own."""
        return torch.Generator().manual_seed(1000 + offset)

    def paint(
        self,
        prompts: Sequence[str],
        first_seed: int = 0,
        starts: Tensor | None = None,
        strength: float = 1.0,
        masks: Tensor | None = None,
    ) -> Tensor:
        """A picture (3, H, W) a prompt; with a start picture `steps` of a longer grid are run."""
        side = self.model.size
        jobs = [
            Job(
                ResolvedParams(
                    prompt=text,
                    seed=first_seed + i,
                    size=side,
                    steps=math.ceil(self.steps / strength),
                    guidance=1.0,
                    sampler=self.sampler,
                    strength=strength,
                ),
                image=None if starts is None else starts[i],
                mask=None if masks is None else masks[i],
            )
            for i, text in enumerate(prompts)
        ]
        found = paint_jobs(self.model, jobs, batch_size=self.batch)
        painted = {each.job: each.image for each in found if isinstance(each, Painted)}
        return torch.stack([painted[i] for i in range(len(jobs))])

    def wanted(self, concepts: Sequence[str]) -> Tensor:
        """The judge's numbers of concepts."""
        return torch.tensor([self.place[concept] for concept in concepts])

    def some_concepts(self, n: int, g: torch.Generator, animals: bool = False) -> list[str]:
        """`n` concepts drawn at random, each as often as any other."""
        choice = self.animals if animals else list(self.place)
        return [choice[i] for i in torch.randint(0, len(choice), (n,), generator=g).tolist()]

    def name(self, concept: str) -> str:
        """What captions call a concept most often."""
        return self.known[concept]["names"][0]

    def real(self, whose: Whose, limit: int, g: torch.Generator) -> tuple[Tensor, list[dict]]:
        """At most `limit` real drawings composited, with their records.

        Of the artist `unseen` by the judge, of those that the `judge` learnt from, or of those
        that the `generator` did.
        """
        belongs = {
            "unseen": lambda record: record["art"] == UNSEEN,
            "judge": lambda record: record["art"] != UNSEEN,
            "generator": lambda record: not record["held_out"],
        }[whose]
        fits = [i for i, record in enumerate(self.records) if belongs(record)]
        chosen = [fits[i] for i in torch.randperm(len(fits), generator=g)[:limit].tolist()]
        pictures = self.composites(self.drawings[chosen], g)
        return pictures, [self.records[i] for i in chosen]

    def composites(self, drawings: Tensor, g: torch.Generator) -> Tensor:
        """Plain composites at the size that the model paints."""
        return plain_composites(drawings, g, self.model.size)

    def through_autoencoder(self, pictures: Tensor) -> Tensor:
        """What the autoencoder alone makes of pictures: the most that the denoiser can reach."""
        parts = pictures.split(self.batch)
        return torch.cat([self.model.decode(self.model.encode(part)).cpu() for part in parts])

    def sheet(self, name: str, pictures: Tensor, columns: int = 16, limit: int = 128) -> None:
        """Write the first pictures side by side, to be looked at."""
        pictures = pictures[:limit]
        height, width = pictures.shape[-2:]
        rows = math.ceil(len(pictures) / columns)
        sheet = torch.ones(3, rows * height, columns * width)
        for i, picture in enumerate(pictures):
            y, x = i // columns * height, i % columns * width
            sheet[:, y : y + height, x : x + width] = picture
        pixels = (sheet.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        Image.fromarray(pixels).save(self.out / f"{name}.png")
