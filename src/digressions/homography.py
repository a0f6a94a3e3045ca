"""Quadrilaterals in pictures, and the projective maps between them, in numpy. No OpenCV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .errors import InputError


class Quad(NamedTuple):
    """Corners of a convex quadrilateral, clockwise from the top left, as ``(x, y)`` in pixels.

    ``x`` runs right, ``y`` down; whole numbers are the centres of pixels, as in OpenCV.
    """

    top_left: tuple[float, float]
    top_right: tuple[float, float]
    bottom_right: tuple[float, float]
    bottom_left: tuple[float, float]

    def __str__(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self)

    @property
    def array(self) -> np.ndarray:
        """``(4, 2)`` float64."""
        return np.array(self, float)

    @property
    def area(self) -> float:
        """In square pixels."""
        return polygon_area(self.array)

    @property
    def sides(self) -> np.ndarray:
        """Lengths of the top, right, bottom and left side, ``(4,)`` pixels."""
        around = (*self[1:], self[0])
        return np.array([math.dist(a, b) for a, b in zip(self, around, strict=True)])

    @classmethod
    def of(cls, points: Sequence[Sequence[float]] | np.ndarray) -> Quad:
        """Four corners in any order.

        Raises:
            InputError: They are not the corners of a convex quadrilateral.
        """
        corners = np.asarray(points, float)
        middle = corners.mean(0)
        angles = np.arctan2(*(corners - middle).T[::-1])
        corners = corners[np.argsort(angles)]  # clockwise, as y runs down
        corners = np.roll(corners, -int(corners.sum(1).argmin()), 0)
        ahead = np.roll(corners, -1, 0) - corners
        turns = cross(ahead, np.roll(ahead, -1, 0))
        if not np.isfinite(corners).all() or turns.min() <= 1e-6 * max(turns.max(), 1e-6):
            given = " ".join(f"{x:g},{y:g}" for x, y in np.asarray(points, float))
            raise InputError(f"`corners` {given} are not those of a convex four-sided shape")
        return cls.trusted(corners)

    @classmethod
    def trusted(cls, corners: np.ndarray) -> Quad:
        """``(4, 2)`` that are in order already."""
        a, b, c, d = ((float(x), float(y)) for x, y in corners)
        return cls(a, b, c, d)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Quad:
        """Reads four times ``"x,y"``, in any order.

        Raises:
            InputError: A text is not a point, or the points are not a convex quadrilateral.
        """
        points = []
        for text in texts:
            try:
                x, y = (float(part) for part in text.split(","))
            except ValueError:
                raise InputError(
                    f"`corners`: {text!r} is not x,y in pixels, like 410,212.5"
                ) from None
            if not (math.isfinite(x) and math.isfinite(y)):
                raise InputError(f"`corners`: {text!r} is not x,y in pixels, like 410,212.5")
            points.append((x, y))
        if len(points) != 4:
            raise InputError(
                f"`corners`: {len(points)} given where a frame has four: x,y x,y x,y x,y"
            )
        return cls.of(points)

    def scaled(self, factor: float) -> Quad:
        """In a photo ``factor`` times as large; the edge of the first pixel stays where it is."""
        return Quad.trusted((self.array + 0.5) * factor - 0.5)

    def overlap(self, other: Quad) -> float:
        """Intersection over union, 0..1."""
        shared = polygon_area(_clipped(self.array, other.array))
        return shared / (self.area + other.area - shared)

    def covers(self, other: Quad) -> float:
        """The share of ``other`` that lies inside, 0..1."""
        return polygon_area(_clipped(other.array, self.array)) / other.area


def cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The cross product of vectors in the plane, ``(..., 2)`` to ``(...)``."""
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def polygon_area(points: np.ndarray) -> float:
    """Area inside ``(N, 2)`` points in order."""
    if len(points) < 3:
        return 0.0
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _clipped(subject: np.ndarray, by: np.ndarray) -> np.ndarray:
    """What of a convex polygon lies in another (Sutherland and Hodgman 1974), both clockwise."""
    for (ax, ay), (bx, by_) in zip(by, np.roll(by, -1, 0), strict=True):
        if not len(subject):
            break
        inside = (bx - ax) * (subject[:, 1] - ay) - (by_ - ay) * (subject[:, 0] - ax)
        following, ahead = np.roll(subject, -1, 0), np.roll(inside, -1)
        kept = []
        for here, there, d, e in zip(subject, following, inside, ahead, strict=True):
            if d >= 0:
                kept.append(here)
            if (d >= 0) != (e >= 0):
                kept.append(here + (there - here) * d / (d - e))
        subject = np.array(kept).reshape(-1, 2)
    return subject


def homography(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The projective map of four points onto four others.

    Args:
        source, target: ``(..., 4, 2)``, no three of them on a line; what comes before is broadcast.

    Returns:
        ``(..., 3, 3)`` float64, the last entry 1.
    """
    source, target = np.broadcast_arrays(np.asarray(source, float), np.asarray(target, float))
    rows = np.zeros((*source.shape[:-2], 4, 2, 8))  # of each point, for x and for y
    rows[..., 0, 0:2] = rows[..., 1, 3:5] = source
    rows[..., 0, 2] = rows[..., 1, 5] = 1.0
    rows[..., 6:] = -target[..., None] * source[..., None, :]
    flat = target.reshape(*target.shape[:-2], 8, 1)
    found = np.linalg.solve(rows.reshape(*rows.shape[:-3], 8, 8), flat)[..., 0]
    last = np.ones_like(found[..., :1])
    return np.concatenate([found, last], -1).reshape(*found.shape[:-1], 3, 3)


def pixel_corners(width: int, height: int) -> np.ndarray:
    """Outer corners of a picture, ``(4, 2)`` clockwise from the top left.

    Whole numbers are the centres of pixels, so the first corner is (-0.5, -0.5).
    """
    right, bottom = width - 0.5, height - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points ``(N, 2)`` through a homography."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return mapped[:, :2] / mapped[:, 2:]
