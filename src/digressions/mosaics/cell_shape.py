"""The shape of a cell, which is that of its picture: what may be asked for, what is painted.

A model that was trained in squares alone paints two-headed turtles in anything else. So the picture
of a cell of another shape may have its painting in the middle, on the colours of the cell around
it: see `cells.paint_cells`. Needs no torch.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from ..errors import InputError
from ..geometry import Grid, Size, contained, padded_size
from ..images import Fit

if TYPE_CHECKING:
    from ..generate.params import GenerationParams
    from ..models.base import Model

MAX_CELLS = 256  # across and down
MAX_CELL_SIDE = 4096  # pixels of a cell's picture
MOST_LOPSIDED = 4  # times one side of a cell may be the other
PAINTED_UNIT = 8  # pixels that sides are multiples of: all bands divide them, and 8 values a cell
_KEPT = 8  # how much more it counts that a picture is not cut than that it is large


def _read_aspect(value: Any) -> str:
    return ":".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _check_aspect(text: str) -> str:
    found = re.fullmatch(r"\s*(\d{1,4})\s*[:xX/×]\s*(\d{1,4})\s*", text)
    wide, high = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 0 < max(wide, high) <= MOST_LOPSIDED * min(wide, high):
        raise InputError(
            f"`cell_aspect` {text!r} is not WIDTH:HEIGHT like 3:2, with one side at most "
            f"{MOST_LOPSIDED} times the other"
        )
    shared = math.gcd(wide, high)
    return f"{wide // shared}:{high // shared}"


CellAspect = Annotated[str, BeforeValidator(_read_aspect), AfterValidator(_check_aspect)]
"""Width and height of a cell in their lowest terms; reads ``"3:2"``, ``"6x4"`` and ``(3, 2)``."""


def ratio(aspect: str) -> float:
    """Width / height of a `CellAspect`."""
    wide, high = map(int, aspect.split(":"))
    return wide / high


def nearest_ratio(picture: Size) -> float:
    """Width / height of a picture, as far as a cell may have it."""
    return min(MOST_LOPSIDED, max(1 / MOST_LOPSIDED, picture.width / picture.height))


def shape_for(model: Model, aspect: float) -> Size:
    """The size of a cell's picture of about an aspect.

    A model of any shape paints all of it, in no more pixels than it was trained at; one of squares
    alone paints the square in its middle, at the size that it was trained at.

    Args:
        model: Paints it.
        aspect: Width / height.
    """
    unit = math.lcm(PAINTED_UNIT, model.vae_scale_factor)
    if model.defaults.squares_only:
        sides = (model.size * max(1.0, aspect), model.size / min(1.0, aspect))
        return Size(*(max(1, round(side / unit)) * unit for side in sides))
    most = (model.size // unit) ** 2
    shapes = [
        Size(columns * unit, rows * unit)
        for columns in range(1, most + 1)
        for rows in range(1, most // columns + 1)
    ]

    def worth(shape: Size) -> float:
        own = shape.width / shape.height
        kept = min(own, aspect) / max(own, aspect)
        return float(kept**_KEPT * shape.pixels)

    return max(shapes, key=worth, default=Size(model.size, model.size))


def painted_part(model: Model, shape: Size) -> Size:
    """What of a cell's picture of a shape is painted: its middle, for a model of squares alone."""
    side = min(shape)
    return Size(side, side) if model.defaults.squares_only else shape


def check_cell_params(params: GenerationParams, band: int) -> None:
    """Raises `InputError` for parameters that no cell's picture can be painted by."""
    if params.masked_content is not None:
        raise InputError("`masked_content` is about a masked area, and cells have none")
    if params.size is None:
        return
    sides = {*params.size}
    size = params.size if len(sides) > 1 else params.size.width
    if max(sides) > MAX_CELL_SIDE:
        raise InputError(f"`size` {size} of a cell's picture is out of range: 1 to {MAX_CELL_SIDE}")
    if max(sides) > MOST_LOPSIDED * min(sides):
        raise InputError(
            f"`size` {size} of a cell's picture: one side may be {MOST_LOPSIDED} times the other "
            "at most"
        )
    if band and any(side % band for side in sides):
        raise InputError(f"`size` {size} is not a multiple of `band` {band}")


def check_grid(grid: Grid) -> None:
    """Raises `InputError` for a grid of more cells than a mosaic can have."""
    if max(grid) > MAX_CELLS:
        raise InputError(f"`grid` {grid} does not fit: at most {MAX_CELLS} cells a side")


def fitted_grid(text: str, picture: Size, name: str, fit: Fit, cell: Size) -> Grid:
    """The grid that is asked for, over a picture.

    Args:
        text: As typed.
        picture: Its size in pixels.
        name: Of the picture, for a message.
        fit: How it comes to the grid's aspect.
        cell: What has the shape of a cell.

    Raises:
        InputError: It is not a grid, or the picture has fewer pixels than it has cells.
    """
    # In cells, whatever their shape, it has this size.
    counted = Size(picture.width * cell.height, picture.height * cell.width)
    grid = Grid.parse(text, counted.width / counted.height)
    if fit == "contain":
        grid = Grid(*contained(counted, Size(*grid)))
    seen = padded_size(picture, grid.over(cell)) if fit == "pad" else picture
    if grid.columns > seen.width or grid.rows > seen.height:
        raise InputError(
            f"`grid` {grid} does not fit {name}, which is {picture.width} x {picture.height} "
            "pixels: a cell needs at least one pixel"
        )
    return grid
