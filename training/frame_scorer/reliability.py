"""How often a score is right, in rooms that taught and calibrated nothing.

    python -m training.frame_scorer.reliability --out out/frame_scorer scoring.npz other.npz

Of what each file's networks report in the rooms, what is right is an opening to `FOUND` of it. A
score means what it says where the share of right ones is the score. What cannot be told, since
most of the opening is hidden or outside the photo, does not count.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.frames import FOUND, SEEN
from digressions.frames.choosing import LIKELY
from digressions.frames.find import LEAST
from digressions.frames.scoring import Network, judged
from training.frame_scorer.dataset import LabelledQuads, load_rooms, room_of
from training.frame_scorer.train import unrivalled

UNSEEN = range(30_000, 30_072)  # seeds of rooms that teach nothing
BINS = (LEAST, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
_HOUSE = ("window", "door", "cupboard")


class Reported(NamedTuple):
    """What some networks report in some rooms, one each.

    Attributes:
        score: 0..1.
        right: Whether it is an opening, to `FOUND`.
        house: Whether its centre lies in a window, a door or a cupboard.
    """

    score: np.ndarray
    right: np.ndarray
    house: np.ndarray


def reported(rooms: Sequence[tuple[int, LabelledQuads]], network: Network) -> Reported:
    """What the networks report in rooms, by seed."""
    rows: list[tuple[float, bool, bool]] = []
    for seed, each in rooms:
        score, sure = judged(network, each.quads, each.features, each.sides)
        likely = np.flatnonzero(sure >= LEAST)
        house = _house(seed)
        for index in likely[unrivalled(each, likely, score)]:
            overlap = each.overlap[index]
            if overlap.max() > 0.5 and each.visible[overlap.argmax()] < SEEN:
                continue
            x, y = each.quads[index].mean(0)
            inside = any(
                cv2.pointPolygonTest(shape, (float(x), float(y)), False) > 0 for shape in house
            )
            rows.append((float(sure[index]), bool(overlap.max() >= FOUND), inside))
    score, right, in_house = zip(*rows, strict=True)
    return Reported(np.array(score), np.array(right), np.array(in_house))


def _house(seed: int) -> list[np.ndarray]:
    """Windows, doors and cupboards in the photo of a room, ``(N, 2)`` float32 each."""
    made = room_of(seed)
    places = [place for kind, place in made.others if kind.removeprefix("real ") in _HOUSE]
    outlines = [made.camera.outline(place.at(0)) for place in places]
    return [outline.astype(np.float32) for outline in outlines if len(outline) > 2]


def surest(
    rooms: Sequence[tuple[int, LabelledQuads]], network: Network, threshold: float
) -> tuple[int, int, int]:
    """In how many rooms what is most like a frame is one, is none, and is refused."""
    right = wrong = refused = 0
    for _, each in rooms:
        score, sure = judged(network, each.quads, each.features, each.sides)
        best = int(score.argmax())
        if sure[best] < threshold:
            refused += 1
        elif each.overlap[best].max() >= FOUND:
            right += 1
        else:
            wrong += 1
    return right, wrong, refused


def openings(rooms: Sequence[tuple[int, LabelledQuads]]) -> int:
    """How many openings there are to be found."""
    return int(sum((each.visible >= SEEN).sum() for _, each in rooms))


def among_quads(rooms: Sequence[tuple[int, LabelledQuads]]) -> int:
    """How many of `openings` any quad is, so that networks can find them at all."""
    every = [each.overlap[:, each.visible >= SEEN] for _, each in rooms]
    return int(sum((overlap.max(0, initial=0) >= FOUND).sum() for overlap in every))


def table(found: Reported, whole: int, rooms: int) -> str:
    """A Markdown table of bins of the score, and what comes of `LIKELY`."""
    lines = ["| score | reported | mean score | right |", "| --- | ---: | ---: | ---: |"]
    for low, high in itertools.pairwise(BINS):
        these = (found.score >= low) & (found.score < high + (high == 1))
        if these.any():
            share, mean = found.right[these].mean(), found.score[these].mean()
            lines.append(f"| {low:g} to {high:g} | {these.sum()} | {mean:.2f} | {share:.2f} |")
    off = np.mean((found.score - found.right) ** 2)
    lines += ["", f"Brier score {off:.3f}."]
    for threshold in (0.2, LIKELY):
        taken = found.score >= threshold
        lines.append(
            f"From {threshold:g} on: {found.right[taken].sum() / whole:.1%} of {whole} openings "
            f"found, {(~found.right[taken]).sum() / rooms:.2f} others a room, "
            f"{(found.house & ~found.right)[taken].sum() / rooms:.2f} of them windows, doors and "
            f"cupboards; {found.right[taken].mean():.1%} of what is taken is right."
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Prints a table for each file of networks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("out/frame_scorer"))
    parser.add_argument("--rooms", type=int, default=len(UNSEEN), help="as many of the rooms")
    parser.add_argument("--first", type=int, default=UNSEEN[0], help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes that look at rooms")
    asked = parser.parse_args(arguments)
    rooms = load_rooms(
        range(asked.first, asked.first + asked.rooms), asked.out / "rooms", asked.jobs
    )
    for path in asked.networks:
        with np.load(path) as stored:
            found = reported(rooms, dict(stored))
        say(
            f"{path}, seeds {asked.first} to {asked.first + asked.rooms - 1}: {among_quads(rooms)} "
            f"of {openings(rooms)} openings are among the quads\n"
        )
        say(table(found, openings(rooms), len(rooms)))
        for threshold in (0.2, LIKELY):
            with np.load(path) as stored:
                right, wrong, refused = surest(rooms, dict(stored), threshold)
            say(
                f"The surest of each room, from {threshold:g} on: right in {right}, wrong in "
                f"{wrong}, refused in {refused}."
            )
        say("")


if __name__ == "__main__":
    main()
