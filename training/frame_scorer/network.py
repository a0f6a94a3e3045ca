"""The networks of `digressions.frames.scoring`, as they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks.frames import FOUND, SEEN
from digressions.frames.scoring import Network
from training.frame_scorer.dataset import LabelledQuads

_EPOCHS, _ROOMS, _RATE, _DECAY = 60, 16, 4e-3, 1e-3
_RATE_FURTHER = 2e-3  # where a network goes on from another
_HIDDEN, _SIDE_HIDDEN, _SIDE, _DROPPED = 48, 32, 16, 0.1
_WRONG, _RIGHT = 0.88, 0.93  # overlap from which a quad is not quite wrong, and is right
_RIVAL = 0.002  # overlap from which a quad is a rival of a true opening
_OTHER = 0.3  # overlap below which a quad is none of the openings
_CLASSIFICATION = 0.4  # what telling openings from other things weighs
_WITHHELD = 0.3  # of rooms from which the features that rendered rooms make too easy are withheld
_OTHERS = 40  # quads of a room that are no opening's rivals, at most


class ScoreNetwork(nn.Module):
    """The network that `scoring.network_scores` computes, as it is trained.

    Args:
        features: Of a quad.
        side_features: Of each of its sides.
    """

    def __init__(self, features: int, side_features: int) -> None:
        super().__init__()
        self.sides = nn.Sequential(
            nn.Linear(side_features, _SIDE_HIDDEN),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Linear(_SIDE_HIDDEN, _SIDE),
            nn.ReLU(),
        )
        self.whole = nn.Sequential(
            nn.Linear(features + 2 * _SIDE, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Linear(_HIDDEN, _HIDDEN // 2),
            nn.ReLU(),
            nn.Linear(_HIDDEN // 2, 1),
        )

    def forward(self, whole: torch.Tensor, sides: torch.Tensor) -> torch.Tensor:
        """Scores ``(N,)`` from features ``(N, F)`` and those of sides ``(N, 4, S)``."""
        each = self.sides(sides)
        return self.whole(torch.cat([whole, each.mean(1), each.amax(1)], 1))[:, 0]

    def weights(self) -> Network:
        """Under the names that `scoring.network_scores` knows, ``(in, out)``."""
        parts = [("side_", layer) for layer in self.sides if isinstance(layer, nn.Linear)]
        parts += [("", layer) for layer in self.whole if isinstance(layer, nn.Linear)]
        found, count = {}, {"side_": 0, "": 0}
        for prefix, layer in parts:
            count[prefix] += 1
            found[f"{prefix}weight_{count[prefix]}"] = layer.weight.detach().numpy().T
            found[f"{prefix}bias_{count[prefix]}"] = layer.bias.detach().numpy()
        return found


class RoomTensors(NamedTuple):
    """A room as the network is trained on it.

    Attributes:
        whole, sides: Features, of mean 0 and spread 1.
        rivals: For each opening that is among the quads: all that overlap it, and how right each
            is, 0..1 as the intersection over union goes from ``_WRONG`` to ``_RIGHT``.
        clear: Indices of the quads that surely are an opening or none.
        opening: Which of the two they are, 1 or 0.
    """

    whole: torch.Tensor
    sides: torch.Tensor
    rivals: list[tuple[torch.Tensor, torch.Tensor]]
    clear: torch.Tensor
    opening: torch.Tensor


def feature_scales(rooms: Sequence[LabelledQuads], start: Network | None = None) -> Network:
    """Names, means and spreads of features.

    Args:
        start: Networks that know some of them, which are scaled as they are used to.
    """
    names = list(rooms[0].features)
    whole = np.concatenate([np.stack([s.features[name] for name in names], 1) for s in rooms])
    sides = np.concatenate([s.sides[::8].reshape(-1, s.sides.shape[-1]) for s in rooms])
    sides = sides.astype(np.float32)
    found = {
        "names": np.array(names),
        "mean": whole.mean(0).astype(np.float32),
        "spread": whole.std(0).astype(np.float32) + 1e-4,
        "side_mean": sides.mean(0),
        "side_spread": sides.std(0) + 1e-4,
    }
    if start is None:
        return found
    places = _places(start, found)
    for name in ("mean", "spread"):
        found[name][places] = start[name]
    return found | {name: start[name] for name in ("side_mean", "side_spread")}


def _places(start: Network, scales: Network) -> list[int]:
    """Where the features of some networks stand among those of others."""
    names = list(scales["names"])
    return [names.index(name) for name in start["names"]]


def room_tensors(room: LabelledQuads, scales: Network) -> RoomTensors:
    """What the network learns from a room."""
    useful = np.flatnonzero(room.overlap.max(1) > _RIVAL)
    rest = np.flatnonzero(room.overlap.max(1) <= _RIVAL)
    useful = np.concatenate([useful, rest[:: -(-len(rest) // _OTHERS)]]) if len(rest) else useful
    whole = np.stack([room.features[name][useful] for name in scales["names"]], 1)
    rivals = []
    for overlap in room.overlap[useful][:, room.visible >= SEEN].T:
        if overlap.max() >= FOUND:
            among = np.flatnonzero(overlap > _RIVAL)
            right = ((overlap[among] - _WRONG) / (_RIGHT - _WRONG)).clip(0, 1)
            rivals.append((torch.from_numpy(among), torch.from_numpy(right).float()))
    best = room.overlap[useful].max(1)
    clear = np.flatnonzero((best >= FOUND) | (best < _OTHER))
    sides = room.sides[useful]
    return RoomTensors(
        torch.from_numpy((whole - scales["mean"]) / scales["spread"]).float(),
        torch.from_numpy((sides - scales["side_mean"]) / scales["side_spread"]).float(),
        rivals,
        torch.from_numpy(clear),
        torch.from_numpy(best[clear] >= FOUND).float(),
    )


def started(start: Network, index: int, scales: Network) -> ScoreNetwork:
    """A network to go on from another; features that it does not know count for nothing yet."""
    features = len(scales["names"])
    network = ScoreNetwork(features, len(scales["side_mean"]))
    layers = {
        prefix: [layer for layer in part if isinstance(layer, nn.Linear)]
        for prefix, part in (("side_", network.sides), ("", network.whole))
    }
    with torch.no_grad():
        for prefix, own in layers.items():
            for number, layer in enumerate(own, 1):
                weight = torch.from_numpy(start[f"{prefix}weight_{number}"][index].T)
                layer.bias.copy_(torch.from_numpy(start[f"{prefix}bias_{number}"][index]))
                if prefix or number > 1:
                    layer.weight.copy_(weight)
                    continue
                known = len(start["names"])
                layer.weight.zero_()
                layer.weight[:, _places(start, scales)] = weight[:, :known]
                layer.weight[:, features:] = weight[:, known:]
    return network


def trained(
    rooms: Sequence[RoomTensors],
    withheld: Sequence[int],
    seed: int,
    start: Network | None = None,
    scales: Network | None = None,
) -> ScoreNetwork:
    """A network that has seen all rooms ``_EPOCHS`` times (AdamW, one cycle of the rate).

    With ``start`` it goes on from one of those, ``scales`` being those of its features now.

    Now and then the features ``withheld`` are replaced by their means: rendered rooms have right
    angles and a known lens, photos have cropped edges and bent paper.

    Minimises the mean over true openings of ``-log(sum of y exp(s) / sum of exp(s))`` over all
    quads that overlap it, where ``s`` is the score and ``y`` how right a quad is, and a little of
    the cross entropy of openings and other things.
    """
    torch.manual_seed(seed)
    shuffled = np.random.default_rng(seed)
    network, highest = ScoreNetwork(rooms[0].whole.shape[1], rooms[0].sides.shape[2]), _RATE
    if start is not None and scales is not None:
        network, highest = started(start, seed, scales), _RATE_FURTHER
    optimizer = torch.optim.AdamW(network.parameters(), lr=highest, weight_decay=_DECAY)
    steps = _EPOCHS * -(-len(rooms) // _ROOMS)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest, total_steps=steps)
    for _ in range(_EPOCHS):
        order = shuffled.permutation(len(rooms))
        for start in range(0, len(order), _ROOMS):
            batch = [rooms[i] for i in order[start : start + _ROOMS]]
            for index in np.flatnonzero(shuffled.random(len(batch)) < _WITHHELD):
                whole = batch[index].whole.clone()
                whole[:, withheld] = 0.0  # the mean
                batch[index] = batch[index]._replace(whole=whole)
            loss = _loss(network, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
    return network.eval()


def _loss(network: ScoreNetwork, rooms: Sequence[RoomTensors]) -> torch.Tensor:
    score = network(torch.cat([r.whole for r in rooms]), torch.cat([r.sides for r in rooms]))
    parts = score.split([len(each.whole) for each in rooms])
    ranking, clear, opening = [], [], []
    for each, own in zip(rooms, parts, strict=True):
        for among, right in each.rivals:
            share = torch.softmax(own[among], 0)
            ranking.append(-torch.log((share * right).sum() + 1e-6))
        clear.append(own[each.clear])
        opening.append(each.opening)
    classification = nn.functional.binary_cross_entropy_with_logits(
        torch.cat(clear), torch.cat(opening)
    )
    return torch.stack(ranking).mean() + _CLASSIFICATION * classification
