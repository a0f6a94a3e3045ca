"""Colours of a picture at places between its pixels."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

_MOST_ROWS = 30_000  # that OpenCV takes in one go


def sampled(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Colours at places, bilinear, as of the nearest 1/32 pixel; outside those of the edge.

    Args:
        image: ``(H, W, 3)`` float32.
        places: ``(..., M, 2)`` x and y, whole numbers at the centres of pixels; one at least.

    Returns:
        ``(..., M, 3)`` float32.
    """
    rows = places.reshape(-1, *places.shape[-2:]).astype(np.float32, copy=False)
    parts = np.array_split(rows, len(rows) // _MOST_ROWS + 1)
    none = cast(np.ndarray, None)  # which OpenCV's type stubs do not know: x and y are in one
    edge = cv2.BORDER_REPLICATE
    found = [cv2.remap(image, part, none, cv2.INTER_LINEAR, borderMode=edge) for part in parts]
    return np.concatenate(found).reshape(*places.shape[:-1], 3)
