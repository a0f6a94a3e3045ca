"""What a film takes: the pictures that it shows, and the work of each frame."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from ..geometry import CellPath

DRAWN, PIXEL = 1 / 6, 1.2e-4  # work of a picture that is drawn, and of a pixel: reading one is 1


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
        read: Pictures that the frame before did not show.
        drawn: Pictures in view.
        pixels: Of the frame.
    """

    read: int
    drawn: int
    pixels: int

    @property
    def total(self) -> float:
        """In pictures that are read; ``benchmarks/estimates.py --work`` measures the parts."""
        return self.read + DRAWN * self.drawn + PIXEL * self.pixels


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
