"""Where a camera is that falls into a world for ever, and what it sees. Pure: no arrays.

Positions are within one picture, its width and height being 1, and rebased at every level: no
number runs out however deep the flight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..geometry import CellPath, Grid, Size

APPEARS = 24.0  # pixels on the screen at which a cell's picture begins to show
CLEAR = 56.0  # and at which nothing else shows any more
_DIGITS = 12  # cells that a point is summed over; more would be beyond a double's precision
SQUARE = Size(1, 1)
_REACH = 2.0  # pixels on the screen around the view that its filter may look at


class View(NamedTuple):
    """What is on the screen: a box in the picture at ``path``, in parts of its width and height."""

    path: CellPath
    left: float
    top: float
    width: float
    height: float


class Layer(NamedTuple):
    """The pictures of one level that are in view.

    Attributes:
        level: Below the view's path; its pictures form a grid of ``columns ** level`` a side.
        left, top, right, bottom: The range of rows and columns of that grid, the end not included.
        cell: Width of a picture on the screen, in pixels.
        opacity: 0..1, over the layer above.
    """

    level: int
    left: int
    top: int
    right: int
    bottom: int
    cell: float
    opacity: float


class Camera:
    """Falls from the root along a loop of cells, one level in a unit of time.

    The scale is exponential in time, so the speed looks constant. The zoom is about the point that
    the loop contracts to. That point glides on the screen, with no speed and no acceleration at
    whole times, so that at each whole time one picture fills the screen exactly.

    Attributes:
        across, down: The largest part of a picture's width and height that a screen of its aspect
            shows; one of them is 1.
    """

    def __init__(self, grid: Grid, loop: CellPath, size: Size, picture: Size = SQUARE) -> None:
        """A flight along ``loop``, which is not empty, on a screen of ``size``, through pictures
        of the aspect of ``picture``."""
        self.grid, self.loop, self.size = grid, loop, size
        wide, high = size.width * picture.height, size.height * picture.width
        self.across, self.down = wide / max(wide, high), high / max(wide, high)
        places = [grid.place(cell) for cell in loop]
        self._points = [
            (
                self._contracted([x for _, x in places], i),
                self._contracted([y for y, _ in places], i),
            )
            for i in range(len(loop))
        ]

    def _contracted(self, digits: Sequence[int], start: int) -> float:
        """The fixed point in one direction, as seen from a level: 0.d1 d2 d3 ... in base N."""
        n = self.grid.columns
        found = 0.0
        for i in reversed(range(_DIGITS)):
            found = (digits[(start + i) % len(digits)] + found) / n
        return found

    def view(self, t: float) -> View:
        """What is on the screen at time ``t >= 0``, in levels; ``t = len(loop)`` looks like 0.

        The box may reach out of the picture that it falls into, so it is given in that picture's
        parent.
        """
        level = math.floor(t)
        u = t - level
        here, after = level % len(self.loop), (level + 1) % len(self.loop)
        before = (level - 1) % len(self.loop)
        n = self.grid.columns
        scale = n**-u
        row, column = self.grid.place(self.loop[before])
        width, height = scale * self.across, scale * self.down
        ease = u**3 * (10 - 15 * u + 6 * u**2)
        (x, y), (x_after, y_after) = self._points[here], self._points[after]
        # The point's place on the screen, 0..1, goes from where it is in this picture to where it
        # is in the next.
        left = x - width * (x + (x_after - x) * ease)
        top = y - height * (y + (y_after - y) * ease)
        return View(self.loop[:before], (column + left) / n, (row + top) / n, width / n, height / n)

    def layers(self, view: View) -> list[Layer]:
        """What is drawn, one over the other: from the first that covers all to the last to show."""
        layers = [self._layer(view, 0, 1.0)]
        while True:
            level = layers[-1].level + 1
            opacity = opacity_of(self._cell(view, level))
            if opacity <= 0:
                return layers
            layer = self._layer(view, level, opacity)
            layers = [layer] if opacity >= 1 else [*layers, layer]

    def _cell(self, view: View, level: int) -> float:
        return float(self.size.width / (view.width * self.grid.columns**level))

    def _layer(self, view: View, level: int, opacity: float) -> Layer:
        count, cell = self.grid.columns**level, self._cell(view, level)
        high = self.size.height / (view.height * count)

        def cells(at: float, seen: float, side: float) -> tuple[int, int]:
            margin = _REACH / side
            last = math.ceil((at + seen) * count + margin)
            return max(0, math.floor(at * count - margin)), min(count, last)

        left, right = cells(view.left, view.width, cell)
        top, bottom = cells(view.top, view.height, high)
        return Layer(level, left, top, right, bottom, cell, opacity)

    def paths(self, view: View, layer: Layer) -> Iterator[CellPath]:
        """Paths of a layer's pictures, in reading order."""
        n = self.grid.columns
        for row in range(layer.top, layer.bottom):
            for column in range(layer.left, layer.right):
                cells = []
                for power in (n**i for i in reversed(range(layer.level))):
                    cells.append(row // power % n * n + column // power % n)
                yield (*view.path, *cells)


def opacity_of(cell: float) -> float:
    """The opacity of a picture ``cell`` pixels wide on the screen; it grows with the logarithm of
    the width."""
    return fade(cell, APPEARS, CLEAR)


def fade(size: float, none: float, full: float) -> float:
    """0 up to ``none``, 1 from ``full`` on, even in the logarithm between."""
    return min(1.0, max(0.0, math.log(size / none) / math.log(full / none)))
