"""The sides of a quad, measured to a part of a pixel."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

_GRAIN = 0.25  # pixels between samples across a side
_PLAIN = 3.0  # grey levels a pixel that are an edge, however much steeper it is elsewhere
_PROFILES = 40  # samples along a side, at most
_SUPPORT = 0.4  # the share of a side that must be seen to move it


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


def sharpened(image: np.ndarray, corners: np.ndarray, reach: float) -> Sharp:
    """Corners to a part of a pixel: straight lines through where the sides are steepest.

    Args:
        image: ``(H, W, 3)`` float32, slightly blurred.
        corners: ``(4, 2)``, off by less than ``reach`` pixels.
        reach: Pixels to look to either side.
    """
    offsets = np.arange(-reach - 1, reach + 1 + _GRAIN / 2, _GRAIN)
    sides = np.roll(corners, -1, 0) - corners
    length = np.linalg.norm(sides, axis=1)
    along = sides / length[:, None]
    inward = np.stack([-along[:, 1], along[:, 0]], 1)
    margin = np.minimum(0.15, (reach + 3) / length)
    share = np.linspace(margin, 1 - margin, int(np.clip(length.max() / 4, 16, _PROFILES)), axis=1)
    at = share * length[:, None]  # (4, N): where along each side
    points = corners[:, None] + at[..., None] * along[:, None]
    places = points[:, :, None] + offsets[:, None] * inward[:, None, None]
    profile = cv2.remap(
        image,
        places[..., 0].reshape(-1, len(offsets)).astype(np.float32),
        places[..., 1].reshape(-1, len(offsets)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(*places.shape[:3], 3)
    step = round(0.75 / _GRAIN)
    change = (profile[:, :, 2 * step :] - profile[:, :, : -2 * step]) / (2 * step * _GRAIN)
    centres = offsets[step:-step]
    level, slope, support, off, strength = _edges(
        _along_one_colour(change, centres), centres, at, reach
    )
    seen = support >= _SUPPORT  # else hidden: left as it was
    level, slope = np.where(seen, level, 0.0), np.where(seen, slope, 0.0)
    starts = corners + level[:, None] * inward
    directions = along + slope[:, None] * inward
    met = np.array(
        [_meet(starts[i - 1], directions[i - 1], starts[i], directions[i]) for i in range(4)]
    )
    if not np.isfinite(met).all() or np.abs(met - corners).max() > 3 * reach:
        return Sharp(corners, np.zeros(4), reach, np.zeros(4))
    return Sharp(met, support, float(np.sqrt(np.mean(np.square(off)))), strength)


def _along_one_colour(change: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Changes of colour ``(4, N, M, 3)`` to ``(4, N, M)``: the way that most of a side's go.

    Where it turns from point to point, as beside a painting, how large they are.
    """
    middle = change * np.exp(-0.5 * centres**2).astype(np.float32)[:, None]
    flat = middle.reshape(4, -1, 3)
    axes = np.linalg.eigh(flat.transpose(0, 2, 1) @ flat)[1][..., -1]  # (4, 3)
    total = np.einsum("snc,sc->sn", flat, axes)
    balance = total.sum(1)
    rise = np.einsum("snmc,sc->snm", change, axes * np.sign(balance)[:, None])
    turning = np.abs(balance) <= 0.5 * np.abs(total).sum(1)
    if turning.any():
        rise[turning] = np.linalg.norm(change[turning], axis=-1)
    return rise


def _edges(
    rise: np.ndarray, centres: np.ndarray, at: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lines through the steepest places of profiles ``(4, N, M)``: what most of a side share.

    The mean profile says where the edge is; each profile is then searched near it, so that
    another edge close by does not draw the line to itself.

    Returns:
        Of each side: level and slope inward, the share that lies on that line, how far off the
        line that is (root mean square), and how steep.
    """
    weight = np.exp(-0.5 * (centres / (0.6 * reach)) ** 2)
    best = (rise * weight).argmax(2).clip(1, rise.shape[2] - 2)
    low, mid, high = (
        np.take_along_axis(rise, (best + by)[..., None], 2)[..., 0] for by in (-1, 0, 1)
    )
    bend = low - 2 * mid + high
    shift = np.where(bend < -1e-6, 0.5 * (low - high) / np.minimum(bend, -1e-6), 0.0).clip(-1, 1)
    place = centres[best] + shift * _GRAIN
    weights = np.maximum(mid, 0.0) + 1e-6
    weights = np.minimum(weights, 2 * np.median(weights, 1, keepdims=True))
    keep = weights
    for width in (reach, 0.5 * reach, 0.35 * reach, 0.35 * reach):
        total = keep.sum(1)
        middle, mean = (keep * at).sum(1) / total, (keep * place).sum(1) / total
        away, off = at - middle[:, None], place - mean[:, None]
        slope = (keep * away * off).sum(1) / (keep * away**2).sum(1)
        level = mean - slope * middle
        residual = off - slope[:, None] * away
        keep = weights / (1 + (residual / width) ** 2) ** 2
    near = np.abs(residual) < max(0.35 * reach, 0.7)
    usual = np.array([np.median(m[n]) if n.any() else 0.0 for m, n in zip(mid, near, strict=True)])
    steady = near & (mid > np.minimum(0.25 * usual, _PLAIN)[:, None])
    squares = (residual**2 * near).sum(1) / np.maximum(near.sum(1), 1)
    spread = np.where(near.any(1), np.sqrt(squares), reach)
    return level, slope, steady.mean(1), spread, np.median(mid, 1)


def _meet(p: np.ndarray, u: np.ndarray, q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Where the line through ``p`` along ``u`` crosses the one through ``q`` along ``v``."""
    cross = u[0] * v[1] - u[1] * v[0]
    if abs(cross) < 1e-9:
        return np.array([np.nan, np.nan])
    t = ((q[0] - p[0]) * v[1] - (q[1] - p[1]) * v[0]) / cross
    return p + t * u
