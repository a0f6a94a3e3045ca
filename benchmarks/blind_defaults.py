"""Twelve jobs with the defaults of before and of now; only a key tells which is which.

    python -m benchmarks.blind_defaults --out out/blind

Mosaics of four pictures, four prompts, two frames and two films, at small grids. Of each there is a
sheet ``01.png``, ... with A and B; which of them is now is in ``key.json``, which whoever compares
them opens last. Old defaults are options that switch the new ones off.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import digressions as dg
from benchmarks.compose import wall
from benchmarks.lived_in import lived_in
from benchmarks.lived_in_photo import lived_in_photo
from benchmarks.render import photograph
from benchmarks.rooms import room
from digressions.images.contact_sheet import contact_sheet
from digressions.images.image_files import read_image, resample, write_image
from digressions.models.base import Model

SEED = 5  # of the order
_SIDE = 640  # pixels of a picture on a sheet
_FRAMES = 6  # of a film that are shown
_OLD_CELLS: dict[str, Any] = {"mirror": 0.0, "jitter": 0.0, "adapt": 0.0, "tone": "off"}
_PROMPTS = ("photo of a turtle", "drawing of a fox", "photo of an owl", "painting of a sunflower")


class Blind(NamedTuple):
    """One job.

    Attributes:
        what: Said on its sheet.
        make: Makes it in a folder, with the defaults of now or of before: ``(H, W, 3)`` uint8.
    """

    what: str
    make: Callable[[Path, bool], np.ndarray]


def jobs(model: Model) -> Iterator[Blind]:
    """Four mosaics, four prompts, two frames, two films."""
    for number, start in enumerate(starts()):
        yield Blind("a mosaic of a picture", _mosaic(model, start, number))
    for number, prompt in enumerate(_PROMPTS):
        yield Blind(prompt, _painted(model, prompt, number))
    for aspect, prompt in ((2.2, "drawing of a fox"), (0.45, "photo of an owl")):
        yield Blind(f"{prompt} in a frame", _framed(model, prompt, aspect))
    for number, prompt in enumerate(("photo of a turtle", "photo of a fox")):
        yield Blind("a film, frame by frame", _film(model, prompt, number))


def starts() -> list[np.ndarray]:
    """Pictures to make mosaics of: two rendered rooms, two drawings with much dark and light."""
    y, x = np.mgrid[0:256, 0:256] / 255
    ball = (x - 0.5) ** 2 + (y - 0.45) ** 2 < 0.09
    night = np.where(ball[..., None], (250, 240, 200), (6, 8, 20)).astype(np.uint8)
    dawn = np.stack([255 * y, 120 + 60 * x, 255 * (1 - y)], -1).astype(np.uint8)
    dawn[170:] = (12, 20, 14)
    rooms = [photograph(room(1003, 800)).pixels, lived_in_photo(lived_in(20004, 800)).pixels]
    return [*rooms, night, dawn]


def _mosaic(model: Model, start: np.ndarray, number: int) -> Callable[[Path, bool], np.ndarray]:
    def make(folder: Path, now: bool) -> np.ndarray:
        chosen = {} if now else _OLD_CELLS
        prompt = _PROMPTS[number % len(_PROMPTS)]
        made = dg.mosaic(
            *(model, prompt), image=start, grid="14", seed=number, output=folder / "m", **chosen
        )
        dg.finish(made)
        return read_image(folder / "m")

    return make


def _painted(model: Model, prompt: str, seed: int) -> Callable[[Path, bool], np.ndarray]:
    def make(folder: Path, now: bool) -> np.ndarray:
        chosen: dict[str, Any] = {} if now else {"enlarge": 1}
        return dg.paint(model, prompt, seed=seed, **chosen).array

    return make


def _framed(model: Model, prompt: str, aspect: float) -> Callable[[Path, bool], np.ndarray]:
    def make(folder: Path, now: bool) -> np.ndarray:
        photo, corners = wall(aspect)
        chosen = {} if now else {"compose": "stretch"}
        made = dg.fill_frames(
            *(model, photo, prompt), corners=corners, seed=3, output=folder / "f", **chosen
        )
        dg.finish(made)
        return read_image(folder / "f" / "room.png")

    return make


def _film(model: Model, prompt: str, seed: int) -> Callable[[Path, bool], np.ndarray]:
    def make(folder: Path, now: bool) -> np.ndarray:
        chosen = {} if now else _OLD_CELLS | {"into": "27"}  # the middle, whatever is there
        made = dg.film(
            *(model, prompt),
            grid="8",
            levels=1,
            seconds=1.0,
            fps=_FRAMES,
            frame_size="256",
            seed=seed,
            output=folder / "frames",
            cache=str(folder / "cache.sqlite"),
            **chosen,
        )
        dg.finish(made)
        shown = [read_image(path) for path in sorted((folder / "frames").glob("*.png"))]
        return contact_sheet(shown, columns=3, labels=[""] * len(shown))

    return make


def shown(picture: np.ndarray) -> np.ndarray:
    """A picture as it is seen on a screen: no pixel is enlarged smoothly, and none is lost."""
    scale = _SIDE / max(picture.shape[:2])
    high, wide = (max(1, round(side * scale)) for side in picture.shape[:2])
    if scale <= 1:
        return resample(picture, wide, high)
    return np.array(Image.fromarray(picture).resize((wide, high), Image.Resampling.NEAREST))


def main(arguments: Sequence[str] | None = None, model: Model | None = None) -> None:
    """Makes the sheets that are not there yet, and the key."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/blind"))
    parser.add_argument("--only", type=int, action="append", help="the number of a job; repeatable")
    asked = parser.parse_args(arguments)
    model = dg.load("bundled", "cpu", "float32") if model is None else model
    order, key = random.Random(SEED), dict[str, str]()
    for number, job in enumerate(jobs(model), 1):
        first = order.random() < 0.5
        key[f"{number:02}"] = "A" if first else "B"
        target = asked.out / f"{number:02}.png"
        if target.exists() or (asked.only and number not in asked.only):
            continue
        both = [
            shown(job.make(asked.out / "work" / f"{number:02}-{i}", now))
            for i, now in enumerate((first, not first))
        ]
        labels = [f"A: {job.what}", f"B: {job.what}"]
        print(write_image(target, contact_sheet(both, columns=2, labels=labels)), flush=True)
    (asked.out / "key.json").write_text(json.dumps({"now": key}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
