"""The picture that a mosaic is made of, painted or the user's own, at 8 pixels a cell."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..geometry import Size
from ..job import job_of
from ..models import Model
from ..paint import paint
from ..pictures.images import cover, to_array
from ..pictures.metadata import Settings
from ..upscale import enlarge, load_upscaler
from .mosaic import Mosaic


@dataclass(frozen=True)
class Primary:
    """The picture that a mosaic is made of: painted from a prompt, or the user's own.

    Attributes:
        settings: How it is painted, for `replay`; with ``image`` set, nothing is painted.
        image: ``(H, W, 3)`` uint8 of the user's own picture, or ``None``.
        upscaler: What enlarges it to 8 pixels a cell.
    """

    settings: Settings
    image: np.ndarray | None
    upscaler: str


def make_primary(model: Model, primary: Primary, mosaic: Mosaic) -> np.ndarray:
    """Paints or fits the primary: ``(H, W, 3)`` uint8 of ``mosaic.primary_size``."""
    size = mosaic.primary_size
    return enlarged_primary(model, primary.settings, primary.image, size, primary.upscaler)


def enlarged_primary(
    model: Model, settings: Settings, image: np.ndarray | None, size: Size, upscaler: str
) -> np.ndarray:
    """A picture painted by ``settings``, or ``image`` where there is one, at exactly ``size``.

    What is smaller is enlarged by the upscaler; what is larger is filtered down.
    """
    if image is None:
        painted = dataclasses.replace(settings, image=None)
        image = to_array(next(paint(model, [job_of(painted)])).image)
    if image.shape[1] >= size.width and image.shape[0] >= size.height:
        return cover(image, size.width, size.height)
    image = cover(image, *fit(image.shape[1], image.shape[0], size.width / size.height))
    return enlarge(image, size.width, size.height, load_upscaler(upscaler))


def fit(width: int, height: int, aspect: float) -> tuple[int, int]:
    """The largest size of an aspect inside another."""
    if width / height > aspect:
        return max(1, round(height * aspect)), height
    return width, max(1, round(width / aspect))
