"""What is nested in a quad: the edges of moulding and mat, at one distance from all four sides."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..geometry import Quad, homography, project
from .medians import median
from .sampling import sampled

_LONGEST = 420  # pixels of the upright copy that is looked at
_SHORTEST = 150  # pixels of its shorter side: small frames are enlarged
_MOST_ENLARGED = 3.0
_SAMPLES = 64  # places along a side
_NEAR_CORNERS = 0.06  # share of a side at its ends that is never looked at
_MIDDLE = (0.3, 0.7)  # the part of a side that is looked at for what lies deep
_SHALLOW = 0.08  # share of the shorter side that does not lie deep
_DEEPEST = 0.36  # share of the shorter side that moulding and mat may take
_NEAREST = 1.6  # pixels of the photo between a quad and what is nested in it
_FAINTEST = 0.8  # grey levels a pixel of the photo
_SURE = 3.0  # standard errors of the mean over a side
_UNEVEN = 8.0  # grey levels that moulding may vary along a side
_FLANK = 1.5  # pixels of the photo beside a peak that belong to it
_SEEN = 0.5  # how clear an edge must be to be there at all, where 1 is clear
_OVER = 3.0  # times what is usual at other depths
_PEAKS = 6  # of a side
_UNSEEN = 0.2  # how clear a side that is hidden counts
_SAME = 1.6  # pixels of the photo between two rings that are the same
_MOST = 7  # rings of a quad
_ASLANT = 0.4  # what a flank counts
_FLANKS = ([0], [1], [2], [3], [0, 1], [1, 2], [2, 3], [3, 0])  # sides that may show theirs


class Ring(NamedTuple):
    """A quad nested in another.

    Attributes:
        quad: The quad.
        even: How even its distance from the sides around it is, 0..1.
        level: How many rings lie around it, itself counted.
        gap: Pixels of the photo between it and the quad around, at the narrowest side.
    """

    quad: Quad
    even: float
    level: int
    gap: float


def upright_size(
    quad: Quad, aspect: float, longest: float, shortest: float = 0.0
) -> tuple[int, int]:
    """Width and height of a quad seen upright: as large as it is in the photo.

    Not longer than ``longest``; enlarged where its shorter side has less than ``shortest``.
    """
    top, right, bottom, left = quad.sides
    wide, high = max(top, bottom), max(left, right)
    wide, high = max(wide, high * aspect), max(high, wide / aspect)
    enlarged = min(_MOST_ENLARGED, max(1.0, shortest / min(wide, high)))
    factor = min(enlarged, longest / max(wide, high))
    return max(8, round(wide * factor)), max(8, round(high * factor))


def pixel_corners(width: int, height: int) -> np.ndarray:
    """Outer corners of a picture, ``(4, 2)`` clockwise, where pixel centres are whole numbers."""
    right, bottom = width - 0.5, height - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def rings(image: np.ndarray, quad: Quad, aspect: float) -> list[Ring]:
    """Quads nested in one, sides about as far from its own all around; the likeliest first.

    An edge too faint to be seen in any one place is plain in the mean over a side, and an edge in
    what the frame holds is rarely at the same depth on three sides. From aside a thick frame shows
    its flank: then one side, or two that meet, lie deeper than the others.

    Args:
        image: ``(H, W, 3)`` float32, slightly blurred.
        aspect: True width / height of the quad, roughly: moulding is as wide on all sides.
    """
    width, height = upright_size(quad, aspect, _LONGEST, _SHORTEST)
    scale = float(np.sqrt(width * height / max(quad.area, 1.0)))  # its pixels in one of the photo
    upright = homography(pixel_corners(width, height), quad.array)
    deepest = int(_DEEPEST * min(width, height))
    if deepest < 6:
        return []
    sides = _sides(image, upright, width, height, deepest + 2)
    clear = _clearness(sides, deepest, min(width, height), scale)
    rough = _roughness(sides[:, :, :deepest])
    combined = _combinations(clear, scale)
    if combined is None:
        return []
    depths, worth, spread = combined
    # Before moulding or mat there is no picture: they look alike all along.
    plain = np.sort(rough[np.arange(4), depths.clip(0, deepest - 1)], 1)[:, 2] <= _UNEVEN
    kept: list[int] = []
    for index in np.flatnonzero(plain)[np.argsort(-worth[plain], kind="stable")]:
        if all(np.abs(depths[index] - depths[k]).max() > _SAME * scale for k in kept):
            kept.append(int(index))
        if len(kept) == _MOST:
            break
    nested = []
    for index in kept:
        top, right, bottom, left = depths[index]
        x0, x1, y0, y1 = left - 0.5, width - 0.5 - right, top - 0.5, height - 0.5 - bottom
        corners = project(upright, np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
        around = sum(bool((depths[k] < depths[index] + 0.5).all()) for k in kept)
        nested.append(
            Ring(
                Quad.trusted(corners),
                float(np.exp(-spread[index])),
                around,
                float(depths[index].min() / scale),
            )
        )
    return nested


def _sides(
    image: np.ndarray, upright: np.ndarray, width: int, height: int, depth: int
) -> np.ndarray:
    """What lies inward of each side, ``(4, L, depth, 3)``: top, right, bottom, left.

    Args:
        upright: From a picture of ``width`` by ``height`` pixels to the image.
    """
    share = np.linspace(_NEAR_CORNERS, 1 - _NEAR_CORNERS, _SAMPLES)
    x, y, zero = (width - 1) * share, (height - 1) * share, np.zeros(_SAMPLES)
    begin = np.stack([[x, zero], [zero + width - 1, y], [x, zero + height - 1], [zero, y]])
    inward = np.array([[0, 1], [-1, 0], [0, -1], [1, 0]])
    # Homogeneous coordinates are linear in where a place is along its side, and how deep.
    edge = upright[:, :2] @ begin + upright[:, 2:]  # (4, 3, L)
    deeper = (inward @ upright[:, :2].T)[..., None] * np.arange(depth)  # (4, 3, depth)
    places = np.moveaxis(edge[..., None] + deeper[:, :, None], 1, -1)
    return sampled(image, places[..., :2] / places[..., 2:])


def _clearness(sides: np.ndarray, deepest: int, shorter: int, scale: float) -> np.ndarray:
    """How clear an edge is at each depth of each side, where it is clearest; ``(4, deepest)``.

    1 is what is ``_OVER`` times the usual, surely not noise, and not too faint.

    Args:
        sides: ``(4, L, deepest + 2, 3)``.
        shorter: Side of the upright copy in its pixels; ``scale`` of them are one of the photo.
    """
    change = (sides[:, :, 2 : deepest + 1] - sides[:, :, : deepest - 1]) * (scale / 2)
    edge, doubt = np.zeros((2, 4, deepest), np.float32)
    low, high = (round(share * _SAMPLES) for share in _MIDDLE)
    shallow = max(int(_SHALLOW * shorter), 1)
    for part, depths in (
        (change[:, :, : shallow - 1], slice(1, shallow)),
        (change[:, low:high, shallow - 1 :], slice(shallow, deepest)),
    ):
        # The middle half of the values: what stands before the frame does not count.
        ordered = np.sort(part, axis=1)
        quarter = part.shape[1] // 4
        edge[:, depths] = np.linalg.norm(ordered[:, quarter:-quarter].mean(1), axis=-1)
        spread = np.linalg.norm(ordered[:, -quarter] - ordered[:, quarter], axis=-1) / 1.35
        doubt[:, depths] = spread / np.sqrt(part.shape[1] / max(scale, 1.0))
    usual = median(edge, 1)[:, None]
    reach = 2 * round(_FLANK * scale) + 1
    highest = cv2.dilate(edge, np.ones((1, reach), np.uint8))
    least = np.maximum(np.maximum(_OVER * usual, _SURE * doubt), _FAINTEST)
    clear = np.where(edge >= highest, edge, 0.0) / least
    clear[:, : max(2, round(_NEAREST * scale))] = 0.0  # of the quad's own edge
    return clear


def _combinations(
    clear: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Depths ``(N, 4)`` that may be a ring's, how likely each is, and how uneven."""
    places, values = [], []
    for side in clear:
        peaks = np.flatnonzero(side >= _SEEN)
        peaks = peaks[np.argsort(-side[peaks])][:_PEAKS]
        places.append(np.append(peaks, -1.0))  # -1: hidden, as deep as the others
        values.append(np.append(np.minimum(side[peaks], 3.0), _UNSEEN))
    depths, value = (np.stack(np.meshgrid(*of, indexing="ij"), -1) for of in (places, values))
    hidden = depths < 0
    enough = (hidden.sum(-1) <= 1) & ((value >= 1).sum(-1) >= 2)
    depths, value, hidden = depths[enough], value[enough], hidden[enough]
    if not len(depths):
        return None
    usual = np.where(hidden, 0.0, depths).sum(1) / (~hidden).sum(1)
    depths = np.where(hidden, usual[:, None], depths)
    spread = _spread(depths, scale)
    worth = np.log(value).mean(1) - 0.5 * spread
    good = spread < 2.5
    return np.rint(depths[good]).astype(int), worth[good], spread[good]


def _spread(depths: np.ndarray, scale: float) -> np.ndarray:
    """How uneven depths ``(N, 4)`` are: 1 for as much as perspective and a lip may do.

    More depth below than at the other sides, as mats have, counts a quarter. More depth at one
    side, or at two that meet, is a flank: it counts as much, however deep it is.
    """
    mat = depths.copy()
    mat[:, 2] -= 0.75 * np.maximum(depths[:, 2] - depths[:, [0, 1, 3]].max(1), 0)
    unevenness = [_uneven(depths, scale), _uneven(mat, scale)]
    opposite = np.minimum(depths, np.roll(depths, 2, axis=1))
    for flanks in _FLANKS:
        front = depths.copy()
        front[:, flanks] = opposite[:, flanks]
        unevenness.append(_uneven(front, scale) + _ASLANT)
    return np.min(unevenness, axis=0)


def _uneven(depths: np.ndarray, scale: float) -> np.ndarray:
    return depths.std(1) / (1.5 * scale + 0.05 * depths.mean(1))


def _roughness(sides: np.ndarray) -> np.ndarray:
    """How much what lies before each depth varies along a side, ``(4, depth)`` grey levels.

    Light that falls off along the side does not count.
    """
    low, high = (round(share * _SAMPLES) for share in _MIDDLE)
    band = sides[:, low:high]
    along = np.linspace(-1, 1, band.shape[1], dtype=np.float32)
    rest = band - median(band, 1)[:, None]
    slope = np.einsum("l,sldc->sdc", along, rest) / (along @ along)
    rest -= along[:, None, None] * slope[:, None]
    each = np.abs(rest).mean((1, 3))
    before = np.pad(np.cumsum(each, 1), ((0, 0), (1, 0)))  # of each[:depth]
    depth = np.arange(each.shape[1])
    # Without the edges themselves, which are a pixel or two wide.
    return (before[:, np.maximum(depth - 1, 2)] - before[:, 2:3]) / np.maximum(depth - 3, 1)
