"""Which of many quads, nested and across each other, are openings.

One frame makes dozens of quads: the hull of its flank and front, steps of its moulding, mat, the
shadow in it, what the picture shows. Each is described by what lies on either side of its sides and
by what it is nested in, and small networks score how much it is like an opening. Their weights,
`scoring.npz`, are trained by `training/frame_scorer` on rendered rooms: the true opening shall come
before everything that overlaps it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import numpy as np

from ..homography import Quad
from .calibration import calibration_features, overlap_of, probability
from .quads import CandidateQuad, Candidates, Nesting
from .sides import SideContrast

Network = dict[str, np.ndarray]
"""The arrays of ``K`` networks, by name, as `training/frame_scorer` writes them.

``names``, ``mean``, ``spread`` are of the features of a quad, ``side_mean`` and ``side_spread`` of
those of its sides; ``side_weight_1``, ... are ``(K, in, out)``; ``calibration`` is ``(5,)``.
"""
_MAX_OVERLAP = 0.001  # intersection over union from which two quads cannot both be openings
_UNIT = 64.0  # grey levels
_ALIKE = 0.12  # logarithm of the ratio of sides up to which two quads are of one size
_IN_ROW, _BESIDE = 0.15, 1.6  # how far aside, and how far along, a twin may stand, in own sides
_PANE = 0.7  # share of a quad that one of several in it can have


def scores(candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """How much quads are like an opening.

    Returns:
        Scores ``(N,)``, unbounded, by which quads are compared, and the probability ``(N,)`` in
        0..1 of each to be an opening if it is the best of all that overlap it.
    """
    corners = np.array([each.quad for each in candidates.quads])
    sides = side_features(candidates.contrast)
    return judged(_network(), corners, quad_features(candidates), sides)


def judged(
    network: Network, quads: np.ndarray, features: dict[str, np.ndarray], sides: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and probabilities, as `scores` gives them, by some networks.

    Args:
        quads: ``(N, 4, 2)``.
        features, sides: As of `network_scores`.
    """
    score = network_scores(network, features, sides)
    known = calibration_features(quads, features, score)
    return score, probability(network["calibration"], known)


def network_scores(
    network: Network, features: dict[str, np.ndarray], sides: np.ndarray
) -> np.ndarray:
    """The mean score of all networks, ``(N,)``.

    Each side of a quad goes through two layers; their mean and maximum over the four, and the
    features of the quad, go through three.

    Args:
        features: As `quad_features` gives them.
        sides: As `side_features` gives them.
    """
    whole = np.stack([features[name] for name in network["names"]], 1)
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
def _network() -> Network:
    with as_file(files(__package__) / "scoring.npz") as path, np.load(path) as stored:
        return dict(stored)


def quad_features(candidates: Candidates) -> dict[str, np.ndarray]:
    """What tells openings from other quads, by name, ``(N,)`` each, about -3 to 6."""
    quads, contrast = candidates.quads, candidates.contrast
    steps, sharpness, outside, inside = (
        np.sort(part, 1)
        for part in (
            contrast.contrast,
            contrast.sharpness,
            contrast.roughness_outside,
            contrast.roughness_inside,
        )
    )
    support = np.sort([each.measured.support for each in quads], 1)
    strength = np.sort([each.measured.strength for each in quads], 1)
    line_support = np.array([each.line_support for each in quads])
    line_corner_scores = np.array([each.line_corner_scores for each in quads])
    sides = np.sort([each.quad.sides for each in quads], 1)
    corners = np.array([each.quad for each in quads])
    colour = np.array([each.interior.colour for each in quads])
    rectangles = np.array([each.rectangle_score for each in quads])
    to_border = np.minimum(
        corners.min((1, 2)), (np.array(candidates.size) - 1 - corners).min((1, 2))
    )
    features = {
        "residual": np.minimum([each.measured.residual for each in quads], 3),
        "rectangularity": np.array([each.rectangularity for each in quads]),
        "emptiness": np.array([each.interior.emptiness for each in quads]),
        "spread": _log([each.interior.spread for each in quads]),
        "brightness": colour.mean(1) / _UNIT,
        "hits": np.log([each.hits for each in quads]),
        "from lines": np.array([float(each.from_lines) for each in quads]),
        "shorter side": np.log(sides[:, 0] / 50),
        "elongation": np.log(sides.max(1) / sides.min(1)),
        "distance to border": np.clip(to_border / 20, -1, 1),
        "rectangle score": rectangles,
        **_twins(corners),
    }
    for name, values in (
        ("contrast", _log(steps, 1.0)),
        ("sharpness", np.minimum(sharpness, 1)),
        ("roughness outside", _log(outside)),
        ("roughness inside", _log(inside)),
        ("support", support),
        ("strength", _log(strength)),
        ("line support", line_support),
        ("line corner score", line_corner_scores),
    ):
        features |= {f"{name} {place + 1}": values[:, place] for place in range(4)}
    for where, nestings in (
        ("outer", [each.outer for each in quads]),
        ("inner", [each.inner for each in quads]),
    ):
        best = [max(of, key=lambda nesting: nesting.evenness, default=None) for of in nestings]
        found = _nesting_features(best, quads, steps, rectangles)
        features |= {f"{where}: {name}": values for name, values in found.items()}
        features[f"{where}: count"] = np.log1p([len(of) for of in nestings])
    return features


def _twins(corners: np.ndarray) -> dict[str, np.ndarray]:
    """How many quads of the same size stand beside each, and in it two by two.

    Panes of windows, panels of doors and fronts of cupboards come side by side.

    Args:
        corners: ``(N, 4, 2)``.
    """
    low, high, middle = corners.min(1), corners.max(1), corners.mean(1)
    extent = high - low
    alike = (np.abs(np.log(extent[:, None] / extent[None])) < _ALIKE).all(-1)
    away = np.abs(middle[:, None] - middle[None]) / extent[:, None]
    in_row = (away[..., ::-1] < _IN_ROW) & (away > 1 - _ALIKE) & (away < _BESIDE)
    twin = (alike & in_row.any(-1)).astype(np.float32)
    slack = _ALIKE * extent[:, None]
    within = (low[None] > low[:, None] - slack) & (high[None] < high[:, None] + slack)
    smaller = extent.prod(-1)[None] < _PANE * extent.prod(-1)[:, None]
    holds = (within.all(-1) & smaller).astype(np.float32)
    pairs = ((holds @ twin) * holds).sum(1)
    return {"twins beside": np.log1p(twin.sum(1)), "twins inside": np.log1p(pairs)}


def _nesting_features(
    best: list[Nesting | None],
    quads: list[CandidateQuad],
    steps: np.ndarray,
    rectangles: np.ndarray,
) -> dict[str, np.ndarray]:
    """What the outer or inner quad of each is like; 0 where there is none."""
    there = np.array([nesting is not None for nesting in best], float)
    which = np.array([0 if nesting is None else nesting.quad for nesting in best])
    strength = _log([np.sort(quads[i].measured.strength)[1] for i in which])
    return {
        "evenness": np.array([0.0 if of is None else of.evenness for of in best]),
        "level": np.array([0 if of is None else min(of.level, 3) for of in best], float),
        "depth": np.array([0.0 if of is None else 5 * of.depth for of in best]),
        "rectangle score": rectangles[which] * there,
        "support": np.array([quads[i].measured.support.min() for i in which]) * there,
        "strength": strength * there,
        "contrast": _log(steps[which, 1], 1.0) * there,
        "emptiness": np.array([quads[i].interior.emptiness for i in which]) * there,
        "rectangularity": np.array([quads[i].rectangularity for i in which]) * there,
        "from lines": np.array([float(quads[i].from_lines) for i in which]) * there,
    }


def side_features(contrast: SideContrast) -> np.ndarray:
    """What tells openings from other quads at each of their sides, ``(N, 4, F)`` float32."""
    profile, wide = contrast.profile / _UNIT, contrast.wide_profile / _UNIT
    edge = profile[:, :, profile.shape[2] // 2][:, :, None].mean((1, 2, 3), keepdims=True)
    changes = np.abs(np.diff(profile, axis=2)).sum(-1)
    bands = np.stack(
        [
            contrast.contrast,
            contrast.sharpness,
            contrast.roughness_outside,
            contrast.roughness_inside,
        ],
        -1,
    )
    parts = (
        (profile - edge)[:, :, ::2],
        4 * changes,
        wide - edge,
        4 * contrast.wide_roughness / _UNIT,
        _log(bands),
    )
    flat = [part.reshape(len(part), 4, int(np.prod(part.shape[2:]))) for part in parts]
    return np.concatenate(flat, -1, dtype=np.float32)


def non_maximum_suppression(
    openings: list[Quad], outers: list[Quad], score: np.ndarray
) -> list[int]:
    """Indices of the openings that no better one overlaps, the best first.

    Args:
        openings: The quads.
        outers: The outside of the moulding around each; whatever lies inside one that is kept is
            dropped.
        score: ``(N,)``.
    """
    inner, outer = (np.array(of, np.float32).reshape(-1, 4, 2) for of in (openings, outers))
    low, high = inner.min(1), inner.max(1)
    begin, end = outer.min(1), outer.max(1)
    kept: list[int] = []
    for index in np.argsort(-score, kind="stable"):
        near = [k for k in kept if (begin[k] < high[index]).all() and (low[index] < end[k]).all()]
        if all(overlap_of(outer[k], inner[index]) <= _MAX_OVERLAP for k in near):
            kept.append(int(index))
    return kept


def _log(values: object, least: float = 0.3) -> np.ndarray:
    return np.asarray(np.log(np.clip(np.asarray(values, float), least, 60.0)))
