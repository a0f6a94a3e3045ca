"""What is nested in a quad: the edges of moulding and mat, at one distance from all four sides."""

from __future__ import annotations

import cv2
import numpy as np

from .geometry import Quad, homography, project

_LONGEST = 420  # pixels of the upright copy that is looked at
_MIDDLE = (0.3, 0.7)  # the part of each side that is looked at
_DEEPEST = 0.36  # share of the shorter side that moulding and mat may take
_FAINTEST = 1.0  # grey levels a pixel
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


def rings(image: np.ndarray, quad: Quad, aspect: float) -> list[Quad]:
    """Quads nested in one, from outside to inside, sides about as far from its own all around.

    An edge too faint to be seen in any one place is plain in the mean over a side, and an edge in
    what the frame holds is rarely at the same depth on three sides.

    Args:
        image: ``(H, W, 3)`` float32, slightly blurred.
        aspect: True width / height of the quad, roughly: moulding is as wide on all sides.
    """
    width, height = upright_size(quad, aspect, _LONGEST)
    upright = homography(pixel_corners(width, height), quad.array)
    patch = cv2.warpPerspective(
        image,
        upright,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    deepest = int(_DEEPEST * min(width, height))
    if deepest < 6:
        return []
    turned = [patch.transpose(1, 0, 2), patch[:, ::-1], patch[::-1].transpose(1, 0, 2), patch]
    edges = np.stack([_edges(side, deepest) for side in turned])  # top, right, bottom, left
    usual = np.median(edges, 1, keepdims=True)
    clear = edges / np.maximum(_OVER * usual, _FAINTEST)
    found = []
    for depth in range(4, deepest):
        loose = 2 + round(0.09 * depth)
        low, high = max(3, depth - loose), min(deepest, depth + loose + 1)
        window = clear[:, low:high]
        at = low + window.argmax(1)
        seen = np.minimum(window.max(1), 2.0)
        if (seen >= 1).sum() < 3 or seen.min() < 0.5:
            continue
        at = np.where(seen >= 0.5, at, np.rint(np.median(at[seen >= 1]))).astype(int)
        if not found or any(abs(at - other).max() > 2 for other in found[-1:]):
            found.append(at)
    nested = []
    for top, right, bottom, left in _distinct(found, edges):
        x0, x1, y0, y1 = left - 0.5, width - 0.5 - right, top - 0.5, height - 0.5 - bottom
        corners = project(upright, np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
        nested.append(Quad.trusted(corners))
    return nested


def _edges(side: np.ndarray, deepest: int) -> np.ndarray:
    """How much the colour changes at each depth, ``(deepest,)`` grey levels a pixel.

    Args:
        side: ``(L, D, 3)``: a patch turned so that the side is its first column.
    """
    start, stop = (round(share * len(side)) for share in _MIDDLE)
    part = side[start:stop, : deepest + 2]
    change = np.zeros((len(part), deepest, 3), np.float32)
    change[:, 1:] = (part[:, 2 : deepest + 1] - part[:, : deepest - 1]) / 2
    # The middle half of the values: what stands before the frame does not count.
    ordered = np.sort(change, axis=0)
    quarter = len(ordered) // 4
    mean = ordered[quarter : max(len(ordered) - quarter, quarter + 1)].mean(0)
    edge = np.linalg.norm(mean, axis=-1)
    peak = np.maximum(np.roll(edge, 1), np.roll(edge, -1))
    edge[edge < peak] *= 0.5  # peaks, not their slopes
    return edge


def _distinct(found: list[np.ndarray], edges: np.ndarray) -> list[np.ndarray]:
    """Depths ``(4,)`` of each ring once: of those within a few pixels, the clearest."""
    kept: list[np.ndarray] = []

    def worth(depths: np.ndarray) -> float:
        return float(np.log(edges[np.arange(4), depths] + 0.05).sum())

    for depths in found:
        if kept and np.abs(depths - kept[-1]).mean() < 3.0:
            if worth(depths) > worth(kept[-1]):
                kept[-1] = depths
        else:
            kept.append(depths)
    return kept
