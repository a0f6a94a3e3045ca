"""Room for cells: black and white parts of a base image, in which no picture can be seen.

A cell that is exact in the band averages to its colour, and only black averages to black. So where
a base image has such cells, its darks are lifted to 8 % and its lights lowered to 94 %, by a curve
that is smooth, rises everywhere, and leaves the middle as it is. Darks get more room, since the eye
sees less in them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .mosaic_spec import CELL_SIDE

DARKEST, LIGHTEST = 0.08, 0.94  # what black and white become
BENT = 0.25  # the curve is straight from here to as far below 1
CROWDED = 0.045  # a cell has no room where its brightest channel is on average darker than this
FEW = 0.01  # of the cells: fewer are left alone


class Crowded(NamedTuple):
    """Parts of a base image's cells, 0..1, that have no room: for being dark, for being light."""

    dark: float
    light: float

    def __str__(self) -> str:
        ends = [
            f"{part:.0%} of the cells were as good as {name}"
            for part, name in ((self.dark, "black"), (self.light, "white"))
            if part > FEW
        ]
        spans = {
            (True, True): "8-94 %",
            (True, False): "8 % and more",
            (False, True): "94 % and less",
        }
        span = spans[self.dark > FEW, self.light > FEW]
        return (
            f"{' and '.join(ends)}, where no picture can be seen: the base image was brought to "
            f"{span}; `tone` off keeps it as it is"
        )


def crowded(image: np.ndarray) -> Crowded:
    """How many cells of a base image have no room.

    Args:
        image: ``(H, W, 3)`` uint8, at `CELL_SIDE` pixels a cell.
    """
    rows, columns = image.shape[0] // CELL_SIDE, image.shape[1] // CELL_SIDE
    cells = image.reshape(rows, CELL_SIDE, columns, CELL_SIDE, 3).mean((1, 3)) / 255
    dark, light = cells.max(-1) <= CROWDED, cells.min(-1) >= 1 - CROWDED
    return Crowded(float(dark.mean()), float(light.mean()))


def with_room(image: np.ndarray, found: Crowded) -> np.ndarray:
    """A base image with room for cells where it had none; the same where it has."""
    if max(found) <= FEW:
        return image
    levels = np.arange(256) / 255
    if found.dark > FEW:
        levels = lifted(levels, DARKEST)
    if found.light > FEW:
        levels = 1 - lifted(1 - levels, 1 - LIGHTEST)
    return (levels * 255).round().astype(np.uint8)[image]


def lifted(levels: np.ndarray, lowest: float) -> np.ndarray:
    r"""Levels of 0..1 whose lowest is another.

    A parabola from (0, lowest) to (`BENT`, `BENT`) that meets the straight line there with its
    slope of 1: :math:`l + s x + (1 - s) x^2 / 2b` with :math:`s = 1 - 2 l / b`.
    """
    start = 1 - 2 * lowest / BENT
    bent = lowest + start * levels + (1 - start) / (2 * BENT) * levels**2
    return np.where(levels < BENT, bent, levels)
