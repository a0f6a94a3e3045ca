"""Everything about a mosaic that can be wrong, found before anything is written."""

from __future__ import annotations

from ..geometry import Grid, Size
from ..images import Fit
from ..images.source_image import SourceImage, source_image
from ..models.base import Model
from .base_image import base_image_of
from .cell_shape import fitted_grid
from .folder import MosaicPlan
from .mosaic_spec import MosaicSpec, mosaic_of


def read_start(spec: MosaicSpec) -> SourceImage | None:
    """The picture that a mosaic starts from, and whether the spec can be, as far as that shows
    without a model.

    Raises:
        ImageError: The picture cannot be read.
        InputError: Settings that contradict each other, or a grid that does not fit the picture.
    """
    spec.check()
    start = None if spec.image is None else source_image(spec.image, "image")
    grid_over(spec.grid, start, spec.fit, spec.params.size)
    return start


def plan_of(model: Model, spec: MosaicSpec, start: SourceImage | None) -> MosaicPlan:
    """Everything about a mosaic, with the model's defaults where the user said nothing.

    Args:
        model: Paints it.
        spec: What the user asks for.
        start: What its image is; see `read_start`.

    Raises:
        InputError: Settings that contradict each other or do not fit the picture.
    """
    grid = grid_over(spec.grid, start, spec.fit, spec.params.size)
    mosaic = mosaic_of(
        model, spec.params, spec.cells, grid, prompts=spec.cell_prompt or (), larger=spec.larger
    )
    upscaler = spec.larger.upscaler
    aspect = mosaic.size.width / mosaic.size.height
    base = base_image_of(
        *(model, spec.params, start, upscaler, spec.fit, spec.tone, aspect),
        cell_prompt=mosaic.prompts,
    )
    return MosaicPlan(mosaic, base, spec.sharing)


def grid_over(
    text: str, start: SourceImage | None, fit: Fit = "cover", cell: Size | None = None
) -> Grid:
    """The grid that is asked for, over the start picture where there is one.

    Args:
        text: As typed.
        start: The user's own picture, or ``None``.
        fit: How that comes to the grid's aspect.
        cell: What has the shape of a cell; a square if not given.

    Raises:
        InputError: It is not a grid, or the picture has fewer pixels than it has cells.
    """
    shape = cell or Size(1, 1)
    if start is None:
        return Grid.parse(text, shape.height / shape.width)
    picture = Size(start.pixels.shape[1], start.pixels.shape[0])
    return fitted_grid(text, picture, start.name, fit, shape)
