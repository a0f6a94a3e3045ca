"""The mosaic that every benchmark paints: the package's defaults, on the bundled model."""

from __future__ import annotations

from torch import Tensor

from digressions.geometry import Grid
from digressions.job import Job
from digressions.models import Model
from digressions.mosaics.mosaic import Mosaic
from digressions.paint import paint
from digressions.pictures.images import resample, to_array, to_tensor

PROMPT = "photo of a turtle"
SEED = 8  # as `make demo`


def default_mosaic(model: Model, grid: Grid) -> Mosaic:
    """What ``digress mosaic`` makes when it is told the prompt and the grid alone."""
    likes = model.defaults.for_cells()
    return Mosaic(
        prompt=PROMPT,
        grid=grid,
        side=model.size,
        strength=likes.strength,
        steps=likes.steps,
        guidance=likes.guidance,
        sampler=likes.sampler,
        seed=SEED,
    )


def painted_primary(model: Model, mosaic: Mosaic) -> Tensor:
    """The prompt painted once and brought (Lanczos) to ``mosaic.primary_size``.

    Returns:
        ``(3, H, W)`` float32 in 0..1.
    """
    likes, side = model.defaults, model.size
    job = Job(PROMPT, SEED, side, side, likes.steps, likes.guidance, likes.sampler)
    painted = to_array(next(paint(model, [job])).image)
    return to_tensor(resample(painted, *mosaic.primary_size))
