"""Chosen photos are painted over, image to image: photos and painting meet.

What is painted over is the photo, with its 8 x 8 values brought towards those of its cell by the
same share by which it is noised away. So the painting may forget of the photo what the cell needs
otherwise, and the more of it the more is painted. See `docs/photos.md`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from ...generate.batching import BatchSize
from ...generate.metadata import Record
from ...generate.paint import painter_of
from ...generate.start import Inputs, record_for
from ...models.base import Model
from ..cells import band_of, cell_seed, correct_band, paint_cells
from ..mosaic_spec import CELL_SIDE, CellParams, Mosaic, mosaic_of
from .photo_spec import PhotoMosaic, PhotoMosaicSpec
from .placing import CutBatch

KIND = "photos"


def repainting_of(model: Model, spec: PhotoMosaicSpec, mosaic: PhotoMosaic) -> Mosaic:
    """How the photos of a mosaic are painted over, with nothing left open.

    Raises:
        InputError: Settings contradict each other, or the model cannot work with them.
    """
    as_it_is = {"adapt": 0.0, "mirror": 0.0, "jitter": 0.0}
    cells = CellParams(band=mosaic.band, anchor=spec.painting.anchor, **as_it_is)
    params = spec.painting.but(strength=spec.photos.paint)
    return mosaic_of(model, params, cells, mosaic.grid, shape=mosaic.cell)


def record_of_repainting(model: Model, painting: Mosaic) -> Record:
    """What a file of the mosaic remembers of its painting, beside its photos. It was begun from
    photos, which are several and named elsewhere."""
    details = {"mosaic": painting.json_object()}
    return record_for(model, painting.params, Inputs(), kind=KIND, details=details)


def towards(photos: Tensor, cells: Tensor, share: float) -> Tensor:
    """Photos whose 8 x 8 values are bent towards those of their cells.

    Args:
        photos: ``(B, 3, H, W)`` float32 in 0..1; sides are multiples of 8.
        cells: ``(B, 3, 8, 8)`` in 0..1.
        share: How far: 0 for not at all, 1 for all the way.
    """
    own = band_of(photos, CELL_SIDE)
    return correct_band(photos, own + share * (cells - own)).images


class Repainter:
    """Paints over batches of photos that are cut; in the main thread, as models want it.

    Attributes:
        sizes: How many are painted at once.
    """

    def __init__(self, model: Model, painting: Mosaic, batch_size: int | None = None) -> None:
        """``batch_size`` is found by measuring if not given."""
        self._model, self._painting = model, painting
        self._painter = painter_of(model)
        self.sizes = BatchSize(model.device, batch_size)

    def painted(self, batches: Iterator[CutBatch]) -> Iterator[CutBatch]:
        """The batches with their pictures painted over.

        Raises:
            ModelError: The model's files have changed since it was loaded.
        """
        for batch in batches:
            self._model.check_unchanged()
            begun = time.perf_counter()
            painted = self._paint(batch.cells, batch.images, batch.exact)
            self.sizes.note(len(batch.cells), time.perf_counter() - begun)
            if self._painter.most is not None:
                self.sizes.shrink(self._painter.most)
            yield replace(batch, images=painted)

    def _paint(self, cells: Sequence[int], photos: Tensor, exact: Tensor) -> Tensor:
        params = self._painting.params
        seeds = [cell_seed(params.seed, cell) for cell in cells]
        starts = towards(photos, exact, params.strength)
        return paint_cells(self._painter, self._painting, seeds, starts)
