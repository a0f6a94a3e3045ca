"""All quads of a photo that may be openings, each measured once, and which is nested in which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np

from ..geometry import Size
from ..homography import Quad, homography, pixel_corners
from .aspect import rectangularity, rough_aspects, upright_size
from .corners import MIN_SIDE, line_quads
from .lines import straight_lines
from .nested_quads import NestedQuad, nested_quads
from .sides import MeasuredSides, SideContrast, measure_sides, side_contrast

_COARSE, _FINE = 1000, 1600  # longer side of the copies that lines and corners are found in
_MAX_LINE_QUADS = 100
_REACH = 4.0  # pixels of the fine copy that a corner may be off before it is measured
_NESTED_REACH, _MIN_REACH = 2.5, 1.5  # the same of a nested quad's, at most and at least
_MIN_NESTED_SUPPORT = 0.5  # share of all sides of a nested quad that must be seen
_SAME = 1.2  # pixels of the fine copy between corners of quads that count as one
_LIKELY = 0.12  # rectangle score from which nested quads are looked for
_CLEAR = 5.0  # grey levels a pixel that are structure, not noise or light
_PATCH = 112  # pixels, at most, of the longer side of an interior


class Nesting(NamedTuple):
    """That one quad lies in another at about one distance from all its sides.

    Attributes:
        quad: Index of the other one among all candidates.
        evenness: How even the distance is, 0..1.
        level: How many quads nested in the outer one lie around the inner one, itself counted.
        depth: The least distance of their sides, as a share of the outer one's shorter side.
    """

    quad: int
    evenness: float
    level: int
    depth: float


class Interior(NamedTuple):
    """What is in a quad.

    Attributes:
        emptiness: 0..1: 1 where there is no structure at all.
        colour: ``(3,)``: its mean, in grey levels.
        spread: Standard deviation of the channel that varies most, grey levels.
    """

    emptiness: float
    colour: np.ndarray
    spread: float


@dataclass
class CandidateQuad:
    """A quad that may be an opening, in pixels of the fine copy.

    Attributes:
        quad: The quad.
        measured: Its sides.
        line_support, line_corner_scores: ``(4,)``, sorted. If it is made of straight lines: the
            share of each side that is an edge, and how clearly two edges begin at each corner.
            Else 0.
        rectangularity: How well it agrees with being a rectangle, 0..1.
        interior: What is in it.
        hits: How many times lines and nesting led to it.
        outer: The quads that it is nested in.
        inner: The quads that are nested in it.
    """

    quad: Quad
    measured: MeasuredSides
    line_support: np.ndarray
    line_corner_scores: np.ndarray
    rectangularity: float
    interior: Interior
    hits: int = 0
    outer: list[Nesting] = field(default_factory=list)
    inner: list[Nesting] = field(default_factory=list)

    @property
    def rectangle_score(self) -> float:
        """How sure it is, by its own sides, that there is a rectangle at all, 0..1."""
        straight = np.exp(-self.measured.residual / 2)
        edges = self.measured.support.mean()
        corners = 0.3 + 0.7 * self.corner_score
        return float(edges**2 * straight**0.5 * corners * (0.2 + 0.8 * self.rectangularity))

    @property
    def corner_score(self) -> float:
        """How clearly edges begin at its corners, 0..1; one of the four may be hidden."""
        return float(np.clip(self.line_corner_scores[1:].mean(), 0, 1))

    @property
    def from_lines(self) -> bool:
        """Whether it is made of straight lines."""
        return bool(self.line_support.any())


class Candidates(NamedTuple):
    """All quads of a photo that may be openings.

    Attributes:
        quads: In pixels of the fine copy.
        contrast: What lies beside their sides.
        size: Of the fine copy in pixels.
    """

    quads: list[CandidateQuad]
    contrast: SideContrast
    size: Size


class _NewQuad(NamedTuple):
    """What is known of a quad before it is described; see `CandidateQuad`."""

    measured: MeasuredSides
    line_support: np.ndarray
    line_corner_scores: np.ndarray


def candidate_quads(photo: np.ndarray, focal_35mm: float | None = None) -> Candidates:
    """All quads of a photo that may be openings.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        focal_35mm: Focal length as EXIF has it, in mm for 35 mm film, if known.
    """
    fine = shrunk(photo)
    coarse = shrunk(fine, _COARSE)
    size = Size(fine.shape[1], fine.shape[0])
    collection = _Collection(smoothed(fine), size, focal_35mm)
    if min(coarse.shape[:2]) >= MIN_SIDE:
        lines = straight_lines(coarse)
        rough = line_quads(*lines, coarse.shape[1], coarse.shape[0], _MAX_LINE_QUADS)
        corners = (rough.corners + 0.5) * max(size) / max(coarse.shape[:2]) - 0.5
        collection.add_line_quads(
            corners, np.sort(rough.support, 1), np.sort(rough.corner_scores, 1)
        )
        collection.add_nested_quads()
    contrast = side_contrast(collection.image, collection.corners)
    return Candidates(collection.quads, contrast, size)


def shrunk(image: np.ndarray, longest: int = _FINE) -> np.ndarray:
    """A copy whose longer side is at most ``longest`` pixels."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def smoothed(image: np.ndarray) -> np.ndarray:
    """``(H, W, 3)`` uint8 to float32, slightly blurred: what sides are measured in."""
    return cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32)


class _Collection:
    """Quads measured so far.

    Attributes:
        quads: All of them.
        corners: Theirs, ``(N, 4, 2)``.
    """

    def __init__(self, image: np.ndarray, size: Size, focal_35mm: float | None) -> None:
        self.image, self.size, self.focal_35mm = image, size, focal_35mm
        self.quads: list[CandidateQuad] = []
        self.corners = np.zeros((0, 4, 2))

    def add_line_quads(
        self, corners: np.ndarray, support: np.ndarray, corner_scores: np.ndarray
    ) -> None:
        """Adds quads of straight lines ``(N, 4, 2)``, with ``(N, 4)`` of `LineQuads`, sorted."""
        new: list[_NewQuad] = []
        met: list[int] = []
        for index, measured in enumerate(measure_sides(self.image, corners, _REACH)):
            if measured.support.min() <= 0:
                continue
            which = self._same(measured.corners)
            if which is None:
                which = self._append(measured.corners)
                new.append(_NewQuad(measured, support[index], corner_scores[index]))
            met.append(which)
        self._describe(new, met)

    def add_nested_quads(self) -> None:
        """Adds what is nested in the likely ones."""
        likely = [i for i, each in enumerate(self.quads) if each.rectangle_score >= _LIKELY]
        aspects = rough_aspects(self.corners[likely], self.size, self.focal_35mm)
        found = [
            (outer, nested)
            for outer, aspect in zip(likely, aspects, strict=True)
            for nested in nested_quads(self.image, self.quads[outer].quad, float(aspect))
        ]
        corners = np.array([nested.quad for _, nested in found]).reshape(-1, 4, 2)
        # Not so far that a stronger edge beside it is in reach.
        gap = np.array([nested.gap for _, nested in found])
        reach = (0.6 * gap).clip(_MIN_REACH, _NESTED_REACH)
        new: list[_NewQuad] = []
        nestings: list[tuple[int, NestedQuad, int]] = []
        for (outer, nested), measured in zip(
            found, measure_sides(self.image, corners, reach), strict=True
        ):
            inner = self._same(nested.quad.array)
            if inner is None and measured.support.mean() < _MIN_NESTED_SUPPORT:
                continue  # made up of what the frame holds
            if inner is None:
                inner = self._same(measured.corners)
            if inner is None:
                inner = self._append(measured.corners)
                new.append(_NewQuad(measured, np.zeros(4), np.zeros(4)))
            nestings.append((outer, nested, inner))
        self._describe(new, [inner for _, _, inner in nestings])
        for outer, nested, inner in nestings:
            if inner != outer:
                depth = float(nested.gap / self.quads[outer].quad.sides.min())
                nesting = Nesting(inner, nested.evenness, nested.level, depth)
                self.quads[outer].inner.append(nesting)
                self.quads[inner].outer.append(nesting._replace(quad=outer))

    def _same(self, corners: np.ndarray) -> int | None:
        """Index of the quad that has these corners, if there is one."""
        if not len(self.corners):
            return None
        off = np.abs(self.corners - corners).reshape(-1, 8).max(1)
        nearest = int(off.argmin())
        return nearest if off[nearest] <= _SAME else None

    def _append(self, corners: np.ndarray) -> int:
        """Takes in the corners of a new quad, and gives its index."""
        self.corners = np.concatenate([self.corners, corners[None]])
        return len(self.corners) - 1

    def _describe(self, new: list[_NewQuad], met: list[int]) -> None:
        """Adds the quads that were just appended to `quads`, and counts all that were met."""
        corners = np.array([each.measured.corners for each in new]).reshape(-1, 4, 2)
        right_angled = rectangularity(corners, self.size, self.focal_35mm)
        within = interiors(self.image, corners)
        for each, how_right, interior in zip(new, right_angled, within, strict=True):
            quad = Quad.trusted(each.measured.corners)
            self.quads.append(CandidateQuad(quad, *each, float(how_right), interior))
        for which in met:
            self.quads[which].hits += 1


def interiors(image: np.ndarray, corners: np.ndarray) -> list[Interior]:
    """What is in quads, well inside their edges.

    Args:
        image: ``(H, W, 3)`` float32 in 0..255, slightly blurred.
        corners: ``(N, 4, 2)`` of its pixels, clockwise from the top left.
    """
    quads = [Quad.trusted(each) for each in corners]
    sizes = [upright_size(quad, float(quad.sides[0] / quad.sides[1]), _PATCH) for quad in quads]
    patches = np.array([pixel_corners(*size) for size in sizes]).reshape(-1, 4, 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return [
        _interior(cv2.warpPerspective(image, warp, size, flags=flags))
        for warp, size in zip(homography(patches, corners), sizes, strict=True)
    ]


def _interior(patch: np.ndarray) -> Interior:
    """What is in a quad seen upright, ``(H, W, 3)``."""
    patch = cv2.blur(patch, (3, 3))
    margin = max(2, min(patch.shape[:2]) // 8)
    across = cv2.absdiff(patch[1:-1, 2:], patch[1:-1, :-2])[margin:-margin, margin:-margin]
    down = cv2.absdiff(patch[2:, 1:-1], patch[:-2, 1:-1])[margin:-margin, margin:-margin]
    if not across.size:
        return Interior(0.0, patch.mean((0, 1)), 0.0)
    steep = cv2.max(across, down) > 2 * _CLEAR
    structure = (steep[..., 0] | steep[..., 1] | steep[..., 2]).mean()
    mean, spread = cv2.meanStdDev(patch[margin:-margin, margin:-margin])
    return Interior(float(np.clip(1 - 5 * structure, 0, 1)), mean[:, 0], float(spread.max()))
