"""Colours: OKLab, and palettes to start a painting from.

A network keeps the coarse colours that it finds in its start (Everaert et al. 2023,
arXiv 2309.15842, call it signal leak): a blank's colours where it starts from a blank, and chosen
ones where those are put in the blank's place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from ..errors import InputError
from .decoding import is_file
from .source_image import remembered_image, source_image

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)


def oklab(image: np.ndarray) -> np.ndarray:
    """sRGB to OKLab (Ottosson 2020, "A perceptual color space for image processing").

    Args:
        image: ``(..., 3)`` in 0..255.

    Returns:
        ``(..., 3)`` float32: lightness 0..1, then green-red and blue-yellow, about -0.4..0.4.
        Equal distances look about equally different.
    """
    values = np.asarray(image, np.float32) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """The way back from `oklab`: ``(..., 3)`` to sRGB, float32; clipped to what 0..255 holds."""
    cones = (np.asarray(lab, np.float32) @ _FROM_LAB.T) ** 3
    linear = np.clip(cones @ _FROM_CONES.T, 0, 1)
    curved = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (curved * 255).astype(np.float32)


_FROM_LAB, _FROM_CONES = np.linalg.inv(_TO_LAB), np.linalg.inv(_TO_CONES)


PALETTE_STRENGTH = 0.9
"""The default strength with a palette: more forgets the palette, less paints little besides it
(`docs/why-grey.md`)."""
_SIDE = 4  # values along a side that are taken from a picture
_MOST = 16

PaletteOrigin = dict[str, object]
"""How a file remembers a palette: ``{"colours": [...]}``, or a picture's path and SHA-256."""

Palette = tuple[np.ndarray, PaletteOrigin]
"""Colours ``(h, w, 3)`` uint8, and how to remember them."""


def palette_of_picture(picture: np.ndarray) -> np.ndarray:
    """Means over 4 x 4 boxes of a picture ``(H, W, 3)`` uint8, as one of that size."""
    small = Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small)


def palette_of_colours(colours: Sequence[str]) -> np.ndarray:
    """Colours from top to bottom, ``(count, 1, 3)`` uint8.

    Args:
        colours: Names as in CSS, or ``#rrggbb``; 1 to 16.

    Raises:
        InputError: One of them is not a colour, or there are none or too many.
    """
    if not 1 <= len(colours) <= _MOST:
        raise InputError(f"`palette` has {len(colours)} colours: give 1 to {_MOST}")
    try:
        return np.array([[ImageColor.getrgb(c.strip())[:3]] for c in colours], np.uint8)
    except ValueError as error:
        raise InputError(
            f"`palette`: {error!s:.80}: give a picture, or colours such as 'navy,#e0c080'"
        ) from error


def read_palette(text: str | Path) -> Palette:
    """A palette as it is typed: a picture's path, or colours with commas between.

    Returns:
        The palette, a picture of a few pixels ``(h, w, 3)`` uint8, and how to remember it.

    Raises:
        ImageError: The picture cannot be read.
        InputError: It is neither a file nor colours.
    """
    if is_file(Path(text)):
        found = source_image(text)
        return palette_of_picture(found.pixels), dict(found.origin)
    colours = [colour.strip() for colour in str(text).split(",")]
    return palette_of_colours(colours), {"colours": colours}


def remembered_palette(origin: Mapping[str, object]) -> np.ndarray:
    """The palette that a file remembers, ``(h, w, 3)`` uint8.

    Raises:
        ImageError, InputError: As `remembered_image` and `palette_of_colours`.
    """
    colours = origin.get("colours")
    if isinstance(colours, list):
        return palette_of_colours([str(colour) for colour in colours])
    return palette_of_picture(remembered_image({k: str(v) for k, v in origin.items()}).pixels)


def start_of_masked(
    image: np.ndarray, mask: np.ndarray, masked_content: str | None, palette: np.ndarray | None
) -> np.ndarray:
    """A picture as the painting of its masked area starts from it.

    Args:
        image: ``(H, W, 3)`` uint8, or float32 in 0..255.
        mask: ``(H, W)`` uint8, white where to paint.
        masked_content: See `GenerationParams`; where it is ``"noise"``, the area is filled from
            around, as `filled_from_around`.
        palette: ``(h, w, 3)`` uint8 to fill the area with, or ``None``.

    Returns:
        As ``image``.
    """
    if palette is not None:
        return filled_with_palette(image, mask, palette)
    return filled_from_around(image, mask) if masked_content == "noise" else image


def filled_with_palette(image: np.ndarray, mask: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """A picture whose masked area holds a palette's colours instead of what was there.

    Args:
        image: ``(H, W, 3)`` uint8, or float32 in 0..255.
        mask: ``(H, W)`` uint8, white where to paint; the palette is laid over the box around that.
        palette: ``(h, w, 3)`` uint8.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return image
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = image[box].astype(np.float32)
    share = mask[box][..., None] / np.float32(255)
    colours = _smooth(palette, part.shape[1], part.shape[0])
    result = image.copy()
    result[box] = _as(part + share * (colours - part), image.dtype)
    return result


def filled_from_around(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture whose masked area holds the colours around it, the smoother the further in.

    What starts from noise alone is still shown what is around the masked area, and an autoencoder's
    latents there hold something of what is *in* it. So it is filled before it is encoded.
    Push and pull (Gortler et al. 1996, "The lumigraph", 3.4).

    Args:
        image: ``(H, W, 3)`` uint8, or float32 in any range.
        mask: ``(H, W)`` uint8, white where to paint.

    Returns:
        As ``image``, which stays as it is outside the area; all of it where there is no outside.
    """
    kept = 1 - mask[..., None] / np.float32(255)
    if not kept.any():
        return image
    smooth_inside = _pulled(image.astype(np.float32) * kept, kept)
    return _as(image * kept + smooth_inside * (1 - kept), image.dtype)


def _smooth(palette: np.ndarray, width: int, height: int) -> np.ndarray:
    """A palette as smooth areas over a whole picture, ``(height, width, 3)`` uint8."""
    return np.asarray(Image.fromarray(palette).resize((width, height), Image.Resampling.BICUBIC))


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
    layers = [
        Image.fromarray(np.ascontiguousarray(planes[..., channel])).resize(
            shape[::-1], Image.Resampling.BILINEAR
        )
        for channel in range(planes.shape[2])
    ]
    return np.stack([np.asarray(layer) for layer in layers], -1)
