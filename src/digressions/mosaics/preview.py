"""A mosaic from afar: averaged down while its strips pass by."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

from ..geometry import Size


class Preview:
    """A picture averaged down by a whole factor, to at most ``longest`` pixels a side."""

    def __init__(self, size: Size, longest: int) -> None:
        self._factor = math.ceil(max(size) / longest)
        self._rest = np.zeros((0, size.width, 3), np.uint8)  # rows of a box that is not yet whole
        self._done: list[np.ndarray] = []

    def watch(self, strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Passes strips of any height on, ``(h, width, 3)`` uint8, having averaged them down."""
        for strip in strips:
            self._reduce(strip)
            yield strip

    def _reduce(self, strip: np.ndarray) -> None:
        rows = np.concatenate([self._rest, strip]) if len(self._rest) else strip
        whole = len(rows) // self._factor * self._factor
        if whole:
            self._done.append(np.asarray(Image.fromarray(rows[:whole]).reduce(self._factor)))
        self._rest = rows[whole:].copy()  # a view would keep the whole strip

    def image(self) -> np.ndarray:
        """Of what has passed: ``(ceil(height / factor), ceil(width / factor), 3)`` uint8."""
        done = list(self._done)
        if len(self._rest):
            done.append(np.asarray(Image.fromarray(self._rest).reduce(self._factor)))
        return np.concatenate(done)
