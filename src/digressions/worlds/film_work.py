"""What a film takes: the pictures that it shows, and the work of each frame."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from ..geometry import CellPath

CANVAS, DRAWN, PIXEL, FRAME = 2.8, 0.135, 6.5e-5, 5.3  # reading a picture is 1; see `FrameWork`


class Cost(NamedTuple):
    """What a film takes.

    Attributes:
        pictures: That it shows besides the root.
        done: How many of them are painted already.
        canvases: How many are enlarged.
    """

    pictures: int
    done: int
    canvases: int


class FrameWork(NamedTuple):
    """What it takes to draw a frame.

    Attributes:
        pictures: That the frame before did not show.
        canvases: That it did not show.
        drawn: Pictures in view.
        pixels: That are resampled: all of the frame for each layer, twice where both forms show.
    """

    pictures: int
    canvases: int
    drawn: int
    pixels: int

    @property
    def total(self) -> float:
        """In pictures that are read; ``benchmarks/estimates.py --work`` measures the parts. Each
        frame takes some for itself."""
        parts = self.pictures + CANVAS * self.canvases + DRAWN * self.drawn
        return parts + PIXEL * self.pixels + FRAME


class Needed(NamedTuple):
    """What a film shows, and what it takes to draw it.

    Attributes:
        pictures: That it shows.
        canvases: Those of them whose canvas it shows.
        frames: The work of each frame.
    """

    pictures: list[CellPath]
    canvases: list[CellPath]
    frames: list[FrameWork]

    @property
    def work(self) -> list[float]:
        """Of so many frames from the first on, from none to all."""
        return list(itertools.accumulate((each.total for each in self.frames), initial=0.0))
