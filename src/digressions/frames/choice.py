"""Which of many quads, nested and across each other, are openings.

One frame makes dozens of quads: the hull of its flank and front, steps of its moulding, mat, the
shadow in it, what the picture shows. Each is described by what lies on either side of its sides and
by what it is nested in, and a small network says how much it is like an opening. Its weights,
`choice.npz`, are learnt by `benchmarks/openings.py` from rendered rooms: the true opening shall
come before everything that overlaps it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import cv2
import numpy as np

from ..geometry import Quad
from .borders import Borders
from .quads import Nest, Seen, Sight

_OVERLAP = 0.001  # intersection over union from which two quads cannot both be openings
_UNIT = 64.0  # grey levels
_LEAST_EXISTS = 0.02


def features(sight: Sight) -> dict[str, np.ndarray]:
    """What tells openings from other quads, ``(N,)`` each, about -3 to 6."""
    seen = sight.seen
    beside = sight.beside
    step, sharp, outside, within = (
        np.sort(part, 1) for part in (beside.step, beside.sharp, beside.outside, beside.inside)
    )
    support = np.sort([each.edges.support for each in seen], 1)
    strength = np.sort([each.edges.strength for each in seen], 1)
    rough = np.array([each.support for each in seen])
    ends = np.array([each.ends for each in seen])
    sides = np.sort([each.quad.sides for each in seen], 1)
    corners = np.array([each.quad for each in seen])
    colour = np.array([each.inside.colour for each in seen])
    sure = np.array([each.exists for each in seen])
    edge = np.minimum(corners.min((1, 2)), (np.array(sight.size) - 1 - corners).min((1, 2)))
    table = {
        "off": np.minimum([each.edges.off for each in seen], 3),
        "square": np.array([each.square for each in seen]),
        "empty": np.array([each.inside.empty for each in seen]),
        "varied": _log([each.inside.spread for each in seen]),
        "bright": colour.mean(1) / _UNIT,
        "often": np.log([each.often for each in seen]),
        "drawn": np.array([float(each.drawn) for each in seen]),
        "short side": np.log(sides[:, 0] / 50),
        "long": np.log(sides.max(1) / sides.min(1)),
        "in the photo": np.clip(edge / 20, -1, 1),
        "exists": sure,
    }
    for name, values in (
        ("step", _log(step, 1.0)),
        ("sharp", np.minimum(sharp, 1)),
        ("outside", _log(outside)),
        ("within", _log(within)),
        ("edge", support),
        ("strength", _log(strength)),
        ("rough edge", rough),
        ("corner", ends),
    ):
        table |= {f"{name} {place + 1}": values[:, place] for place in range(4)}
    for name, nests in (("around", [s.around for s in seen]), ("ring", [s.rings for s in seen])):
        best = [max(of, key=lambda nest: nest.even, default=None) for of in nests]
        table |= {f"{name}: {what}": v for what, v in _of_nest(best, seen, step, sure).items()}
        table[f"{name}: how many"] = np.log1p([len(of) for of in nests])
    return table


def _of_nest(
    best: list[Nest | None], seen: list[Seen], step: np.ndarray, sure: np.ndarray
) -> dict[str, np.ndarray]:
    """What the quad around, or the ring, is like; 0 where there is none."""
    there = np.array([nest is not None for nest in best], float)
    which = np.array([0 if nest is None else nest.quad for nest in best])
    return {
        "even": np.array([0.0 if nest is None else nest.even for nest in best]),
        "level": np.array([0 if nest is None else min(nest.level, 3) for nest in best], float),
        "depth": np.array([0.0 if nest is None else 5 * nest.depth for nest in best]),
        "exists": sure[which] * there,
        "edge": np.array([seen[i].edges.support.min() for i in which]) * there,
        "strength": _log([np.sort(seen[i].edges.strength)[1] for i in which]) * there,
        "step": _log(step[which, 1], 1.0) * there,
        "empty": np.array([seen[i].inside.empty for i in which]) * there,
        "square": np.array([seen[i].square for i in which]) * there,
        "drawn": np.array([float(seen[i].drawn) for i in which]) * there,
    }


def across(beside: Borders) -> np.ndarray:
    """What tells openings from other quads at each of their sides, ``(N, 4, F)`` float32."""
    near, far = beside.near / _UNIT, beside.far / _UNIT
    edge = near[:, :, near.shape[2] // 2][:, :, None].mean((1, 2, 3), keepdims=True)
    changes = np.abs(np.diff(near, axis=2)).sum(-1)
    bands = np.stack([beside.step, beside.sharp, beside.outside, beside.inside], -1)
    parts = (
        (near - edge)[:, :, ::2],
        4 * changes,
        far - edge,
        4 * beside.uneven / _UNIT,
        _log(bands),
    )
    flat = [part.reshape(len(part), 4, int(np.prod(part.shape[2:]))) for part in parts]
    return np.concatenate(flat, -1, dtype=np.float32)


def openness(sight: Sight) -> tuple[np.ndarray, np.ndarray]:
    """How much quads are like an opening, and how sure it is that they are one: 0..1."""
    named = features(sight)
    worth = judged(_network(), named, across(sight.beside))
    return worth, certainty(_network()["certainty"], worth, named["exists"])


def certainty(weights: np.ndarray, worth: np.ndarray, exists: np.ndarray) -> np.ndarray:
    """How sure openings are, 0..1: a logistic curve of `known` of them."""
    return np.asarray(1 / (1 + np.exp(-known(worth, exists) @ weights)))


def known(worth: np.ndarray, exists: np.ndarray) -> np.ndarray:
    """``(N, 3)``: what says how sure an opening is."""
    return np.stack([np.ones(len(worth)), worth, np.log(exists + _LEAST_EXISTS)], 1)


def judged(
    network: dict[str, np.ndarray], named: dict[str, np.ndarray], sides: np.ndarray
) -> np.ndarray:
    """What networks make of quads, ``(N,)``: the mean of all of them.

    Each side goes through two layers; the mean and the maximum over the four, and what is known of
    the quad, go through three.

    Args:
        network: Arrays as `benchmarks/openings.py` writes them; weights are ``(K, in, out)`` for
            ``K`` networks.
        named: As `features` gives them.
        sides: As `across` gives them.
    """
    whole = np.stack([named[name] for name in network["names"]], 1)
    whole = ((whole - network["mean"]) / network["spread"]).astype(np.float32)
    sides = (sides - network["side_mean"]) / network["side_spread"]
    total = np.zeros(len(whole))
    for index in range(len(network["side_weight_1"])):

        def layer(x: np.ndarray, name: str, index: int = index) -> np.ndarray:
            weight, bias = (network[name.replace("*", part)][index] for part in ("weight", "bias"))
            return np.asarray(x @ weight + bias)

        each = np.maximum(layer(np.maximum(layer(sides, "side_*_1"), 0), "side_*_2"), 0)
        x = np.concatenate([whole, each.mean(1), each.max(1)], 1)
        for name in ("*_1", "*_2"):
            x = np.maximum(layer(x, name), 0)
        total += layer(x, "*_3")[:, 0]
    return total / len(network["side_weight_1"])


@cache
def _network() -> dict[str, np.ndarray]:
    with as_file(files(__package__) / "choice.npz") as path, np.load(path) as stored:
        return dict(stored)


def apart(openings: list[Quad], outers: list[Quad], worth: np.ndarray) -> list[int]:
    """Those that are worth more than all whose moulding or opening they lie in, the best first."""
    inner, outer = (np.array(of, np.float32).reshape(-1, 4, 2) for of in (openings, outers))
    low, high = inner.min(1), inner.max(1)
    begin, end = outer.min(1), outer.max(1)
    kept: list[int] = []
    for index in np.argsort(-worth, kind="stable"):
        near = [k for k in kept if (begin[k] < high[index]).all() and (low[index] < end[k]).all()]
        if all(_overlap(outer[k], inner[index]) <= _OVERLAP for k in near):
            kept.append(int(index))
    return kept


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of convex quads ``(4, 2)`` float32, to say whether they overlap.

    OpenCV's intersection is quick, and now and then too large where sides lie on each other.
    """
    shared = cv2.intersectConvexConvex(one, other)[0]
    return float(shared / (cv2.contourArea(one) + cv2.contourArea(other) - shared))


def _log(values: object, least: float = 0.3) -> np.ndarray:
    return np.asarray(np.log(np.clip(np.asarray(values, float), least, 60.0)))
