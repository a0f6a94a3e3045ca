"""Finds the weights of `digressions.frames.choice`: what tells an opening from other quads.

    python -m benchmarks.openings

Takes photos of rooms of the seeds that settings are chosen on, collects every quad that the finder
looks at, and fits a weighted sum so that each true opening comes before all that overlaps it
(the softmax over them), then a logistic curve that says how sure it is. Prints both as Python.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

SEEN=.75
from benchmarks.rooms import room
from digressions.frames.choice import apart, features
SURE=(0,0,0)
#from digressions.frames.frame import seen_in
from digressions.geometry import Quad

SEEDS = (*range(1000, 1100), *range(3000, 3100))
_STEPS, _RATE, _DECAY = 400, 0.05, 0.02


class Scene(NamedTuple):
    """What was seen in a photo of a room.

    Attributes:
        openings, outers: The quads, and those that they are nested in.
        named: Their features, ``(N,)`` each.
        truths: ``(M, 4, 2)``: the true openings.
        overlap: ``(N, M)``: intersection over union of the two.
        visible: ``(M,)``: the share of each that can be seen.
    """

    openings: list[Quad]
    outers: list[Quad]
    named: dict[str, np.ndarray]
    truths: np.ndarray
    overlap: np.ndarray
    visible: np.ndarray


def scene(seed: int, photos: Path | None) -> Scene:
    """Looks at the photo of a room."""
    made = room(seed)
    photo = photo_of(made, photos)
    focal = float(round(made.camera.focal_35)) if made.exif else None
    seen, beside = seen_in(photo.pixels, focal)
    truths = np.array([made.corners(hanging) for hanging in made.hangings])
    openings = [quad.opening for quad in seen]
    return Scene(
        openings,
        [quad.outer for quad in seen],
        features(seen, beside) if seen else {},
        truths,
        np.array([[_overlap(q, Quad.trusted(t)) for t in truths] for q in openings]),
        np.array(photo.visible),
    )


def _overlap(one: Quad, other: Quad) -> float:
    """Intersection over union; 0 at once where boxes are apart."""
    a, b = one.array, other.array
    if (a.max(0) < b.min(0)).any() or (b.max(0) < a.min(0)).any():
        return 0.0
    return one.overlap(other)


def ranking(scenes: Sequence[Scene]) -> dict[str, tuple[float, float]]:
    """Usual value and weight of each feature.

    Minimises the mean over true openings of ``-log(sum of y exp(s) / sum of exp(s))`` over all
    quads that overlap it, where ``s`` is the weighted sum and ``y`` goes from 0 to 1 as the
    intersection over union goes from 0.85 to 0.95; by Adam (Kingma and Ba, 2015).
    """
    names = list(scenes[0].named)
    tables = [np.stack([each.named[name] for name in names], 1) for each in scenes]
    every = np.concatenate(tables)
    usual, spread = every.mean(0), every.std(0) + 1e-6
    rows, good, group, count = [], [], [], 0
    for table, each in zip(tables, scenes, strict=True):
        for index in np.flatnonzero(each.visible >= SEEN):
            overlap = each.overlap[:, index]
            among = overlap > 0.002
            if overlap.max() < 0.9:
                continue
            rows.append((table[among] - usual) / spread)
            good.append(np.clip((overlap[among] - 0.85) / 0.1, 0, 1))
            group.append(np.full(among.sum(), count))
            count += 1
    x, y, of = np.concatenate(rows), np.concatenate(good), np.concatenate(group)
    starts = np.r_[0, np.flatnonzero(np.diff(of)) + 1]
    weight, mean, square = (np.zeros(len(names)) for _ in range(3))
    for step in range(1, _STEPS + 1):
        total = x @ weight
        power = np.exp(total - np.maximum.reduceat(total, starts)[of])
        every_one = power / np.add.reduceat(power, starts)[of]
        true_ones = power * y / (np.add.reduceat(power * y, starts)[of] + 1e-12)
        slope = x.T @ (every_one - true_ones) / count + _DECAY * weight
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        weight -= _RATE * mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    found = zip(names, usual, weight / spread, strict=True)
    return {name: (round(float(u), 3), round(float(w), 3)) for name, u, w in found}


def total(each: Scene, weights: dict[str, tuple[float, float]]) -> np.ndarray:
    """The weighted sums of a scene's quads."""
    return np.sum([w * (each.named[name] - u) for name, (u, w) in weights.items()], axis=0)


def certainty(
    scenes: Sequence[Scene], weights: dict[str, tuple[float, float]]
) -> tuple[float, ...]:
    """Logistic regression, by Newton's method: whether a quad that nothing beats is an opening."""
    rows, true = [], []
    for each in scenes:
        worth = total(each, weights)
        likely = np.flatnonzero(each.named["exists"] > 0.1)
        openings, outers = [each.openings[i] for i in likely], [each.outers[i] for i in likely]
        for index in likely[apart(openings, outers, worth[likely])]:
            overlap = each.overlap[index]
            if overlap.max() > 0.5 and each.visible[overlap.argmax()] < SEEN:
                continue
            rows.append([1.0, worth[index], each.named["log exists"][index]])
            true.append(overlap.max() > 0.5)
    x, y = np.array(rows), np.array(true, float)
    found = np.zeros(len(SURE))
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ found))
        curve = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(found))
        found -= np.linalg.solve(curve, x.T @ (p - y))
    return tuple(round(float(value), 3) for value in found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints `WEIGHTS` and `SURE`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="folder of photos to keep and use again")
    photos = parser.parse_args(arguments).photos
    scenes = [each for each in (scene(seed, photos) for seed in SEEDS) if len(each.openings)]
    weights = ranking(scenes)
    print("WEIGHTS = {")
    for name, pair in weights.items():
        print(f'    "{name}": {pair},')
    print(f"}}\nSURE = {certainty(scenes, weights)}")


if __name__ == "__main__":
    main()
