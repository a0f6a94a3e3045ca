"""Picture frames, screens and posters in a photo: where they are, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from ..geometry import Quad, Size, homography
from .aspect import Aspect, aspects, rough_aspect, squareness
from .borders import Borders, borders
from .choice import Seen, apart, features, openness
from .corners import Sharp, candidates, sharpened
from .lines import straight_lines
from .rings import pixel_corners, rings, upright_size

_COARSE, _FINE = 1000, 1600  # longer side of the copies that lines and corners are found in
_LOOKED_AT = 120  # candidates
_REACH = 4.0  # pixels of the fine copy that a corner may be off before it is measured
_LEAST_REACH = 1.5
_RING_REACH = 2.5
_EXISTS = 0.03  # the score of a quad that is reported
_HALF = 0.5  # of all sides of moulding or mat that must be seen
_FULL = 0.8  # the score of a frame with a picture in it, as a share of an empty one's
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
        score: 0..1: how sure it is that this is an opening, less if it is not empty.
        reasons: What the score is made of, each 0..1: ``opening`` (how much more it is like one
            than other quads of the photo, see `choice.py`), ``edges`` (the share of the sides
            that is seen), ``straight``, ``corners`` (edges begin there), ``rectangle`` (right
            angles fit the lens), ``nested`` (moulding or mat evenly around it) and ``empty``
            (nothing in it).
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
    nested in it is looked for in the mean over its sides; of all these, those stay that are more
    like an opening than what overlaps them.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        focal_35: Focal length as EXIF has it, in mm for 35 mm film, if known.
        least: Score that is reported.
    """
    seen, beside = seen_in(photo, focal_35)
    best = _frames(seen, beside, least)
    if not best:
        return []
    size = Size(photo.shape[1], photo.shape[0])
    back = max(1.0, max(size) / _FINE)
    small = Size(round(size.width / back), round(size.height / back))
    found = aspects([frame.opening for frame in best], small, focal_35, _CORNER_ERROR)
    back = max(size) / max(small)
    return [
        replace(
            frame, opening=frame.opening.scaled(back), outer=frame.outer.scaled(back), aspect=aspect
        )
        for frame, aspect in zip(best, found, strict=True)
    ]


def seen_in(photo: np.ndarray, focal_35: float | None = None) -> tuple[list[Seen], Borders]:
    """All quads of a photo that may be openings, and what lies beside their sides.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        focal_35: As of `find`.

    Returns:
        In pixels of the photo where its longer side is 1600 at most.
    """
    fine = _shrunk(photo, _FINE)
    coarse = _shrunk(fine, _COARSE)
    quads = candidates(*straight_lines(coarse), coarse.shape[1], coarse.shape[0])
    smooth = cv2.GaussianBlur(fine, (0, 0), 1.0).astype(np.float32)
    small = Size(fine.shape[1], fine.shape[0])
    up = max(small) / max(coarse.shape[:2])
    seen: list[Seen] = []
    for index in range(min(len(quads.corners), _LOOKED_AT)):
        rough = Quad.trusted((quads.corners[index] + 0.5) * up - 0.5)
        support, ends = np.sort(quads.support[index]), np.sort(quads.ends[index])
        seen += _looked_at(smooth, rough, support, ends, small, focal_35)
    return seen, borders(smooth, np.array([quad.opening for quad in seen]).reshape(-1, 4, 2))


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
    image: np.ndarray,
    rough: Quad,
    support: np.ndarray,
    ends: np.ndarray,
    size: Size,
    focal_35: float | None,
) -> list[Seen]:
    """A candidate measured, and what is nested in it."""
    around = sharpened(image, rough.array, _REACH)
    if around.support.min() <= 0:
        return []
    outer = Quad.trusted(around.corners)
    square = squareness(outer, size, focal_35)
    quads: list[tuple[Quad, Sharp, float, int]] = [(outer, around, 0.0, 0)]
    for ring in rings(image, outer, rough_aspect(outer, size, focal_35)):
        # Not so far that a stronger edge beside it is in reach: the outside of a thin moulding.
        reach = min(_RING_REACH, max(_LEAST_REACH, 0.6 * ring.gap))
        inner = sharpened(image, ring.quad.array, reach)
        if inner.support.mean() >= _HALF:  # else made up of what the frame holds
            quads.append((Quad.trusted(inner.corners), inner, ring.even, ring.level))
    return [
        Seen(
            opening=quad,
            outer=outer,
            inner=inner,
            around=around,
            level=level,
            even=even,
            closed=not level or _all_around(inner),
            support=support,
            ends=ends,
            exists=_exists(around, inner, ends, square),
            square=squareness(quad, size, focal_35) if level else square,
            empty=_emptiness(image, quad),
        )
        for quad, inner, even, level in quads
    ]


def _frames(seen: list[Seen], beside: Borders, least: float) -> list[Frame]:
    """Of quads that overlap, the one that is most like an opening; the best first."""
    if not seen:
        return []
    worth, sure = openness(features(seen, beside))
    frames = []
    likely = np.flatnonzero(sure >= least)
    openings, outers = [seen[i].opening for i in likely], [seen[i].outer for i in likely]
    for index in likely[apart(openings, outers, worth[likely])]:
        quad = seen[index]
        reasons = {
            "opening": float(1 / (1 + np.exp(-worth[index]))),
            "edges": _edges(quad.around, quad.inner),
            "straight": _straight(quad.around, quad.inner),
            "corners": _corners(quad.ends),
            "rectangle": quad.square,
            "nested": quad.even,
            "empty": quad.empty,
        }
        score = float(sure[index]) * (_FULL + (1 - _FULL) * quad.empty)
        frames.append(Frame(quad.opening, quad.outer, score, reasons, Aspect(1.0, 0.0)))
    return sorted(frames, key=lambda frame: -frame.score)


def _all_around(ring: Sharp) -> bool:
    """Whether moulding or mat ends here, and not the shadow that two of its sides throw.

    A shadow's end is plain on two sides; on the others something faint lies there at most.
    """
    weak, strong = np.sort(ring.strength)[1:3]
    shadow = weak < _SHADOW * strong and weak < _FAINT
    return bool(np.sort(ring.support)[1] > _NESTED and not shadow)


def _edges(around: Sharp, inner: Sharp) -> float:
    return float(max(around.support.mean(), inner.support.mean()))


def _straight(around: Sharp, inner: Sharp) -> float:
    return float(np.exp(-max(around.off, inner.off) / 2))


def _corners(ends: np.ndarray) -> float:
    """One of four may be hidden."""
    return float(np.clip(ends[1:].mean(), 0, 1))


def _exists(around: Sharp, inner: Sharp, ends: np.ndarray, square: float) -> float:
    """How sure it is that there is a rectangle at all, 0..1."""
    return (
        _edges(around, inner) ** 2
        * _straight(around, inner) ** 0.5
        * (0.3 + 0.7 * _corners(ends))
        * (0.2 + 0.8 * square)
    )


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
