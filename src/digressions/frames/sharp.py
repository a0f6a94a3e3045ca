"""The sides of a quad, measured to a part of a pixel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..geometry import cross
from .medians import median, median_of
from .sampling import sampled

_GRAIN = 0.25  # pixels between samples across a side
_EDGE = 0.75  # pixels to either side that a change of colour is measured between
_PLAIN = 3.0  # grey levels a pixel that are an edge, however much steeper it is elsewhere
_PROFILES = 40  # samples along a side
_SUPPORT = 0.4  # the share of a side that must be seen to move it
_AT_ONCE = 32  # quads


class Sharp(NamedTuple):
    """A quad whose sides were measured in the photo.

    Attributes:
        corners: ``(4, 2)``.
        support: ``(4,)``: the share of each side where the edge lies on one straight line.
        off: Root mean square of what does, off that line, in pixels.
        strength: ``(4,)``: contrast across each side, grey levels a pixel.
    """

    corners: np.ndarray
    support: np.ndarray
    off: float
    strength: np.ndarray


def sharpened(image: np.ndarray, corners: np.ndarray, reach: float | np.ndarray) -> list[Sharp]:
    """Corners to a part of a pixel: straight lines through where the sides are steepest.

    Args:
        image: ``(H, W, 3)`` float32, slightly blurred.
        corners: ``(N, 4, 2)``, off by less than ``reach`` pixels.
        reach: Pixels to look to either side, of all or of each, ``(N,)``.
    """
    reach = np.broadcast_to(reach, len(corners))
    found = []
    for start in range(0, len(corners), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        found += _sharpened(image, corners[some], reach[some])
    return found


def _sharpened(image: np.ndarray, corners: np.ndarray, reach: np.ndarray) -> list[Sharp]:
    """Arrays ``(S, N, M)`` are of ``S`` sides, ``N`` profiles along, and ``M`` places across."""
    furthest = math.ceil((float(reach.max()) + 1) / _GRAIN)
    offsets = _GRAIN * np.arange(-furthest, furthest + 1)  # the same places whatever the reach
    starts = corners.reshape(-1, 2)
    sides = (np.roll(corners, -1, 1) - corners).reshape(-1, 2)
    reaches = np.repeat(reach, 4)[:, None]
    length = np.linalg.norm(sides, axis=1, keepdims=True)
    along = sides / length
    inward = np.stack([-along[:, 1], along[:, 0]], 1)
    margin = np.minimum(0.15, (reaches + 3) / length)
    at = (margin + (1 - 2 * margin) * np.linspace(0, 1, _PROFILES)) * length  # (S, N)
    points = starts[:, None] + at[..., None] * along[:, None]
    places = points[:, :, None] + offsets[:, None] * inward[:, None, None]
    profile = sampled(image, places)
    step = round(_EDGE / _GRAIN)
    centres = offsets[step:-step]
    within = np.abs(centres) <= reaches + 1 - _EDGE  # (S, M)
    change = profile[:, :, 2 * step :] - profile[:, :, : -2 * step]
    change *= np.float32(0.5 / _EDGE)
    change *= within[:, None, :, None]
    level, slope, support, off, strength = _edges(
        _along_one_colour(change, centres), centres, at, reaches
    )
    seen = support >= _SUPPORT  # else hidden: left as it was
    level, slope = np.where(seen, level, 0.0), np.where(seen, slope, 0.0)
    met = _met(
        (starts + level[:, None] * inward).reshape(-1, 4, 2),
        (along + slope[:, None] * inward).reshape(-1, 4, 2),
    )
    support, off, strength = (part.reshape(-1, 4) for part in (support, off, strength))
    off = np.sqrt(np.mean(np.square(off), 1))
    lost = ~(np.abs(met - corners).max((1, 2)) <= 3 * reach)  # or not a number
    return [
        Sharp(corners[i], np.zeros(4), float(reach[i]), np.zeros(4))
        if lost[i]
        else Sharp(met[i], support[i], float(off[i]), strength[i])
        for i in range(len(corners))
    ]


def _along_one_colour(change: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Changes of colour ``(S, N, M, 3)`` to ``(S, N, M)``: the way that most of a side's go.

    Where it turns from point to point, as beside a painting, how large they are.
    """
    middle = change * np.exp(-0.5 * centres**2).astype(np.float32)[:, None]
    flat = middle.reshape(len(change), -1, 3)
    axes = np.linalg.eigh(flat.transpose(0, 2, 1) @ flat)[1][..., -1:]  # (S, 3, 1)
    total = (flat @ axes)[..., 0]
    balance = total.sum(1)
    turned = axes * np.sign(balance)[:, None, None]
    rise = (change.reshape(flat.shape) @ turned).reshape(change.shape[:3])
    turning = np.abs(balance) <= 0.5 * np.abs(total).sum(1)
    rise[turning] = np.linalg.norm(change[turning], axis=-1)
    return rise


def _edges(
    rise: np.ndarray, centres: np.ndarray, at: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lines through the steepest places of profiles ``(S, N, M)``: what most of a side share.

    The mean profile says where the edge is; each profile is then searched near it, so that
    another edge close by does not draw the line to itself.

    Args:
        reach: Of each side, ``(S, 1)``.

    Returns:
        Of each side: level and slope inward, the share that lies on that line, how far off the
        line that is (root mean square), and how steep.
    """
    weight = np.exp(-0.5 * (centres / (0.6 * reach)) ** 2).astype(np.float32)
    within = np.abs(centres) <= reach + 1 - _EDGE - _GRAIN  # (S, M): so are both neighbours
    best = np.where(within[:, None], rise * weight[:, None], -np.inf).argmax(2)
    low, mid, high = (
        np.take_along_axis(rise, (best + by)[..., None], 2)[..., 0] for by in (-1, 0, 1)
    )
    bend = low - 2 * mid + high
    shift = np.where(bend < -1e-6, 0.5 * (low - high) / np.minimum(bend, -1e-6), 0.0).clip(-1, 1)
    place = centres[best] + shift * _GRAIN
    weights = np.maximum(mid, 0.0) + 1e-6
    weights = np.minimum(weights, 2 * median(weights, 1)[:, None])
    keep = weights
    for width in (reach, 0.5 * reach, 0.35 * reach, 0.35 * reach):
        total = keep.sum(1)
        middle, mean = (keep * at).sum(1) / total, (keep * place).sum(1) / total
        away, off = at - middle[:, None], place - mean[:, None]
        slope = (keep * away * off).sum(1) / (keep * away**2).sum(1)
        level = mean - slope * middle
        residual = off - slope[:, None] * away
        keep = weights / (1 + (residual / width) ** 2) ** 2
    near = np.abs(residual) < np.maximum(0.35 * reach, 0.7)
    steady = near & (mid > np.minimum(0.25 * median_of(mid, near), _PLAIN)[:, None])
    squares = (residual**2 * near).sum(1) / np.maximum(near.sum(1), 1)
    spread = np.where(near.any(1), np.sqrt(squares), reach[:, 0])
    return level, slope, steady.mean(1), spread, median(mid, 1)


def _met(starts: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Where each of four lines meets the one before it, ``(N, 4, 2)``; not a number if nowhere."""
    p, u = np.roll(starts, 1, 1), np.roll(directions, 1, 1)
    turn = cross(u, directions)
    turn = np.where(np.abs(turn) < 1e-9, np.nan, turn)
    return np.asarray(p + (cross(starts - p, directions) / turn)[..., None] * u)
