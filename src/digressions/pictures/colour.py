"""Colours as people see them apart."""

from __future__ import annotations

import numpy as np

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
