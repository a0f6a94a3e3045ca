"""Frames from 1:3 to 3:1 with one thing in each: how wide and tall pictures are composed.

    python -m benchmarks.compose --out out/compose --sheet docs/images/compose.jpg

Draws a wall with one opening of each aspect, lets ``digress frame`` paint into it as it does by
default, and puts the walls on a sheet; ``--compose stretch`` shows what a model makes of the same
openings when it paints all of each at once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks.page import write_jpeg
from digressions.events import completed
from digressions.frames.filling import fill_frames
from digressions.frames.frame_spec import FrameSpec
from digressions.images import ComposeName
from digressions.images.contact_sheet import contact_sheet
from digressions.images.image_files import read_image, resample
from digressions.models.base import Model
from digressions.models.loading import load

ASPECTS = (0.333, 0.4, 0.45, 0.5, 0.563, 0.6, 0.667, 0.707, 0.75, 0.8)
"""Upright ones; the other ten are as wide as these are tall."""
PROMPTS = (
    "photo of a giraffe",
    "drawing of a fox",
    "photo of an owl",
    "painting of a sunflower",
    "cartoon of a cat",
    "photo of a turtle",
    "drawing of a frog",
    "photo of a tiger",
    "painting of a fish",
    "photo of a house",
)
_LONG, _WALL, _MOULDING = 300, 40, 10  # pixels: an opening's longer side, what is around it
_SHOWN = 180  # pixels of a wall on the sheet
_PAPER, _WOOD, _PAINT = (226, 225, 220), (70, 50, 38), (186, 190, 196)


def openings() -> list[float]:
    """Twenty aspects, width / height, from 1:3 to 3:1."""
    return [*ASPECTS, *(1 / aspect for aspect in reversed(ASPECTS))]


def wall(aspect: float) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """A wall with an empty frame, ``(H, W, 3)`` uint8, and the corners of its opening."""
    width = round(_LONG * min(1.0, aspect))
    height = round(_LONG * min(1.0, 1 / aspect))
    around = _WALL + _MOULDING
    photo = np.full((height + 2 * around, width + 2 * around, 3), _PAINT, np.uint8)
    photo[_WALL:-_WALL, _WALL:-_WALL] = _WOOD
    photo[around:-around, around:-around] = _PAPER
    left, right = around - 0.5, around + width - 0.5
    top, bottom = around - 0.5, around + height - 0.5
    return photo, [(left, top), (right, top), (right, bottom), (left, bottom)]


def filled(model: Model, number: int, compose: ComposeName, folder: Path) -> np.ndarray:
    """One of the walls with a picture in its frame, ``(H, W, 3)`` uint8; painted once."""
    target = folder / f"{number:02}-{compose}"
    if not (target / "room.png").exists():
        photo, corners = wall(openings()[number])
        prompt, seed = PROMPTS[number % len(PROMPTS)], 1 + number
        spec = FrameSpec.of(prompts=[prompt], corners=corners, seed=seed, compose=compose)
        completed(fill_frames(model, photo, spec, target))
    return read_image(target / "room.png")


def on_square(picture: np.ndarray) -> np.ndarray:
    """A picture in the middle of a white square of `_SHOWN` pixels."""
    scale = _SHOWN / max(picture.shape[:2])
    high, wide = (max(1, round(side * scale)) for side in picture.shape[:2])
    square = np.full((_SHOWN, _SHOWN, 3), 255, np.uint8)
    top, left = (_SHOWN - high) // 2, (_SHOWN - wide) // 2
    square[top : top + high, left : left + wide] = resample(picture, wide, high)
    return square


def main(arguments: Sequence[str] | None = None) -> None:
    """Paints what is missing, and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the pictures")
    parser.add_argument(
        "--sheet", type=Path, help="where to write the sheet; in --out if not given"
    )
    parser.add_argument("--compose", choices=get_args(ComposeName), default="auto")
    asked = parser.parse_args(arguments)
    model = load("bundled", "cpu", "float32")
    walls = []
    for number, aspect in enumerate(openings()):
        walls.append(on_square(filled(model, number, asked.compose, asked.out)))
        print(json.dumps({"opening": number, "aspect": round(aspect, 3)}), flush=True)
    labels = [f"{aspect:.2f}" for aspect in openings()]
    sheet = asked.sheet or asked.out / f"{asked.compose}.jpg"
    write_jpeg(sheet, contact_sheet(walls, columns=5, labels=labels))
    print(sheet)


if __name__ == "__main__":
    main()
