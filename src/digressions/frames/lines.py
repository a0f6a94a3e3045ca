"""Straight edges in a photo: line segments, and the long lines that they are pieces of."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

_MIN_LENGTH = 0.012  # of a segment, as a share of the photo's longer side
_MAX_DISTANCE = 1.6  # pixels between a line and the ends of a segment that belongs to it
_MAX_ANGLE = 0.03  # radians between the two
_MIN_STEP = 1.0  # grey levels: LSD's bound on the error of a brightness, below which is no edge
_MIXED = 0.6  # of a line of both signs: how much one sign may outweigh the other
_COLOUR_GAIN = 2.0  # how much more a difference of colours counts than one of brightness
_FAINT_GAIN = 3.0  # by which brightness is amplified against its surroundings, for faint edges
_SURROUNDINGS = 12.0  # pixels of the half-size copy: sigma of the blur that gives them
_MAX_GAP = 7.0  # pixels between segments that touch: detectors stop short of corners


@dataclass(frozen=True)
class Lines:
    """Lines ``across = slope * along + offset``, and the stretches of them that are edges.

    Attributes:
        slope, offset: ``(N,)``. For lines that run mostly across, ``along`` is x; for lines that
            run mostly down, it is y.
        stretches: For each line ``(M, 2)``: where its edges begin and end along it, in pixels,
            sorted and disjoint.
    """

    slope: np.ndarray
    offset: np.ndarray
    stretches: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.slope)

    def edge_before(self, positions: np.ndarray) -> np.ndarray:
        """Pixels of edge that each line has before positions along it, ``(N, M)`` to ``(N, M)``."""
        found = np.zeros_like(positions)
        for index, stretches in enumerate(self.stretches):
            lengths = np.concatenate([[0.0], np.cumsum(stretches[:, 1] - stretches[:, 0])])
            ends = np.stack([lengths[:-1], lengths[1:]], 1)
            found[index] = np.interp(positions[index], stretches.ravel(), ends.ravel())
        return found


def straight_lines(image: np.ndarray, limit: int = 300) -> tuple[Lines, Lines]:
    """The lines of a photo that run mostly across and mostly down, the longest first.

    Segments come from the line segment detector of Grompone von Gioi et al., "LSD: a fast line
    segment detector with a false detection control" (2010). It runs on brightness and, at half
    the size, on brightness with more contrast and on two differences of colours.

    Args:
        image: ``(H, W, 3)`` uint8 sRGB.
        limit: Lines in each direction, at most.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    half = cv2.resize(lab, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    colours = cv2.convertScaleAbs(half, alpha=_COLOUR_GAIN, beta=128 * (1 - _COLOUR_GAIN))
    brightness = half[..., 0]
    surroundings = cv2.GaussianBlur(brightness, (0, 0), _SURROUNDINGS)
    faint = cv2.addWeighted(brightness, _FAINT_GAIN, surroundings, -_FAINT_GAIN, 128)
    with ThreadPoolExecutor() as pool:  # OpenCV uses one core for each
        planes = (lab[..., 0], faint, colours[..., 1], colours[..., 2])
        found = list(pool.map(_segments, planes, (1, 2, 2, 2)))
    segments = np.concatenate(found)
    vectors = segments[:, 2:] - segments[:, :2]
    keep = np.hypot(*vectors.T) >= _MIN_LENGTH * max(image.shape)
    segments, vectors = segments[keep], vectors[keep]
    flat = np.abs(vectors[:, 0]) >= np.abs(vectors[:, 1])
    return _lines(segments[flat], limit), _lines(segments[~flat][:, [1, 0, 3, 2]], limit)


def _segments(plane: np.ndarray, scale: int) -> np.ndarray:
    """Segments ``(N, 4)`` as ``x, y, x, y``, in pixels of a photo ``scale`` times as large."""
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, quant=_MIN_STEP)
    found = detector.detect(np.ascontiguousarray(plane))[0]
    return np.zeros((0, 4)) if found is None else (found.reshape(-1, 4) + 0.5) * scale - 0.5


def _lines(segments: np.ndarray, limit: int) -> Lines:
    """Lines from segments ``(N, 4)``: ``along, across, along, across``.

    An edge between two flat colours is darker on the same side all along; the edge of a painting
    is not. So there are lines of either sign, and lines of both.
    """
    sign = np.sign(segments[:, 2] - segments[:, 0])
    segments = np.where(sign[:, None] > 0, segments, segments[:, [2, 3, 0, 1]])
    order = np.argsort(segments[:, 0] - segments[:, 2])
    segments, sign = segments[order], sign[order]
    length = segments[:, 2] - segments[:, 0]
    lines = [line[:3] for line in _grouped(segments, sign)]
    for slope, offset, stretches, members in _grouped(segments, np.zeros_like(sign)):
        balance = abs((sign * length)[members].sum()) / length[members].sum()
        if balance < _MIXED:
            lines.append((slope, offset, stretches))
    lines.sort(key=lambda line: -float((line[2][:, 1] - line[2][:, 0]).sum()))
    lines = lines[:limit]
    return Lines(
        np.array([line[0] for line in lines]),
        np.array([line[1] for line in lines]),
        tuple(line[2] for line in lines),
    )


def _grouped(
    segments: np.ndarray, sign: np.ndarray
) -> list[tuple[float, float, np.ndarray, np.ndarray]]:
    """Groups segments of one sign that lie on one line, starting from the longest.

    Returns:
        For each line its slope, its offset, its stretches, and the indices of its segments.
    """
    start, begin, stop, end = segments.T
    slopes = (end - begin) / np.maximum(stop - start, 1e-9)
    offsets = begin - slopes * start
    angles = np.arctan(slopes)
    free = np.ones(len(segments), bool)
    lines = []
    for seed in range(len(segments)):
        if not free[seed]:
            continue
        members = np.array([seed])
        slope, offset = float(slopes[seed]), float(offsets[seed])
        for _ in range(2):
            near = free & (sign == sign[seed]) & (np.abs(angles - math.atan(slope)) < _MAX_ANGLE)
            near &= np.abs(begin - slope * start - offset) < _MAX_DISTANCE
            near &= np.abs(end - slope * stop - offset) < _MAX_DISTANCE
            found = np.flatnonzero(near)
            if np.array_equal(found, members):
                break
            members = found if len(found) else np.array([seed])
            slope, offset = _fitted(segments[members])
        free[members] = free[seed] = False
        lines.append((slope, offset, _union(segments[members][:, ::2]), members))
    return lines


def _fitted(segments: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the line through segments, weighted by their lengths."""
    along, across = segments[:, ::2].ravel(), segments[:, 1::2].ravel()
    weight = np.repeat(segments[:, 2] - segments[:, 0], 2)
    total = weight.sum()
    middle, level = weight @ along / total, weight @ across / total
    off = along - middle
    slope = (weight * off) @ (across - level) / max((weight * off) @ off, 1e-9)
    return float(slope), float(level - slope * middle)


def _union(stretches: np.ndarray) -> np.ndarray:
    """Merges stretches ``(N, 2)`` that overlap or nearly touch: ``(M, 2)``, sorted."""
    if len(stretches) == 1:
        return stretches
    start, end = stretches[np.argsort(stretches[:, 0])].T
    furthest = np.maximum.accumulate(end)
    first = np.flatnonzero(np.append(True, start[1:] > furthest[:-1] + _MAX_GAP))
    return np.stack([start[first], furthest[np.append(first[1:], len(start)) - 1]], 1)
