"""The networks of `digressions.frames.choice`, as they are taught."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks.frames import FOUND, SEEN
from benchmarks.sights import Scene

_EPOCHS, _ROOMS, _RATE, _DECAY = 30, 16, 4e-3, 1e-3
_HIDDEN, _SIDE_HIDDEN, _SIDE, _DROPPED = 48, 32, 16, 0.1
_WRONG, _RIGHT = 0.88, 0.93  # overlap from which a quad is not quite wrong, and is right
_AMONG = 0.002  # overlap from which two quads are in each other's way
_OTHER = 0.3  # overlap under which a quad is none of the openings
_TOLD_APART = 0.1  # what telling openings from other things weighs
_DOUBTED = 0.3  # of lessons that say nothing of right angles
_REST = 40  # quads of a room that lie in no opening's way and teach

Network = dict[str, np.ndarray]


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
