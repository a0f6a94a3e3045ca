"""Picture frames, screens and posters in a photo: where they are, and how sure that is.

`find_frames` finds them, `frame_at` and `opening_in_mask` take them from somebody who knows, and
`draw_frames` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import InputError
from ..geometry import Size
from ..homography import Quad, pixel_corners
from ..images.image_files import thumbnail
from .aspect import CORNER_ERROR, Aspect, aspects, rectangularity
from .quads import CandidateQuad, Candidates, candidate_quads, interiors, shrunk, smoothed
from .scoring import non_maximum_suppression, scores
from .sides import measure_sides

LEAST = 0.1
"""Probability of being an opening from which a frame is reported."""
_BLANK = 0.5  # how empty an opening must be for the light in it to be seen
_FULL = 0.8  # the score of a frame with a picture in it, as a share of an empty one's
_BARE = 0.97  # the same of one without moulding or mat
_NESTED = 0.3  # how even moulding or mat must be
_FOUR_SIDED = 0.85  # intersection over union from which a patch counts as four-sided
_MASK_REACH = 4.0  # pixels that the corner of a mask's outline may be off
_MIN_SEEN = 16.0  # pixels of the photo that lie in an opening
_FARTHEST = 1e6  # pixels from a photo's first one that a corner can be
_NUMBER = 0.35  # height of a number, as a share of an opening's shorter side,
_DIGITS = (26, 96)  # and in pixels: no smaller than can be read, no larger than it need be
_OPENING, _OUTER, _GROUND, _INK = (230, 40, 40), (255, 170, 0), (24, 24, 27), (244, 244, 245)


@dataclass(frozen=True)
class Frame:
    """A picture frame, screen or poster in a photo.

    Attributes:
        opening: Where a picture goes: inside moulding and mat. In pixels of the photo.
        outer: The outside of the moulding; the same as the opening where there is none.
        score: 0..1: the probability that this is an opening, to a tenth of its area: of what has a
            score of 0.5, half is right, in rooms that the networks have not seen (see `scoring`).
        reasons: What speaks for it, each 0..1: ``edges`` (the share of the sides that is seen),
            ``straight``, ``corners`` (edges begin there), ``rectangle`` (right angles fit the
            lens), ``nested`` (moulding or mat evenly around it) and ``empty`` (nothing in it).
        aspect: True width / height of the opening.
    """

    opening: Quad
    outer: Quad
    score: float
    reasons: dict[str, float]
    aspect: Aspect

    @property
    def preference(self) -> float:
        """0..1, by which frames are chosen: the score, less by up to a fifth if it is not empty and
        by 3 % without moulding: of two that are equally sure the empty frame comes first."""
        empty, nested = self.reasons.get("empty", 1.0), self.reasons.get("nested", 1.0)
        return self.score * (_FULL + (1 - _FULL) * empty) * (_BARE + (1 - _BARE) * nested)

    @property
    def blank(self) -> bool:
        """Whether the opening is so empty that the light that falls on it can be seen."""
        return self.reasons["empty"] >= _BLANK

    def json_object(self) -> dict[str, Any]:
        """As JSON has it, rounded."""
        return {
            "opening": self.opening,
            "outer": self.outer,
            "score": round(self.score, 4),
            "reasons": {name: round(value, 4) for name, value in self.reasons.items()},
            "aspect": self.aspect.value,
            "aspect_error": round(self.aspect.error, 5),
            "standard": self.aspect.standard,
        }

    @classmethod
    def from_json_object(cls, found: Mapping[str, Any]) -> Frame:
        """Reads what `json_object` wrote.

        Raises:
            InputError: It is damaged.
        """
        try:
            corners = np.array([found["opening"], found["outer"]], float).reshape(2, 4, 2)
            if not np.abs(corners).max() < _FARTHEST:  # nor is what is no number, such as null
                raise ValueError("a corner is far away from the photo")
            opening, outer = map(Quad.trusted, corners)
            reasons = {str(name): float(value) for name, value in dict(found["reasons"]).items()}
            aspect = Aspect(float(found["aspect"]), float(found["aspect_error"]), found["standard"])
            return cls(opening, outer, float(found["score"]), reasons, aspect)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"the settings of the frame are damaged: {error!r:.120}") from error


def find_frames(
    photo: np.ndarray, focal_35mm: float | None = None, *, least: float = LEAST
) -> list[Frame]:
    """All picture frames, screens and posters in a photo, the best first.

    Straight edges are joined to quads (`corners`), and each quad's sides are measured to a
    fraction of a pixel (`sides.measure_sides`). What is nested in a quad is looked for in the mean
    over its sides (`nested_quads`). Of all these, those stay that are more like an opening than
    whatever overlaps them (`scoring`).

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        focal_35mm: Focal length as EXIF has it, in mm for 35 mm film, if known: it makes aspects
            more exact.
        least: Probability of being an opening, 0..1, from which a frame is reported.
    """
    candidates = candidate_quads(photo, focal_35mm)
    best = _frames(candidates, least)
    if not best:
        return []
    found = aspects([frame.opening for frame in best], candidates.size, focal_35mm)
    back = max(photo.shape) / max(candidates.size)
    return [
        replace(
            frame, opening=frame.opening.scaled(back), outer=frame.outer.scaled(back), aspect=aspect
        )
        for frame, aspect in zip(best, found, strict=True)
    ]


def _frames(candidates: Candidates, least: float) -> list[Frame]:
    """Of quads that overlap, the one that is most like an opening; the best first."""
    quads = candidates.quads
    if not quads:
        return []
    score, sure = scores(candidates)
    outers = [outermost(each, quads) for each in quads]
    likely = np.flatnonzero(sure >= least)
    openings = [quads[i].quad for i in likely]
    mouldings = [outers[i].quad for i in likely]
    frames = []
    for index in likely[non_maximum_suppression(openings, mouldings, score[likely])]:
        each, outer = quads[index], outers[index]
        reasons = {
            "edges": max(float(one.measured.support.mean()) for one in (each, outer)),
            "straight": float(np.exp(-max(each.measured.residual, outer.measured.residual) / 2)),
            "corners": max(one.corner_score for one in (each, outer)),
            "rectangle": each.rectangularity,
            "nested": max((nesting.evenness for nesting in each.outer), default=0.0),
            "empty": each.interior.emptiness,
        }
        frames.append(Frame(each.quad, outer.quad, float(sure[index]), reasons, Aspect(1.0, 0.0)))
    return sorted(frames, key=lambda frame: -frame.preference)


def outermost(each: CandidateQuad, quads: list[CandidateQuad]) -> CandidateQuad:
    """The quad that one is nested in, as far out as is plain; itself where there is none.

    Moulding has steps, each a quad, and a step is often plainer than the outside; so what lies
    further out counts for more. A panel evenly around a frame is taken for its moulding.
    """
    around = [nesting for nesting in each.outer if nesting.evenness >= _NESTED]
    best = max(
        around,
        key=lambda nesting: (
            nesting.evenness * nesting.depth**0.5 * quads[nesting.quad].rectangle_score
        ),
        default=None,
    )
    return each if best is None else quads[best.quad]


def frame_at(photo: np.ndarray, corners: Quad, focal_35mm: float | None = None) -> Frame:
    """The frame whose opening is known, with its true aspect and whether it is empty.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        corners: Of the opening, in pixels of the photo.
        focal_35mm: As for `find_frames`.

    Raises:
        InputError: Next to nothing of the opening lies in the photo.
    """
    size = Size(photo.shape[1], photo.shape[0])
    seen = Quad.trusted(pixel_corners(*size)).covers(corners) * corners.area
    if seen < _MIN_SEEN:
        raise InputError(
            f"`corners` {corners} hold {seen:.0f} pixels of the photo, which is {size.width} x "
            f"{size.height}: give them in pixels of the photo"
        )
    fine = shrunk(photo)
    factor = max(fine.shape[:2]) / max(size)
    error = CORNER_ERROR / factor
    interior = interiors(smoothed(fine), corners.scaled(factor).array[None])[0]
    reasons = {
        "rectangle": float(rectangularity(corners.array[None], size, focal_35mm)[0]),
        "empty": interior.emptiness,
    }
    return Frame(corners, corners, 1.0, reasons, aspects([corners], size, focal_35mm, error)[0])


def opening_in_mask(mask: np.ndarray) -> Quad:
    """The four-sided shape around the largest white patch of a mask, ``(H, W)`` uint8.

    Around a patch that is not four-sided, such as an oval, it is the upright box.

    Raises:
        InputError: Nothing is white, or the patch is too thin.
    """
    patches, _ = cv2.findContours(
        (mask >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not patches:
        raise InputError("`mask` has nothing white: paint the opening white")
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
            exact = measure_sides(np.stack([soft] * 3, -1), rough.array[None], _MASK_REACH)[0]
            return Quad.trusted(exact.corners) if exact.support.min() > 0.5 else rough
    left, top, width, height = cv2.boundingRect(hull)
    return Quad.trusted(pixel_corners(width, height) + np.array([left, top]))


def draw_frames(photo: np.ndarray, frames: Sequence[Frame], longest: int = 1600) -> np.ndarray:
    """The photo with each frame's outside, opening and number drawn into it.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB.
        frames: Numbered from 1, in this order.
        longest: Pixels of the longer side, at most.

    Returns:
        ``(h, w, 3)`` uint8.
    """
    small = thumbnail(photo, longest)
    factor = max(small.shape[:2]) / max(photo.shape[:2])
    image = Image.fromarray(small)
    draw = ImageDraw.Draw(image)
    for frame in frames:
        for quad, colour in ((frame.outer, _OUTER), (frame.opening, _OPENING)):
            points = [tuple(point) for point in quad.scaled(factor).array]
            draw.line([*points, points[0]], colour, 3, joint="curve")
    for number, frame in enumerate(frames, 1):  # above all lines
        _draw_number(draw, number, frame.opening.scaled(factor).array, image.size)
    return np.asarray(image)


def _draw_number(
    draw: ImageDraw.ImageDraw, number: int, opening: np.ndarray, size: tuple[int, int]
) -> None:
    """A number on a dark disc in the middle of an opening, ``(4, 2)``; all of it in the picture."""
    height = float(np.clip(_NUMBER * np.ptp(opening, axis=0).min(), *_DIGITS))
    font = ImageFont.load_default(size=height)
    radius = max(height, draw.textlength(str(number), font)) * 0.75
    inside = np.maximum(np.array(size, float) - radius - 1, radius)
    x, y = np.clip(opening.mean(0), radius, inside)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), _GROUND, _INK, 2)
    draw.text((x, y), str(number), _INK, font, anchor="mm")


def surroundings(frame: Frame, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a photo that show a frame with some of its wall.

    Args:
        shape: Of the photo: ``(H, W, ...)``.
    """
    corners = frame.outer.array
    low, high = corners.min(0), corners.max(0)
    margin = 0.35 * float((high - low).min())
    left, top = np.clip(np.floor(low - margin).astype(int), 0, None)
    right, bottom = np.ceil(high + margin).astype(int) + 1
    return slice(top, min(bottom, shape[0])), slice(left, min(right, shape[1]))
