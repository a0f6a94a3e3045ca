"""Painting all trials of an experiment into a folder, and measuring the pictures.

A picture is a file as soon as it is painted; the same experiment in the same folder goes on where
it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError, OutputError
from ..job import Job, check
from ..jsontext import parsed
from ..models import Model
from ..output import writing
from ..paint import paint
from ..pictures.colour import oklab
from ..pictures.images import read_image, to_array, write_image
from ..timing import retimed
from .scene import cut
from .trials import Subject, Trial

LEAST_SEEDS = 3


class Measured(NamedTuple):
    """What all pictures of one trial are like; one row a seed.

    Attributes:
        colour: ``(S, 3)``, mean OKLab over the opening.
        chroma: ``(S,)``, mean distance from grey over the pixels, 0 to about 0.3.
        contrast: ``(S,)``, standard deviation of the lightness.
    """

    colour: np.ndarray
    chroma: np.ndarray
    contrast: np.ndarray


def measure(pictures: Sequence[np.ndarray]) -> Measured:
    """Of pictures ``(H, W, 3)`` uint8 of one trial, one a seed."""
    labs = [oklab(picture) for picture in pictures]
    return Measured(
        np.array([lab.mean((0, 1)) for lab in labs], np.float64),
        np.array([np.hypot(lab[..., 1], lab[..., 2]).mean() for lab in labs], np.float64),
        np.array([lab[..., 0].std() for lab in labs], np.float64),
    )


class Experiment:
    """One experiment and its folder. Opening it checks all jobs; nothing is written until `run`."""

    def __init__(
        self,
        model: Model,
        subject: Subject,
        trials: Sequence[Trial],
        seeds: Sequence[int],
        folder: Path,
        about: dict[str, object],
    ) -> None:
        """``about`` is what the pictures depend on besides model, trials and seeds, as JSON.

        Raises:
            InputError, PromptError: Too few seeds, or a job that cannot be painted.
            OutputError: The folder holds another experiment.
        """
        if len(seeds) < LEAST_SEEDS:
            raise InputError(
                f"-n {len(seeds)}: chance cannot be told from cause with so few pictures of each "
                f"kind: give at least {LEAST_SEEDS}"
            )
        self.model, self.subject, self.seeds, self.folder = model, subject, list(seeds), folder
        self.trials = list(trials)
        self.models = {trial.timing: retimed(model, trial.timing) for trial in trials}
        for trial in self.trials:
            check(self.models[trial.timing], self.job(trial, self.seeds[0]))
        self.about: dict[str, object] = json.loads(json.dumps({"model": model.hash} | about))
        self._claimed = self._is_claimed()

    def job(self, trial: Trial, seed: int) -> Job:
        return self.subject.job(trial, seed)

    def path(self, trial: Trial, seed: int) -> Path:
        """Where a trial's picture is kept: all of the canvas."""
        return self.folder / "pictures" / f"{trial.name}-seed{seed}.png"

    @property
    def missing(self) -> list[tuple[Trial, int]]:
        """The pictures that are not painted yet."""
        return [
            (trial, seed)
            for trial in self.trials
            for seed in self.seeds
            if not self.path(trial, seed).exists()
        ]

    @property
    def pictures(self) -> int:
        return len(self.trials) * len(self.seeds)

    def run(
        self, *, batch_size: int = 16, most: int | None = None, on_step: Callable[[int], None]
    ) -> int:
        """Paints what is missing, at most ``most`` pictures; says how many.

        Args:
            on_step: As of `paint`.
        """
        self._claim()
        todo = self.missing[:most]
        for timing, model in self.models.items():
            own = [(trial, seed) for trial, seed in todo if trial.timing == timing]
            jobs = [self.job(trial, seed) for trial, seed in own]
            for index, image in paint(model, jobs, batch_size=batch_size, on_step=on_step):
                write_image(self.path(*own[index]), to_array(image))
        return len(todo)

    def painted(self, trial: Trial) -> list[np.ndarray]:
        """The openings of a trial's pictures, upright, one a seed."""
        scene = self.subject.scene(trial.room)
        return [cut(scene, read_image(self.path(trial, seed))) for seed in self.seeds]

    def measured(self) -> dict[Trial, Measured]:
        """All trials, once all is painted."""
        return {trial: measure(self.painted(trial)) for trial in self.trials}

    def _is_claimed(self) -> bool:
        note = self.folder / "experiment.json"
        if not note.exists():
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise OutputError(
                    f"{self.folder} holds other files and no experiment: choose another -o"
                )
            return False
        try:
            found = parsed(note.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{note} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise OutputError(f"{note} is not the note of an experiment: choose another -o")
        keys = sorted({*found, *self.about})
        other = [key for key in keys if found.get(key) != self.about.get(key)]
        if other:
            raise OutputError(
                f"{self.folder} holds another experiment (another {', '.join(other)}): choose "
                "another -o, or delete it"
            )
        return True

    def _claim(self) -> None:
        if self._claimed:
            return
        note = self.folder / "experiment.json"
        with writing(note):
            self.folder.mkdir(parents=True, exist_ok=True)
            part = note.with_suffix(".part")
            part.write_text(json.dumps(self.about, indent=1) + "\n", "utf-8")
            part.replace(note)
        self._claimed = True
