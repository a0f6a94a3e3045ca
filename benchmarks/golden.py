"""Golden results: what the package paints, recorded, and two recordings compared.

    python benchmarks/golden.py record OUT.npz --models FOLDER
    python benchmarks/golden.py compare A.npz B.npz

`record` paints some hundred small cases with the package that is importable, in float32 on one
thread of the CPU, and keeps latents, pixels and figures. With ``PYTHONPATH=CHECKOUT/src`` that is
another checkout's package; the first line says which. So a change that must not change pictures
is tried: record before it, record after it, compare. It takes two minutes.

The bundled model and small random checkpoints of every family (`tests/checkpoints.py`) are kept in
``--models`` and taken from there by the next recording, so that neither new weights nor another
tokenizer can look like a change of the code. Without it each recording takes its own.

`compare` prints a table in Markdown and leaves with 1 where a pixel differs by more than two grey
levels, a latent by as much of its picture's range, or a case is on one side only. (Random decoders
hardly leave grey: with them only latents tell.) It says nothing against other last bits: other
machines and versions of torch have them too, and what was different about these it names.

This file knows nothing of the package: `golden_paint.py` makes what is wanted here, and is what
must be ported where the package's own names change.

Names of arrays are ``MODEL/GROUP/CASE/PART``, in words that are not the package's. The part is
``latents``; ``pixels``, uint8 or floats in 0..1; or ``figures``.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:  # as a script: what lies beside it must not pass for other packages
    sys.path[0] = str(Path(__file__).parents[1])
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch

from benchmarks.machine import cpu_name, versions
from benchmarks.render import photograph
from benchmarks.rooms import room

TOLERANCE = 2.0  # grey levels of 255
ABOUT = "about"  # the one array of a recording that is no result
SIDE = 64

Arrays = dict[str, np.ndarray]
Case = tuple[str, Callable[[], Arrays]]
"""A case's name, and what makes its arrays by part."""


# --- what is asked for, in words of this file ---------------------------------------------------


@dataclass(frozen=True)
class Picture:
    """One picture to paint.

    Attributes:
        start: Number of the `photo` that it starts from; 0 for none.
        masked: Only a `hole` of it is painted; ``hole`` says what that starts from.
        way: Of combining several prompts.
        by_region: Each prompt has a stripe of the picture.
        windows: Painted in windows of the model's size.
        pull: Weight with which it is held to the coarse colours of its start, in ``boxes`` a side.
    """

    prompt: str = "photo of a frog"
    seed: int = 11
    width: int = SIDE
    height: int = SIDE
    steps: int = 5
    guidance: float = 3.0
    sampler: str = "ddim"
    negative: str = ""
    start: int = 0
    strength: float = 1.0
    masked: bool = False
    hole: str | None = None
    way: str = "mean"
    by_region: bool = False
    rescale: float = 0.0
    windows: bool = False
    pull: float = 0.0
    boxes: int = 2
    timing: str = "published"

    @property
    def image(self) -> np.ndarray | None:
        """``(height, width, 3)`` uint8."""
        return photo(self.start, self.width, self.height) if self.start else None

    @property
    def mask(self) -> np.ndarray | None:
        """``(height, width)`` uint8."""
        return hole(self.width, self.height) if self.masked else None

    @property
    def regions(self) -> np.ndarray | None:
        """``(height, width, prompts)`` uint8."""
        count = self.prompt.count(" AND ") + 1
        return stripes(count, self.width, self.height) if self.by_region else None


@dataclass(frozen=True)
class Cells:
    """A mosaic, or one level of a world.

    Attributes:
        start: Number of the `photo` that it is of; 0 for a painting.
        pull: As of a picture.
        few: Only so many pictures are painted, each used wherever it fits.
        alike: Cells at most so far apart share a picture.
    """

    prompt: str = "photo of a turtle"
    columns: int = 6
    rows: int = 6
    start: int = 2
    steps: int = 4
    guidance: float = 1.0
    sampler: str = "ddim"
    strength: float = 0.8
    band: int = 2
    pull: float = 0.3
    enlarged: int = 1
    way: str = "mean"
    few: int | None = None
    alike: float | None = None

    @property
    def image(self) -> np.ndarray | None:
        """``(H, W, 3)`` uint8."""
        return photo(self.start, 90, 70) if self.start else None


@dataclass(frozen=True)
class Hung:
    """A picture for the frame of a rendered room.

    Attributes:
        hole: What the painting starts from.
        colours: What the hole is filled with before.
        around: How much of the room is seen.
        blank: Whether what is in the frame shows the light on it.
        covered: Whether something stands before it.
        again: What it is repainted as, larger.
    """

    prompt: str = "drawing of a fox"
    strength: float = 1.0
    hole: str | None = "noise"
    colours: tuple[str, ...] = ()
    around: float = 0.25
    blank: bool = True
    covered: bool = False
    timing: str = "published"
    again: str | None = None


class Wall(NamedTuple):
    """A rendered room.

    Attributes:
        pixels: ``(H, W, 3)`` uint8.
        corners: Of an opening, ``(4, 2)``.
        aspect: Its true width / height.
        free: ``(H, W)`` uint8, black where something stands before it, where that is wanted.
    """

    pixels: np.ndarray
    corners: np.ndarray
    aspect: float
    free: np.ndarray


def photo(number: int, width: int, height: int) -> np.ndarray:
    """A picture with gradients and edges in all channels: ``(height, width, 3)`` uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = x / width, y / height
    waves = [np.sin(5 * x + 2 * y * number), np.cos(7 * y - x), np.sin(9 * x * y + number)]
    picture = 127 + 100 * np.stack(waves, -1)
    picture[(np.abs(x - 0.35) < 0.15) & (np.abs(y - 0.4) < 0.2)] = (240, 60, 30)
    picture[(x - 0.7) ** 2 + (y - 0.65) ** 2 < 0.03] = (20, 40, 200)
    return np.rint(picture).clip(0, 255).astype(np.uint8)


def hole(width: int, height: int) -> np.ndarray:
    """A mask, white where to paint, with an edge that is neither: ``(height, width)`` uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    far = np.maximum(np.abs(x / width - 0.55) / 0.3, np.abs(y / height - 0.5) / 0.35)
    return np.rint(255 * np.clip((1.1 - far) / 0.2, 0, 1)).astype(np.uint8)


def stripes(count: int, width: int, height: int) -> np.ndarray:
    """Upright stripes that fade over, one a prompt: ``(height, width, count)`` uint8."""
    middles = (np.arange(count) + 0.5) / count
    far = np.abs((np.arange(width)[:, None] + 0.5) / width - middles) * count
    lines = np.rint(255 * np.clip(1.5 - far, 0, 1)).astype(np.uint8)
    return np.repeat(lines[None], height, 0)


@functools.cache
def wall() -> Wall:
    """Always the same one."""
    seen = room(1003, 480)
    framed = max(seen.hangings, key=lambda hanging: hanging.moulding)
    pixels, corners = photograph(seen).pixels, seen.corners(framed)
    free = np.full(pixels.shape[:2], 255, np.uint8)
    left, top = np.rint(corners.mean(0)).astype(int)
    free[top:, left : left + 15] = 0
    return Wall(pixels, corners, framed.aspect, free)


# --- the cases -----------------------------------------------------------------------------------


SAMPLERS = ("ddim", "euler_ancestral", "dpmpp_2m", "lcm")
STEPS = (12, 7)
WAYS = (
    *("mean", "sum", "latents", "lerp", "slerp", "alternate", "switch", "perp", "max"),
    *("superpose", "superpose-or"),
)
REGIONAL = ("mean", "sum", "perp", "max", "superpose")
AWAY = ("sum", "perp", "max", "superpose")
TWO = "photo of a frog AND photo of a fox"
FORMS = {
    "more attention": "photo of a (frog:1.3)",
    "less and more attention": "drawing of a [frog] and ((a fox))",
    "one text after the other": "photo of a [frog:fox:0.4]",
    "a text after three steps": "photo of a frog [with a hat:3]",
    "a text until the middle": "photo of a frog [in the snow::0.5]",
    "texts in turns": "photo of a [frog|fox|turtle]",
    "silent at first": "photo of a frog @0.3-1",
    "weight of a single prompt": "photo of a frog :0.6",
    "all at once": "photo of a [(frog:1.2):fox:0.4] AND drawing of a turtle :0.5 @0-0.7",
    "no words": "",
}


def pictures_of(name: str) -> Iterator[tuple[str, list[Picture]]]:
    """What is painted with a model of any family, by group and case."""
    small = Picture(prompt="photo of a frog", width=SIDE, height=48)
    own_hole = name == "inpainting-network"
    guided_inside = name == "lcm"
    if own_hole:  # this network paints holes alone
        small = replace(small, start=1, masked=True)
    for sampler in SAMPLERS:
        for steps in STEPS:
            yield (
                f"text-to-image/{sampler} {steps}",
                [replace(small, sampler=sampler, steps=steps, guidance=2.0)],
            )
    yield "text-to-image/no guidance", [replace(small, guidance=1.0)]
    yield "text-to-image/negative prompt", [replace(small, negative="(green:1.2)", guidance=4.0)]
    yield "text-to-image/guidance rescaled", [replace(small, guidance=6.0, rescale=0.7)]
    over = replace(small, start=1, steps=7)
    for sampler in SAMPLERS:
        yield f"image-to-image/{sampler} 0.6", [replace(over, sampler=sampler, strength=0.6)]
    for strength in (0.05, 0.35, 1.0):
        yield f"image-to-image/{strength}", [replace(over, strength=strength)]
    yield (
        "image-to-image/held to coarse colours",
        [replace(over, strength=0.8, pull=0.5, boxes=2)],
    )
    holed = replace(small, start=1, masked=True)
    for start in ("noise", "picture", None):
        for strength in (1.0, 0.7):
            case = f"inpainting/hole of {start or 'the usual'}, {strength}"
            yield case, [replace(holed, hole=start, strength=strength)]
    for sampler in SAMPLERS[1:]:
        yield f"inpainting/{sampler} 7", [replace(holed, sampler=sampler, steps=7, hole="noise")]
    ways = ("mean", "latents", "lerp", "slerp", "alternate", "switch")
    for way in ways if guided_inside else (*ways, "superpose", "superpose-or"):
        yield f"two prompts/{way}", [replace(small, prompt=TWO, way=way)]
    yield (
        "larger pictures/windows",
        [replace(small, width=104, height=80, windows=True, steps=3)],
    )
    for sampler in ("euler_ancestral", "dpmpp_2m"):
        mixed = replace(over, sampler=sampler)
        yield (
            f"mixed batches/strengths, {sampler}",
            [
                replace(mixed, strength=0.9),
                replace(mixed, strength=0.3, seed=12, guidance=1.0),
                replace(mixed, strength=0.6, seed=13, prompt="a fox", pull=0.4),
            ],
        )


def timings_of(name: str) -> Iterator[tuple[str, list[Picture]]]:
    """Other timings, of the families that can have them."""
    plain = Picture(steps=7)
    velocity = name.startswith("v-prediction")
    for timing in ("published", "trailing", "zero-snr") if velocity else ("published", "trailing"):
        for sampler in SAMPLERS[:3]:
            pictures = [replace(plain, sampler=sampler, timing=timing)]
            yield f"timing/{timing}, {sampler}", pictures
        holed = replace(plain, start=1, masked=True, hole="noise", timing=timing)
        yield f"timing/{timing}, inpainting", [holed]


def bundled_pictures() -> Iterator[tuple[str, list[Picture]]]:
    """What else is painted with the bundled model."""
    two = Picture(TWO)
    for way in WAYS:
        yield f"two prompts, plain/{way}", [replace(two, way=way)]
    for way in ("latents", "superpose-or"):
        for sampler in ("dpmpp_2m", "lcm"):
            yield f"two prompts, plain/{way}, {sampler}", [replace(two, way=way, sampler=sampler)]
    yield "two prompts, plain/no guidance", [replace(two, guidance=1.0)]
    yield "two prompts, plain/negative prompt", [replace(two, negative="drawing")]
    yield "two prompts, plain/guidance rescaled", [replace(two, guidance=6.0, rescale=0.5)]
    for way in WAYS:
        weighted = "photo of a frog :0.7 AND photo of a [fox:(turtle:1.3):0.4] :1.2 @0.2-1"
        pictures = [replace(two, prompt=weighted, way=way)]
        yield f"two prompts, weights, ranges and changes/{way}", pictures
    for way in WAYS:
        pictures = [replace(two, way=way, start=1, strength=0.7, sampler="euler_ancestral")]
        yield f"two prompts, image-to-image/{way}", pictures
    for way in REGIONAL:
        wide = replace(two, way=way, by_region=True, width=96)
        yield f"two prompts, by region/{way}", [wide]
    for way in AWAY:
        away = "photo of a frog AND a fox :0.5 AND green :-0.4"
        yield f"two prompts, away from a third/{way}", [replace(two, prompt=away, way=way)]
    yield (
        "two prompts, inpainting/mean",
        [replace(two, start=1, masked=True, hole="noise", by_region=True)],
    )
    for case, prompt in FORMS.items():
        yield f"prompt forms/{case}", [replace(two, prompt=prompt, steps=8)]
    for pull, boxes in ((0.3, 2), (1.0, 1), (0.6, 4)):
        case = f"image-to-image/held to coarse colours, {pull} in {boxes}x{boxes}"
        yield case, [Picture(start=2, strength=0.8, pull=pull, boxes=boxes)]
    large = Picture(width=128, height=96, start=2, strength=0.7)
    yield "larger pictures/windows, image-to-image", [replace(large, windows=True)]
    yield "larger pictures/windows, inpainting", [replace(large, windows=True, masked=True)]
    yield "larger pictures/windows, two prompts", [replace(large, windows=True, prompt=TWO)]
    yield "larger pictures/all at once", [replace(large, start=0)]
    for sampler in ("ddim", "lcm"):
        yield (
            f"mixed batches/strengths, {sampler}",
            [
                Picture(start=number, strength=strength, seed=number, sampler=sampler, steps=8)
                for number, strength in enumerate((0.2, 0.9, 0.5, 0.7), 1)
            ],
        )
    yield (
        "mixed batches/holes",
        [
            Picture(start=1, masked=True, hole="noise"),
            Picture(start=2, masked=True, hole="picture", strength=0.8, seed=12, guidance=1.0),
            Picture(start=3, masked=True, hole="picture", seed=13, prompt="a fox", pull=0.4),
        ],
    )
    for way in ("mean", "latents", "superpose-or"):
        yield (
            f"mixed batches/numbers of prompts, {way}",
            [
                Picture(TWO, way=way),
                Picture(f"{TWO} AND a turtle :0.4", way=way, start=1, strength=0.6, seed=12),
                Picture("[a fox:a frog:0.5]", way=way, seed=13, by_region=way == "mean"),
            ],
        )
    yield (
        "mixed batches/all sorts",
        [
            Picture(seed=1),
            Picture(seed=2, start=1, strength=0.4),
            Picture(TWO, seed=3),
            Picture(seed=4, start=1, masked=True),
            Picture(seed=5, width=72, height=56),
            Picture(seed=6, guidance=1.0, negative="a fox"),
            *(Picture("drawing of a fox", seed=seed) for seed in range(7, 12)),
        ],
    )


MOSAICS = {
    "of a photo": Cells(),
    "of a painting": Cells(start=0),
    "without a band": Cells(band=0),
    "few pictures used again": Cells(few=10),
    "alike cells share": Cells(alike=0.08),
    "wide, band 4, more steps, two prompts": Cells(
        prompt="photo of a frog AND a fox",
        columns=5,
        rows=3,
        steps=6,
        guidance=2.0,
        sampler="dpmpp_2m",
        strength=0.6,
        band=4,
        pull=0.0,
        way="sum",
    ),
    "enlarged": Cells(columns=3, rows=3, enlarged=2),
}

WORLDS = {
    "endless": (
        Cells(start=3),
        [(), (14,), (14, 21), (14, 21, 9), (14, 21, 10), (3, 30, 17)],
    ),
    "other prompts further down": (
        Cells(start=0, columns=4, rows=4),
        [(5,), (5, 10), (5, 10, 6), (5, 10, 6, 0)],
        (),
        ("drawing of a fox", "a frog AND a fox"),
    ),
    "looped by two cells": (
        Cells(start=3),
        [(), (14,), (14, 21), (14, 21, 9), (14, 21, 14), (14, 8, 3)],
        (14, 21),
    ),
    "looped by one cell, without a band": (
        Cells(start=3, band=0),
        [(), (15,), (15, 2), (2, 9)],
        (15,),
    ),
}
"""Cells, the paths that are looked at, the loop, and prompts of depth 2 and on."""

FRAMES = {
    "from noise alone": Hung(),
    "from noise alone, repainted larger": Hung(again="painting of a fox in a forest"),
    "from colours": Hung(strength=0.9, hole="picture", colours=("navy", "teal", "#e0c080")),
    "from what is there": Hung(strength=0.8, hole="picture", prompt=TWO),
    "without the room around it": Hung(around=0.0),
    "something before it": Hung(covered=True),
    "even light": Hung(blank=False, around=0.5),
}


SHORT = "v-prediction, short of noise"
"""Its schedule ends with a trace of the picture; that of the other one with noise alone."""
MODELS = (
    *("bundled", "stable-diffusion", "v-prediction", SHORT, "pooled-text", "kl-autoencoder"),
    *("inpainting-network", "sdxl", "lcm", "turbo"),
)


def cases(folder: Path) -> Iterator[Case]:
    """All of them; models are loaded when a case wants them.

    Args:
        folder: Of the models.
    """
    from benchmarks import golden_paint as package

    @functools.lru_cache(maxsize=1)
    def model(name: str) -> Any:
        return package.load(package.checkpoint(name, folder))

    def painted(name: str, case: str, pictures: Sequence[Picture]) -> Case:
        return f"{name}/{case}", lambda: package.paint_case(model(name), pictures)

    def in_frame(name: str, case: str, hung: Hung) -> Case:
        return f"{name}/frames/{case}", lambda: package.frame_case(model(name), wall(), hung)

    def mosaic(case: str, cells: Cells) -> Case:
        return f"bundled/mosaics/{case}", lambda: package.mosaic_case(model("bundled"), cells)

    def world(case: str, *of: Any) -> Case:
        return f"bundled/worlds/{case}", lambda: package.world_case(model("bundled"), *of)

    yield "inputs/photos/room", lambda: {"pixels": wall().pixels, "figures": wall().corners}
    for name in MODELS:
        if name != SHORT:
            for case, pictures in pictures_of(name):
                yield painted(name, case, pictures)
        if name in ("stable-diffusion", "v-prediction", SHORT, "sdxl"):
            for case, pictures in timings_of(name):
                yield painted(name, case, pictures)
        if name == "bundled":
            for case, pictures in bundled_pictures():
                yield painted(name, case, pictures)
            for case, cells in MOSAICS.items():
                yield mosaic(case, cells)
            for case, of in WORLDS.items():
                yield world(case, *of)
            for case, hung in FRAMES.items():
                yield in_frame(name, case, hung)
        if name in ("stable-diffusion", "inpainting-network"):
            timing = "trailing" if name == "stable-diffusion" else "published"
            hung = Hung(again="painting of a fox in a forest", timing=timing)
            yield in_frame(name, "from noise alone, repainted larger", hung)


# --- recording -----------------------------------------------------------------------------------


def record(path: Path, models: Path | None, only: str) -> None:
    """Makes all cases whose names contain a text, and writes them to a file."""
    import cv2

    from benchmarks.golden_paint import package

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(f"the package in {package()}", flush=True)
    found: Arrays = {}
    seconds: dict[str, float] = {}
    count = 0
    with tempfile.TemporaryDirectory() as empty:
        folder = models or Path(empty)
        for name, make in cases(folder):
            if only not in name:
                continue
            begun = time.perf_counter()
            found |= {f"{name}/{part}": array for part, array in make().items()}
            group = group_of(name)
            if group not in seconds:
                print(group, flush=True)
            seconds[group] = seconds.get(group, 0.0) + time.perf_counter() - begun
            count += 1
        found[ABOUT] = np.array(json.dumps(about(folder, package())))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **found)
    print(f"{path}: {count} cases, {len(found) - 1} arrays, in {sum(seconds.values()):.0f} s")


def group_of(name: str) -> str:
    """The group of a case, or of one of its arrays."""
    return "/".join(name.split("/")[:2])


def about(folder: Path, package: Path) -> dict[str, Any]:
    """What results depend on besides the code, and which code it was."""
    weights = {}
    for model in sorted(path for path in folder.iterdir() if path.is_dir()):
        whole = hashlib.sha256()
        for path in sorted(model.rglob("*")):
            if path.is_file():
                whole.update(path.relative_to(model).as_posix().encode() + path.read_bytes())
        weights[model.name] = whole.hexdigest()[:12]
    return {
        "package": str(package),
        "cpu": cpu_name(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "versions": versions(("diffusers", "transformers", "numpy", "pillow")),
        "models": weights,
    }


# --- comparing -----------------------------------------------------------------------------------


class Row(NamedTuple):
    """How two recordings differ in a group of cases.

    Attributes:
        equal: Cases in which every array is the same to the last bit.
        latents, grey, figures: Largest differences of a value, of pixels in grey levels of 255;
            ``None`` where the group has no such arrays. Infinite where shapes differ.
    """

    group: str
    cases: int
    equal: int
    latents: float | None
    grey: float | None
    figures: float | None


class Comparison(NamedTuple):
    """What two recordings come to.

    Attributes:
        rows: One a group.
        missing: Arrays that one of them lacks, each with the side that lacks it.
        far: Arrays of pixels or latents that differ by more than `TOLERANCE`.
    """

    rows: list[Row]
    missing: list[str]
    far: list[str]


def compared(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> Comparison:
    """Compares two recordings."""
    ours, theirs = ([name for name in side if name != ABOUT] for side in (a, b))
    missing = [f"{name} is missing in B" for name in ours if name not in b]
    missing += [f"{name} is missing in A" for name in theirs if name not in a]
    groups: dict[str, dict[str, list[tuple[str, bool, float]]]] = {}
    far = []
    for name in ours:
        if name not in b:
            continue
        part = name.rpartition("/")[2]
        case = "/".join(name.split("/")[:3])
        one, other = a[name], b[name]
        by = difference(one, other) * (255 if part == "pixels" and one.dtype != np.uint8 else 1)
        same = one.dtype == other.dtype and one.shape == other.shape
        same = same and one.tobytes() == other.tobytes()
        groups.setdefault(group_of(name), {}).setdefault(case, []).append((part, same, by))
        if part == "pixels" and by > TOLERANCE:
            far.append(f"{name} differs by {by:.3g} grey levels")
        if part == "latents" and (by > TOLERANCE / 255 * np.ptp(one) or np.isinf(by)):
            far.append(f"{name} differs by {by:.3g} in {np.ptp(one):.3g}")
    rows = []
    for group, members in groups.items():
        arrays = [array for found in members.values() for array in found]
        largest = [
            max((by for own, _, by in arrays if own == part), default=None)
            for part in ("latents", "pixels", "figures")
        ]
        equal = sum(all(same for _, same, _ in found) for found in members.values())
        rows.append(Row(group, len(members), equal, *largest))
    return Comparison(rows, missing, far)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest of two arrays' values; infinite for other shapes, or where one is no number."""
    if a.shape != b.shape:
        return float("inf")
    x, y = a.astype(np.float64), b.astype(np.float64)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    with np.errstate(invalid="ignore"):
        by = np.where(same, 0.0, np.abs(x - y))
    return float(np.nan_to_num(by, nan=np.inf, posinf=np.inf).max(initial=0.0))


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, and their sum."""
    lines = [
        "| | cases | equal to the last bit | largest difference in latents | in grey levels "
        "| in figures |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    whole = Row("all", sum(row.cases for row in rows), sum(row.equal for row in rows), *_most(rows))
    for row in (*rows, whole):
        values = ["" if value is None else f"{value:.2g}" for value in row[3:]]
        lines.append(f"| {' | '.join((row.group, str(row.cases), str(row.equal), *values))} |")
    return "\n".join(lines)


def _most(rows: Sequence[Row]) -> list[float | None]:
    columns = ([row[i] for row in rows if row[i] is not None] for i in (3, 4, 5))
    return [max(column, default=None) for column in columns]


def compare(first: Path, second: Path) -> int:
    """Prints how two files differ; 1 where they differ more than they may."""
    with np.load(first) as a, np.load(second) as b:
        one, other = dict(a), dict(b)
    notes = [json.loads(str(found[ABOUT])) if ABOUT in found else {} for found in (one, other)]
    found = compared(one, other)
    print(f"A: {first}, B: {second}\n")
    print(table(found.rows))
    for key in dict.fromkeys((*notes[0], *notes[1])):
        if notes[0].get(key) != notes[1].get(key):
            print(f"\nanother {key}: {notes[0].get(key)}, {notes[1].get(key)}")
    for line in (*found.far, *found.missing):
        print(f"\n{line}")
    return int(bool(found.far or found.missing))


def main(arguments: Sequence[str] | None = None) -> int:
    """Records or compares; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_subparsers(dest="what", required=True)
    recording = what.add_parser("record", help="paint all cases with the importable package")
    recording.add_argument("out", type=Path, help="npz file to write")
    recording.add_argument("--models", type=Path, help="folder where the models are, or will be")
    recording.add_argument("--only", default="", help="cases whose names contain this alone")
    comparing = what.add_parser("compare", help="how two recordings differ")
    comparing.add_argument("first", type=Path)
    comparing.add_argument("second", type=Path)
    asked = parser.parse_args(arguments)
    if asked.what == "compare":
        return compare(asked.first, asked.second)
    record(asked.out, asked.models, asked.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
