"""Picture frames, screens and posters in a photo: where they are, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from ..geometry import Quad, Size, homography
from .aspect import Aspect, aspects, rough_aspect, squareness
from .corners import Sharp, candidates, sharpened
from .lines import straight_lines
from .rings import pixel_corners, rings, upright_size

_COARSE, _FINE = 1000, 1600  # longer side of the copies that lines and corners are found in
_LOOKED_AT = 70  # candidates
_REACH = 4.0  # pixels of the fine copy that a corner may be off before it is measured
_LEAST_REACH = 1.5
_EXISTS = 0.25  # the score of a quad that is reported
_AROUND = 0.65  # how sure a quad must be to win over one inside it, as a share of that one's
_CLEAR = 5.0  # grey levels a pixel that are structure, not noise or light
_NESTED = 0.75  # of a side of moulding or mat that must be seen, on three sides
_SHADOW = 0.35  # how much fainter two sides of a ring are than the others if it is a shadow
_FAINT = 3.0  # grey levels a pixel: what is plainer is an edge anyhow
_LEAST_SEEN = 16.0  # pixels of the photo that lie in an opening
_CORNER_ERROR = 0.7  # pixels of the fine copy


@dataclass(frozen=True)
class Frame:
    """A picture frame, screen or poster.

    Attributes:
        opening: Where a picture goes: inside moulding and mat.
        outer: The outside of the moulding; the same as the opening where there is none.
        score: 0..1.
        reasons: What the score is made of, each 0..1: ``edges`` (the share of the sides that is
            seen), ``straight``, ``corners`` (edges begin there), ``rectangle`` (right angles fit
            the lens), ``nested`` (moulding or mat evenly around it) and ``empty`` (nothing in it).
        aspect: True width / height of the opening.
    """

    opening: Quad
    outer: Quad
    score: float
    reasons: dict[str, float]
    aspect: Aspect


def find(
    photo: np.ndarray, focal_35: float | None = None, *, least: float = _EXISTS
) -> list[Frame]:
    """All picture frames, screens and posters in a photo, the best first.

    Straight edges are joined to quads; each quad's sides are measured to a part of a pixel; what is
    nested in it is looked for in the mean over its sides; of quads that overlap, the best stays.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        focal_35: Focal length as EXIF has it, in mm for 35 mm film, if known.
        least: Score that is reported.
    """
    height, width = photo.shape[:2]
    size = Size(width, height)
    fine = _shrunk(photo, _FINE)
    coarse = _shrunk(fine, _COARSE)
    quads = candidates(*straight_lines(coarse), coarse.shape[1], coarse.shape[0])
    smooth = cv2.GaussianBlur(fine, (0, 0), 1.0).astype(np.float32)
    small = Size(fine.shape[1], fine.shape[0])
    up = max(small) / max(coarse.shape[:2])
    seen: list[Frame] = []
    for index in range(min(len(quads.corners), _LOOKED_AT)):
        rough = Quad.trusted((quads.corners[index] + 0.5) * up - 0.5)
        frame = _looked_at(smooth, rough, quads.ends[index], small, focal_35)
        if frame is not None and frame.score >= least:
            seen.append(frame)
    best = _best(seen)
    if not best:
        return []
    found = aspects([frame.opening for frame in best], small, focal_35, _CORNER_ERROR)
    back = max(size) / max(small)
    return [
        replace(
            frame, opening=frame.opening.scaled(back), outer=frame.outer.scaled(back), aspect=aspect
        )
        for frame, aspect in zip(best, found, strict=True)
    ]


def given(photo: np.ndarray, opening: Quad, focal_35: float | None = None) -> Frame:
    """A frame whose opening is known, with its true aspect and whether it is empty.

    Raises:
        InputError: Next to nothing of the opening lies in the photo.
    """
    size = Size(photo.shape[1], photo.shape[0])
    edges = Quad.trusted(pixel_corners(*size))
    seen = edges.covers(opening) * opening.area
    if seen < _LEAST_SEEN:
        raise InputError(
            f"{seen:.0f} pixels of the photo's {size.width} x {size.height} lie in the opening "
            f"{opening}: give corners in pixels of the photo"
        )
    fine = _shrunk(photo, _FINE)
    factor = max(fine.shape[:2]) / max(size)
    error = _CORNER_ERROR / factor
    smooth = cv2.GaussianBlur(fine, (0, 0), 1.0).astype(np.float32)
    reasons = {
        "rectangle": squareness(opening, size, focal_35),
        "empty": _emptiness(smooth, opening.scaled(factor)),
    }
    return Frame(opening, opening, 1.0, reasons, aspects([opening], size, focal_35, error)[0])


def opening_of(mask: np.ndarray) -> Quad:
    """The four-sided shape around the largest white patch of a mask, ``(H, W)`` uint8.

    Raises:
        InputError: Nothing is white, or the patch is too thin.
    """
    patches, _ = cv2.findContours(
        (mask >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not patches:
        raise InputError("the mask has nothing white: paint the opening white")
    hull = cv2.convexHull(max(patches, key=cv2.contourArea))
    around = cv2.arcLength(hull, True)
    for share in np.geomspace(0.002, 0.1, 30):
        corners = cv2.approxPolyDP(hull, share * around, True)
        if len(corners) == 4:
            rough = Quad.of(corners[:, 0])
            soft = cv2.GaussianBlur(mask, (0, 0), 1.0).astype(np.float32)
            sharp = sharpened(np.stack([soft] * 3, -1), rough.array, _REACH)
            return Quad.trusted(sharp.corners) if sharp.support.min() > 0.5 else rough
    return Quad.of(cv2.boxPoints(cv2.minAreaRect(hull)))


def _shrunk(image: np.ndarray, longest: int) -> np.ndarray:
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _looked_at(
    image: np.ndarray, rough: Quad, begins: np.ndarray, size: Size, focal_35: float | None
) -> Frame | None:
    """A candidate measured, with the innermost of what is nested in it."""
    sharp = sharpened(image, rough.array, _REACH)
    if sharp.support.min() <= 0:
        return None
    outer = Quad.trusted(sharp.corners)
    square = squareness(outer, size, focal_35)
    ends = float(np.clip(np.sort(begins)[1:].mean(), 0, 1))
    nested = rings(image, outer, rough_aspect(outer, size, focal_35))
    opening, inner, even = outer, sharp, 0.0
    around = [outer, *(quad for quad, _ in nested)]
    for index in range(len(nested) - 1, -1, -1):  # the innermost that can be measured
        quad, evenness = nested[index]
        # Not so far that a stronger edge beside it is in reach: the outside of a thin moulding.
        reach = min(0.75 * _REACH, max(_LEAST_REACH, 0.6 * _gap(around[index], quad)))
        measured = sharpened(image, quad.array, reach)
        if _all_around(measured):
            opening, inner, even = Quad.trusted(measured.corners), measured, evenness
            break
    empty = _emptiness(image, opening)
    reasons = {
        "edges": _edges(sharp, inner),
        "straight": float(np.exp(-max(sharp.off, inner.off) / 2)),
        "corners": ends,
        "rectangle": square,
        "nested": even,
        "empty": empty,
    }
    return Frame(opening, outer, _score(reasons), reasons, Aspect(1.0, 0.0))


def _gap(around: Quad, quad: Quad) -> float:
    """The least distance in pixels of a side's middle from the side around it."""
    start, middle = around.array, (quad.array + np.roll(quad.array, -1, 0)) / 2
    side = np.roll(start, -1, 0) - start
    away = side[:, 0] * (middle - start)[:, 1] - side[:, 1] * (middle - start)[:, 0]
    return float((away / np.linalg.norm(side, axis=1)).min())


def _all_around(ring: Sharp) -> bool:
    """Whether moulding or mat ends here, and not the shadow that two of its sides throw.

    A shadow's end is plain on two sides; on the others something faint lies there at most.
    """
    weak, strong = np.sort(ring.strength)[1:3]
    shadow = weak < _SHADOW * strong and weak < _FAINT
    return bool(np.sort(ring.support)[1] > _NESTED and not shadow)


def _edges(sharp: Sharp, inner: Sharp) -> float:
    return float(max(sharp.support.mean(), inner.support.mean()))


def _exists(reasons: dict[str, float]) -> float:
    """How sure it is that there is a rectangle at all, 0..1."""
    return (
        reasons["edges"] ** 2
        * reasons["straight"] ** 0.5
        * (0.3 + 0.7 * reasons["corners"])
        * (0.2 + 0.8 * reasons["rectangle"])
    )


def _score(reasons: dict[str, float]) -> float:
    return _exists(reasons) * (0.6 + 0.15 * reasons["nested"] + 0.25 * reasons["empty"])


def _emptiness(image: np.ndarray, quad: Quad) -> float:
    """How little there is inside, 0..1: the share without structure, well inside the edges."""
    width, height = upright_size(quad, float(quad.sides[0] / quad.sides[1]), 160)
    warp = homography(pixel_corners(width, height), quad.array)
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    patch = cv2.warpPerspective(image, warp, (width, height), flags=flags)
    patch = cv2.blur(patch, (3, 3))
    across = np.abs(patch[:, 2:] - patch[:, :-2])[1:-1].max(-1)
    down = np.abs(patch[2:] - patch[:-2])[:, 1:-1].max(-1)
    margin = max(2, min(width, height) // 8)
    structure = np.maximum(across, down)[margin:-margin, margin:-margin]
    if not structure.size:
        return 0.0
    return float(np.clip(1 - 5 * (structure > 2 * _CLEAR).mean(), 0, 1))


def _best(seen: list[Frame]) -> list[Frame]:
    """Of frames that overlap, the best; of one around others, itself if it is nearly as sure."""
    kept: list[Frame] = []
    for frame in sorted(seen, key=lambda frame: -frame.outer.area):
        rivals = [other for other in kept if other.outer.overlap(frame.outer) > 0.001]
        if any(_wins(other, frame) for other in rivals):
            continue
        kept = [other for other in kept if other not in rivals]
        kept.append(frame)
    return sorted(kept, key=lambda frame: -frame.score)


def _wins(large: Frame, small: Frame) -> bool:
    """Whether the larger of two that overlap is the one to keep."""
    sure, other = _exists(large.reasons), _exists(small.reasons)
    if large.outer.covers(small.outer) < 0.9:
        return sure >= other
    if small.outer.covers(large.opening) > 0.95 or small.outer.overlap(large.outer) > 0.7:
        return large.score >= small.score  # two edges of one moulding
    return sure >= _AROUND * other
