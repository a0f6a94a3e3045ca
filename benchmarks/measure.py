"""How faithful a mosaic is to its base image, and what of its pictures is left.

Pictures are ``(H, W, 3)`` uint8; a mosaic has ``grid`` cells of equal size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from digressions.geometry import Grid
from digressions.mosaics.fidelity import psnr
from digressions.mosaics.mosaic_spec import CELL_SIDE

LUMINANCE = np.array([0.299, 0.587, 0.114])  # Rec. 601
COARSE = 2  # values a cell and side that every mosaic is compared in, whatever its own band
FLAT = 0.5  # grey levels: a picture that varies less than rounding does is no picture


class Errors(NamedTuple):
    """Against the base image: PSNR in dB, and the largest error of a value, in grey levels."""

    psnr: float
    largest: float


def box_means(picture: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """Means over ``rows x columns`` equal boxes: ``(rows, columns, ...)`` float64.

    Both sides must be multiples of the numbers of boxes.
    """
    height, width = picture.shape[0] // rows, picture.shape[1] // columns
    boxes = picture.reshape(rows, height, columns, width, *picture.shape[2:])
    return boxes.astype(np.float64).mean((1, 3))


def errors(mosaic: np.ndarray, base_image: np.ndarray, grid: Grid, values: int) -> Errors:
    """Errors of a mosaic at ``values x values`` values a cell."""
    size = (grid.columns * values, grid.rows * values)
    error = box_means(mosaic, *size) - box_means(base_image, *size)
    return Errors(psnr(float(np.square(error / 255).mean())), float(np.abs(error).max()))


def finer(picture: np.ndarray, grid: Grid, values: int) -> np.ndarray:
    """Luminance in grey levels without its means at ``values x values`` values a cell.

    Returns:
        ``(grid.cells, pixels of a cell)`` float64.
    """
    grey = picture @ LUMINANCE
    means = box_means(grey, grid.columns * values, grid.rows * values)
    rows, columns = len(grey) // len(means), grey.shape[1] // means.shape[1]
    rest = grey - means.repeat(rows, 0).repeat(columns, 1)
    height, width = rest.shape[0] // grid.rows, rest.shape[1] // grid.columns
    cells = rest.reshape(grid.rows, height, grid.columns, width).swapaxes(1, 2)
    return cells.reshape(grid.cells, height * width)


def kept(mosaic: np.ndarray, source: np.ndarray, grid: Grid) -> float:
    """How much of the source pictures' drawing survives in a mosaic, -1..1.

    Pearson's correlation of luminance between a finished cell and the picture that it was made
    from, both without their means at 2 x 2 values a cell, since these are what a correction is
    meant to change; the mean over cells. 1: the same drawing, possibly with other colours or more
    or less contrast. 0: another drawing, or none. Cells whose source is flat have nothing to keep
    and do not count; NaN if all are flat.
    """
    finished, wanted = finer(mosaic, grid, COARSE), finer(source, grid, COARSE)
    drawn = wanted.std(1) > FLAT
    if not drawn.any():
        return math.nan
    finished, wanted = finished[drawn], wanted[drawn]
    finished = finished - finished.mean(1, keepdims=True)
    wanted = wanted - wanted.mean(1, keepdims=True)
    length = np.linalg.norm(finished, axis=1) * np.linalg.norm(wanted, axis=1)
    product = (finished * wanted).sum(1)
    return float(np.divide(product, length, out=np.zeros_like(product), where=length > 0).mean())


def detail(mosaic: np.ndarray, grid: Grid) -> float:
    """What a mosaic draws that its base image cannot hold, in grey levels.

    Root mean square of luminance without its means at 8 x 8 values a cell, the base image's pixels.
    """
    return float(np.sqrt(np.square(finer(mosaic, grid, CELL_SIDE)).mean()))


def grid_power(picture: np.ndarray, grid: Grid) -> float:
    """How strongly a picture repeats from cell to cell, in square grey levels.

    The power of its luminance, at 8 x 8 values a cell as seen from afar, at the grid's frequencies
    and their multiples. By Parseval's theorem that is the variance of the mean of all cells: what
    every cell has in common is what repeats.
    """
    grey = box_means(picture @ LUMINANCE, grid.columns * CELL_SIDE, grid.rows * CELL_SIDE)
    cells = grey.reshape(grid.rows, CELL_SIDE, grid.columns, CELL_SIDE)
    return float(cells.mean((0, 2)).var())


def different(source: np.ndarray, grid: Grid) -> int:
    """How many different pictures the cells are made from."""
    side = source.shape[1] // grid.columns
    boxes = (grid.box(cell, side) for cell in range(grid.cells))
    return len({source[b.top : b.bottom, b.left : b.right].tobytes() for b in boxes})
