"""The quads that the finder looks at in rendered rooms, and which of them are openings."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.galleries import gallery
from benchmarks.lived_in import lived_in
from benchmarks.lived_in_photo import lived_in_photo
from benchmarks.render import Photo, photograph
from benchmarks.rooms import Room, room
from digressions.files import whole_file
from digressions.frames.find import outermost
from digressions.frames.quads import candidate_quads
from digressions.frames.scoring import quad_features, side_features
from digressions.homography import Quad

LIVED_IN = 20_000  # the first seed whose room is of `lived_in.py`,
GALLERIES = 40_000  # and of `galleries.py`


class LabelledQuads(NamedTuple):
    """The quads of one photo of a room.

    Attributes:
        quads, outers: ``(N, 4, 2)``: the quads, and the outside of the moulding around each.
        features: Of the quads, ``(N,)`` each; see `scoring.quad_features`.
        sides: Features of their sides, ``(N, 4, F)``; see `scoring.side_features`.
        overlap: ``(N, M)``: intersection over union with the true openings.
        visible: ``(M,)``: the share of each true opening that can be seen.
    """

    quads: np.ndarray
    outers: np.ndarray
    features: dict[str, np.ndarray]
    sides: np.ndarray
    overlap: np.ndarray
    visible: np.ndarray


def scene(seed: int) -> tuple[Room, Photo]:
    """The room of a seed, and its photo."""
    made = room_of(seed)
    return made, photograph(made) if seed < LIVED_IN else lived_in_photo(made)


def room_of(seed: int) -> Room:
    """The room of a seed."""
    return (room if seed < LIVED_IN else lived_in if seed < GALLERIES else gallery)(seed)


def labelled_quads(seed: int, folder: Path | None = None) -> LabelledQuads:
    """Looks at the photo of a room, or reads from the folder what was seen in it before."""
    kept = None if folder is None else folder / f"{seed}.npz"
    if kept is not None and kept.exists():
        return _read(kept)
    made, photo = scene(seed)
    focal_35mm = float(round(made.camera.focal_35mm)) if made.exif else None
    candidates = candidate_quads(photo.pixels, focal_35mm)
    truths = [Quad.trusted(made.corners(hanging)) for hanging in made.hangings]
    quads = [each.quad for each in candidates.quads]
    outers = [outermost(each, candidates.quads).quad for each in candidates.quads]
    overlap = [[_overlap(quad, truth) for truth in truths] for quad in quads]
    found = LabelledQuads(
        np.array(quads).reshape(-1, 4, 2),
        np.array(outers).reshape(-1, 4, 2),
        quad_features(candidates) if quads else {},
        side_features(candidates.contrast).astype(np.float16),
        np.array(overlap).reshape(len(quads), len(truths)),
        np.array(photo.visible),
    )
    if kept is not None:
        _write(kept, found)
    return found


def _read(path: Path) -> LabelledQuads:
    with np.load(path) as stored:
        features = {
            name.removeprefix("feature "): stored[name]
            for name in stored
            if name.startswith("feature ")
        }
        rest = {name: stored[name] for name in LabelledQuads._fields if name != "features"}
        return LabelledQuads(features=features, **rest)


def _write(path: Path, found: LabelledQuads) -> None:
    features = {f"feature {name}": values for name, values in found.features.items()}
    rest = {name: values for name, values in found._asdict().items() if name != "features"}
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, **rest, **features)


def _overlap(one: Quad, other: Quad) -> float:
    """Intersection over union; that of the boxes, at most 0.4, where even these share little."""
    a, b = one.array, other.array
    shared = np.clip(np.minimum(a.max(0), b.max(0)) - np.maximum(a.min(0), b.min(0)), 0, None)
    both = shared.prod()
    boxes = both / (np.ptp(a, 0).prod() + np.ptp(b, 0).prod() - both)
    return one.overlap(other) if boxes > 0.5 else float(min(boxes, 0.4))


def load_rooms(
    seeds: Iterable[int], folder: Path | None, jobs: int
) -> list[tuple[int, LabelledQuads]]:
    """All rooms in which any quad was found, by seed; ``jobs`` processes look at them."""
    seeds, look = list(seeds), partial(labelled_quads, folder=folder)
    if jobs == 1:
        found: list[LabelledQuads] = list(map(look, seeds))
    else:
        with ProcessPoolExecutor(jobs, initializer=_one_thread) as pool:
            found = list(pool.map(look, seeds, chunksize=4))
    return [(seed, each) for seed, each in zip(seeds, found, strict=True) if len(each.quads)]


def _one_thread() -> None:
    cv2.setNumThreads(1)
