"""Picture frames, screens and posters in a photo: where they are, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from ..geometry import Quad, Size
from .aspect import CORNER_ERROR, Aspect, aspects, squareness
from .choice import apart, openness
from .quads import Seen, Sight, insides, look, shrunk, smoothed
from .rings import pixel_corners
from .sharp import sharpened

EXISTS = 0.03  # how sure a quad must be to be reported
_FULL = 0.8  # the score of a frame with a picture in it, as a share of an empty one's
_BARE = 0.97  # the same of one without moulding or mat
_NESTED = 0.3  # how even moulding or mat must be
_FOUR_SIDED = 0.85  # of a patch and the quad around it that both share, at least
_MASK_REACH = 4.0  # pixels that the corner of a mask's outline may be off
_LEAST_SEEN = 16.0  # pixels of the photo that lie in an opening


@dataclass(frozen=True)
class Frame:
    """A picture frame, screen or poster.

    Attributes:
        opening: Where a picture goes: inside moulding and mat.
        outer: The outside of the moulding; the same as the opening where there is none.
        score: 0..1: how sure it is that this is an opening, less if it is not empty, and a little
            less without moulding: of two that are equally sure, the frame comes before the poster.
        reasons: What speaks for it, each 0..1: ``opening`` (how sure it is by what lies across its
            sides and around it, see `choice.py`), ``edges`` (the share of the sides that is seen),
            ``straight``, ``corners`` (edges begin there), ``rectangle`` (right angles fit the
            lens), ``nested`` (moulding or mat evenly around it) and ``empty`` (nothing in it). The
            score is the first, less by up to a fifth by the last and by 3 % by ``nested``.
        aspect: True width / height of the opening.
    """

    opening: Quad
    outer: Quad
    score: float
    reasons: dict[str, float]
    aspect: Aspect


def find(photo: np.ndarray, focal_35: float | None = None, *, least: float = EXISTS) -> list[Frame]:
    """All picture frames, screens and posters in a photo, the best first.

    Straight edges are joined to quads; each quad's sides are measured to a part of a pixel; what is
    nested in it is looked for in the mean over its sides (`quads.py`); of all these, those stay
    that are more like an opening than what overlaps them (`choice.py`).

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        focal_35: Focal length as EXIF has it, in mm for 35 mm film, if known.
        least: Score that is reported.
    """
    sight = look(photo, focal_35)
    best = _frames(sight, least)
    if not best:
        return []
    found = aspects([frame.opening for frame in best], sight.size, focal_35)
    back = max(photo.shape) / max(sight.size)
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
    fine = shrunk(photo)
    factor = max(fine.shape[:2]) / max(size)
    error = CORNER_ERROR / factor
    within = insides(smoothed(fine), opening.scaled(factor).array[None])[0]
    reasons = {
        "rectangle": float(squareness(opening.array[None], size, focal_35)[0]),
        "empty": within.empty,
    }
    return Frame(opening, opening, 1.0, reasons, aspects([opening], size, focal_35, error)[0])


def opening_of(mask: np.ndarray) -> Quad:
    """The four-sided shape around the largest white patch of a mask, ``(H, W)`` uint8.

    Around a patch that is not four-sided, such as an oval, the upright box.

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
            shared = cv2.intersectConvexConvex(hull, corners)[0]
            if shared < _FOUR_SIDED * max(cv2.contourArea(hull), cv2.contourArea(corners)):
                break
            rough = Quad.of(corners[:, 0])
            soft = cv2.GaussianBlur(mask, (0, 0), 1.0).astype(np.float32)
            sharp = sharpened(np.stack([soft] * 3, -1), rough.array[None], _MASK_REACH)[0]
            return Quad.trusted(sharp.corners) if sharp.support.min() > 0.5 else rough
    left, top, width, height = cv2.boundingRect(hull)
    return Quad.trusted(pixel_corners(width, height) + np.array([left, top]))


def _frames(sight: Sight, least: float) -> list[Frame]:
    """Of quads that overlap, the one that is most like an opening; the best first."""
    if not sight.seen:
        return []
    worth, sure = openness(sight)
    outers = [outermost(each, sight.seen) for each in sight.seen]
    likely = np.flatnonzero(sure >= least)
    openings = [sight.seen[i].quad for i in likely]
    frames = []
    for index in likely[apart(openings, [outers[i].quad for i in likely], worth[likely])]:
        each, outer = sight.seen[index], outers[index]
        reasons = {
            "opening": float(sure[index]),
            "edges": max(float(one.edges.support.mean()) for one in (each, outer)),
            "straight": float(np.exp(-max(each.edges.off, outer.edges.off) / 2)),
            "corners": max(one.cornered for one in (each, outer)),
            "rectangle": each.square,
            "nested": max((nest.even for nest in each.around), default=0.0),
            "empty": each.inside.empty,
        }
        score = float(sure[index]) * (_FULL + (1 - _FULL) * each.inside.empty)
        score *= _BARE + (1 - _BARE) * reasons["nested"]
        frames.append(Frame(each.quad, outer.quad, score, reasons, Aspect(1.0, 0.0)))
    return sorted(frames, key=lambda frame: -frame.score)


def outermost(each: Seen, seen: list[Seen]) -> Seen:
    """What a quad is nested in, as far out as is plain; itself where that is nothing.

    Moulding has steps, each a quad, and a step is often plainer than its outside; so what lies
    further out counts for more. A panel evenly around a frame is taken for its moulding.
    """
    around = [nest for nest in each.around if nest.even >= _NESTED]
    best = max(
        around, key=lambda nest: nest.even * nest.depth**0.5 * seen[nest.quad].exists, default=None
    )
    return each if best is None else seen[best.quad]
