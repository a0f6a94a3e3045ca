"""Colours to start a painting from: the low band of a picture, or colours by name.

A network keeps the coarse colours that it finds in its start (Everaert et al. 2023,
arXiv 2309.15842, call it signal leak): a blank's colours where it starts from a blank, and chosen
ones where those are put in the blank's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from ..errors import InputError
from .opening import is_file
from .original import read_again, read_original

BAND = 4  # values along a side that are taken from a picture
USUAL_STRENGTH = 0.9
"""From a palette: more forgets it, less paints little else (`docs/why-grey.md`)."""
_MOST = 16

Origin = dict[str, object]
"""How a file remembers a palette: ``{"colours": [...]}``, or a picture's path and SHA-256."""


def of_picture(picture: np.ndarray) -> np.ndarray:
    """Means over ``BAND x BAND`` boxes of a picture ``(H, W, 3)`` uint8, as one of that size."""
    small = Image.fromarray(picture).resize((BAND, BAND), Image.Resampling.BOX)
    return np.asarray(small)


def of_colours(colours: Sequence[str]) -> np.ndarray:
    """Colours from top to bottom, ``(count, 1, 3)`` uint8.

    Args:
        colours: Names as in CSS, or ``#rrggbb``; at most 16.

    Raises:
        InputError: One of them is no colour, or there are none or too many.
    """
    if not 1 <= len(colours) <= _MOST:
        raise InputError(f"--palette: {len(colours)} colours; give 1 to {_MOST}")
    try:
        return np.array([[ImageColor.getrgb(c.strip())[:3]] for c in colours], np.uint8)
    except ValueError as error:
        raise InputError(
            f"--palette: {error!s:.80}: give a picture, or colours such as 'navy,#e0c080'"
        ) from error


def read_palette(text: str) -> tuple[np.ndarray, Origin]:
    """What ``--palette`` says: a picture's path, or colours with commas between.

    Returns:
        The palette, a picture of a few pixels, and how to remember it.

    Raises:
        ImageError: The picture cannot be read.
        InputError: It is neither a file nor colours.
    """
    if is_file(Path(text)):
        found = read_original(Path(text))
        return of_picture(found.pixels), dict(found.origin)
    colours = [colour.strip() for colour in text.split(",")]
    return of_colours(colours), {"colours": colours}


def palette_again(origin: Origin) -> np.ndarray:
    """The palette that a file remembers.

    Raises:
        ImageError, InputError: As `read_again` and `of_colours`.
    """
    colours = origin.get("colours")
    if isinstance(colours, list):
        return of_colours([str(colour) for colour in colours])
    return of_picture(read_again({k: str(v) for k, v in origin.items()}).pixels)


def smooth(palette: np.ndarray, width: int, height: int) -> np.ndarray:
    """A palette as smooth areas over a whole picture, ``(height, width, 3)`` uint8."""
    return np.asarray(Image.fromarray(palette).resize((width, height), Image.Resampling.BICUBIC))


def filled(image: np.ndarray, mask: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """A picture whose hole holds a palette's colours instead of what was there.

    Args:
        image: ``(H, W, 3)`` uint8, or float32 in 0..255.
        mask: ``(H, W)`` uint8, white where the hole is; the palette is laid over the box around it.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return image
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = image[box].astype(np.float32)
    share = mask[box][..., None] / np.float32(255)
    colours = smooth(palette, part.shape[1], part.shape[0])
    result = image.copy()
    result[box] = _as(part + share * (colours - part), image.dtype)
    return result


def started(
    image: np.ndarray, mask: np.ndarray, hole: str | None, palette: np.ndarray | None
) -> np.ndarray:
    """A picture as a painting of its hole starts from it.

    Args:
        image, mask: As of `filled`.
        hole: See `Job`; where it starts from noise alone, it is `closed`.
        palette: What the hole is filled with, or ``None``.
    """
    if palette is not None:
        return filled(image, mask, palette)
    return closed(image, mask) if hole == "noise" else image


def closed(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture whose hole is closed with the colours around it, the smoother the further in.

    What starts from noise alone is still shown what is around the hole, and an autoencoder's
    latents there hold something of what is *in* it. So it is closed before it is encoded.
    Push and pull (Gortler et al. 1996, "The lumigraph", 3.4).

    Args:
        image: ``(H, W, 3)`` uint8, or float32 in any range.
        mask: ``(H, W)`` uint8, white where the hole is.

    Returns:
        As ``image``, which stays as it is outside the hole; all of it where there is no outside.
    """
    known = 1 - mask[..., None] / np.float32(255)
    if not known.any():
        return image
    smooth_inside = _pulled(image.astype(np.float32) * known, known)
    return _as(image * known + smooth_inside * (1 - known), image.dtype)


def _as(values: np.ndarray, kind: np.dtype) -> np.ndarray:
    return np.rint(values).astype(kind) if kind == np.uint8 else values.astype(kind)


def _pulled(weighted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Colours everywhere, from colours times weights and their weights ``(H, W, 1)``, 0..1."""
    height, width = weight.shape[:2]
    here = weighted / np.maximum(weight, 1e-6)
    if max(height, width) == 1:
        return here
    half = max(1, height // 2), max(1, width // 2)
    coarse = _pulled(_resized(weighted, half), _resized(weight, half))
    return here * weight + _resized(coarse, (height, width)) * (1 - weight)


def _resized(planes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """``(H, W, C)`` float32 to another height and width: averaged down, or linear up."""
    how = Image.Resampling.BILINEAR
    layers = [
        Image.fromarray(np.ascontiguousarray(planes[..., channel])).resize(shape[::-1], how)
        for channel in range(planes.shape[2])
    ]
    return np.stack([np.asarray(layer) for layer in layers], -1)
