"""A look at a print before it is one: colours as printed, and where it is cut and hidden."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .inks import Profile, out_of_gamut, soft_proof
from .paper import Sheet

_LONGEST = 1200  # pixels of a side
_GAP = 24
_LINES = {"cut": (255, 0, 90), "safe": (0, 160, 255), "mat": (255, 170, 0)}
_ALARM = (0, 255, 0)
_BACKGROUND = 128


def proof_picture(
    bled: np.ndarray, sheet: Sheet, profile: Profile | None, intent: str
) -> np.ndarray:
    """Everything up to the bleed as it will look, with lines: red the cut, blue the safe area,
    orange the mat.

    By a profile, a second picture beside it is green where the colours cannot be printed.

    Args:
        bled: ``(H, W, 3)`` uint8 sRGB.
        sheet: What is printed.
        profile: What it is printed by, or ``None``.
        intent: One of `inks.INTENTS`.

    Returns:
        ``(h, w, 3)`` uint8 sRGB, of 1,200 pixels at most a picture and side.
    """
    image = Image.fromarray(bled)
    image.thumbnail((_LONGEST, _LONGEST))
    small = np.asarray(image)
    if profile is None:
        return _with_lines(small, bled.shape[1], sheet)
    flagged = small.copy()
    flagged[out_of_gamut(small, profile)] = _ALARM
    printed = _with_lines(soft_proof(small, profile, intent), bled.shape[1], sheet)
    gap = np.full((small.shape[0], _GAP, 3), _BACKGROUND, np.uint8)
    return np.hstack([printed, gap, flagged])


def _with_lines(small: np.ndarray, full_width: int, sheet: Sheet) -> np.ndarray:
    image = Image.fromarray(small)
    draw = ImageDraw.Draw(image)
    origin = sheet.inner(-sheet.bleed)
    scale = small.shape[1] / full_width
    for name, inset in (("safe", sheet.safe), ("mat", sheet.mat), ("cut", 0.0)):
        if inset or (name == "cut" and sheet.bleed):
            box = sheet.inner(inset)
            corners = [
                (box.left - origin.left) * scale,
                (box.top - origin.top) * scale,
                (box.right - origin.left) * scale - 1,
                (box.bottom - origin.top) * scale - 1,
            ]
            draw.rectangle(corners, outline=_LINES[name], width=2)
    return np.array(image)
