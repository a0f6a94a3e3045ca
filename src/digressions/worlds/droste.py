"""The Droste effect: a small copy of a picture embedded in a cell, so that a world loops.

Pictures of which copies are embedded are ``(3, H, W)`` float32 in 0..1, cut into cells of
`CELL_SIDE` pixels. `resized_exactly`, which makes the two sizes of a picture that a world needs, is
about ``(H, W, 3)`` uint8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import Grid, Size
from ..images.colour import oklab
from ..images.image_files import resample, to_array, to_tensor
from ..images.upscale import Upscaler
from ..mosaics.cells import band_of, correct_band
from ..mosaics.mosaic_spec import CELL_SIDE

FADES = 2.0  # cells around a copy after which a third of its edges' colours is left
PART = 1 / 8  # of a picture's side that this is at most, so that a grid of few cells shows more
SWEEPS = 4  # each leaves b^2 / cells of the error of the one before


def resized_exactly(image: np.ndarray, size: Size, upscaler: Upscaler) -> np.ndarray:
    """A picture at another size, equal in the finest boxes that both sizes share.

    Averaged to as many values down as the greatest common divisor of the heights, and across
    likewise, both agree to one grey level. Enlarged once by the upscaler, then resampled: a second
    time would cost 16 times as much. What enlargers and filters overshoot is bent back by
    `correct_band`.

    Args:
        image: ``(H, W, 3)`` uint8.
        size: Of the result, in pixels.

    Returns:
        ``(size.height, size.width, 3)`` uint8.
    """
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    larger = height < size.height or width < size.width
    enlarged = upscaler(image) if larger and upscaler.name != "lanczos" else image
    resized = to_tensor(resample(enlarged, *size))[None]
    shared = math.gcd(size.height, height), math.gcd(size.width, width)
    band = band_of(to_tensor(image)[None], *shared)
    return to_array(correct_band(resized, band).images[0])


def small_copy(picture: Tensor) -> Tensor:
    """A picture at the size of a cell, ``(3, CELL_SIDE, CELL_SIDE)``, in whole grey levels."""
    return (F.adaptive_avg_pool2d(picture, CELL_SIDE) * 255).round() / 255


def misfits(picture: Tensor, small: Tensor, grid: Grid, cells: Sequence[int]) -> np.ndarray:
    """How much a small copy would be seen in each of ``cells``: its root mean square distance from
    what is there, pixel by pixel in OKLab, and that of its edges' colours, going on, from what is
    around the cell.

    Args:
        picture, small: As of `embed_copy`.

    Returns:
        ``(len(cells),)`` float64.
    """
    wanted = _lab(_continued(small, CELL_SIDE, CELL_SIDE)[0])
    seen = _lab(picture)
    padded = np.pad(seen, ((CELL_SIDE, CELL_SIDE), (CELL_SIDE, CELL_SIDE), (0, 0)), mode="edge")
    side = 3 * CELL_SIDE
    places = [grid.box(cell, CELL_SIDE) for cell in cells]
    around = (padded[box.top : box.top + side, box.left : box.left + side] for box in places)
    return np.array([np.sqrt(np.square(each - wanted).sum(-1).mean()) for each in around])


def _lab(picture: Tensor) -> np.ndarray:
    return oklab(picture.permute(1, 2, 0).numpy() * 255)


def _continued(small: Tensor, beside: int, above: int) -> tuple[Tensor, Tensor]:
    """A small copy whose edges go on: near it as they are, far away as their mean.

    Args:
        small: ``(3, CELL_SIDE, CELL_SIDE)``.
        beside, above: How many pixels to go on to either side, and up and down.

    Returns:
        ``(3, CELL_SIDE + 2 * above, CELL_SIDE + 2 * beside)``, and by the same places how far they
        are from the copy, in pixels; 0 within.
    """
    rows = torch.arange(CELL_SIDE + 2 * above) - above
    columns = torch.arange(CELL_SIDE + 2 * beside) - beside
    found = _edges_at(small, rows, columns)
    found[:, above : above + CELL_SIDE, beside : beside + CELL_SIDE] = small
    below, right = ((at - at.clamp(0, CELL_SIDE - 1)).float() for at in (rows, columns))
    return found, below[:, None].hypot(right)


def _edges_at(small: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The colours of a small copy's edges at any places, each the mean of the edge's pixels
    weighted by the inverse square of its distance from them (Shepard 1968)."""
    inner = torch.cartesian_prod(torch.arange(CELL_SIDE), torch.arange(CELL_SIDE))
    edge = inner[((inner == 0) | (inner == CELL_SIDE - 1)).any(1)]
    far = (rows[:, None, None] - edge[:, 0]) ** 2 + (columns[None, :, None] - edge[:, 1]) ** 2
    weight = 1 / far.clamp(min=1e-3)
    weight = weight / weight.sum(-1, keepdim=True)
    return torch.einsum("hwe,ce->chw", weight, small[:, edge[:, 0], edge[:, 1]])


def faded(tile: np.ndarray, small: Tensor, grid: Grid, cell: int, shown: float) -> np.ndarray:
    """A picture in which an embedded copy is no more than shown in part.

    Args:
        tile: ``(H, W, 3)`` uint8, at any size.
        small: ``(3, CELL_SIDE, CELL_SIDE)``, the copy.
        shown: 0 for the colours of its edges alone, to 1 for the copy.
    """
    places = torch.arange(CELL_SIDE)
    less = (1 - shown) * (_edges_at(small, places, places) - small)
    change = torch.zeros(3, grid.rows * CELL_SIDE, grid.columns * CELL_SIDE)
    change = replace_cell(change, less, grid, cell)[None]
    mode = "area" if max(tile.shape[:2]) <= change.shape[-1] else "bilinear"
    change = F.interpolate(change, (tile.shape[0], tile.shape[1]), mode=mode)[0]
    return to_array(to_tensor(tile) + change)


def embed_copy(
    picture: Tensor, small: Tensor, grid: Grid, cell: int, band: Tensor | None
) -> Tensor:
    """A picture with a small copy in a cell, and the picture around it adapted.

    What is around the cell takes the colours of the copy's edges, less with distance, so that the
    copy has no border and is not seen as a speck long before it is reached; and with a band the
    rest makes up for what the copy changed in it.

    Args:
        picture: ``(3, H, W)`` of ``grid``.
        small: ``(3, CELL_SIDE, CELL_SIDE)``, which the cell then is, exactly.
        band: ``(3, b, b)`` that the whole must keep, or ``None``.
    """
    box = grid.box(cell, CELL_SIDE)
    height, width = picture.shape[1:]
    fades = min(FADES, PART * max(grid)) * CELL_SIDE
    most = round(3 * fades)  # where next to nothing is left of it
    continued, far = _continued(small, most, most)
    near = (-((far / fades) ** 2)).exp()
    top, left = max(0, box.top - most), max(0, box.left - most)
    bottom, right = min(height, box.bottom + most), min(width, box.right + most)
    seen = (
        slice(top - box.top + most, bottom - box.top + most),
        slice(left - box.left + most, right - box.left + most),
    )
    here = (slice(None), slice(top, bottom), slice(left, right))
    picture = picture.clone()
    picture[here] = torch.lerp(picture[here], continued[(slice(None), *seen)], near[seen])
    picture = replace_cell(picture, small, grid, cell)
    for _ in range(SWEEPS if band is not None else 0):
        assert band is not None
        picture = replace_cell(correct_band(picture[None], band[None]).images[0], small, grid, cell)
    return picture


def change_by_copy(
    canvas: Tensor, small: Tensor, grid: Grid, cell: int, band: Tensor | None, size: Size
) -> Tensor:
    """What `embed_copy` changes in a canvas, as its picture of a size shows it: ``(3, h, w)``."""
    change = embed_copy(canvas, small, grid, cell, band) - canvas
    mode = "area" if max(size) <= canvas.shape[-1] else "bilinear"
    return F.interpolate(change[None], (size.height, size.width), mode=mode)[0]


def left_over(picture: Tensor, small: Tensor, grid: Grid, cell: int, values: int) -> float:
    """By how much a picture could not make up for a copy in a cell: the largest difference in the
    band, in grey levels. Around a dark copy everything may be as bright as it gets.

    Args:
        picture, small, grid, cell: As of `embed_copy`.
        values: Of the band, per side.
    """
    band = band_of(picture[None], values)[0]
    embedded = embed_copy(picture, small, grid, cell, band)
    return float((band_of(embedded[None], values)[0] - band).abs().max()) * 255


def embed_in_itself(picture: Tensor, grid: Grid, cell: int) -> tuple[Tensor, Tensor]:
    """A picture that holds its own small copy in a cell, which holds one in turn: a fixed point.

    Returns:
        The picture, and its small copy.
    """
    small = small_copy(picture)
    for _ in range(4):  # a copy changes the copy's mean by one part in the number of cells
        picture = embed_copy(picture, small, grid, cell, None)
        small = small_copy(picture)
    return replace_cell(picture, small, grid, cell), small


def replace_cell(picture: Tensor, small: Tensor, grid: Grid, cell: int) -> Tensor:
    """A picture with one cell replaced by ``(3, CELL_SIDE, CELL_SIDE)``."""
    box = grid.box(cell, CELL_SIDE)
    picture = picture.clone()
    picture[:, box.top : box.bottom, box.left : box.right] = small
    return picture
