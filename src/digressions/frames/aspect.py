"""Rectangles seen aslant: their true aspect, how sure that is, and their size seen head on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..geometry import Size
from ..homography import Quad, cross

HALF_DIAGONAL_35MM = 21.633  # mm, of the 36 x 24 mm that EXIF's focal lengths refer to
CORNER_ERROR = 0.7  # pixels of a corner that was measured: one standard deviation
# Expected 1 / focal length squared, in half diagonals of the photo, and its standard deviation: of
# most phones and cameras (20-70 mm). Below, how far a focal length from EXIF is trusted.
_USUAL, _USUAL_SPREAD = 0.5, 0.3
_EXIF_SPREAD = 0.08
_CENTRE_SPREAD = 0.01  # half diagonals: the lens rarely looks at the very middle
_RECTANGLE_CORNER_ERROR = 0.5  # as CORNER_ERROR, where it is asked whether a quad is a rectangle
_SKEW = 0.04  # cosine that a right angle may be off by: lenses, corners
_MAX_ENLARGED = 3.0

# Longer by shorter side, in the units that these are sold in.
STANDARD = {
    "A series": 2**0.5,
    "square": 1.0,
    "24x36 in / 10x15 cm (3:2)": 1.5,
    "18x24 in / 30x40 cm (4:3)": 4 / 3,
    "16x20 in / 8x10 in (5:4)": 1.25,
    "5x7 in (7:5)": 1.4,
    "11x14 in": 14 / 11,
    "24x30 cm": 1.25,
    "18x24 cm": 4 / 3,
    "13x18 cm": 18 / 13,
    "50x70 cm": 1.4,
    "letter": 11 / 8.5,
    "screen (16:9)": 16 / 9,
    "panorama (2:1)": 2.0,
    "panorama (3:1)": 3.0,
}


class Aspect(NamedTuple):
    """Width / height.

    Attributes:
        value: Width / height.
        error: One standard deviation of it.
        standard: Name of the standard size that it was snapped to, or ``None``.
    """

    value: float
    error: float
    standard: str | None = None

    def __str__(self) -> str:
        name = "" if self.standard is None else f" ({self.standard})"
        return f"{self.value:.3f} ± {self.error:.3f}{name}"

    def snapped(self) -> Aspect:
        """The nearest standard size if it lies within two standard deviations, else itself."""
        value = max(self.value, 1 / self.value)
        name, nearest = min(STANDARD.items(), key=lambda item: abs(np.log(item[1] / value)))
        if abs(nearest - value) > 2 * self.error * value / self.value:
            return self
        return Aspect(nearest if self.value >= 1 else 1 / nearest, self.error, name)


def upright_size(
    quad: Quad, aspect: float, longest: float, shortest: float = 0.0
) -> tuple[int, int]:
    """Width and height in pixels of a quad seen head on, as large as it is in the photo.

    Args:
        aspect: True width / height.
        longest: Pixels of the longer side, at most.
        shortest: Pixels of the shorter side below which it is enlarged, at most threefold.
    """
    top, right, bottom, left = quad.sides
    wide, high = max(top, bottom), max(left, right)
    wide, high = max(wide, high * aspect), max(high, wide / aspect)
    enlarged = min(_MAX_ENLARGED, max(1.0, shortest / min(wide, high)))
    factor = min(enlarged, longest / max(wide, high))
    return max(8, round(wide * factor)), max(8, round(high * factor))


def aspects(
    quads: Sequence[Quad],
    photo: Size,
    focal_35mm: float | None = None,
    corner_error: float = CORNER_ERROR,
) -> list[Aspect]:
    """True aspects of rectangles in one photo, which share its focal length.

    After Zhang and He, "Whiteboard scanning and image enhancement" (2007): the two directions of a
    rectangle are at right angles, which gives the focal length, and that gives the aspect. A
    rectangle seen almost head on says nothing about the focal length, and amplifies the errors of
    its corners. So the right angles of all quads, each with its own uncertainty, are weighed
    against what is known beforehand: EXIF's focal length, or else what most cameras have.

    Args:
        quads: In pixels of the photo.
        photo: Its size in pixels; the lens is taken to look at its middle.
        focal_35mm: Focal length as EXIF has it, in mm for 35 mm film, if known.
        corner_error: Standard deviation of a corner in pixels.
    """
    if not quads:
        return []
    usual, spread = _prior(focal_35mm)
    half = np.hypot(*photo) / 2
    errors = np.array([corner_error / half] * 8 + [_CENTRE_SPREAD] * 2)
    points = _centred(np.array(quads), photo)
    slope, rest = _right_angle(points)
    variance = ((_derivatives(lambda moved: _skew(moved, usual), points) * errors) ** 2).sum(1)
    weight = 1 / spread**2 + (slope**2 / variance).sum()
    total = usual / spread**2 - (slope * rest / variance).sum()
    focal = float(np.clip(total / weight, 0.03, 2.5))
    by_corner = _derivatives(lambda moved: _aspect(moved, focal), points) * errors
    step = min(0.02, focal / 2)
    by_focal = (_aspect(points, focal + step) - _aspect(points, focal - step)) / (2 * step)
    error = np.hypot(np.linalg.norm(by_corner, axis=1), by_focal / np.sqrt(weight))
    return [Aspect(float(v), float(e)) for v, e in zip(_aspect(points, focal), error, strict=True)]


def rectangularity(corners: np.ndarray, photo: Size, focal_35mm: float | None = None) -> np.ndarray:
    """How well quads agree with being rectangles: 1 where right angles fit the lens, down to 0.

    The corners of a small quad say little about its angles.

    Args:
        corners: ``(N, 4, 2)`` pixels of the photo.
        photo, focal_35mm: As for `aspects`.

    Returns:
        ``(N,)``, 0..1.
    """
    focal, spread = _prior(focal_35mm)
    points = _centred(corners, photo)
    slope, rest = _right_angle(points)
    off, usual = focal * slope + rest, np.hypot(spread * slope, _SKEW)
    by_corner = _derivatives(lambda moved: _skew(moved, focal), points)[:, :8]
    error = np.linalg.norm(by_corner, axis=1) * _RECTANGLE_CORNER_ERROR / (np.hypot(*photo) / 2)
    usual = np.where(np.abs(off) > usual, np.hypot(usual, error), usual)
    return np.asarray(np.exp(-0.5 * (off / usual) ** 2))


def rough_aspects(corners: np.ndarray, photo: Size, focal_35mm: float | None = None) -> np.ndarray:
    """Width / height ``(N,)`` of quads ``(N, 4, 2)``, from what is known of the lens beforehand."""
    return _aspect(_centred(corners, photo), _prior(focal_35mm)[0])


def _prior(focal_35mm: float | None) -> tuple[float, float]:
    """1 / focal length squared and its standard deviation, before anything is seen."""
    if not focal_35mm:
        return _USUAL, _USUAL_SPREAD
    known = (HALF_DIAGONAL_35MM / focal_35mm) ** 2
    return known, _EXIF_SPREAD * known


def _centred(corners: np.ndarray, photo: Size) -> np.ndarray:
    """Corners in half diagonals of the photo from its middle."""
    return (corners - (np.array(photo) - 1) / 2) / (np.hypot(*photo) / 2)


def _directions(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles' sides as Zhang and He's ``n2`` and ``n3``, from ``(..., 4, 2)`` clockwise."""
    m1, m2, m4, m3 = np.moveaxis(np.concatenate([points, np.ones_like(points[..., :1])], -1), -2, 0)

    def turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        """The triple product of three homogeneous points: (a x b) . c."""
        return cross(b - a, c - a)[..., None]

    k2 = turn(m1, m4, m3) / turn(m2, m4, m3)
    k3 = turn(m1, m4, m2) / turn(m3, m4, m2)
    return k2 * m2 - m1, k3 * m3 - m1


def _right_angle(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(a, b)``: the sides are at right angles where ``a / f**2 + b = 0``."""
    n2, n3 = _directions(points)
    scale = np.linalg.norm(n2, axis=-1) * np.linalg.norm(n3, axis=-1)
    return (n2[..., :2] * n3[..., :2]).sum(-1) / scale, n2[..., 2] * n3[..., 2] / scale


def _skew(points: np.ndarray, focal: float) -> np.ndarray:
    """The cosine between the sides, where ``focal`` is 1 / f**2; about 0 for a rectangle."""
    slope, rest = _right_angle(points)
    return focal * slope + rest


def _aspect(points: np.ndarray, focal: float) -> np.ndarray:
    """Width / height, where ``focal`` is 1 / f**2."""
    n2, n3 = _directions(points)
    weight = np.array([focal, focal, 1.0])
    return np.asarray(np.sqrt(n2**2 @ weight / (n3**2 @ weight)))


def _derivatives(
    function: Callable[[np.ndarray], np.ndarray], points: np.ndarray, step: float = 1e-4
) -> np.ndarray:
    """Of a function of points ``(N, 4, 2)`` by their eight coordinates and by the middle's two."""
    moves = [*np.eye(8).reshape(8, 4, 2), *(np.tile(axis, (4, 1)) for axis in np.eye(2))]
    ahead, back = (points[:, None] + sign * step * np.array(moves) for sign in (1, -1))
    return (function(ahead) - function(back)) / (2 * step)
