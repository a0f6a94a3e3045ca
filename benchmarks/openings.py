"""Learns what tells an opening from other quads: the weights of `digressions.frames.choice`.

    python -m benchmarks.openings --out out/openings

Takes photos of rooms of the seeds that settings are chosen on and describes every quad that the
finder looks at. Small networks learn to put each true opening before all that overlaps it (the
softmax over them), and to tell openings from what is none; a logistic curve then says how sure
each is. ``choice.npz`` is written with what all rooms taught. With ``--held-out`` three rooms of
four teach, and it is printed how good the networks are on the fourth. Looking takes a second a
room, and is kept in the folder; ``--jobs`` processes share it. Learning takes ten minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.frames import FOUND, SEEN
from benchmarks.judge import Network, lesson, scaled_by, taught
from benchmarks.sights import Scene, looked
from digressions.frames.choice import apart, certainty, judged, known
from digressions.frames.frame import EXISTS
from digressions.geometry import Quad

SEEDS = (*range(1000, 1100), *range(3000, 3100), *range(4000, 5290), *range(5600, 5910))
NETWORKS = 3
_TESTED = 4  # of so many rooms one is held out
_LOOKED_AT = 40  # quads of a room that are weighed against each other for certainty


def networks(scenes: Sequence[Scene], count: int = NETWORKS) -> Network:
    """Networks that these rooms have taught, with their certainty."""
    scale = scaled_by(scenes)
    lessons = [lesson(each, scale) for each in scenes]
    doubted = [i for i, name in enumerate(scale["names"]) if name.endswith(("square", "exists"))]
    every = [taught(lessons, doubted, seed).weights() for seed in range(count)]
    network = scale | {name: np.stack([one[name] for one in every]) for name in every[0]}
    return network | {"certainty": fitted_certainty(scenes, network)}


def fitted_certainty(scenes: Sequence[Scene], network: Network) -> np.ndarray:
    """Logistic regression, by Newton's method: whether a quad that nothing beats is an opening."""
    rows, true = [], []
    for each in scenes:
        worth = judged(network, each.named, each.sides)
        likely = np.argsort(-worth)[:_LOOKED_AT]
        for index in likely[_unbeaten(each, likely, worth)]:
            overlap = each.overlap[index]
            if overlap.max() > 0.5 and each.visible[overlap.argmax()] < SEEN:
                continue
            rows.append(known(worth[[index]], each.named["exists"][[index]])[0])
            true.append(overlap.max() > 0.5)
    x, y = np.array(rows), np.array(true, float)
    found = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ found))
        curve = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(found))
        found -= np.linalg.solve(curve, x.T @ (p - y))
    return found


def _unbeaten(each: Scene, likely: np.ndarray, worth: np.ndarray) -> list[int]:
    openings, outers = (
        [Quad.trusted(corners) for corners in part[likely]] for part in (each.quads, each.outers)
    )
    return apart(openings, outers, worth[likely])


def told(scenes: Sequence[Scene], network: Network) -> str:
    """How many openings are found in rooms, are among the quads, and how much else is found."""
    count = found = among = others = 0
    for each in scenes:
        kept = np.zeros(0, int)
        if len(each.quads):
            worth = judged(network, each.named, each.sides)
            sure = certainty(network["certainty"], worth, each.named["exists"])
            likely = np.flatnonzero(sure >= EXISTS)
            kept = likely[_unbeaten(each, likely, worth)]
            others += int((each.overlap[kept].max(1, initial=0) <= 0.5).sum())
        for overlap in each.overlap[:, each.visible >= SEEN].T:
            count += 1
            among += bool(overlap.max(initial=0) >= FOUND)
            found += bool(overlap[kept].max(initial=0) >= FOUND)
    return (
        f"{len(scenes)} rooms, {count} openings: {found / count:.1%} found, {among / count:.1%} "
        f"among the quads, {others / len(scenes):.2f} others a room"
    )


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Writes ``choice.npz`` into the folder, or says how good networks are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/openings"))
    parser.add_argument("--rooms", type=int, default=len(SEEDS), help="as many of the rooms")
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument("--jobs", type=int, default=1, help="processes that look at rooms")
    parser.add_argument("--held-out", action="store_true", help="teach by three of four rooms")
    asked = parser.parse_args(arguments)
    if min(asked.rooms - 2 * _TESTED, asked.networks, asked.jobs) < 1:
        parser.error(f"--rooms must be over {2 * _TESTED}, --networks and --jobs at least 1")
    scenes = looked(SEEDS[: asked.rooms], asked.out / "scenes", asked.jobs)
    if asked.held_out:
        teaching = [each for seed, each in scenes if seed % _TESTED != _TESTED - 1]
        tested = [each for seed, each in scenes if seed % _TESTED == _TESTED - 1]
        network = networks(teaching, asked.networks)
        say(f"taught: {told(teaching, network)}")
        say(f"held out: {told(tested, network)}")
        return
    teaching = [each for _, each in scenes]
    network = networks(teaching, asked.networks)
    say(f"taught: {told(teaching, network)}")
    np.savez_compressed(asked.out / "choice.npz", **network)


if __name__ == "__main__":
    main()
