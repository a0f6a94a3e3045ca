"""Masks: pictures blended at their edge, and the regions where each prompt counts.

*Membrane blend.* An autoencoder gives the picture around a masked area back a little blurred and
off in colour, and a mask is painted in whole latents. So outside the mask the picture itself is
taken, and what differs at the edge is spread into the masked area as smoothly as can be: the
membrane of Pérez, Gangnet and Blake 2003 (*Poisson image editing*,
https://doi.org/10.1145/882262.882269), which meets the picture at the edge and leaves the details
of the painting. Theirs goes through the whole area and gives it the colours of what is around; here
it fades, since the colours were asked for.

*Regions.* Files, or names of simple areas, with soft edges. A region is remembered as
``{"name": "left"}`` or, of a file, as `SourceImage.origin` is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import Tensor

from ..errors import InputError, verbatim
from ..geometry import Size
from .image_files import resample
from .mask_files import source_mask
from .source_image import remembered_path, unchanged

_ROUNDS = 16  # of relaxation, on each level of the pyramid


def membrane_blend(painted: Tensor, original: Tensor, mask: Tensor, reach: int = 8) -> Tensor:
    """Pictures whose masked areas are painted: ``(B, 3, H, W)`` float32 in 0..1.

    Args:
        painted: What the model painted, masked area and surroundings, ``(B, 3, H, W)`` in 0..1.
        original: What must stay where the mask is 0, bit for bit, ``(B, 3, H, W)`` in 0..1.
        mask: ``(B, 1, H, W)`` in 0..1: 1 where to paint; in between, the two are mixed.
        reach: Pixels into the masked area in which the painting may change to meet the picture.
    """
    kept = mask == 0
    met = painted + _falloff(kept, reach) * membrane_fill(original - painted, kept)
    return torch.lerp(original, met.clamp(0, 1), mask)


def membrane_fill(values: Tensor, known: Tensor) -> Tensor:
    """Values kept where they are known, and as smooth as a soap film in between.

    There each is nearly the mean of its neighbours (Laplace's equation). A pyramid gives the first
    guess (Gortler et al. 1996, *The lumigraph*, pull and push), and a few rounds of relaxation on
    each level the rest.

    Args:
        values: ``(B, C, H, W)``, floats.
        known: ``(B, 1, H, W)`` bool. Where nothing is known all is 0.
    """
    weight = known.to(values.dtype)
    values = values * weight
    height, width = values.shape[-2:]
    if max(height, width) == 1:
        return values
    share = F.avg_pool2d(weight, 2, ceil_mode=True)
    coarse = F.avg_pool2d(values, 2, ceil_mode=True) / share.clamp(min=1e-6)
    guess = F.interpolate(membrane_fill(coarse, share > 0), (height, width), mode="bilinear")
    film = torch.where(known, values, guess)
    for _ in range(_ROUNDS):
        near = F.pad(film, (1, 1, 1, 1), mode="replicate")
        across = near[..., 1:-1, :-2] + near[..., 1:-1, 2:]
        down = near[..., :-2, 1:-1] + near[..., 2:, 1:-1]
        film = torch.where(known, values, (across + down) / 4)
    return film


def _falloff(kept: Tensor, reach: int) -> Tensor:
    """1 beside what is kept ``(B, 1, H, W)``, falling to 0 at ``reach`` pixels further on."""
    held = kept.float()
    total = torch.zeros_like(held)
    for _ in range(reach):
        held = F.max_pool2d(held, 3, 1, 1)
        total += held
    return total / reach


NAMED = {
    "all": (0.0, 0.0, 1.0, 1.0),
    "left": (0.0, 0.0, 0.5, 1.0),
    "right": (0.5, 0.0, 1.0, 1.0),
    "top": (0.0, 0.0, 1.0, 0.5),
    "bottom": (0.0, 0.5, 1.0, 1.0),
    "middle": (0.25, 0.25, 0.75, 0.75),
}
"""Left, top, right and bottom of the areas that have names, as fractions of the picture."""


def read_region(region: str) -> dict[str, str]:
    """A region as it was typed, a name or a file, in the form that is kept.

    Raises:
        InputError: It is neither, or nothing in it is white.
        ImageError: The file cannot be read.
    """
    if region in NAMED:
        return {"name": region}
    if not os.path.lexists(region):
        raise InputError(f"`region` {region!r:.80} is neither a file nor one of {', '.join(NAMED)}")
    return source_mask(Path(region), name="region").origin


def region_masks(regions: Sequence[Mapping[str, str]], size: Size, soft: float) -> np.ndarray:
    """Regions as masks of the picture's size: ``(N, H, W)`` uint8, white where a prompt counts.

    Args:
        regions: As `read_region` gives them.
        soft: Width of the soft edges, as a fraction 0..0.5 of the shorter side.

    Raises:
        ImageError: A file cannot be read.
        InputError: A file is not there, has changed, or has other proportions than the picture; no
            region has this name; ``soft`` is out of range.
    """
    if not 0 <= soft <= 0.5:
        raise InputError(f"`region_softness` {soft} is out of range: 0 to 0.5")
    blur = ImageFilter.GaussianBlur(soft * min(size) / 2)
    sharp = (_sharp(region, size) for region in regions)
    return np.stack([np.asarray(Image.fromarray(mask).filter(blur)) for mask in sharp])


def _sharp(region: Mapping[str, str], size: Size) -> np.ndarray:
    if "name" in region:
        if region["name"] not in NAMED:
            names = ", ".join(NAMED)
            raise InputError(
                f"`region` {region['name']!r} is not known: give a file or one of {names}"
            )
        left, top, right, bottom = NAMED[region["name"]]
        mask = np.zeros((size.height, size.width), np.uint8)
        rows = slice(round(top * size.height), round(bottom * size.height))
        mask[rows, round(left * size.width) : round(right * size.width)] = 255
        return mask
    found = source_mask(remembered_path(region), name="region", remembered=True)
    mask = unchanged(found, region).pixels
    height, width = mask.shape
    if width * size.height != height * size.width:
        raise InputError(
            f"the region {verbatim(region['path'])} is {width} x {height} and the picture {size}: "
            "give one of the same proportions"
        )
    return resample(mask, size.width, size.height)
