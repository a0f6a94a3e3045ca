"""How sure it is that a quad is an opening, of the scores that networks give to all quads.

A score says how much a quad is like an opening, which is not how often that is right: networks are
surer of plain rooms than of crowded ones, and of a quad that is far better than all around it than
of the best of many alike. So a logistic curve goes over what tells these apart, fitted by
`training/frame_scorer` on rooms that taught the networks nothing, half of them plain.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

_MIN_RECTANGLE = 0.02
_MIN_SHARE = 1e-3
_RIVAL = 0.002  # intersection over union from which a quad is another's rival,
_SAME = 0.9  # and from which it is the same opening
_FAR = 8.0  # below a score: so much worse quads weigh nothing


def calibration_features(
    quads: np.ndarray, features: Mapping[str, np.ndarray], score: np.ndarray
) -> np.ndarray:
    """``(N, 5)``: what the probability of being an opening depends on.

    Args:
        quads: ``(N, 4, 2)``.
        features: As `scoring.quad_features` gives them: how well right angles fit, and how many
            quads of the same size stand beside each, as panes of windows do.
        score: ``(N,)``, as networks give it.
    """
    logs = (
        np.log(features["rectangle score"] + _MIN_RECTANGLE),
        np.log(shares(quads, score) + _MIN_SHARE),
    )
    return np.stack([np.ones(len(score)), score, *logs, features["twins beside"]], 1)


def probability(calibration: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Probability of being an opening, ``(N,)``: a logistic curve of `calibration_features`.

    Args:
        calibration: ``(5,)``.
    """
    return np.asarray(1 / (1 + np.exp(-features @ calibration)))


def shares(quads: np.ndarray, score: np.ndarray) -> np.ndarray:
    """What of the weight of a quad and its rivals lies on it and what is nearly it, ``(N,)``, 0..1.

    Rivals are the quads that overlap it, and a quad weighs ``exp(score)``. 1: nothing there is like
    an opening but this. 0.1: there are ten others as good, somewhat off.

    Args:
        quads: ``(N, 4, 2)``.
        score: ``(N,)``.
    """
    corners = np.asarray(quads, np.float32).reshape(-1, 4, 2)
    low, high = corners.min(1), corners.max(1)
    found = np.ones(len(corners))
    for index, quad in enumerate(corners):
        near = (low < high[index]).all(1) & (high > low[index]).all(1)
        rivals = np.flatnonzero(near & (score > score[index] - _FAR))
        overlap = np.array([overlap_of(quad, corners[other]) for other in rivals])
        weight = np.exp(score[rivals] - score[rivals].max())
        found[index] = weight[overlap >= _SAME].sum() / weight[overlap > _RIVAL].sum()
    return found


def overlap_of(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of convex quads ``(4, 2)`` float32, to say whether they overlap.

    OpenCV's intersection is quick, and now and then too large where sides lie on each other.
    """
    shared = cv2.intersectConvexConvex(one, other)[0]
    return float(shared / (cv2.contourArea(one) + cv2.contourArea(other) - shared))
