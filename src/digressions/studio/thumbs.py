"""Small pictures of what was made, kept beside it so that a page of them opens at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..files import whole_file
from ..generate.made_files import MadeFile
from ..images.image_files import to_webp
from .studio import Studio

_SIDE = 320
_GREY = 110  # of what has no picture, such as a film


def thumb(studio: Studio, made: MadeFile) -> Path:
    """The file of a small picture of it; where it is no picture, of its kind in letters on grey."""
    named = hashlib.sha256(f"{made.path}|{made.time}".encode()).hexdigest()[:24]
    path = studio.own / "thumbs" / f"{named}.webp"
    if not path.exists():
        small = made.small(_SIDE) or to_webp(_letters(made.path.suffix.strip(".").upper()), 80)
        with whole_file(path) as part:
            part.write_bytes(small)
    return path


def kept_small(studio: Studio, pixels: np.ndarray) -> Path:
    """The file of a small picture ``(H, W, 3)`` uint8."""
    found = to_webp(pixels, 88)
    path = studio.own / "thumbs" / f"{hashlib.sha256(found).hexdigest()[:24]}.webp"
    if not path.exists():
        with whole_file(path) as part:
            part.write_bytes(found)
    return path


def _letters(text: str) -> np.ndarray:
    """A word in white on grey."""
    image = Image.new("RGB", (_SIDE, _SIDE), (_GREY,) * 3)
    font = ImageFont.load_default(size=_SIDE // 5)
    middle = (_SIDE / 2, _SIDE / 2)
    ImageDraw.Draw(image).text(middle, text, (255,) * 3, font, anchor="mm")
    return np.asarray(image)
