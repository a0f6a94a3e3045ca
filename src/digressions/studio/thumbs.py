"""Small pictures of what was made, kept beside it so that a page of them opens at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ..files import whole_file
from ..generate.made_files import MadeFile
from ..images.image_files import to_webp
from .studio import Studio

_SIDE = 320
_GREY = 150  # of what has no picture, such as a film


def thumb(studio: Studio, made: MadeFile) -> Path:
    """The file of a small picture of it; plain grey where it is no picture."""
    named = hashlib.sha256(f"{made.path}|{made.time}".encode()).hexdigest()[:24]
    path = studio.own / "thumbs" / f"{named}.webp"
    if not path.exists():
        small = made.small(_SIDE) or to_webp(np.full((9, 16, 3), _GREY, np.uint8), 80)
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
