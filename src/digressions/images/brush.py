"""Masks painted by hand over a picture, in a page that may show the picture smaller than it is."""

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


def brushed_apart(
    layers: Sequence[np.ndarray], colours: Sequence[tuple[int, int, int]], size: Size
) -> list[np.ndarray | None]:
    """The masks of what brushes of several colours have painted, one a colour.

    Args:
        layers: As of `brushed`; a stroke counts for the colour that is nearest to its own.
        colours: In RGB, 0..255.
        size: Of the masks.

    Returns:
        For each colour a mask as of `brushed`, ``None`` where nothing is painted in it.
    """
    known = np.array(colours, np.int64)
    nearest = [
        np.square(layer[..., None, :3].astype(np.int64) - known).sum(-1).argmin(-1)
        for layer in layers
    ]
    masks = []
    for number in range(len(colours)):
        own = [layer.copy() for layer in layers]
        for layer, which in zip(own, nearest, strict=True):
            layer[which != number] = 0
        masks.append(brushed(own, size))
    return masks


def kept_mask(mask: np.ndarray, folder: Path) -> Path:
    """A mask as a file that is named after its content, so that what it was used for replays."""
    png = to_png(mask)
    path = folder / f"mask-{hashlib.sha256(png).hexdigest()[:16]}.png"
    if not path.exists():
        with whole_file(path) as part:
            part.write_bytes(png)
    return path
