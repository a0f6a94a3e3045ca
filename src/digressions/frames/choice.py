"""Which of many quads, nested and across each other, are openings.

One frame makes dozens of quads: the hull of its flank and front, steps of its moulding, mat, the
shadow in it, what the picture shows. Each is described by what its sides look like and by what it
is nested in, and a small network says how much it is like an opening. `benchmarks/openings.py`
found its weights: in rendered rooms, the true opening shall come before everything that overlaps
it.
"""

from __future__ import annotations

import numpy as np

from ..geometry import Quad
from .quads import Nest, Seen, Sight

_OVERLAP = 0.001  # intersection over union from which two quads cannot both be openings


def features(sight: Sight) -> dict[str, np.ndarray]:
    """What tells openings from other quads, ``(N,)`` each, about -3 to 6."""
    seen = sight.seen
    step, sharp, outside, within = (np.sort(part, 1) for part in sight.beside)
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
        "bright": colour.mean(1) / 64,
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
    rows = {
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
    return rows


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


def _log(values: object, least: float = 0.3) -> np.ndarray:
    return np.asarray(np.log(np.clip(np.asarray(values, float), least, 60.0)))
