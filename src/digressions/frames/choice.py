"""Which of many quads, nested and across each other, are openings.

One frame makes dozens of quads: the hull of its flank and front, steps of its moulding, mat, the
shadow in it, what the picture shows. Each is described by what its sides look like, and a weighted
sum says how much it is like an opening. `benchmarks/openings.py` found the weights: in rendered
rooms, the true opening shall come before everything that overlaps it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..geometry import Quad
from .borders import Borders
from .corners import Sharp

_SAME = 4.0  # pixels that corners of quads may be apart that count as one
_OVERLAP = 0.001  # intersection over union from which two quads cannot both be openings


class Seen(NamedTuple):
    """A quad that may be an opening.

    Attributes:
        opening: The quad.
        outer: The quad that it is nested in; the same where it is nested in none.
        inner, around: How the two were measured.
        level: How many edges lie between them, and the outer one's: 0 for itself.
        even: How even the distance between them is, 0..1; 0 for itself.
        closed: Whether it is an edge all around, not the end of a shadow.
        support, ends: Of the rough quad: the share of each side that is an edge, and how well each
            corner is one; sorted, ``(4,)``.
        exists: How sure it is that there is a rectangle at all, 0..1.
        square: How well the opening agrees with being a rectangle, 0..1.
        empty: How little there is in it, 0..1.
    """

    opening: Quad
    outer: Quad
    inner: Sharp
    around: Sharp
    level: int
    even: float
    closed: bool
    support: np.ndarray
    ends: np.ndarray
    exists: float
    square: float
    empty: float


# Name: usual value, weight.
WEIGHTS: dict[str, tuple[float, float]] = {
    "step, least": (2.768, 0.36),
    "step, most but one": (3.83, -0.186),
    "sharp, least": (0.232, 3.573),
    "sharp, most but one": (0.303, -2.404),
    "uneven outside": (1.781, -0.442),
    "uneven inside": (0.665, 0.871),
    "edge, least": (0.706, 0.007),
    "edge": (0.867, 1.577),
    "off": (0.355, -0.931),
    "strength, least": (1.469, -0.087),
    "square": (0.679, 0.765),
    "corner, worst": (0.248, 1.476),
    "corner, second": (0.441, 1.535),
    "corner, third": (0.847, 1.194),
    "even": (0.154, 1.583),
    "empty": (0.516, 0.814),
    "level": (0.311, 1.779),
    "closed": (0.943, 0.92),
    "rough edge, least": (0.733, 1.649),
    "rough edge": (0.884, 2.933),
    "as often": (0.163, 6.925),
    "exists": (0.502, 1.718),
    "log exists": (-0.947, 0.468),
}
# How sure an opening is: of nothing, of the sum of weights, of the logarithm of `exists`.
SURE = (-2.957, 0.821, 0.591)


def features(seen: list[Seen], beside: Borders) -> dict[str, np.ndarray]:
    """What tells openings from other quads, ``(N,)`` each."""
    step, sharp, outside, inside = (np.sort(part, 1) for part in beside)
    support = np.sort([quad.inner.support for quad in seen], 1)
    rough, ends = (np.stack([getattr(quad, name) for quad in seen]) for name in ("support", "ends"))
    corners = np.array([quad.opening for quad in seen])
    exists = np.array([quad.exists for quad in seen])
    apart = np.abs(corners[:, None] - corners[None]).max((2, 3))
    return {
        "step, least": _log(step[:, 0], 1.0),
        "step, most but one": _log(step[:, 2], 1.0),
        "sharp, least": np.minimum(sharp[:, 0], 1),
        "sharp, most but one": np.minimum(sharp[:, 2], 1),
        "uneven outside": _log(outside[:, 3]),
        "uneven inside": _log(inside[:, 1]),
        "edge, least": support[:, 0],
        "edge": support.mean(1),
        "off": np.minimum([quad.inner.off for quad in seen], 3),
        "strength, least": _log(np.min([quad.inner.strength for quad in seen], axis=1)),
        "square": np.array([quad.square for quad in seen]),
        "corner, worst": ends[:, 0].clip(0, 1),
        "corner, second": ends[:, 1].clip(0, 1),
        "corner, third": ends[:, 2].clip(0, 1),
        "even": np.array([quad.even for quad in seen]),
        "empty": np.array([quad.empty for quad in seen]),
        "level": np.minimum([quad.level for quad in seen], 3).astype(float),
        "closed": np.array([float(quad.closed) for quad in seen]),
        "rough edge, least": rough[:, 0],
        "rough edge": rough.mean(1),
        "as often": np.minimum((apart < _SAME).sum(1), 8) / 8,
        "exists": exists,
        "log exists": np.log(exists + 0.02),
    }


def openness(named: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How much quads are like an opening, and how sure it is that they are one: 0..1."""
    total = sum(
        weight * (named[name] - usual) for name, (usual, weight) in WEIGHTS.items()
    ) + np.zeros(len(named["exists"]))
    constant, by_total, by_exists = SURE
    logit = constant + by_total * total + by_exists * named["log exists"]
    return total, 1 / (1 + np.exp(-logit))


def apart(openings: list[Quad], outers: list[Quad], worth: np.ndarray) -> list[int]:
    """Those that are worth more than all whose moulding or opening they lie in, the best first."""
    inner, outer = np.array(openings).reshape(-1, 4, 2), np.array(outers).reshape(-1, 4, 2)
    low, high = inner.min(1), inner.max(1)
    begin, end = outer.min(1), outer.max(1)
    kept: list[int] = []
    for index in np.argsort(-worth, kind="stable"):
        near = [k for k in kept if (begin[k] < high[index]).all() and (low[index] < end[k]).all()]
        if all(outers[k].overlap(openings[index]) <= _OVERLAP for k in near):
            kept.append(int(index))
    return kept


def _log(values: np.ndarray, least: float = 0.3) -> np.ndarray:
    return np.asarray(np.log(np.clip(values, least, 60.0)))
