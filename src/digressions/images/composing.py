r"""One thing, painted on a square, composed to a wide or tall picture.

A model that paints pictures of one shape repeats its thing where the picture is wide or tall: four
eyes, two heads. So the thing is painted on a square. Then the ground around it is carried on to the
aspect that is wanted (*extend*), or a part of the square is taken (*crop*): whichever loses less of
the thing.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from . import ComposeName
from .colour import oklab

_EDGE = 1 / 32  # of a side: the strip along it that shows what lies there
_ENDS = 1 / 16  # of a strip: either end, where the ground is as a rule
_OFF = 0.1  # in OKLab, farther from what lies between the ends is no ground
_HALO = 1 / 20  # of a strip, beside what is no ground
_SPREAD = 0.35  # pixels of blur for a pixel outwards
_FADE = 1 / 12  # of a side: the way on which what is cut off at an edge fades into the ground
_INSIDE = 1.25  # a thing that is cut through shows it more than one whose edge is cut off
_ASIDE, _STANDING = 0.9, 0.3  # what it costs to be at one side, and at the bottom, times the share
# of the picture that is added


class Composition(NamedTuple):
    """A way to compose a picture, and what it loses.

    Attributes:
        how: ``"extend"`` or ``"crop"``.
        at: Where the square lies in the picture along its longer side, or the part that is taken
            in the square: 0 for its beginning, 1 for its end.
        lost: About the share of the thing that is cut off, and what stands in for bad looks.
    """

    how: ComposeName
    at: float
    lost: float


class Composed(NamedTuple):
    """A picture brought to an aspect, and how.

    Attributes:
        pixels: ``(h, w, 3)`` uint8: of the picture's height or width, whichever stays.
        how: ``"extend"``, ``"crop"``, or ``"stretch"`` where nothing was to be done.
        cut_off: The share of the picture, 0..1, that is left out.
    """

    pixels: np.ndarray
    how: ComposeName
    cut_off: float = 0.0

    def told(self, asked: ComposeName) -> str:
        """What is worth saying of it: the way that ``auto`` took, and how much is cut off."""
        if self.cut_off:
            return f"{self.cut_off:.0%} of the square is cut off"
        if asked == "auto" and self.how == "extend":
            return "its ground is carried on"
        return ""


def composed(picture: np.ndarray, aspect: float, compose: ComposeName) -> Composed:
    """A picture brought to an aspect.

    Args:
        picture: ``(H, W, 3)`` uint8.
        aspect: Width / height that is wanted.
        compose: ``extend``, ``crop``, ``auto`` for what loses less, or ``stretch`` for a picture
            that was painted at its aspect and stays as it is.
    """
    if compose == "stretch":
        return Composed(picture, compose)
    picture, aspect, tall = _wide(picture, aspect)
    best = _best(picture, aspect, compose, tall=tall)
    result = (_extended if best.how == "extend" else _cropped)(picture, aspect, best.at)
    lost = max(0.0, 1 - len(result) / len(picture))
    pixels = np.ascontiguousarray(result.transpose(1, 0, 2) if tall else result)
    return Composed(pixels, best.how, lost)


def _wide(picture: np.ndarray, aspect: float) -> tuple[np.ndarray, float, bool]:
    """A picture and an aspect so turned that the aspect is the wider of the two, and whether."""
    if aspect >= picture.shape[1] / picture.shape[0]:
        return picture, aspect, False
    return picture.transpose(1, 0, 2), 1 / aspect, True


def _best(picture: np.ndarray, aspect: float, compose: ComposeName, *, tall: bool) -> Composition:
    """The composition that loses least, of those that are allowed."""
    found = [_extension(picture, aspect, feet=tall), _cropping(picture, aspect)]
    return min((each for each in found if compose in ("auto", each.how)), key=lambda e: e.lost)


def _extension(picture: np.ndarray, aspect: float, *, feet: bool) -> Composition:
    """The best way to carry the ground on to the left and the right.

    Args:
        feet: Whether right is down, where a thing may stand; nothing hangs from above.
    """
    cut = [float(1 - _ground(picture, end).mean()) for end in (0, -1)]
    added = 1 - picture.shape[1] / (aspect * picture.shape[0])
    ways = [Composition("extend", 0.5, sum(cut) / 2)]
    ends = [(1.0, cut[0])] if feet else [(0.0, cut[1]), (1.0, cut[0])]
    cost = (_STANDING if feet else _ASIDE) * added
    ways += [Composition("extend", at, lost / 2 + cost) for at, lost in ends]
    return min(ways, key=lambda way: way.lost)


def detail(picture: np.ndarray, side: int) -> np.ndarray:
    """How much lies at each pixel: the slope of its brightness, ``(H, W)`` float32.

    Args:
        picture: ``(H, W, 3)`` uint8.
        side: Of the thing in it, in pixels; what is smaller than a 64th of it is noise.
    """
    grey = cv2.GaussianBlur(picture.astype(np.float32).mean(2), (0, 0), max(0.5, side / 64))
    slope: np.ndarray = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    return slope


def _cropping(picture: np.ndarray, aspect: float) -> Composition:
    """The part of the height that holds most of the thing."""
    high, taken = picture.shape[0], _taken(picture, aspect)
    rows = detail(picture, high).sum(1)
    held = np.convolve(rows, np.ones(taken), "valid")
    start, total = int(held.argmax()), float(rows.sum())
    lost = 1 - float(held[start]) / total if total > 0 else 1 - taken / high
    return Composition("crop", start / max(1, high - taken), _INSIDE * lost)


def _cropped(picture: np.ndarray, aspect: float, at: float) -> np.ndarray:
    taken = _taken(picture, aspect)
    start = round(at * (picture.shape[0] - taken))
    return picture[start : start + taken]


def _taken(picture: np.ndarray, aspect: float) -> int:
    """Rows of a picture that are as wide as it in an aspect."""
    return min(picture.shape[0], max(1, round(picture.shape[1] / aspect)))


def _extended(picture: np.ndarray, aspect: float, at: float) -> np.ndarray:
    added = max(0, round(aspect * picture.shape[0]) - picture.shape[1])
    left = round(at * added)
    parts = [
        _outwards(picture, 0, left)[:, ::-1],
        picture,
        _outwards(picture, -1, added - left),
    ]
    return np.hstack([np.rint(part).astype(np.uint8) for part in parts])


def _outwards(picture: np.ndarray, end: int, count: int) -> np.ndarray:
    """What lies at one end of a picture carried on by some columns, the smoother the farther: first
    its very edge, so that no seam shows, which fades into the ground.

    Returns:
        ``(H, count, 3)`` float32 in 0..255.
    """
    planes = picture.astype(np.float32)
    line, edge = _strip(planes, end), planes[:, end][:, None]
    rows = np.arange(len(line))
    kept = rows[_ground(picture, end)]
    ground = np.stack([np.interp(rows, kept, line[kept, c]) for c in range(3)], -1)
    ground = ground.astype(np.float32)[:, None]
    faded = max(2.0, _FADE * picture.shape[1])
    out = np.empty((len(line), count, 3), np.float32)
    for column in range(count):
        blur = min(0.5 + _SPREAD * column, float(len(line)))  # more would change nothing
        down = cv2.getGaussianKernel(2 * int(3 * blur) + 1, blur)
        share = min(1.0, (column + 1) / faded)
        share *= share * (3 - 2 * share)
        mixed = edge + np.float32(share) * (ground - edge)
        spread = cv2.sepFilter2D(mixed, -1, np.ones(1), down, borderType=cv2.BORDER_REPLICATE)
        out[:, column] = spread[:, 0]
    return out


def _strip(planes: np.ndarray, end: int) -> np.ndarray:
    """Means across the strip at the left (0) or the right (-1) end, ``(H, 3)``."""
    width = max(1, round(_EDGE * planes.shape[1]))
    part = planes[:, :width] if end == 0 else planes[:, -width:]
    return part.mean(1)


def _ground(picture: np.ndarray, end: int) -> np.ndarray:
    """Where along an end of a picture there is ground, ``(H,)`` bool; at its corners always.

    Ground goes evenly from one corner to the other; what does not is a thing that is cut off.
    """
    line = _strip(oklab(picture), end)
    count = max(1, round(_ENDS * len(line)))
    first, last = np.median(line[:count], 0), np.median(line[-count:], 0)
    along = np.linspace(0, 1, len(line), dtype=np.float32)[:, None]
    off = np.linalg.norm(line - (first + along * (last - first)), axis=1) > _OFF
    near = np.ones((2 * round(_HALO * len(line)) + 1, 1), np.uint8)
    thing = cv2.dilate(off[:, None].astype(np.uint8), near)[:, 0] > 0
    thing[[0, -1]] = False
    return ~thing
