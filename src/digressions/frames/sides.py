"""The sides of a quad, measured to a part of a pixel, and what lies on either side of them."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import cv2
import numpy as np

from ..homography import cross, homography, pixel_corners

_SPACING = 0.25  # pixels between samples across a side
_HALF_STEP = 0.75  # pixels to either side between which a change of colour is measured
_CLEAR_EDGE = 3.0  # grey levels a pixel that are an edge, however much steeper others are
_PROFILES = 40  # along a side
_MIN_SUPPORT = 0.4  # share of a side that must be seen before it is moved
_CHUNK = 32  # quads measured in one go
_MAX_ROWS = 30_000  # that OpenCV's remap takes in one go


class MeasuredSides(NamedTuple):
    """A quad whose sides were measured in a photo.

    Attributes:
        corners: ``(4, 2)`` pixels, clockwise from the top left.
        support: ``(4,)``: share of each side (top, right, bottom, left) where the edge lies on one
            straight line, 0..1.
        residual: Root mean square distance of those edges from their lines, pixels.
        strength: ``(4,)``: contrast across each side, grey levels a pixel.
    """

    corners: np.ndarray
    support: np.ndarray
    residual: float
    strength: np.ndarray


def measure_sides(
    image: np.ndarray, corners: np.ndarray, reach: float | np.ndarray
) -> list[MeasuredSides]:
    """Moves the sides of quads onto straight lines through where the image is steepest.

    A side of which too little is seen stays where it was, and so does a quad that would change
    beyond recognition; its support is then 0.

    Args:
        image: ``(H, W, 3)`` float32 in 0..255, slightly blurred.
        corners: ``(N, 4, 2)`` pixels, clockwise from the top left, off by less than ``reach``.
        reach: Pixels to look to either side, for all quads or for each, ``(N,)``.
    """
    reach = np.broadcast_to(reach, len(corners))
    found = []
    for start in range(0, len(corners), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        found += _measured(image, corners[chunk], reach[chunk])
    return found


def _measured(image: np.ndarray, corners: np.ndarray, reach: np.ndarray) -> list[MeasuredSides]:
    """As `measure_sides`. Arrays ``(S, N, M)``: sides, profiles along one, samples across."""
    furthest = math.ceil((float(reach.max()) + 1) / _SPACING)
    offsets = _SPACING * np.arange(-furthest, furthest + 1)  # the same places whatever the reach
    starts = corners.reshape(-1, 2)
    sides = (np.roll(corners, -1, 1) - corners).reshape(-1, 2)
    reaches = np.repeat(reach, 4)[:, None]
    length = np.linalg.norm(sides, axis=1, keepdims=True)
    along = sides / length
    inward = np.stack([-along[:, 1], along[:, 0]], 1)
    margin = np.minimum(0.15, (reaches + 3) / length)
    at = (margin + (1 - 2 * margin) * np.linspace(0, 1, _PROFILES)) * length  # (S, N)
    points = starts[:, None] + at[..., None] * along[:, None]
    places = points[:, :, None] + offsets[:, None] * inward[:, None, None]
    profiles = colours_at(image, places)
    step = round(_HALF_STEP / _SPACING)
    centres = offsets[step:-step]
    within = np.abs(centres) <= reaches + 1 - _HALF_STEP  # (S, M)
    change = profiles[:, :, 2 * step :] - profiles[:, :, : -2 * step]
    change *= np.float32(0.5 / _HALF_STEP)
    change *= within[:, None, :, None]
    level, slope, support, residual, strength = _fitted_edges(
        _along_one_colour(change, centres), centres, at, reaches
    )
    seen = support >= _MIN_SUPPORT  # else hidden: left as it was
    level, slope = np.where(seen, level, 0.0), np.where(seen, slope, 0.0)
    met = _intersections(
        (starts + level[:, None] * inward).reshape(-1, 4, 2),
        (along + slope[:, None] * inward).reshape(-1, 4, 2),
    )
    support, residual, strength = (part.reshape(-1, 4) for part in (support, residual, strength))
    residual = np.sqrt(np.mean(np.square(residual), 1))
    lost = ~(np.abs(met - corners).max((1, 2)) <= 3 * reach)  # or not a number
    return [
        MeasuredSides(corners[i], np.zeros(4), float(reach[i]), np.zeros(4))
        if lost[i]
        else MeasuredSides(met[i], support[i], float(residual[i]), strength[i])
        for i in range(len(corners))
    ]


def _along_one_colour(change: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Changes of colour ``(S, N, M, 3)`` to one number each, ``(S, N, M)``.

    It is the change in the direction that most changes along that side take. Where that turns
    from point to point, as beside a painting, it is the size of the change.
    """
    middle = change * np.exp(-0.5 * centres**2).astype(np.float32)[:, None]
    flat = middle.reshape(len(change), -1, 3)
    axes = np.linalg.eigh(flat.transpose(0, 2, 1) @ flat)[1][..., -1:]  # (S, 3, 1)
    total = (flat @ axes)[..., 0]
    balance = total.sum(1)
    direction = axes * np.sign(balance)[:, None, None]
    rise = (change.reshape(flat.shape) @ direction).reshape(change.shape[:3])
    turning = np.abs(balance) <= 0.5 * np.abs(total).sum(1)
    rise[turning] = np.linalg.norm(change[turning], axis=-1)
    return rise


def _fitted_edges(
    rise: np.ndarray, centres: np.ndarray, at: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lines through the steepest places of profiles ``(S, N, M)``, fitted robustly.

    Each fit counts places near the line before it for more, so that another edge close by does
    not draw the line to itself.

    Args:
        centres: ``(M,)``: pixels inward of each sample.
        at: ``(S, N)``: pixels along the side of each profile.
        reach: Of each side, ``(S, 1)``.

    Returns:
        For each side: level and slope inward, the share that lies on that line, its root mean
        square distance from it, and its steepness.
    """
    weight = np.exp(-0.5 * (centres / (0.6 * reach)) ** 2).astype(np.float32)
    within = np.abs(centres) <= reach + 1 - _HALF_STEP - _SPACING  # (S, M): so are both neighbours
    best = np.where(within[:, None], rise * weight[:, None], -np.inf).argmax(2)
    low, mid, high = (
        np.take_along_axis(rise, (best + by)[..., None], 2)[..., 0] for by in (-1, 0, 1)
    )
    bend = low - 2 * mid + high
    shift = np.where(bend < -1e-6, 0.5 * (low - high) / np.minimum(bend, -1e-6), 0.0).clip(-1, 1)
    place = centres[best] + shift * _SPACING
    weights = np.maximum(mid, 0.0) + 1e-6
    weights = np.minimum(weights, 2 * median(weights, 1)[:, None])
    keep = weights
    for width in (reach, 0.5 * reach, 0.35 * reach, 0.35 * reach):
        total = keep.sum(1)
        middle, mean = (keep * at).sum(1) / total, (keep * place).sum(1) / total
        away, off = at - middle[:, None], place - mean[:, None]
        slope = (keep * away * off).sum(1) / (keep * away**2).sum(1)
        level = mean - slope * middle
        residual = off - slope[:, None] * away
        keep = weights / (1 + (residual / width) ** 2) ** 2
    near = np.abs(residual) < np.maximum(0.35 * reach, 0.7)
    steady = near & (mid > np.minimum(0.25 * masked_median(mid, near), _CLEAR_EDGE)[:, None])
    squares = (residual**2 * near).sum(1) / np.maximum(near.sum(1), 1)
    spread = np.where(near.any(1), np.sqrt(squares), reach[:, 0])
    return level, slope, steady.mean(1), spread, median(mid, 1)


def _intersections(starts: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Where each of four lines meets the one before it, ``(N, 4, 2)``; NaN where they do not."""
    p, u = np.roll(starts, 1, 1), np.roll(directions, 1, 1)
    turn = cross(u, directions)
    turn = np.where(np.abs(turn) < 1e-9, np.nan, turn)
    return np.asarray(p + (cross(starts - p, directions) / turn)[..., None] * u)


def colours_at(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Colours at places between pixels: bilinear, of the nearest 1/32 pixel.

    Places outside the image take the colour of its edge.

    Args:
        image: ``(H, W, 3)`` float32.
        places: ``(..., M, 2)``: x and y, at least one; whole numbers are the centres of pixels.

    Returns:
        ``(..., M, 3)`` float32.
    """
    rows = places.reshape(-1, *places.shape[-2:]).astype(np.float32, copy=False)
    parts = np.array_split(rows, len(rows) // _MAX_ROWS + 1)
    none = cast(np.ndarray, None)  # which OpenCV's type stubs do not know: x and y are in one
    edge = cv2.BORDER_REPLICATE
    found = [cv2.remap(image, part, none, cv2.INTER_LINEAR, borderMode=edge) for part in parts]
    return np.concatenate(found).reshape(*places.shape[:-1], 3)


def median(values: np.ndarray, axis: int) -> np.ndarray:
    """As `numpy.median` for a few dozen values without NaN: by sorting, several times as fast."""
    ordered = np.sort(values, axis)
    low, high = ((values.shape[axis] - by) // 2 for by in (1, 0))
    return (ordered.take(low, axis) + ordered.take(high, axis)) / 2


def masked_median(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The median of the values of each row where a mask is true, ``(N, M)`` to ``(N,)``.

    0 for a row without any.
    """
    ordered = np.sort(np.where(mask, values, np.inf), 1)
    count = mask.sum(1)
    middle = np.stack([np.maximum(count - 1, 0) // 2, count // 2], 1)
    halves = np.take_along_axis(ordered, middle, 1)
    return np.where(count > 0, halves.mean(1), 0.0)


_ALONG = np.linspace(0.12, 0.88, 32)  # places along each side
_ACROSS = np.arange(-8.0, 8.5, 0.5)  # pixels inward
_EDGE = 2.0  # pixels that the edge may lie off
_BAND = (2.5, 6.5)  # pixels from the edge, where a band beside it begins and ends
_VIEW = 48  # pixels of an upright view of a quad and what is around it
_VIEW_SCALE = 1.5  # times as wide and high as the quad
_VIEW_DEPTH = 26  # pixels of the view from its edge inward: past the quad's middle


class SideContrast(NamedTuple):
    """Colours beside the sides (top, right, bottom, left) of quads, ``(N, 4, ...)``.

    Attributes:
        contrast: ``(N, 4)``: how much the colour differs from outside to inside, grey levels.
        sharpness: ``(N, 4)``: how much of that happens within one pixel, about 0..1: shadows are
            soft.
        roughness_outside: ``(N, 4)`` grey levels: how uneven a band along the side is outside:
            moulding and mat are plain.
        roughness_inside: The same inside.
        profile: ``(N, 4, 33, 3)`` grey levels: the usual colours across the side, from 8 pixels
            outside to 8 inside in half pixels.
        wide_profile: ``(N, 4, 26, 3)``: the same from a quarter of the quad outside to its middle.
        wide_roughness: ``(N, 4, 26)``: how far colours are from these along the side.
    """

    contrast: np.ndarray
    sharpness: np.ndarray
    roughness_outside: np.ndarray
    roughness_inside: np.ndarray
    profile: np.ndarray
    wide_profile: np.ndarray
    wide_roughness: np.ndarray


def side_contrast(image: np.ndarray, corners: np.ndarray) -> SideContrast:
    """Looks beside the sides of quads.

    Args:
        image: ``(H, W, 3)`` float32 in 0..255, slightly blurred.
        corners: ``(N, 4, 2)`` pixels, clockwise from the top left, exact to a pixel or so.
    """
    if not len(corners):
        flat, profile = np.zeros((0, 4)), np.zeros((0, 4, len(_ACROSS), 3))
        wide, roughness = np.zeros((0, 4, _VIEW_DEPTH, 3)), np.zeros((0, 4, _VIEW_DEPTH))
        return SideContrast(flat, flat, flat, flat, profile, wide, roughness)
    found = _across(image, corners)
    profile = median(found, 2)  # (N, 4, D, 3)
    change = np.linalg.norm(profile[:, :, 2:] - profile[:, :, :-2], axis=-1)  # in one pixel
    middle = _ACROSS[1:-1]
    peak = change[..., np.abs(middle) <= _EDGE].max(-1)
    low, high = _BAND
    before = profile[:, :, (_ACROSS + 4 >= 0) & (_ACROSS + low <= 0)].mean(2)
    after = profile[:, :, (_ACROSS - low >= 0) & (_ACROSS - 4 <= 0)].mean(2)
    contrast = np.linalg.norm(after - before, axis=-1)
    bands = [
        _roughness(found[..., (sign * _ACROSS >= low) & (sign * _ACROSS <= high), :])
        for sign in (-1, 1)
    ]
    wide_profile, wide_roughness = _wide_profiles(image, corners)
    return SideContrast(
        contrast=contrast,
        sharpness=peak / np.maximum(contrast, 1.0),
        roughness_outside=bands[0],
        roughness_inside=bands[1],
        profile=profile,
        wide_profile=wide_profile,
        wide_roughness=wide_roughness,
    )


def _across(image: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Colours along and across each side, ``(N, 4, L, D, 3)``."""
    sides = np.roll(corners, -1, 1) - corners
    length = np.linalg.norm(sides, axis=-1, keepdims=True)
    inward = np.stack([-sides[..., 1], sides[..., 0]], -1) / np.maximum(length, 1e-6)
    points = corners[:, :, None] + _ALONG[:, None] * sides[:, :, None]  # (N, 4, L, 2)
    across = _ACROSS[:, None] * inward[:, :, None]  # (N, 4, D, 2)
    places = points.astype(np.float32)[:, :, :, None] + across.astype(np.float32)[:, :, None]
    return colours_at(image, places)


def _wide_profiles(image: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`SideContrast.wide_profile` and `SideContrast.wide_roughness`."""
    middle = corners.mean(1, keepdims=True)
    wider = middle + _VIEW_SCALE * (corners - middle)
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
        [np.rot90(views, turn, (1, 2))[:, :_VIEW_DEPTH, quarter:-quarter] for turn in range(4)], 1
    )  # (N, 4, depth, along, 3); turned so that top, right, bottom, left come up
    usual = median(strips, 3)
    return usual, np.abs(strips - usual[:, :, :, None]).mean((3, 4))


def _roughness(band: np.ndarray) -> np.ndarray:
    """How far bands ``(N, 4, L, B, 3)`` are from even, but for a slope of light: ``(N, 4)``."""
    mean = band.mean(3)
    along = np.linspace(-1, 1, mean.shape[2], dtype=np.float32)[:, None]
    rest = mean - median(mean, 2)[:, :, None]
    rest = rest - along * (along * rest).sum(2, keepdims=True) / (along**2).sum()
    return np.asarray(np.abs(rest).mean((2, 3)))
