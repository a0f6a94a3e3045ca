"""Painting all trials of an experiment into a folder, and measuring the pictures.

A picture is a file as soon as it is painted; the same experiment in the same folder goes on where
it was.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import OutputError, errors_about, verbatim
from ..events import Preview, Progress
from ..files import cleared, parsed, write_json
from ..generate.job import Job, check
from ..generate.paint import Painted, paint_jobs
from ..images.colour import oklab
from ..images.image_files import read_image, to_array, write_image
from ..images.xmp import SourceType, marked
from ..interrupts import interrupts_held
from ..models.base import Model
from .frame_spec import check_enough
from .trials import Subject, Trial

RESULTS = ("explain.txt", "explain.png", "ways.png", "explain.json")
BATCH = 16  # pictures painted at once
_PARTS = ("pictures", *RESULTS)  # of the folder, beside the note that claims it
_MEND = "choose another `output`, or give `overwrite`"


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
        *,
        overwrite: bool = False,
    ) -> None:
        """``about`` is what the pictures depend on besides model, trials and seeds, as JSON;
        ``overwrite`` says whether what another experiment has left in the folder may go.

        Raises:
            InputError, PromptError: Too few seeds, or a job that cannot be painted.
            OutputError: The folder holds another experiment.
        """
        check_enough(len(seeds))
        self.model, self.subject, self.seeds, self.folder = model, subject, list(seeds), folder
        self.trials = list(trials)
        jobs = [self.job(trial, self.seeds[0]) for trial in self.trials]
        for job in jobs:
            with errors_about("prompts"):
                check(model, job)
        prompts = [text for job in jobs for text in (job.params.prompt, job.params.negative)]
        self.about: dict[str, object] = json.loads(json.dumps(model.identity(*prompts) | about))
        self._overwrite = overwrite
        self._claimed = self._is_claimed(overwrite)

    def job(self, trial: Trial, seed: int) -> Job:
        """The job of one picture."""
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
            if not (self._claimed and self.path(trial, seed).exists())
        ]

    @property
    def pictures(self) -> int:
        """How many there are in all."""
        return len(self.trials) * len(self.seeds)

    def run(
        self, *, batch_size: int = BATCH, most: int | None = None
    ) -> Generator[Progress | Preview, None, int]:
        """Paints what is missing, at most ``most`` pictures.

        Yields:
            Progress in steps, and each picture when its batch is done.

        Returns:
            How many pictures were painted.
        """
        if not self._claimed:
            if self._overwrite:
                cleared(self.folder, _PARTS)
            write_json(self.folder / "experiment.json", self.about)
            self._claimed = True
        todo = self.missing[:most]
        jobs = [self.job(trial, seed) for trial, seed in todo]
        painting = paint_jobs(self.model, jobs, batch_size=batch_size, finishing=interrupts_held)
        for event in painting:
            if isinstance(event, Painted):
                path, picture = self.path(*todo[event.job]), to_array(event.image)
                write_image(path, picture, marked({}, SourceType.COMPOSITE))
                yield Preview(picture, path.stem)
            else:
                yield event
        return len(todo)

    def painted(self, trial: Trial) -> list[np.ndarray]:
        """The openings of a trial's pictures, upright, one a seed."""
        scene = self.subject.scene(trial.room)
        return [scene.cut(read_image(self.path(trial, seed))).pixels for seed in self.seeds]

    def measured(self) -> dict[Trial, Measured]:
        """All trials, once all is painted."""
        return {trial: measure(self.painted(trial)) for trial in self.trials}

    def _is_claimed(self, overwrite: bool) -> bool:
        """Whether the folder holds this experiment already."""
        try:
            return self._holds_this()
        except OutputError:
            if overwrite:
                return False
            raise

    def _holds_this(self) -> bool:
        note = self.folder / "experiment.json"
        if not note.exists():
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise OutputError(
                    f"{verbatim(self.folder)} holds other files and no experiment: {_MEND}"
                )
            return False
        try:
            found = parsed(note.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{verbatim(note)} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise OutputError(f"{verbatim(note)} is not the note of an experiment: {_MEND}")
        keys = sorted({*found, *self.about})
        other = [key for key in keys if found.get(key) != self.about.get(key)]
        if other:
            raise OutputError(
                f"{verbatim(self.folder)} holds another experiment (another {', '.join(other)}): "
                f"{_MEND}"
            )
        return True
