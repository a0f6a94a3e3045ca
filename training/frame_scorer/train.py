"""Trains the networks of `digressions.frames.scoring`, and writes `scoring.npz`.

    python -m training.frame_scorer.train --out out/frame_scorer
    python -m training.frame_scorer.train --out out/frame_scorer --start out/first.npz

Takes photos of rooms of the seeds that settings are chosen on and describes every quad that the
finder looks at. Small networks learn to put each true opening before all that overlaps it (the
softmax over them), and to tell openings from other things. Three rooms of four teach them. On the
fourth a logistic curve is fitted, which says how often what they prefer is right in rooms that they
have not seen. With ``--start`` networks go on from others, with the harder rooms of
`benchmarks/lived_in.py` among those that teach, and more rooms calibrate, so that half of those
that do are ordinary; with ``--calibrate`` as well, the curve alone is fitted again. Looking takes
a second a room, and is kept in the folder; ``--jobs`` processes share it. Learning takes ten
minutes from nothing, two from others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.frames import FOUND, SEEN
from digressions.frames.calibration import calibration_features, probability
from digressions.frames.find import LEAST
from digressions.frames.scoring import (
    Network,
    judged,
    network_scores,
    non_maximum_suppression,
)
from digressions.homography import Quad
from training.frame_scorer.dataset import LabelledQuads, load_rooms
from training.frame_scorer.network import feature_scales, room_tensors, trained

SEEDS = (*range(1000, 1100), *range(3000, 3100), *range(4000, 5290), *range(5600, 5910))
FURTHER = tuple(
    seed for i in range(71) for seed in (*range(20_000 + 3 * i, 20_003 + 3 * i), 4000 + i)
)
CALIBRATING = (*range(5290, 5370), *range(20_243, 20_284))  # that teach nothing
NETWORKS = 3
WITHHELD = ("rectangularity", "rectangle score")  # features; see `network.trained`
_TESTED = 4  # of so many rooms one is held out
_COMPARED = 40  # quads of a room that are compared for the calibration
_WORTH, _REFITTED = LEAST / 2, 3  # less probable ones are left out, in so many rounds


def trained_networks(
    rooms: Sequence[LabelledQuads],
    unseen: Sequence[LabelledQuads],
    count: int = NETWORKS,
    start: Network | None = None,
) -> Network:
    """Networks trained on some rooms, and calibrated on others.

    Args:
        start: What they go on from; ``None`` for nothing.
    """
    scales = feature_scales(rooms, start)
    tensors = [room_tensors(each, scales) for each in rooms]
    withheld = [i for i, name in enumerate(scales["names"]) if name.endswith(WITHHELD)]
    every = [trained(tensors, withheld, seed, start, scales).weights() for seed in range(count)]
    network = scales | {name: np.stack([one[name] for one in every]) for name in every[0]}
    return network | {"calibration": fitted_calibration(unseen, network)}


def fitted_calibration(rooms: Sequence[LabelledQuads], network: Network) -> np.ndarray:
    """Logistic regression, by Newton's method: whether the best of its rivals is an opening, to
    `FOUND` of it. What is hardly one is left out in the end, so that the many of these do not say
    what the curve is like where scores are reported."""
    rows, true = [], []
    for each in rooms:
        score = network_scores(network, each.features, each.sides)
        known = calibration_features(each.quads, each.features, score)
        likely = np.argsort(-score)[:_COMPARED]
        for index in likely[unrivalled(each, likely, score)]:
            overlap = each.overlap[index]
            if overlap.max() > 0.5 and each.visible[overlap.argmax()] < SEEN:
                continue
            rows.append(known[index])
            true.append(overlap.max() >= FOUND)
    x, y = np.array(rows), np.array(true, float)
    curve = fitted_curve(x, y)
    for _ in range(_REFITTED):
        worth = probability(curve, x) >= _WORTH
        curve = fitted_curve(x[worth], y[worth])
    return curve


def fitted_curve(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Logistic regression of ``y``, 0 or 1, ``(N,)`` on ``x``, ``(N, F)``: ``(F,)``."""
    found = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ found))
        curve = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(found))
        found -= np.linalg.solve(curve, x.T @ (p - y))
    return found


def unrivalled(each: LabelledQuads, likely: np.ndarray, score: np.ndarray) -> list[int]:
    """Places in ``likely`` of the quads that no better one overlaps."""
    openings, outers = (
        [Quad.trusted(corners) for corners in part[likely]] for part in (each.quads, each.outers)
    )
    return non_maximum_suppression(openings, outers, score[likely])


def measured(rooms: Sequence[LabelledQuads], network: Network) -> str:
    """How many openings are found in rooms, are among the quads, and how much else is found."""
    count = found = among = others = 0
    for each in rooms:
        kept = np.zeros(0, int)
        if len(each.quads):
            score, sure = judged(network, each.quads, each.features, each.sides)
            likely = np.flatnonzero(sure >= LEAST)
            kept = likely[unrivalled(each, likely, score)]
            others += int((each.overlap[kept].max(1, initial=0) <= 0.5).sum())
        for overlap in each.overlap[:, each.visible >= SEEN].T:
            count += 1
            among += bool(overlap.max(initial=0) >= FOUND)
            found += bool(overlap[kept].max(initial=0) >= FOUND)
    return (
        f"{len(rooms)} rooms, {count} openings: {found / count:.1%} found, {among / count:.1%} "
        f"among the quads, {others / len(rooms):.2f} others a room"
    )


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Writes ``scoring.npz`` into the folder, and says how good the networks are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/frame_scorer"))
    parser.add_argument("--rooms", type=int, help="as many of the rooms")
    parser.add_argument("--start", type=Path, help="networks to go on from")
    parser.add_argument(
        "--calibrate", action="store_true", help="leave the networks of --start as they are"
    )
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument("--jobs", type=int, default=1, help="processes that look at rooms")
    asked = parser.parse_args(arguments)
    seeds = SEEDS if asked.start is None else FURTHER
    count = len(seeds) if asked.rooms is None else asked.rooms
    if min(count - 2 * _TESTED, asked.networks, asked.jobs) < 1:
        parser.error(f"--rooms must be over {2 * _TESTED}, --networks and --jobs at least 1")
    if asked.calibrate and asked.start is None:
        parser.error("--calibrate is for the networks of --start")
    start: Network | None = None
    if asked.start is not None:
        with np.load(asked.start) as stored:
            start = dict(stored)
    rooms = load_rooms(seeds[:count], asked.out / "rooms", asked.jobs)
    teaching = [each for i, (_, each) in enumerate(rooms) if i % _TESTED != _TESTED - 2]
    unseen = [each for i, (_, each) in enumerate(rooms) if i % _TESTED == _TESTED - 2]
    if asked.start is not None and asked.rooms is None:
        more = load_rooms(CALIBRATING, asked.out / "rooms", asked.jobs)
        unseen += [each for _, each in more]
    if asked.calibrate and start is not None:
        network = start | {"calibration": fitted_calibration(unseen, start)}
    else:
        network = trained_networks(teaching, unseen, asked.networks, start)
    say(f"trained on: {measured(teaching, network)}")
    say(f"calibrated on: {measured(unseen, network)}")
    np.savez_compressed(asked.out / "scoring.npz", **network)


if __name__ == "__main__":
    main()
