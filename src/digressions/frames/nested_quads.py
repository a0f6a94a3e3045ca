"""Quads nested in a quad: edges of moulding and mat, about as far from all four sides of it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..homography import Quad, homography, pixel_corners, project
from .aspect import upright_size
from .sides import colours_at, median

_LONGEST = 420  # pixels of the upright copy that is looked at, at most
_SHORTEST = 150  # pixels of its shorter side: small frames are enlarged
_SAMPLES = 64  # along a side
_CORNER_MARGIN = 0.06  # share of a side at its ends that is never looked at
_MIDDLE = (0.3, 0.7)  # the part of a side that is looked at for what lies deep
_SHALLOW = 0.08  # depth below which an edge does not lie deep, as a share of the shorter side
_DEEPEST = 0.36  # share of the shorter side that moulding and mat may take
_MIN_GAP = 1.6  # pixels of the photo between a quad and what is nested in it
_FAINTEST = 0.8  # grey levels a pixel of the photo
_SIGMAS = 3.0  # standard errors of the mean over a side by which an edge must exceed noise
_UNEVEN = 8.0  # grey levels that moulding may vary along a side
_FLANK = 1.5  # pixels of the photo beside a peak that belong to it
_MIN_CLEARNESS = 0.5  # of an edge that is considered, where 1 is clear
_OVER_USUAL = 3.0  # times what is usual at other depths
_PEAKS = 6  # considered on each side
_HIDDEN_CLEARNESS = 0.2  # how clear a hidden side counts
_SAME = 1.6  # pixels of the photo between nested quads that count as one
_MOST = 7  # nested in one quad
_FLANK_PENALTY = 0.4  # unevenness added where a flank has to explain the depths
_FLANKS = ([0], [1], [2], [3], [0, 1], [1, 2], [2, 3], [3, 0])  # sides that may show theirs


class NestedQuad(NamedTuple):
    """A quad nested in another.

    Attributes:
        quad: In pixels of the photo.
        evenness: How even its distance from the sides around it is, 0..1.
        level: How many of the quads nested in the same one lie around it, itself counted.
        gap: Pixels of the photo between it and the quad around, on the narrowest side.
    """

    quad: Quad
    evenness: float
    level: int
    gap: float


def nested_quads(image: np.ndarray, quad: Quad, aspect: float) -> list[NestedQuad]:
    """Quads nested in one, about as far from its sides all around; the likeliest first.

    An edge too faint to be seen at any one place is plain in the mean over a side, and an edge in
    what the frame holds rarely has the same depth on three sides. From aside a thick frame shows
    its flank: then one side, or two that meet, lie deeper than the others.

    Args:
        image: ``(H, W, 3)`` float32 in 0..255, slightly blurred.
        quad: In its pixels.
        aspect: Rough true width / height of the quad: moulding is as wide on all sides.
    """
    width, height = upright_size(quad, aspect, _LONGEST, _SHORTEST)
    scale = float(np.sqrt(width * height / max(quad.area, 1.0)))  # its pixels in one of the photo
    upright = homography(pixel_corners(width, height), quad.array)
    deepest = int(_DEEPEST * min(width, height))
    if deepest < 6:
        return []
    strips = _strips(image, upright, width, height, deepest + 2)
    clearness = _clearness(strips, deepest, min(width, height), scale)
    roughness = _roughness(strips[:, :, :deepest])
    combined = _combinations(clearness, scale)
    if combined is None:
        return []
    depths, worth, spread = combined
    # In front of moulding or mat there is no picture: they look alike all along.
    plain = np.sort(roughness[np.arange(4), depths.clip(0, deepest - 1)], 1)[:, 2] <= _UNEVEN
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
        level = sum(bool((depths[k] < depths[index] + 0.5).all()) for k in kept)
        nested.append(
            NestedQuad(
                Quad.trusted(corners),
                float(np.exp(-spread[index])),
                level,
                float(depths[index].min() / scale),
            )
        )
    return nested


def _strips(
    image: np.ndarray, upright: np.ndarray, width: int, height: int, depth: int
) -> np.ndarray:
    """Colours inward of each side, ``(4, L, depth, 3)``: top, right, bottom, left.

    Args:
        upright: ``(3, 3)``, from a picture of ``width`` by ``height`` pixels to the image.
    """
    share = np.linspace(_CORNER_MARGIN, 1 - _CORNER_MARGIN, _SAMPLES)
    x, y, zero = (width - 1) * share, (height - 1) * share, np.zeros(_SAMPLES)
    begin = np.stack([[x, zero], [zero + width - 1, y], [x, zero + height - 1], [zero, y]])
    inward = np.array([[0, 1], [-1, 0], [0, -1], [1, 0]])
    # Homogeneous coordinates are linear in where a place is along its side, and how deep.
    edge = upright[:, :2] @ begin + upright[:, 2:]  # (4, 3, L)
    deeper = (inward @ upright[:, :2].T)[..., None] * np.arange(depth)  # (4, 3, depth)
    places = np.moveaxis(edge[..., None] + deeper[:, :, None], 1, -1)
    return colours_at(image, places[..., :2] / places[..., 2:])


def _clearness(strips: np.ndarray, deepest: int, shorter: int, scale: float) -> np.ndarray:
    """How clear an edge is at each depth of each side, ``(4, deepest)``; 0 beside a clearer one.

    1 is ``_OVER_USUAL`` times the usual, surely not noise, and not too faint.

    Args:
        strips: ``(4, L, deepest + 2, 3)``.
        shorter: Side of the upright copy in its pixels; ``scale`` of them are one of the photo.
    """
    change = (strips[:, :, 2 : deepest + 1] - strips[:, :, : deepest - 1]) * (scale / 2)
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
    least = np.maximum(np.maximum(_OVER_USUAL * usual, _SIGMAS * doubt), _FAINTEST)
    clear = np.where(edge >= highest, edge, 0.0) / least
    clear[:, : max(2, round(_MIN_GAP * scale))] = 0.0  # of the quad's own edge
    return clear


def _combinations(
    clearness: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Depths ``(N, 4)`` that may be those of a nested quad, how likely each is, how uneven."""
    places, values = [], []
    for side in clearness:
        peaks = np.flatnonzero(side >= _MIN_CLEARNESS)
        peaks = peaks[np.argsort(-side[peaks])][:_PEAKS]
        places.append(np.append(peaks, -1.0))  # -1: hidden, as deep as the others
        values.append(np.append(np.minimum(side[peaks], 3.0), _HIDDEN_CLEARNESS))
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

    More depth at the bottom than on the other sides, as mats have, counts a quarter. More depth
    on one side, or on two that meet, is a flank: it counts the same, however deep it is.
    """
    mat = depths.copy()
    mat[:, 2] -= 0.75 * np.maximum(depths[:, 2] - depths[:, [0, 1, 3]].max(1), 0)
    unevenness = [_unevenness(depths, scale), _unevenness(mat, scale)]
    opposite = np.minimum(depths, np.roll(depths, 2, axis=1))
    for flanks in _FLANKS:
        front = depths.copy()
        front[:, flanks] = opposite[:, flanks]
        unevenness.append(_unevenness(front, scale) + _FLANK_PENALTY)
    return np.min(unevenness, axis=0)


def _unevenness(depths: np.ndarray, scale: float) -> np.ndarray:
    return depths.std(1) / (1.5 * scale + 0.05 * depths.mean(1))


def _roughness(strips: np.ndarray) -> np.ndarray:
    """How much what lies before each depth varies along a side, ``(4, depth)`` grey levels.

    Light that falls off along the side does not count.
    """
    low, high = (round(share * _SAMPLES) for share in _MIDDLE)
    band = strips[:, low:high]
    along = np.linspace(-1, 1, band.shape[1], dtype=np.float32)
    rest = band - median(band, 1)[:, None]
    slope = np.einsum("l,sldc->sdc", along, rest) / (along @ along)
    rest -= along[:, None, None] * slope[:, None]
    each = np.abs(rest).mean((1, 3))
    before = np.pad(np.cumsum(each, 1), ((0, 0), (1, 0)))  # of each[:depth]
    depth = np.arange(each.shape[1])
    # Without the edges themselves, which are a pixel or two wide.
    return (before[:, np.maximum(depth - 1, 2)] - before[:, 2:3]) / np.maximum(depth - 3, 1)
