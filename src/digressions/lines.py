"""Straight edges in a photo: segments, and the long lines that they are pieces of."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_SHORTEST = 0.012  # of a segment, as a share of the photo's longer side
_OFF = 1.6  # pixels that an end of a segment may lie off the line it belongs to
_APART = 0.03  # radians that it may be turned against it
_GAP = 7.0  # pixels between two segments that are no gap: detectors stop short of corners


@dataclass(frozen=True)
class Lines:
    """Lines ``across = slope * along + offset`` with the stretches where an edge is seen.

    Attributes:
        slope, offset: ``(N,)``. Of lines that run rather across, ``along`` is x; else it is y.
        sign: ``(N,)``, 1 or -1: on which side it is darker.
        stretches: For each, ``(M, 2)``: where edges begin and end, sorted, apart.
    """

    slope: np.ndarray
    offset: np.ndarray
    sign: np.ndarray
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


def straight_lines(planes: list[np.ndarray], most: int = 140) -> tuple[Lines, Lines]:
    """The lines that run rather across and rather down, the longest first.

    Segments come from the line segment detector of Grompone von Gioi et al., "LSD: a fast line
    segment detector with a false detection control" (2010).

    Args:
        planes: ``(H, W)`` uint8 each: brightness, and what else edges are to be seen in.
        most: Lines of each kind.
    """
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD)
    found = [detector.detect(plane)[0] for plane in planes]
    segments = np.concatenate([np.zeros((0, 4))] + [f.reshape(-1, 4) for f in found if f is not None])
    vector = segments[:, 2:] - segments[:, :2]
    length = np.hypot(*vector.T)
    keep = length >= _SHORTEST * max(planes[0].shape)
    segments, vector = segments[keep], vector[keep]
    flat = np.abs(vector[:, 0]) >= np.abs(vector[:, 1])
    return _joined(segments[flat], most), _joined(segments[~flat][:, [1, 0, 3, 2]], most)


def _joined(segments: np.ndarray, most: int) -> Lines:
    """Segments ``(N, 4)`` as ``along, across, along, across`` to lines."""
    sign = np.sign(segments[:, 2] - segments[:, 0])
    segments = np.where(sign[:, None] > 0, segments, segments[:, [2, 3, 0, 1]])
    length = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    order = np.argsort(-length)
    segments, sign, length = segments[order], sign[order], length[order]
    slopes = (segments[:, 3] - segments[:, 1]) / np.maximum(segments[:, 2] - segments[:, 0], 1e-9)
    free = np.ones(len(segments), bool)
    lines = []
    for seed in range(len(segments)):
        if not free[seed]:
            continue
        members = np.array([seed])
        slope, offset = _fit(segments[members])
        for _ in range(2):
            off = np.abs(segments[:, 1::2] - slope * segments[:, ::2] - offset).max(1)
            near = (off < _OFF) & (np.abs(np.arctan(slopes) - np.arctan(slope)) < _APART)
            members = np.flatnonzero(near & free & (sign == sign[seed]))
            if not members.size:
                members = np.array([seed])
            slope, offset = _fit(segments[members])
        free[members] = free[seed] = False
        stretches = _union(segments[members][:, ::2])
        lines.append((slope, offset, sign[seed], stretches))
    lines.sort(key=lambda line: -float((line[3][:, 1] - line[3][:, 0]).sum()))
    lines = lines[:most]
    return Lines(
        np.array([line[0] for line in lines]),
        np.array([line[1] for line in lines]),
        np.array([line[2] for line in lines]),
        tuple(line[3] for line in lines),
    )


def _fit(segments: np.ndarray) -> tuple[float, float]:
    """Slope and offset, a long segment counting for more."""
    along, across = segments[:, ::2].ravel(), segments[:, 1::2].ravel()
    weight = np.repeat(segments[:, 2] - segments[:, 0], 2)
    middle, level = np.average(along, weights=weight), np.average(across, weights=weight)
    spread = (weight * (along - middle) ** 2).sum()
    slope = (weight * (along - middle) * (across - level)).sum() / max(spread, 1e-9)
    return float(slope), float(level - slope * middle)


def _union(stretches: np.ndarray) -> np.ndarray:
    """Stretches that overlap, or nearly touch, as one: ``(N, 2)`` to ``(M, 2)``, sorted."""
    stretches = stretches[np.argsort(stretches[:, 0])]
    merged = [stretches[0].copy()]
    for start, end in stretches[1:]:
        if start <= merged[-1][1] + _GAP:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append(np.array([start, end]))
    return np.array(merged)
