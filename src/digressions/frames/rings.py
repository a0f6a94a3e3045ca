"""What is nested in a quad: the edges of moulding and mat, at one distance from all four sides."""

from __future__ import annotations

import cv2
import numpy as np

from ..geometry import Quad, homography, project

_LONGEST = 420  # pixels of the upright copy that is looked at
_MIDDLE = (0.3, 0.7)  # the part of each side that is looked at
_SAMPLES = 64  # places along it
_DEEPEST = 0.36  # share of the shorter side that moulding and mat may take
_FAINTEST = 1.0  # grey levels a pixel
_UNEVEN = 8.0  # grey levels that moulding may vary along a side
_FLANK = 2  # pixels beside a peak that belong to it
_SEEN = 0.5  # how clear an edge must be to be there at all, where 1 is clear
_OVER = 4.0  # times what is usual at other depths


def upright_size(quad: Quad, aspect: float, longest: float) -> tuple[int, int]:
    """Width and height of a quad seen upright: as large as it is in the photo, or ``longest``."""
    top, right, bottom, left = quad.sides
    wide, high = max(top, bottom), max(left, right)
    wide, high = max(wide, high * aspect), max(high, wide / aspect)
    shrink = min(1.0, longest / max(wide, high))
    return max(8, round(wide * shrink)), max(8, round(high * shrink))


def pixel_corners(width: int, height: int) -> np.ndarray:
    """Outer corners of a picture, ``(4, 2)`` clockwise, where pixel centres are whole numbers."""
    right, bottom = width - 0.5, height - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def rings(image: np.ndarray, quad: Quad, aspect: float) -> list[tuple[Quad, float]]:
    """Quads nested in one, from outside to inside, sides about as far from its own all around.

    An edge too faint to be seen in any one place is plain in the mean over a side, and an edge in
    what the frame holds is rarely at the same depth on three sides.

    Args:
        image: ``(H, W, 3)`` float32, slightly blurred.
        aspect: True width / height of the quad, roughly: moulding is as wide on all sides.

    Returns:
        Each with how even its distance is, 0..1.
    """
    width, height = upright_size(quad, aspect, _LONGEST)
    upright = homography(pixel_corners(width, height), quad.array)
    deepest = int(_DEEPEST * min(width, height))
    if deepest < 6:
        return []
    sides = _sides(image, upright, width, height, deepest + 2)
    edges = _edges(sides, deepest)
    usual = np.median(edges, 1, keepdims=True)
    clear = _peaks(edges) / np.maximum(_OVER * usual, _FAINTEST)
    found: list[np.ndarray] = []
    for depth in range(4, deepest):
        low, high = max(3, depth - 2 - depth // 11), min(deepest, depth + 3 + depth // 3)
        off = (np.arange(low, high) - depth) / (1 + 0.04 * depth)
        # A mat is often wider below, never above or at one side.
        away = np.where(off > 2.3, 9.0, off)[None] * np.ones((4, 1))
        away[2] = np.where(off > 0, off / 4, off)
        window = clear[:, low:high]
        at = low + (np.log(window + 0.05) - away**2 / 2).argmax(1)
        seen = clear[np.arange(4), at]
        if (seen >= 1).sum() < 3:
            continue
        if seen.min() < _SEEN:  # hidden: as deep as the others
            at[seen.argmin()] = round(float(at[seen >= 1].mean()))
        if not any((at == other).all() for other in found):
            found.append(at)
    nested = []
    for depths in _uniform(_distinct(found, clear), sides):
        top, right, bottom, left = depths
        x0, x1, y0, y1 = left - 0.5, width - 0.5 - right, top - 0.5, height - 0.5 - bottom
        corners = project(upright, np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
        nested.append((Quad.trusted(corners), float(np.exp(-_spread(depths)))))
    return nested


def _spread(depths: np.ndarray) -> float:
    """How uneven depths ``(4,)`` are: 1 for as much as perspective and a lip may do.

    Depth below that the other sides have not, as mats do, counts a quarter.
    """
    extra = max(depths[2] - depths[[0, 1, 3]].max(), 0)
    depths = depths - np.array([0, 0, 0.75 * extra, 0])
    return float(depths.std() / (2 + 0.05 * depths.mean()))


def _sides(
    image: np.ndarray, upright: np.ndarray, width: int, height: int, depth: int
) -> np.ndarray:
    """What lies inward of the middle of each side, ``(4, L, depth, 3)``: top, right, bottom, left.

    Args:
        upright: From a picture of ``width`` by ``height`` pixels to the image.
    """
    share = np.linspace(*_MIDDLE, _SAMPLES)[:, None]
    inward = np.arange(depth)[None]
    right, below = (width - 1) * share + 0 * inward, (height - 1) * share + 0 * inward
    deep = inward + 0 * share
    x = np.stack([right, width - 1 - deep, right, deep])
    y = np.stack([deep, below, height - 1 - deep, below])
    at = project(upright, np.stack([x.ravel(), y.ravel()], 1)).astype(np.float32)
    found = cv2.remap(
        image,
        at[:, 0].reshape(-1, depth),
        at[:, 1].reshape(-1, depth),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return found.reshape(4, _SAMPLES, depth, 3)


def _edges(sides: np.ndarray, deepest: int) -> np.ndarray:
    """How much the colour changes at each depth of each side, ``(4, deepest)`` grey levels a pixel.

    Args:
        sides: ``(4, L, deepest + 2, 3)``.
    """
    change = (sides[:, :, 2 : deepest + 1] - sides[:, :, : deepest - 1]) / 2
    # The middle half of the values: what stands before the frame does not count.
    ordered = np.sort(change, axis=1)
    quarter = _SAMPLES // 4
    mean = ordered[:, quarter:-quarter].mean(1)
    edge = np.zeros((4, deepest), np.float32)
    edge[:, 1:] = np.linalg.norm(mean, axis=-1)
    return edge


def _peaks(edges: np.ndarray) -> np.ndarray:
    """Each row ``(N, M)`` without the flanks of its peaks."""
    highest = cv2.dilate(edges, np.ones((1, 2 * _FLANK + 1), np.uint8))
    return np.where(edges >= highest, edges, 0.0)


def _distinct(found: list[np.ndarray], clear: np.ndarray) -> list[np.ndarray]:
    """Depths ``(4,)`` of each ring once.

    Rings that share two sides are one ring, of which the other two are doubtful: the moulding, or
    the end of its shadow. Moulding is as wide on all sides, and its edge is clear. The shadow ends
    on two sides, so of two rings with a side that is not seen, one side shared is enough.
    """
    kept: list[np.ndarray] = []
    each = np.arange(4)

    def worth(depths: np.ndarray) -> float:
        edge = np.log(np.clip(clear[each, depths], 0.05, 3.0)).mean()
        return float(edge) - 2 * _spread(depths)

    for depths in found:
        gap = np.abs(depths - kept[-1]) if kept else np.full(4, np.inf)
        unseen = bool(kept) and min(clear[each, depths].min(), clear[each, kept[-1]].min()) < _SEEN
        if (gap <= 2).sum() >= (1 if unseen else 2) or gap.mean() < 3:
            if worth(depths) > worth(kept[-1]):
                kept[-1] = depths
        else:
            kept.append(depths)
    return kept


def _uniform(found: list[np.ndarray], sides: np.ndarray) -> list[np.ndarray]:
    """The rings up to the first with a picture before it: moulding and mat look alike all along.

    Args:
        sides: As `_sides` gives them.
    """
    kept: list[np.ndarray] = []
    before = np.zeros(4, int)
    along = np.linspace(-1, 1, _SAMPLES, dtype=np.float32)
    for depths in found:
        rough = []
        for side, start, stop in zip(sides, before, depths, strict=True):
            band = side[:, start + 2 : max(stop - 1, start + 3)]
            rest = band - np.median(band, axis=0, keepdims=True)
            slope = np.tensordot(along, rest, 1) / (along @ along)  # light that falls off
            rough.append(float(np.median(np.abs(rest - along[:, None, None] * slope))))
        if np.sort(rough)[2] > _UNEVEN:
            break
        kept.append(depths)
        before = depths
    return kept
