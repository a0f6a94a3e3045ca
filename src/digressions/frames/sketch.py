"""Found frames drawn on their photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..geometry import Quad
from ..pictures.images import resample
from .aspect import Aspect
from .frame import Frame

_OPENING, _OUTER, _GROUND, _INK = (230, 40, 40), (255, 170, 0), (24, 24, 27), (244, 244, 245)


def shrunk(image: np.ndarray, longest: int) -> np.ndarray:
    """With the longer side at most ``longest`` pixels, ``(H, W, 3)`` uint8."""
    factor = min(1.0, longest / max(image.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    return resample(image, width, height)


def sketch(photo: np.ndarray, frames: Sequence[Frame], longest: int = 1600) -> np.ndarray:
    """The photo with each frame's outside, opening, number, score and aspect: ``(H, W, 3)``."""
    small = shrunk(photo, longest)
    factor = max(small.shape[:2]) / max(photo.shape[:2])
    image = Image.fromarray(small)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=18)
    for number, frame in enumerate(frames, 1):
        for quad, colour in ((frame.outer, _OUTER), (frame.opening, _OPENING)):
            points = [tuple(point) for point in quad.scaled(factor).array]
            draw.line([*points, points[0]], colour, 3, joint="curve")
        opening = frame.opening.scaled(factor).array
        label = f"{number}: {frame.score:.2f}\n{frame.aspect.value:.3f} ± {frame.aspect.error:.3f}"
        where = tuple(opening.min(0) + 8)
        draw.rectangle(draw.multiline_textbbox(where, label, font), _GROUND)
        draw.multiline_text(where, label, _INK, font)
    return np.asarray(image)


def noted(frame: Frame) -> dict[str, object]:
    """A frame as JSON has it."""
    return {
        "opening": frame.opening,
        "outer": frame.outer,
        "score": round(frame.score, 4),
        "reasons": {name: round(value, 4) for name, value in frame.reasons.items()},
        "aspect": frame.aspect.value,
        "aspect_error": round(frame.aspect.error, 5),
        "standard": frame.aspect.standard,
    }


def frame_of(note: Mapping[str, Any]) -> Frame:
    """A frame from what `noted` made of it.

    Raises:
        KeyError, TypeError, ValueError: It is damaged.
    """
    opening, outer = (
        Quad.trusted(np.array(note[name], float).reshape(4, 2)) for name in ("opening", "outer")
    )
    reasons = {str(name): float(value) for name, value in dict(note["reasons"]).items()}
    aspect = Aspect(float(note["aspect"]), float(note["aspect_error"]), note["standard"])
    return Frame(opening, outer, float(note["score"]), reasons, aspect)


def around(frame: Frame, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a photo that show a frame with some of its wall."""
    corners = frame.outer.array
    low, high = corners.min(0), corners.max(0)
    margin = 0.35 * float((high - low).min())
    left, top = np.clip(np.floor(low - margin).astype(int), 0, None)
    right, bottom = np.ceil(high + margin).astype(int) + 1
    return slice(top, min(bottom, shape[0])), slice(left, min(right, shape[1]))
