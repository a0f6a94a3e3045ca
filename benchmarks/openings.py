"""Learns what tells an opening from other quads: the weights of `digressions.frames.choice`.

    python -m benchmarks.openings --out out/openings

Takes photos of rooms of the seeds that settings are chosen on and describes every quad that the
finder looks at. Small networks learn to put each true opening before all that overlaps it (the
softmax over them), and to tell openings from what is none; a logistic curve then says how sure
each is. ``choice.npz`` is written with what all rooms taught. With ``--held-out`` three rooms of
four teach, and it is printed how good the networks are on the fourth. Looking takes two seconds a
room and one core, and is kept in the folder; ``--jobs`` cores share it. Learning takes ten minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import nn

from benchmarks.frames import FOUND, SEEN, photo_of
from benchmarks.rooms import room
from digressions.frames.choice import across, apart, certainty, features, judged, known
from digressions.frames.frame import EXISTS, outermost
from digressions.frames.quads import look
from digressions.geometry import Quad

SEEDS = (*range(1000, 1100), *range(3000, 3100), *range(4000, 5290), *range(5600, 5910))
NETWORKS = 3
_TESTED = 4  # of so many rooms one is held out
_EPOCHS, _ROOMS, _RATE, _DECAY = 30, 16, 4e-3, 1e-3
_HIDDEN, _SIDE_HIDDEN, _SIDE, _DROPPED = 48, 32, 16, 0.1
_WRONG, _RIGHT = 0.88, 0.93  # overlap from which a quad is not quite wrong, and is right
_AMONG = 0.002  # overlap from which two quads are in each other's way
_OTHER = 0.3  # overlap under which a quad is none of the openings
_TOLD_APART = 0.1  # what telling openings from other things weighs
_DOUBTED = 0.3  # of lessons that say nothing of right angles
_REST = 40  # quads of a room that lie in no opening's way and teach
_LOOKED_AT = 40  # quads of a room that are weighed against each other for certainty

Network = dict[str, np.ndarray]


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


class Judge(nn.Module):
    """The network that `choice.judged` computes, as it is taught."""

    def __init__(self, whole: int, side: int) -> None:
        super().__init__()
        self.sides = nn.Sequential(
            nn.Linear(side, _SIDE_HIDDEN),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Linear(_SIDE_HIDDEN, _SIDE),
            nn.ReLU(),
        )
        self.whole = nn.Sequential(
            nn.Linear(whole + 2 * _SIDE, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Linear(_HIDDEN, _HIDDEN // 2),
            nn.ReLU(),
            nn.Linear(_HIDDEN // 2, 1),
        )

    def forward(self, whole: torch.Tensor, sides: torch.Tensor) -> torch.Tensor:
        each = self.sides(sides)
        return self.whole(torch.cat([whole, each.mean(1), each.amax(1)], 1))[:, 0]

    def weights(self) -> Network:
        """Under the names that `choice.judged` knows, ``(in, out)``."""
        parts = [("side_", layer) for layer in self.sides if isinstance(layer, nn.Linear)]
        parts += [("", layer) for layer in self.whole if isinstance(layer, nn.Linear)]
        found, count = {}, {"side_": 0, "": 0}
        for prefix, layer in parts:
            count[prefix] += 1
            found[f"{prefix}weight_{count[prefix]}"] = layer.weight.detach().numpy().T
            found[f"{prefix}bias_{count[prefix]}"] = layer.bias.detach().numpy()
        return found


class Lesson(NamedTuple):
    """A room as tensors: quads, and what is to be learnt from them.

    Attributes:
        whole, sides: Features, of mean 0 and spread 1.
        groups: For each opening that is among the quads, all that overlap it, and how right each
            is: 0..1 as the intersection over union goes from ``_WRONG`` to ``_RIGHT``.
        clear: The quads that surely are an opening or none; ``opening`` says which.
    """

    whole: torch.Tensor
    sides: torch.Tensor
    groups: list[tuple[torch.Tensor, torch.Tensor]]
    clear: torch.Tensor
    opening: torch.Tensor


def lesson(each: Scene, scale: Network) -> Lesson:
    """What a room teaches."""
    useful = np.flatnonzero(each.overlap.max(1) > _AMONG)
    rest = np.flatnonzero(each.overlap.max(1) <= _AMONG)
    useful = np.concatenate([useful, rest[:: -(-len(rest) // _REST)]]) if len(rest) else useful
    whole = np.stack([each.named[name][useful] for name in scale["names"]], 1)
    groups = []
    for overlap in each.overlap[useful][:, each.visible >= SEEN].T:
        if overlap.max() >= FOUND:
            among = np.flatnonzero(overlap > _AMONG)
            right = ((overlap[among] - _WRONG) / (_RIGHT - _WRONG)).clip(0, 1)
            groups.append((torch.from_numpy(among), torch.from_numpy(right).float()))
    best = each.overlap[useful].max(1)
    clear = np.flatnonzero((best >= FOUND) | (best < _OTHER))
    sides = each.sides[useful]
    return Lesson(
        torch.from_numpy((whole - scale["mean"]) / scale["spread"]).float(),
        torch.from_numpy((sides - scale["side_mean"]) / scale["side_spread"]).float(),
        groups,
        torch.from_numpy(clear),
        torch.from_numpy(best[clear] >= FOUND).float(),
    )


def scaled_by(scenes: Sequence[Scene]) -> Network:
    """Names, means and spreads of features."""
    names = list(scenes[0].named)
    whole = np.concatenate([np.stack([s.named[name] for name in names], 1) for s in scenes])
    sides = np.concatenate([s.sides[::8].reshape(-1, s.sides.shape[-1]) for s in scenes])
    sides = sides.astype(np.float32)
    return {
        "names": np.array(names),
        "mean": whole.mean(0).astype(np.float32),
        "spread": whole.std(0).astype(np.float32) + 1e-4,
        "side_mean": sides.mean(0),
        "side_spread": sides.std(0) + 1e-4,
    }


def taught(lessons: Sequence[Lesson], doubted: Sequence[int], seed: int) -> Judge:
    """A network that has seen all lessons ``_EPOCHS`` times (AdamW, one cycle of the rate).

    Now and then it is not told the features ``doubted``: rendered rooms have right angles and a
    known lens, photos have cropped edges and bent paper.

    Minimises the mean over true openings of ``-log(sum of y exp(s) / sum of exp(s))`` over all
    quads that overlap it, where ``s`` is what the network says and ``y`` how right a quad is, and
    a little of the cross entropy of openings and other things.
    """
    torch.manual_seed(seed)
    shuffled = np.random.default_rng(seed)
    judge = Judge(lessons[0].whole.shape[1], lessons[0].sides.shape[2])
    optimizer = torch.optim.AdamW(judge.parameters(), lr=_RATE, weight_decay=_DECAY)
    steps = _EPOCHS * -(-len(lessons) // _ROOMS)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    for _ in range(_EPOCHS):
        order = shuffled.permutation(len(lessons))
        for start in range(0, len(order), _ROOMS):
            some = [lessons[i] for i in order[start : start + _ROOMS]]
            for index in np.flatnonzero(shuffled.random(len(some)) < _DOUBTED):
                whole = some[index].whole.clone()
                whole[:, doubted] = 0.0  # what is usual
                some[index] = some[index]._replace(whole=whole)
            loss = _loss(judge, some)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
    return judge.eval()


def _loss(judge: Judge, lessons: Sequence[Lesson]) -> torch.Tensor:
    said = judge(torch.cat([each.whole for each in lessons]), torch.cat([e.sides for e in lessons]))
    parts = said.split([len(each.whole) for each in lessons])
    ranked, clear, opening = [], [], []
    for each, worth in zip(lessons, parts, strict=True):
        for among, right in each.groups:
            share = torch.softmax(worth[among], 0)
            ranked.append(-torch.log((share * right).sum() + 1e-6))
        clear.append(worth[each.clear])
        opening.append(each.opening)
    told_apart = nn.functional.binary_cross_entropy_with_logits(
        torch.cat(clear), torch.cat(opening)
    )
    return torch.stack(ranked).mean() + _TOLD_APART * told_apart


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


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Writes ``choice.npz`` into the folder, or says how good networks are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/openings"))
    parser.add_argument("--rooms", type=int, default=len(SEEDS), help="as many of the rooms")
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument("--jobs", type=int, default=1, help="cores that look at rooms")
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
