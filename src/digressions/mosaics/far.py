"""A mosaic's pictures, painted by the workers of an engine and stored here as they come in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from ..engines.engine import Engine
from ..models import Model
from ..paint import Painter, paint_batch
from ..pictures.images import to_png
from ..upscale import load_upscaler
from .mosaic import Mosaic, enlarging, paint_cells
from .store import Store


class Finished(NamedTuple):
    """A batch ready to be stored: PNGs by cell, and the seconds spent inside the model."""

    pngs: dict[int, bytes]
    inside: float


def opened(mosaic: Mosaic, primary: Tensor, model: Model) -> Callable[[Sequence[int]], Finished]:
    """What a worker does with a batch of cells: an `engines.engine.Opening` without ``model``."""
    painter: Painter = functools.partial(paint_batch, model)
    if mosaic.enlarge > 1:
        painter = enlarging(painter, mosaic.enlarge, load_upscaler(mosaic.upscaler))

    def work(cells: Sequence[int]) -> Finished:
        before = model.seconds
        images = paint_cells(painter, mosaic, primary, cells).permute(0, 2, 3, 1).numpy()
        pngs = {cell: to_png(image) for cell, image in zip(cells, images, strict=True)}
        return Finished(pngs, model.seconds - before)

    return work


def fill_far(
    store: Store,
    engine: Engine[Model],
    mosaic: Mosaic,
    primary: Tensor,
    *,
    batch_size: int = 32,
    most: int | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> float:
    """As `mosaic.fill`, with an engine's workers; gives their seconds inside the model, added up.

    A batch is committed as soon as it comes in, so whatever happens to a worker, the cluster or
    this process, no more than the batches on their way are painted again.
    """
    done = store.done()
    missing = [cell for cell in range(mosaic.grid.cells) if cell not in done][:most]
    batches = (missing[i : i + batch_size] for i in range(0, len(missing), batch_size))
    inside = 0.0
    for finished in engine.map(functools.partial(opened, mosaic, primary), batches):
        store.put(finished.pngs)
        inside += finished.inside
        if on_batch is not None:
            on_batch(len(finished.pngs))
    return inside
