"""Repainting in windows with a model of few pixels, as it was and as it would be, beside enlarging.

python -m benchmarks.refine --sheet docs/images/refine.jpg --wide docs/images/refine-wide.jpg
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.page import write_jpeg
from digressions.events import completed
from digressions.generate.params import GenerationParams, ResolvedParams
from digressions.generate.resolving import resolve
from digressions.generate.windows import (
    REPAINTED,
    painted_alone,
    repainted,
    strength_for,
    window_job,
)
from digressions.geometry import Size
from digressions.images import DEFAULT_UPSCALER
from digressions.images.composing import composed
from digressions.images.contact_sheet import contact_sheet
from digressions.images.upscale import enlarge, load_upscaler
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.prompts.unnamed import without_thing

PROMPTS = ("drawing of a fox", "photo of a turtle")
SCALE = 2  # times the model's side
WIDE = 2.5  # width / height of wide pictures
SEED = 1


def columns(model: Model) -> list[tuple[str, str, float]]:
    """What is compared: a label, the prompt of the windows (``{}`` for the picture's), strength."""
    large = Size(SCALE * model.size, SCALE * model.size)
    less = strength_for(model.size, large)
    return [
        (f"before: {REPAINTED:g}, its prompt", "{}", REPAINTED),
        (f"strength {less:g}, its prompt", "{}", less),
        (f"strength {less:g}, no prompt", "", less),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Paints, repaints and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", type=Path, help="where to write pictures twice as large")
    parser.add_argument("--wide", type=Path, help="where to write wide ones")
    asked = parser.parse_args(arguments)
    model = load("bundled", "cpu", "float32")
    for path, made in ((asked.sheet, larger), (asked.wide, wide)):
        if path is not None:
            write_jpeg(path, made(model))
            print(path)


def painted_small(model: Model, prompt: str) -> tuple[ResolvedParams, np.ndarray]:
    """A picture at the model's own size, ``(S, S, 3)`` uint8, and what it was painted with."""
    params = resolve(model, GenerationParams(prompt=prompt, seed=SEED))
    blank = np.zeros((model.size, model.size, 3), np.uint8)
    job, _ = window_job(model, blank, params.but(strength=1.0))
    return params, completed(painted_alone(model, job))


def wide(model: Model) -> np.ndarray:
    """Wide pictures, composed on their ground and repainted at the size that they have: the prompt
    in every window, and only where a window shows the thing; ``(H, W, 3)`` uint8."""
    upscaler = load_upscaler("lanczos")
    size = Size(round(WIDE * model.size), model.size)
    usual = strength_for(model.size, size)
    pictures: list[np.ndarray] = []
    labels: list[str] = []
    for prompt in PROMPTS:
        params, square = painted_small(model, prompt)
        small = composed(square, WIDE, "extend").pixels
        pictures.append(small)
        labels.append("its ground carried on")
        ways: tuple[tuple[str, float, str | None], ...] = (
            (f"before: {REPAINTED:g}, its prompt everywhere", REPAINTED, None),
            (f"{REPAINTED:g}, where it shows", REPAINTED, without_thing(prompt, prompt)),
            (f"now: {usual:g}, where it shows", usual, without_thing(prompt, prompt)),
        )
        for label, strength, elsewhere in ways:
            again = params.but(strength=strength, size=size)
            work = repainted(model, small, again, upscaler, elsewhere=elsewhere)
            pictures.append(completed(work))
            labels.append(label)
    return contact_sheet(pictures, columns=4, labels=labels)


def larger(model: Model) -> np.ndarray:
    """Pictures at twice the model's side, ``(H, W, 3)`` uint8."""
    upscaler = load_upscaler(DEFAULT_UPSCALER)
    side = SCALE * model.size
    pictures: list[np.ndarray] = []
    labels: list[str] = []
    for prompt in PROMPTS:
        params, small = painted_small(model, prompt)
        pictures.append(enlarge(small, side, side, upscaler))
        labels.append("enlarged alone, as now")
        for label, own, strength in columns(model):
            again = params.but(prompt=own.format(prompt), strength=strength, size=Size(side, side))
            pictures.append(completed(repainted(model, small, again, upscaler)))
            labels.append(label)
    return contact_sheet(pictures, columns=1 + len(columns(model)), labels=labels)


if __name__ == "__main__":
    main()
