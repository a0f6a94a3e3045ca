"""What a mosaic takes, said before it is begun: pictures, pixels, disk, and how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from ..events import Estimate, duration, in_bytes
from ..generate.kinds import check_model
from ..generate.signatures import takes
from ..geometry import Size
from ..images.source_image import SourceImage
from ..models.base import Model
from .mosaic_spec import Mosaic, MosaicSpec, SharingParams
from .planning import plan_of, read_start
from .production import CellPainter
from .sharing import CellTask

BYTES_PER_PIXEL = 2.2  # store (lossless) and pyramid together, measured on the bundled model
_TIMED = 8  # pictures that are painted to tell the time


def cost_of(mosaic: Mosaic, pictures: int, done: int = 0) -> Estimate:
    """What a mosaic takes, without the time.

    Args:
        pictures: To paint.
        done: Cells that have theirs already.
    """
    size, disk = mosaic.size, int(mosaic.size.pixels * BYTES_PER_PIXEL)
    return Estimate(
        f"{mosaic.grid.cells:,} pictures of {_px(mosaic.cell.times(mosaic.enlarge))} px, together "
        f"{size.width:,} x {size.height:,} px ({size.megapixels}), about {in_bytes(disk)} on disk",
        pictures=pictures,
        done=done,
        disk=disk,
    )


@takes(MosaicSpec)
def mosaic_cost(model: Model, prompt: str, **parameters: Any) -> Iterator[Estimate]:
    """What a mosaic takes, before anything is written: without the time at once, and with it after
    a few pictures are painted to tell it, which are thrown away.

    Args:
        prompt, parameters: As of `digressions.mosaic`.
    """
    check_model(model)
    return costing(model, MosaicSpec.of(prompt=prompt, **parameters))


def costing(model: Model, spec: MosaicSpec, start: SourceImage | None = None) -> Iterator[Estimate]:
    """As `mosaic_cost`, of a spec.

    Args:
        model: Paints it.
        spec: What it is.
        start: What ``spec.image`` is, if the caller has read it already.

    Raises:
        InputError, PromptError, ImageError: It cannot be.
    """
    plan = plan_of(model, spec, read_start(spec) if start is None else start)
    plan.check(model)
    pictures = _pictures(plan.mosaic, plan.sharing)
    cost = cost_of(plan.mosaic, pictures)
    yield cost
    seconds = pictures * seconds_a_picture(model, plan.mosaic)
    yield replace(cost, text=f"{cost.text}, about {duration(seconds)}", seconds=seconds)


def _pictures(mosaic: Mosaic, sharing: SharingParams) -> int:
    """How many are painted; at most, where that depends on the base image."""
    cells = mosaic.grid.cells
    return cells if sharing.reuse is None else min(cells, sharing.reuse)


def seconds_a_picture(model: Model, mosaic: Mosaic) -> float:
    """Of painting, told by a batch over plain grey. The first picture warms up."""
    size = mosaic.base_size
    painter = CellPainter(model, mosaic, torch.full((3, size.height, size.width), 0.5))
    tasks = [CellTask(cell, (cell,)) for cell in range(min(_TIMED, mosaic.grid.cells))]
    painter.paint(tasks[:1])
    begun = time.perf_counter()
    painter.paint(tasks)
    return (time.perf_counter() - begun) / len(tasks)


def _px(size: Size) -> str:
    return str(size if size.width != size.height else size.width)
