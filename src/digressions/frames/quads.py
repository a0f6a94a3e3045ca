"""All quads of a photo that may be openings, each measured once, and which is nested in which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np

from ..geometry import Quad, Size, homography
from .aspect import rough_aspects, squareness
from .borders import Borders, borders
from .corners import SMALLEST, candidates
from .lines import straight_lines
from .rings import Ring, pixel_corners, rings, upright_size
from .sharp import Sharp, sharpened

_COARSE, _FINE = 1000, 1600  # longer side of the copies that lines and corners are found in
_LOOKED_AT = 100  # candidates
_REACH = 4.0  # pixels of the fine copy that a corner may be off before it is measured
_RING_REACH, _LEAST_REACH = 2.5, 1.5  # the same of a ring's
_HALF = 0.5  # of all sides of moulding or mat that must be seen
_SAME = 1.2  # pixels of the fine copy that corners of one quad may be apart
_LIKELY = 0.12  # how sure a quad must be for rings to be looked for in it
_CLEAR = 5.0  # grey levels a pixel that are structure, not noise or light
_PATCH = 112  # pixels, at most, of what is inside


class Nest(NamedTuple):
    """That a quad lies in another at about one distance from all its sides.

    Attributes:
        quad: Which one, of the list that this is in.
        even: How even the distance is, 0..1.
        level: How many rings of the outer one lie around the inner one, itself counted.
        depth: The least distance of their sides, as a share of the outer one's shorter side.
    """

    quad: int
    even: float
    level: int
    depth: float


class Inside(NamedTuple):
    """What is in a quad: how little, 0..1; its mean colour ``(3,)``, and how that varies."""

    empty: float
    colour: np.ndarray
    spread: float


@dataclass
class Seen:
    """A quad that may be an opening, in pixels of the fine copy.

    Attributes:
        quad: The quad.
        edges: How it was measured.
        support, ends: If it is made of straight lines: the share of each side that is an edge, and
            how well each corner is one; sorted, ``(4,)``; else 0.
        square: How well it agrees with being a rectangle, 0..1.
        inside: What is in it.
        often: How many lines and rings led to it.
        around: The quads that it is nested in.
        rings: The quads that are nested in it.
    """

    quad: Quad
    edges: Sharp
    support: np.ndarray
    ends: np.ndarray
    square: float
    inside: Inside
    often: int = 0
    around: list[Nest] = field(default_factory=list)
    rings: list[Nest] = field(default_factory=list)

    @property
    def exists(self) -> float:
        """How sure it is that there is a rectangle at all, 0..1, by its own sides."""
        straight = np.exp(-self.edges.off / 2)
        edges = self.edges.support.mean()
        corners = 0.3 + 0.7 * self.cornered
        return float(edges**2 * straight**0.5 * corners * (0.2 + 0.8 * self.square))

    @property
    def cornered(self) -> float:
        """How well its corners are ones, 0..1; one of four may be hidden."""
        return float(np.clip(self.ends[1:].mean(), 0, 1))

    @property
    def drawn(self) -> bool:
        """Whether it is made of straight lines."""
        return bool(self.support.any())


class _Measured(NamedTuple):
    """The first three things that `Seen` knows of a quad besides the quad."""

    edges: Sharp
    support: np.ndarray
    ends: np.ndarray


class Sight(NamedTuple):
    """What was seen in a photo: quads, what lies beside their sides, and the fine copy's size."""

    seen: list[Seen]
    beside: Borders
    size: Size


def shrunk(image: np.ndarray, longest: int = _FINE) -> np.ndarray:
    """A copy whose longer side is ``longest`` pixels at most."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def smoothed(image: np.ndarray) -> np.ndarray:
    """``(H, W, 3)`` uint8 to float32, slightly blurred: what corners are measured in."""
    return cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32)


def look(photo: np.ndarray, focal_35: float | None = None) -> Sight:
    """All quads of a photo that may be openings.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        focal_35: Focal length as EXIF has it, in mm for 35 mm film, if known.
    """
    fine = shrunk(photo)
    coarse = shrunk(fine, _COARSE)
    size = Size(fine.shape[1], fine.shape[0])
    table = _Table(smoothed(fine), size, focal_35)
    if min(coarse.shape[:2]) >= SMALLEST:
        rough = candidates(*straight_lines(coarse), coarse.shape[1], coarse.shape[0], _LOOKED_AT)
        corners = (rough.corners + 0.5) * max(size) / max(coarse.shape[:2]) - 0.5
        table.draw(corners, np.sort(rough.support, 1), np.sort(rough.ends, 1))
        table.nest()
    return Sight(table.seen, borders(table.image, table.corners), size)


class _Table:
    """Quads measured so far.

    Attributes:
        seen: All of them.
        corners: Theirs, ``(N, 4, 2)``.
    """

    def __init__(self, image: np.ndarray, size: Size, focal_35: float | None) -> None:
        self.image, self.size, self.focal = image, size, focal_35
        self.seen: list[Seen] = []
        self.corners = np.zeros((0, 4, 2))

    def draw(self, corners: np.ndarray, support: np.ndarray, ends: np.ndarray) -> None:
        """Takes in quads of straight lines, ``(N, 4, 2)``."""
        new: list[_Measured] = []
        met: list[int] = []
        for index, edges in enumerate(sharpened(self.image, corners, _REACH)):
            if edges.support.min() <= 0:
                continue
            which = self._same(edges.corners)
            if which is None:
                which = self._put(edges.corners)
                new.append(_Measured(edges, support[index], ends[index]))
            met.append(which)
        self._describe(new, met)

    def nest(self) -> None:
        """Takes in what is nested in the likely ones."""
        likely = [i for i, each in enumerate(self.seen) if each.exists >= _LIKELY]
        aspects = rough_aspects(self.corners[likely], self.size, self.focal)
        found = [
            (outer, ring)
            for outer, aspect in zip(likely, aspects, strict=True)
            for ring in rings(self.image, self.seen[outer].quad, float(aspect))
        ]
        corners = np.array([ring.quad for _, ring in found]).reshape(-1, 4, 2)
        # Not so far that a stronger edge beside it is in reach.
        gap = np.array([ring.gap for _, ring in found])
        measured = sharpened(self.image, corners, (0.6 * gap).clip(_LEAST_REACH, _RING_REACH))
        new: list[_Measured] = []
        nested: list[tuple[int, Ring, int]] = []
        for (outer, ring), edges in zip(found, measured, strict=True):
            inner = self._same(ring.quad.array)
            if inner is None and edges.support.mean() < _HALF:  # made up of what the frame holds
                continue
            if inner is None:
                inner = self._same(edges.corners)
            if inner is None:
                inner = self._put(edges.corners)
                new.append(_Measured(edges, np.zeros(4), np.zeros(4)))
            nested.append((outer, ring, inner))
        self._describe(new, [inner for _, _, inner in nested])
        for outer, ring, inner in nested:
            if inner != outer:
                depth = float(ring.gap / self.seen[outer].quad.sides.min())
                nest = Nest(inner, ring.even, ring.level, depth)
                self.seen[outer].rings.append(nest)
                self.seen[inner].around.append(nest._replace(quad=outer))

    def _same(self, corners: np.ndarray) -> int | None:
        """Which quad has these corners, if there is one."""
        if not len(self.corners):
            return None
        off = np.abs(self.corners - corners).reshape(-1, 8).max(1)
        nearest = int(off.argmin())
        return nearest if off[nearest] <= _SAME else None

    def _put(self, corners: np.ndarray) -> int:
        """The number of a new quad."""
        self.corners = np.concatenate([self.corners, corners[None]])
        return len(self.corners) - 1

    def _describe(self, new: list[_Measured], met: list[int]) -> None:
        """Takes those that were just put into `seen`, and counts all that were met."""
        corners = np.array([edges.corners for edges, _, _ in new]).reshape(-1, 4, 2)
        square = squareness(corners, self.size, self.focal)
        within = insides(self.image, corners)
        for each, how_square, what in zip(new, square, within, strict=True):
            quad = Quad.trusted(each.edges.corners)
            self.seen.append(Seen(quad, *each, float(how_square), what))
        for which in met:
            self.seen[which].often += 1


def insides(image: np.ndarray, corners: np.ndarray) -> list[Inside]:
    """What is in quads ``(N, 4, 2)``, well inside their edges.

    Args:
        image: ``(H, W, 3)`` float32, slightly blurred.
    """
    quads = [Quad.trusted(each) for each in corners]
    sizes = [upright_size(quad, float(quad.sides[0] / quad.sides[1]), _PATCH) for quad in quads]
    patches = np.array([pixel_corners(*size) for size in sizes]).reshape(-1, 4, 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return [
        _inside(cv2.warpPerspective(image, warp, size, flags=flags))
        for warp, size in zip(homography(patches, corners), sizes, strict=True)
    ]


def _inside(patch: np.ndarray) -> Inside:
    """What is in an upright view of a quad, ``(H, W, 3)``."""
    patch = cv2.blur(patch, (3, 3))
    margin = max(2, min(patch.shape[:2]) // 8)
    across = cv2.absdiff(patch[1:-1, 2:], patch[1:-1, :-2])[margin:-margin, margin:-margin]
    down = cv2.absdiff(patch[2:, 1:-1], patch[:-2, 1:-1])[margin:-margin, margin:-margin]
    if not across.size:
        return Inside(0.0, patch.mean((0, 1)), 0.0)
    steep = cv2.max(across, down) > 2 * _CLEAR
    structure = (steep[..., 0] | steep[..., 1] | steep[..., 2]).mean()
    mean, spread = cv2.meanStdDev(patch[margin:-margin, margin:-margin])
    return Inside(float(np.clip(1 - 5 * structure, 0, 1)), mean[:, 0], float(spread.max()))
