"""Pictures too large for memory as bands of rows that are made when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import numpy as np
from PIL import Image

from ..geometry import Box, Size
from .upscale import CELL, Upscaler

BAND = 512  # rows at a time
_LANCZOS = 3  # pixels that its filter reaches, widened when shrinking


class Rows(NamedTuple):
    """A picture whose rows are to be had in any order; those asked for in order cost least.

    Attributes:
        size: In pixels.
        channels: Values a pixel.
        get: Gives the rows from one up to another, ``(bottom - top, width, channels)`` uint8.
    """

    size: Size
    channels: int
    get: Callable[[int, int], np.ndarray]

    @classmethod
    def of(cls, image: np.ndarray) -> Self:
        """A picture in memory, ``(H, W, C)`` uint8."""
        height, width, channels = image.shape
        return cls(Size(width, height), channels, lambda top, bottom: image[top:bottom])

    def bands(self, most: int = BAND) -> Iterator[np.ndarray]:
        """All rows, so many at a time."""
        height = self.size.height
        for top in range(0, height, most):
            yield self.get(top, min(top + most, height))

    def whole(self) -> np.ndarray:
        """The picture in memory, ``(H, W, C)`` uint8."""
        return np.concatenate(list(self.bands()))


def resampled(picture: Rows, part: Box, size: Size, upscaler: Upscaler | None) -> Rows:
    """A part of a picture at a size: as `image_files.resample`, within a grey level.

    Args:
        picture: Of three channels.
        part: In its pixels.
        size: Of the result; at most the upscaler's scale times the part.
        upscaler: Enlarges before that; nothing does if not given.
    """
    scale, reach = (1, 0) if upscaler is None else (upscaler.scale, upscaler.reach)
    step = part.size.height / size.height  # rows of the part for one of the result
    margin = reach + math.ceil(_LANCZOS * max(1.0, step * scale) / scale) + 1

    def get(top: int, bottom: int) -> np.ndarray:
        first, last = top * step, bottom * step
        start = max(0, math.floor(first - margin)) // CELL * CELL  # see `upscale.enlarging`
        end = min(part.size.height, math.ceil(last + margin))
        band = picture.get(part.top + start, part.top + end)[:, part.left : part.right]
        big = Image.fromarray(np.ascontiguousarray(band) if upscaler is None else upscaler(band))
        narrow = big.resize((size.width, big.height), Image.Resampling.LANCZOS)
        box = (0, (first - start) * scale, size.width, (last - start) * scale)
        return np.asarray(narrow.resize((size.width, bottom - top), Image.Resampling.LANCZOS, box))

    return Rows(size, picture.channels, get)
