"""A picture at another size that is still the same picture, box by box."""

from __future__ import annotations

import math

import numpy as np

from ..mosaics.band import band_of, correct_band
from ..pictures.images import resample, to_array, to_tensor
from ..upscale import Upscaler


def matched(image: np.ndarray, side: int, upscaler: Upscaler) -> np.ndarray:
    """A square picture at another size, equal in the finest boxes that both sizes share.

    Averaged to ``g x g`` values, ``g`` the greatest common divisor of the sides, both agree to one
    grey level. Enlarged once by the upscaler, then resampled: a second time would cost 16 times as
    much. What enlargers and filters overshoot is bent back by `correct_band`.
    """
    if image.shape[0] == side:
        return image
    shared = math.gcd(side, image.shape[0])
    enlarged = upscaler(image) if image.shape[0] < side and upscaler.name != "lanczos" else image
    resized = to_tensor(resample(enlarged, side, side))[None]
    band = band_of(to_tensor(image)[None], shared)
    return to_array(correct_band(resized, band).images[0])
