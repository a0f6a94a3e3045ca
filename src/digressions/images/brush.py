"""A mask painted by hand over a picture, in a page that may show the picture smaller than it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..files import whole_file
from ..geometry import Size
from .image_files import resample, to_png

_PAINTED = 32  # of 255: an alpha from here on is a stroke


def brushed(layers: Sequence[np.ndarray], size: Size) -> np.ndarray | None:
    """The mask of what a brush has painted.

    Args:
        layers: Each ``(h, w, 4)`` uint8, transparent where nothing was painted.
        size: Of the mask.

    Returns:
        ``(H, W)`` uint8, 255 where a layer is painted; ``None`` where none is.
    """
    strokes = [layer[..., 3] >= _PAINTED for layer in layers]
    if not any(stroke.any() for stroke in strokes):
        return None
    whole = np.zeros((size.height, size.width), np.uint8)
    for stroke in strokes:
        grown = resample(stroke.astype(np.uint8) * 255, *size)
        whole = np.maximum(whole, np.where(grown >= 128, 255, 0).astype(np.uint8))
    return whole


def kept_mask(mask: np.ndarray, folder: Path) -> Path:
    """A mask as a file that is named after its content, so that what it was used for replays."""
    png = to_png(mask)
    path = folder / f"mask-{hashlib.sha256(png).hexdigest()[:16]}.png"
    if not path.exists():
        with whole_file(path) as part:
            part.write_bytes(png)
    return path
