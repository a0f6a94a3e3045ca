"""What lies on either side of the sides of quads: how plain, how sharp, how different."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..geometry import homography
from .medians import median
from .rings import pixel_corners
from .sampling import sampled

_ALONG = np.linspace(0.12, 0.88, 32)  # places along each side
_ACROSS = np.arange(-8.0, 8.5, 0.5)  # pixels inward
_EDGE = 2.0  # pixels that the edge may lie off
_BESIDE = (2.5, 6.5)  # pixels from the edge, where a band beside it begins and ends
_VIEW = 48  # pixels of an upright view of a quad and what is around
_AROUND = 1.5  # times as wide and high as the quad
_DEEP = 26  # pixels of the view from its edge inward: past the quad's middle


class Borders(NamedTuple):
    """Of each quad's sides (top, right, bottom, left), ``(N, 4, ...)``.

    Attributes:
        step: How much the colour differs from outside to inside, grey levels; ``(N, 4)``.
        sharp: How much of this happens in one pixel, 0..1 about: shadows are soft.
        outside: How uneven a band along the side is outside: moulding and mat are plain.
        inside: The same inside.
        near: The usual colours across the side, from 8 pixels outside to 8 inside in half pixels;
            ``(N, 4, 33, 3)`` grey levels.
        far: The same from a quarter of the quad outside to its middle, ``(N, 4, 26, 3)``.
        uneven: How far colours are from these along the side, ``(N, 4, 26)``.
    """

    step: np.ndarray
    sharp: np.ndarray
    outside: np.ndarray
    inside: np.ndarray
    near: np.ndarray
    far: np.ndarray
    uneven: np.ndarray


def borders(image: np.ndarray, corners: np.ndarray) -> Borders:
    """Looks beside the sides of quads.

    Args:
        image: ``(H, W, 3)`` float32, slightly blurred.
        corners: ``(N, 4, 2)``, clockwise from the top left, exact to a pixel or so.
    """
    if not len(corners):
        flat, near = np.zeros((0, 4)), np.zeros((0, 4, len(_ACROSS), 3))
        far, uneven = np.zeros((0, 4, _DEEP, 3)), np.zeros((0, 4, _DEEP))
        return Borders(flat, flat, flat, flat, near, far, uneven)
    found = _across(image, corners)
    profile = median(found, 2)  # (N, 4, D, 3)
    change = np.linalg.norm(profile[:, :, 2:] - profile[:, :, :-2], axis=-1)  # in one pixel
    middle = _ACROSS[1:-1]
    peak = change[..., np.abs(middle) <= _EDGE].max(-1)
    low, high = _BESIDE
    before = profile[:, :, (_ACROSS + 4 >= 0) & (_ACROSS + low <= 0)].mean(2)
    after = profile[:, :, (_ACROSS - low >= 0) & (_ACROSS - 4 <= 0)].mean(2)
    step = np.linalg.norm(after - before, axis=-1)
    bands = [
        _unevenness(found[..., (sign * _ACROSS >= low) & (sign * _ACROSS <= high), :])
        for sign in (-1, 1)
    ]
    far, uneven = _from_far(image, corners)
    return Borders(
        step=step,
        sharp=peak / np.maximum(step, 1.0),
        outside=bands[0],
        inside=bands[1],
        near=profile,
        far=far,
        uneven=uneven,
    )


def _across(image: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Colours along and across each side, ``(N, 4, L, D, 3)``."""
    sides = np.roll(corners, -1, 1) - corners
    length = np.linalg.norm(sides, axis=-1, keepdims=True)
    inward = np.stack([-sides[..., 1], sides[..., 0]], -1) / np.maximum(length, 1e-6)
    points = corners[:, :, None] + _ALONG[:, None] * sides[:, :, None]  # (N, 4, L, 2)
    across = _ACROSS[:, None] * inward[:, :, None]  # (N, 4, D, 2)
    places = points.astype(np.float32)[:, :, :, None] + across.astype(np.float32)[:, :, None]
    return sampled(image, places)


def _from_far(image: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`Borders.far` and `Borders.uneven`."""
    middle = corners.mean(1, keepdims=True)
    wider = middle + _AROUND * (corners - middle)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    views = np.stack(
        [
            cv2.warpPerspective(
                image, warp, (_VIEW, _VIEW), flags=flags, borderMode=cv2.BORDER_REPLICATE
            )
            for warp in homography(pixel_corners(_VIEW, _VIEW), wider)
        ]
    )
    quarter = _VIEW // 4
    strips = np.stack(
        [np.rot90(views, turn, (1, 2))[:, :_DEEP, quarter:-quarter] for turn in range(4)], 1
    )  # (N, 4, depth, along, 3); turned so that top, right, bottom, left come up
    usual = median(strips, 3)
    return usual, np.abs(strips - usual[:, :, :, None]).mean((3, 4))


def _unevenness(band: np.ndarray) -> np.ndarray:
    """``(N, 4, L, B, 3)`` to ``(N, 4)``: how far it is from even, but for a slope of light."""
    mean = band.mean(3)
    along = np.linspace(-1, 1, mean.shape[2], dtype=np.float32)[:, None]
    rest = mean - median(mean, 2)[:, :, None]
    rest = rest - along * (along * rest).sum(2, keepdims=True) / (along**2).sum()
    return np.asarray(np.abs(rest).mean((2, 3)))
