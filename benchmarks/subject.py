"""The mosaic that every benchmark paints: the package's defaults, on the bundled model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from digressions.generate.batching import Painter
from digressions.generate.job import Job
from digressions.generate.paint import painter_of
from digressions.generate.params import GenerationParams
from digressions.geometry import Grid
from digressions.images.image_files import resample, to_array, to_tensor
from digressions.models.base import Model
from digressions.mosaics.base_image import base_params
from digressions.mosaics.cells import cell_seed, cells_of, exact_cells, paint_over
from digressions.mosaics.mosaic_spec import CellParams, Mosaic, mosaic_of

PROMPT = "photo of a turtle"
SEED = 8  # as `make demo`


def default_mosaic(model: Model, grid: Grid) -> Mosaic:
    """What ``digress mosaic`` makes when it is told the prompt and the grid alone."""
    return mosaic_of(model, GenerationParams(prompt=PROMPT, seed=SEED), CellParams(), grid)


def painted_base_image(model: Model, mosaic: Mosaic) -> Tensor:
    """The prompt painted once and brought (Lanczos) to ``mosaic.base_size``.

    Returns:
        ``(3, H, W)`` float32 in 0..1.
    """
    params = base_params(model, GenerationParams(prompt=PROMPT, seed=SEED))
    painted = to_array(painter_of(model)([Job(params)])[0])
    return to_tensor(resample(painted, *mosaic.base_size))


def paint_cells(
    painter: Painter, mosaic: Mosaic, base_image: Tensor, cells: Sequence[int]
) -> Tensor:
    """One batch of cells from memory to memory: ``(len(cells), 3, side, side)`` uint8."""
    seeds = [cell_seed(mosaic.params.seed, cell) for cell in cells]
    starts = cells_of(base_image, mosaic, cells, seeds)
    return paint_over(painter, mosaic, seeds, starts, exact_cells(base_image, mosaic, cells))
