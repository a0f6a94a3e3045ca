"""What the finder sees in rendered rooms: what `openings.py` learns from."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.frames import photo_of
from benchmarks.rooms import room
from digressions.frames.choice import across, features
from digressions.frames.frame import outermost
from digressions.frames.quads import look
from digressions.geometry import Quad


class Scene(NamedTuple):
    """What was seen in a photo of a room.

    Attributes:
        quads, outers: ``(N, 4, 2)``: the quads, and what they are nested in.
        named: Their features, ``(N,)`` each.
        sides: Features of their sides, ``(N, 4, F)``.
        overlap: ``(N, M)``: intersection over union with the true openings.
        visible: ``(M,)``: the share of each that can be seen.
    """

    quads: np.ndarray
    outers: np.ndarray
    named: dict[str, np.ndarray]
    sides: np.ndarray
    overlap: np.ndarray
    visible: np.ndarray


def scene(seed: int, folder: Path | None = None) -> Scene:
    """Looks at the photo of a room, or reads what was seen in it from the folder."""
    kept = None if folder is None else folder / f"{seed}.npz"
    if kept is not None and kept.exists():
        with np.load(kept) as stored:
            named = {
                name.removeprefix("feature "): stored[name]
                for name in stored
                if name.startswith("feature ")
            }
            rest = {name: stored[name] for name in Scene._fields if name != "named"}
            return Scene(named=named, **rest)
    made = room(seed)
    photo = photo_of(made, None)
    sight = look(photo.pixels, float(round(made.camera.focal_35)) if made.exif else None)
    truths = [Quad.trusted(made.corners(hanging)) for hanging in made.hangings]
    quads = [each.quad for each in sight.seen]
    outers = [outermost(each, sight.seen).quad for each in sight.seen]
    overlap = [[_overlap(quad, truth) for truth in truths] for quad in quads]
    found = Scene(
        np.array(quads).reshape(-1, 4, 2),
        np.array(outers).reshape(-1, 4, 2),
        features(sight) if quads else {},
        across(sight.beside).astype(np.float16),
        np.array(overlap).reshape(len(quads), len(truths)),
        np.array(photo.visible),
    )
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        named = {f"feature {name}": values for name, values in found.named.items()}
        np.savez(part, **{k: v for k, v in found._asdict().items() if k != "named"}, **named)
        part.replace(kept)
    return found


def _overlap(one: Quad, other: Quad) -> float:
    """Intersection over union; that of the boxes, at most 0.4, where even these share little."""
    a, b = one.array, other.array
    shared = np.clip(np.minimum(a.max(0), b.max(0)) - np.maximum(a.min(0), b.min(0)), 0, None)
    both = shared.prod()
    boxes = both / (np.ptp(a, 0).prod() + np.ptp(b, 0).prod() - both)
    return one.overlap(other) if boxes > 0.5 else float(min(boxes, 0.4))


def looked(seeds: Iterable[int], folder: Path | None, jobs: int) -> list[tuple[int, Scene]]:
    """All rooms in which some quad was seen."""
    seeds, at = list(seeds), partial(scene, folder=folder)
    if jobs == 1:
        found: list[Scene] = list(map(at, seeds))
    else:
        with ProcessPoolExecutor(jobs, initializer=_one_thread) as pool:
            found = list(pool.map(at, seeds, chunksize=4))
    return [(seed, each) for seed, each in zip(seeds, found, strict=True) if len(each.quads)]


def _one_thread() -> None:
    cv2.setNumThreads(1)
