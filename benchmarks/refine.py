"""Repainting in windows with a model of few pixels, as it was and as it would be, beside enlarging.

python -m benchmarks.refine --sheet docs/images/refine.jpg
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from digressions.events import completed
from digressions.generate.params import GenerationParams
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
from digressions.images.contact_sheet import contact_sheet
from digressions.images.image_files import write_image
from digressions.images.upscale import enlarge, load_upscaler
from digressions.models.base import Model
from digressions.models.loading import load

PROMPTS = ("drawing of a fox", "photo of a turtle")
SCALE = 2  # times the model's side
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
    parser.add_argument("--sheet", type=Path, required=True, help="where to write the sheet")
    asked = parser.parse_args(arguments)
    model, upscaler = load("bundled", "cpu", "float32"), load_upscaler(DEFAULT_UPSCALER)
    side = SCALE * model.size
    pictures: list[np.ndarray] = []
    labels: list[str] = []
    for prompt in PROMPTS:
        params = resolve(model, GenerationParams(prompt=prompt, seed=SEED))
        blank = np.zeros((model.size, model.size, 3), np.uint8)
        job, _ = window_job(model, blank, params.but(strength=1.0))
        small = completed(painted_alone(model, job))
        pictures.append(enlarge(small, side, side, upscaler))
        labels.append("enlarged alone, as now")
        for label, own, strength in columns(model):
            again = params.but(prompt=own.format(prompt), strength=strength, size=Size(side, side))
            pictures.append(completed(repainted(model, small, again, upscaler)))
            labels.append(label)
    sheet = contact_sheet(pictures, columns=1 + len(columns(model)), labels=labels)
    print(write_image(asked.sheet, sheet))


if __name__ == "__main__":
    main()
