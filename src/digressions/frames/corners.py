"""Quads from straight lines, and their corners to a part of a pixel."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .lines import Lines

_NEAR = 14.0  # pixels of a line that tell whether it begins at a corner
_SLACK = 5.0  # pixels that an edge may stop short of its corner
_SUPPORT = 0.4  # the share of each side that must be seen
_ENDING = 0.7  # how clearly a side must end at its corners, both together
_SMALLEST = 24.0  # pixels of a side


class Candidates(NamedTuple):
    """Quads that lines make, the best first.

    Attributes:
        corners: ``(N, 4, 2)``, clockwise from the top left.
        support: ``(N, 4)``: the share of each side (top, right, bottom, left) that is an edge.
        ends: ``(N, 4)``: how well each corner is one, where two edges begin: about -1..1.
        signs: ``(N, 4)``: 1 or -1 as a side is darker inside or out; 0 where both.
    """

    corners: np.ndarray
    support: np.ndarray
    ends: np.ndarray
    signs: np.ndarray

    def only(self, which: np.ndarray) -> Candidates:
        return Candidates(*(part[which] for part in self))


def candidates(across: Lines, down: Lines, width: int, height: int, most: int = 120) -> Candidates:
    """Quads of two lines across and two down that are edges along much of their sides."""
    if len(across) < 2 or len(down) < 2:
        empty = np.zeros((0, 4))
        return Candidates(np.zeros((0, 4, 2)), empty, empty, empty)
    a, b = across.slope[:, None], across.offset[:, None]
    c, d = down.slope[None], down.offset[None]
    y = (a * d + b) / (1 - a * c)  # (H, V): where each two meet
    x = c * y + d
    inside = (x > -2) & (x < width + 2) & (y > -2) & (y < height + 2)
    after_x, before_x, total_x = _beside(across, x)
    below, above, total_y = (part.T for part in _beside(down, y.T))
    begins, stops = after_x - before_x, before_x - after_x
    starts, finishes = below - above, above - below
    # As corners: the weaker of the two edges decides.
    ends = [
        np.minimum(begins, starts),
        np.minimum(stops, starts),
        np.minimum(stops, finishes),
        np.minimum(begins, finishes),
    ]
    # A side ends at its corners, at one of them at least: the other may be hidden.
    sides_x = _support(total_x, x)  # (H, V, V): of a line across between two lines down
    sides_y = _support(total_y.T, y.T)  # (V, H, H)
    ending_x = begins[:, :, None] + stops[:, None, :] >= _ENDING
    ending_y = starts.T[:, :, None] + finishes.T[:, None, :] >= _ENDING
    wide = x[:, None, :] - x[:, :, None] >= _SMALLEST
    tall = y.T[:, None, :] - y.T[:, :, None] >= _SMALLEST
    inner = inside[:, :, None] & inside[:, None, :]
    valid_x = (sides_x >= _SUPPORT) & ending_x & wide & inner
    valid_y = (sides_y >= _SUPPORT) & ending_y & tall
    found = []
    for left, right in np.argwhere(valid_x.sum(0) >= 2):
        rows = np.flatnonzero(valid_x[:, left, right])
        both = np.ix_(rows, rows)
        for top, bottom in np.argwhere(valid_y[left][both] & valid_y[right][both]):
            found.append((rows[top], right, rows[bottom], left))
    if not found:
        empty = np.zeros((0, 4))
        return Candidates(np.zeros((0, 4, 2)), empty, empty, empty)
    top, right, bottom, left = np.array(found).T
    pairs = [(top, left), (top, right), (bottom, right), (bottom, left)]
    quads = Candidates(
        np.stack([np.stack([x[p], y[p]], -1) for p in pairs], 1),
        np.stack(
            [
                sides_x[top, left, right],
                sides_y[right, top, bottom],
                sides_x[bottom, left, right],
                sides_y[left, top, bottom],
            ],
            1,
        ),
        np.stack([ends[index][p] for index, p in enumerate(pairs)], 1),
        np.stack([across.sign[top], down.sign[right], -across.sign[bottom], -down.sign[left]], 1),
    )
    worth = quads.support.mean(1) + 0.5 * np.sort(quads.ends, 1)[:, 1:].mean(1)
    order = np.argsort(-worth)
    return quads.only(order[_apart(quads.corners[order], most)])


def _beside(lines: Lines, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much of a line is an edge just after, just before, and altogether before places on it."""
    after = (lines.seen(at + _NEAR + _SLACK) - lines.seen(at + _SLACK)) / _NEAR
    before = (lines.seen(at - _SLACK) - lines.seen(at - _SLACK - _NEAR)) / _NEAR
    return after, before, lines.seen(at)


def _support(seen: np.ndarray, at: np.ndarray) -> np.ndarray:
    """``(N, M)`` to ``(N, M, M)``: the share of edge between places; 0 where they are not apart."""
    length = at[:, None, :] - at[:, :, None] - 2 * _SLACK
    share = (seen[:, None, :] - seen[:, :, None]) / np.maximum(length, 1.0)
    return np.where(length > 0, np.minimum(share, 1.0), 0.0)


def _apart(corners: np.ndarray, most: int, pixels: float = 3.0) -> np.ndarray:
    """Indices of the first of all quads that agree to within some pixels."""
    kept: list[int] = []
    free = np.ones(len(corners), bool)
    for index in range(len(corners)):
        if free[index]:
            kept.append(index)
            if len(kept) == most:
                break
            free &= np.abs(corners - corners[index]).max((1, 2)) > pixels
    return np.array(kept, int)


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
    quarter = 0.25
    offsets = np.arange(-reach - 1, reach + 1 + quarter / 2, quarter)
    sides = []
    for index in range(4):
        start, end = corners[index], corners[(index + 1) % 4]
        length = float(np.linalg.norm(end - start))
        margin = min(0.15, (reach + 3) / length)
        count = int(np.clip(length / 3, 16, 100))
        share = np.linspace(margin, 1 - margin, count)
        along = (end - start) / length
        inward = np.array([-along[1], along[0]])
        points = start + share[:, None] * (end - start)
        sides.append((points, along, inward))
    lines, support, strength, off = [], [], [], []
    for points, along, inward in sides:
        places = points[:, None] + offsets[None, :, None] * inward
        profile = cv2.remap(
            image,
            places[..., 0].astype(np.float32),
            places[..., 1].astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        step = round(0.75 / quarter)
        change = (profile[:, 2 * step :] - profile[:, : -2 * step]) / (2 * step * quarter)
        centres = offsets[step:-step]
        rise = _along_one_colour(change, centres)
        line, inside, spread, steep = _line_of(rise, centres, points, along, inward, reach)
        lines.append(line if inside >= _SUPPORT else (points[0], along))  # hidden: as it was
        support.append(inside)
        off.append(spread)
        strength.append(steep)
    met = np.array([_meet(lines[index - 1], lines[index]) for index in range(4)])
    if not np.isfinite(met).all() or np.abs(met - corners).max() > 3 * reach:
        return Sharp(corners, np.zeros(4), reach, np.zeros(4))
    return Sharp(
        met, np.array(support), float(np.sqrt(np.mean(np.square(off)))), np.array(strength)
    )


def _along_one_colour(change: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Changes of colour ``(N, M, 3)`` to ``(N, M)``: in the direction that most of them share.

    Where the direction turns from point to point, as beside a painting, its length.
    """
    middle = change * np.exp(-0.5 * centres**2)[None, :, None]
    flat = middle.reshape(-1, 3)
    _, axes = np.linalg.eigh(flat.T @ flat)
    along = change @ axes[:, -1]
    total = middle @ axes[:, -1]
    if abs(total.sum()) > 0.5 * np.abs(total).sum():
        return along * np.sign(total.sum())
    return np.linalg.norm(change, axis=-1)


def _line_of(
    rise: np.ndarray,
    centres: np.ndarray,
    points: np.ndarray,
    along: np.ndarray,
    inward: np.ndarray,
    reach: float,
) -> tuple[tuple[np.ndarray, np.ndarray], float, float, float]:
    """A line through the steepest places of profiles ``(N, M)``: the edge that most of them share.

    The mean profile says where the edge is; each profile is then searched near it, so that
    another edge close by does not draw the line to itself.
    """
    distance = np.abs(centres)
    weight = np.exp(-0.5 * (distance / (0.6 * reach)) ** 2)
    best = (rise * weight).argmax(1).clip(1, rise.shape[1] - 2)
    rows = np.arange(len(rise))
    low, mid, high = rise[rows, best - 1], rise[rows, best], rise[rows, best + 1]
    bend = low - 2 * mid + high
    shift = np.where(bend < -1e-6, 0.5 * (low - high) / np.minimum(bend, -1e-6), 0.0).clip(-1, 1)
    place = centres[best] + shift * (centres[1] - centres[0])
    t = (points - points[0]) @ along
    weights = np.maximum(mid, 0.0) + 1e-6
    weights = np.minimum(weights, np.median(weights) * 2)
    keep = weights.copy()
    level, slope = 0.0, 0.0
    for width in (reach, 0.5 * reach, 0.35 * reach, 0.35 * reach):
        total = keep.sum()
        middle, mean = keep @ t / total, keep @ place / total
        slope = float((keep * (t - middle)) @ (place - mean) / (keep @ (t - middle) ** 2))
        level = float(mean - slope * middle)
        residual = place - level - slope * t
        keep = weights / (1 + (residual / width) ** 2) ** 2
    near = np.abs(residual) < max(0.35 * reach, 0.7)
    steady = near & (mid > 0.25 * np.median(mid[near]) if near.any() else near)
    spread = float(np.sqrt(np.mean(residual[near] ** 2))) if near.any() else reach
    start = points[0] + level * inward
    return (start, along + slope * inward), float(steady.mean()), spread, float(np.median(mid))


def _meet(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Where two lines, each a point and a direction, cross."""
    (p, u), (q, v) = one, other
    cross = u[0] * v[1] - u[1] * v[0]
    if abs(cross) < 1e-9:
        return np.array([np.nan, np.nan])
    t = ((q[0] - p[0]) * v[1] - (q[1] - p[1]) * v[0]) / cross
    return p + t * u
