"""Where in a picture each prompt counts: files, or names of simple areas; soft edges.

A region is remembered as ``{"name": "left"}`` or, of a file, as `original.Original` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ..errors import InputError
from ..geometry import Size
from ..pictures.images import resample
from ..pictures.original import read_again, read_original

NAMED = {
    "all": (0.0, 0.0, 1.0, 1.0),
    "left": (0.0, 0.0, 0.5, 1.0),
    "right": (0.5, 0.0, 1.0, 1.0),
    "top": (0.0, 0.0, 1.0, 0.5),
    "bottom": (0.0, 0.5, 1.0, 1.0),
    "middle": (0.25, 0.25, 0.75, 0.75),
}
"""Left, top, right and bottom of the areas that have names, as fractions of the picture."""


def remembered(region: str) -> dict[str, str]:
    """A region as it was typed, a name or a file, in the form that is kept.

    Raises:
        ImageError: The file cannot be read.
    """
    return {"name": region} if region in NAMED else read_original(Path(region), mask=True).origin


def region_masks(regions: Sequence[Mapping[str, str]], size: Size, soft: float) -> np.ndarray:
    """Regions as masks of the picture's size: ``(N, H, W)`` uint8, white where a prompt counts.

    Args:
        regions: As `remembered` gives them.
        soft: Width of the soft edges, as a fraction 0..0.5 of the shorter side.

    Raises:
        ImageError: A file cannot be read.
        InputError: A file is not there, has changed, or has other proportions than the picture; no
            region has this name; ``soft`` is out of range.
    """
    if not 0 <= soft <= 0.5:
        raise InputError(f"--soft {soft} is out of range: 0 to 0.5")
    blur = ImageFilter.GaussianBlur(soft * min(size) / 2)
    sharp = (_sharp(region, size) for region in regions)
    return np.stack([np.asarray(Image.fromarray(mask).filter(blur)) for mask in sharp])


def _sharp(region: Mapping[str, str], size: Size) -> np.ndarray:
    if "name" in region:
        if region["name"] not in NAMED:
            raise InputError(f"no region is called {region['name']!r}: {', '.join(NAMED)}")
        left, top, right, bottom = NAMED[region["name"]]
        mask = np.zeros((size.height, size.width), np.uint8)
        rows = slice(round(top * size.height), round(bottom * size.height))
        mask[rows, round(left * size.width) : round(right * size.width)] = 255
        return mask
    mask = read_again(region, mask=True).pixels
    height, width = mask.shape
    if width * size.height != height * size.width:
        raise InputError(
            f"the region {region['path']} is {width} x {height} and the picture {size}: "
            "give one of the same proportions"
        )
    return resample(mask, size.width, size.height)
