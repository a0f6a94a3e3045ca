"""Straight edges in a photo: segments, and the long lines that they are pieces of."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

_SHORTEST = 0.012  # of a segment, as a share of the photo's longer side
_OFF = 1.6  # pixels that an end of a segment may lie off the line it belongs to
_APART = 0.03  # radians that it may be turned against it
_STEPS = 1.0  # grey levels that a brightness may be off: below it no edge is looked for
_MIXED = 0.6  # of lines of both signs: how much the one may outweigh the other
_COLOUR_GAIN = 2.0  # how much more a difference of colours counts than one of brightness
_FAINT_GAIN = 3.0  # of brightness against what is usual around, for edges that are faint
_FAR = 12.0  # pixels of the half-size copy that are around
_GAP = 7.0  # pixels between two segments that are no gap: detectors stop short of corners


@dataclass(frozen=True)
class Lines:
    """Lines ``across = slope * along + offset`` with the stretches where an edge is seen.

    Attributes:
        slope, offset: ``(N,)``. Of lines that run rather across, ``along`` is x; else it is y.
        stretches: For each, ``(M, 2)``: where edges begin and end, sorted, apart.
    """

    slope: np.ndarray
    offset: np.ndarray
    stretches: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.slope)

    def seen(self, upto: np.ndarray) -> np.ndarray:
        """How much edge each line has before these places: ``(N, M)`` to ``(N, M)`` pixels."""
        found = np.zeros_like(upto)
        for index, stretches in enumerate(self.stretches):
            lengths = np.concatenate([[0.0], np.cumsum(stretches[:, 1] - stretches[:, 0])])
            ends = np.stack([lengths[:-1], lengths[1:]], 1)
            found[index] = np.interp(upto[index], stretches.ravel(), ends.ravel())
        return found


def straight_lines(image: np.ndarray, most: int = 300) -> tuple[Lines, Lines]:
    """The lines that run rather across and rather down, the longest first.

    Segments come from the line segment detector of Grompone von Gioi et al., "LSD: a fast line
    segment detector with a false detection control" (2010), in brightness and, at half the size,
    in brightness of more contrast and in two differences of colours.

    Args:
        image: ``(H, W, 3)`` uint8 sRGB.
        most: Lines of each kind.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    half = cv2.resize(lab, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    colours = cv2.convertScaleAbs(half, alpha=_COLOUR_GAIN, beta=128 * (1 - _COLOUR_GAIN))
    bright = half[..., 0]
    faint = cv2.addWeighted(
        bright, _FAINT_GAIN, cv2.GaussianBlur(bright, (0, 0), _FAR), -_FAINT_GAIN, 128
    )
    with ThreadPoolExecutor() as pool:  # OpenCV takes one core for each
        planes = (lab[..., 0], faint, colours[..., 1], colours[..., 2])
        found = list(pool.map(_segments, planes, (1, 2, 2, 2)))
    segments = np.concatenate(found)
    vector = segments[:, 2:] - segments[:, :2]
    keep = np.hypot(*vector.T) >= _SHORTEST * max(image.shape)
    segments, vector = segments[keep], vector[keep]
    flat = np.abs(vector[:, 0]) >= np.abs(vector[:, 1])
    return _lines(segments[flat], most), _lines(segments[~flat][:, [1, 0, 3, 2]], most)


def _segments(plane: np.ndarray, scale: int) -> np.ndarray:
    """Segments ``(N, 4)`` as ``x, y, x, y`` in a copy that is this many times as small."""
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, quant=_STEPS)
    found = detector.detect(np.ascontiguousarray(plane))[0]
    return np.zeros((0, 4)) if found is None else (found.reshape(-1, 4) + 0.5) * scale - 0.5


def _lines(segments: np.ndarray, most: int) -> Lines:
    """Segments ``(N, 4)`` as ``along, across, along, across`` to lines.

    An edge between two flat colours is darker on one side all along; one beside a painting is not.
    So there are lines of either sign, and lines of both.
    """
    sign = np.sign(segments[:, 2] - segments[:, 0])
    segments = np.where(sign[:, None] > 0, segments, segments[:, [2, 3, 0, 1]])
    order = np.argsort(segments[:, 0] - segments[:, 2])
    segments, sign = segments[order], sign[order]
    length = segments[:, 2] - segments[:, 0]
    lines = [line[:3] for line in _joined(segments, sign)]
    for slope, offset, stretches, members in _joined(segments, np.zeros_like(sign)):
        balance = abs((sign * length)[members].sum()) / length[members].sum()
        if balance < _MIXED:
            lines.append((slope, offset, stretches))
    lines.sort(key=lambda line: -float((line[2][:, 1] - line[2][:, 0]).sum()))
    lines = lines[:most]
    return Lines(
        np.array([line[0] for line in lines]),
        np.array([line[1] for line in lines]),
        tuple(line[2] for line in lines),
    )


def _joined(
    segments: np.ndarray, sign: np.ndarray
) -> list[tuple[float, float, np.ndarray, np.ndarray]]:
    """Segments, the longest first, joined with those of the same sign on the same line.

    Returns:
        Slope, offset, stretches, and which segments of each.
    """
    start, begin, stop, end = segments.T
    slopes = (end - begin) / np.maximum(stop - start, 1e-9)
    offsets = begin - slopes * start
    turned = np.arctan(slopes)
    free = np.ones(len(segments), bool)
    lines = []
    for seed in range(len(segments)):
        if not free[seed]:
            continue
        members = np.array([seed])
        slope, offset = float(slopes[seed]), float(offsets[seed])
        for _ in range(2):
            near = free & (sign == sign[seed]) & (np.abs(turned - math.atan(slope)) < _APART)
            near &= np.abs(begin - slope * start - offset) < _OFF
            near &= np.abs(end - slope * stop - offset) < _OFF
            found = np.flatnonzero(near)
            if np.array_equal(found, members):
                break
            members = found if len(found) else np.array([seed])
            slope, offset = _fit(segments[members])
        free[members] = free[seed] = False
        lines.append((slope, offset, _union(segments[members][:, ::2]), members))
    return lines


def _fit(segments: np.ndarray) -> tuple[float, float]:
    """Slope and offset, a long segment counting for more."""
    along, across = segments[:, ::2].ravel(), segments[:, 1::2].ravel()
    weight = np.repeat(segments[:, 2] - segments[:, 0], 2)
    total = weight.sum()
    middle, level = weight @ along / total, weight @ across / total
    off = along - middle
    slope = (weight * off) @ (across - level) / max((weight * off) @ off, 1e-9)
    return float(slope), float(level - slope * middle)


def _union(stretches: np.ndarray) -> np.ndarray:
    """Stretches that overlap, or nearly touch, as one: ``(N, 2)`` to ``(M, 2)``, sorted."""
    if len(stretches) == 1:
        return stretches
    start, end = stretches[np.argsort(stretches[:, 0])].T
    upto = np.maximum.accumulate(end)
    first = np.flatnonzero(np.append(True, start[1:] > upto[:-1] + _GAP))
    return np.stack([start[first], upto[np.append(first[1:], len(start)) - 1]], 1)
