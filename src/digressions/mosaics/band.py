r"""Exactness in a band: a picture averaged to b x b values equals its parent's cell, always.

The correction is a tone curve for each channel, :math:`x^\gamma`, whose exponent varies smoothly
over the picture and is solved for so that the box means agree. Black stays black, white stays
white and nothing clips, where adding a colour would wash out and clip.

Pictures are ``(B, 3, H, W)`` float32 in 0..1; bands are ``(B, 3, b, b)`` box means.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

DARKEST = 1 / 512  # a tone curve cannot move 0 or 1, so the extremes begin half a grey level in
STEEPEST = 7.0  # of |log gamma|
TOLERANCE = 0.25 / 255
SWEEPS = 24


class Corrected(NamedTuple):
    """Corrected pictures and what it took.

    Attributes:
        images: ``(B, 3, H, W)`` float32 in 0..1.
        change: ``(B,)``, mean absolute change of a value.
        shifted: ``(B,)``, the part of it that no tone curve reached; about 0 as a rule.
    """

    images: Tensor
    change: Tensor
    shifted: Tensor


def band_of(images: Tensor, b: int) -> Tensor:
    """Means over ``b x b`` equal boxes: ``(B, 3, b, b)``. Both sides must be multiples of ``b``."""
    height, width = images.shape[-2] // b, images.shape[-1] // b
    return F.avg_pool2d(images, (height, width))


def correct_band(images: Tensor, band: Tensor) -> Corrected:
    r"""Bends the tones of pictures until their box means are those of ``band``.

    Newton's method on :math:`\log\gamma` at the box centres, bilinear between them: the derivative
    of a box mean by its own exponent is :math:`\overline{x^\gamma \gamma \ln x}`, the neighbours'
    share is left to the next sweep. What the curve cannot reach (a bright box in a black picture)
    is reached by shifting the box.

    Args:
        images: ``(B, 3, H, W)`` float32 in 0..1.
        band: ``(B, 3, b, b)`` in 0..1, the means to reach.

    Returns:
        Pictures whose box means agree to a quarter of a grey level. Rounding to 8 bits adds at most
        half a level, and that only in a flat box.
    """
    b = band.shape[-1]
    size = images.shape[-2:]
    log_x = images.clamp(DARKEST, 1 - DARKEST).log()
    target = band.clamp(DARKEST, 1 - DARKEST)
    log_gamma = torch.zeros_like(target)
    for _ in range(SWEEPS):
        gamma = enlarge_band(log_gamma, size).exp()
        bent = (log_x * gamma).exp()
        missing = _still_missing(target - band_of(bent, b))
        if not missing.any():
            break
        slope = band_of(bent * log_x * gamma, b)
        step = missing / slope.clamp(max=-1e-4)
        log_gamma = (log_gamma + step.clamp(-0.7, 0.7)).clamp(-STEEPEST, STEEPEST)
    bent = (log_x * enlarge_band(log_gamma, size).exp()).exp()
    bent, shifted = _reach(bent, band)
    return Corrected(bent, (bent - images).abs().mean((1, 2, 3)), shifted)


def enlarge_band(band: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Smooth enlargement of ``(B, C, b, b)`` to ``size``."""
    if band.shape[-1] == 1:
        return band.expand(*band.shape[:2], *size)
    return F.interpolate(band, tuple(size), mode="bilinear", align_corners=False)


def _reach(images: Tensor, band: Tensor) -> tuple[Tensor, Tensor]:
    """The last fraction of a grey level, and whatever no tone curve reaches.

    Each box is shifted, and clipped at black and white, until its mean is right: the mean grows
    with the shift from 0 to 1, so there is always one that fits.
    """
    b = band.shape[-1]
    shifted = images
    for _ in range(SWEEPS):
        missing = _still_missing(band - band_of(shifted, b))
        if not missing.any():
            break
        blocked = _boxes(missing, images.shape).sign() * (shifted - 0.5) >= 0.5
        room = 1 - band_of(blocked.float(), b)
        shifted = (shifted + _boxes(missing / room.clamp(min=0.02), images.shape)).clamp(0, 1)
    return shifted, (shifted - images).abs().mean((1, 2, 3))


def _still_missing(missing: Tensor) -> Tensor:
    """What bands lack, with nothing for the pictures that are right already.

    So a picture is finished after the same number of sweeps in any batch.
    """
    wrong = missing.abs().amax((1, 2, 3), keepdim=True) >= TOLERANCE
    return missing * wrong


def _boxes(band: Tensor, shape: torch.Size) -> Tensor:
    """Each value of a band filling its box of a picture."""
    b = band.shape[-1]
    return band.repeat_interleave(shape[-2] // b, -2).repeat_interleave(shape[-1] // b, -1)


def to_bytes(images: Tensor) -> Tensor:
    """0..1 to uint8, rounded to nearest."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8)
