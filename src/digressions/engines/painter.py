"""A painter whose batches are painted by an engine's workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..batching import Painter
from ..job import Job
from ..models import Model
from ..paint import painter_of
from .engine import Engine

Part = tuple[int, Sequence[Job]]
"""Jobs, and the place of the first in the list that they are from."""


def far_painter(engine: Engine[Model], batch_size: int) -> Painter:
    """Paints any number of jobs, ``batch_size`` at a time on each worker.

    Each call waits for all of its pictures, so calls should be as large as ``batch_size`` times the
    number of workers.
    """

    def painted(jobs: Sequence[Job]) -> Tensor:
        parts = [(at, jobs[at : at + batch_size]) for at in range(0, len(jobs), batch_size)]
        found = dict(engine.map(part_painter, parts))
        return torch.cat([found[at] for at, _ in parts])

    return painted


def part_painter(model: Model) -> Callable[[Part], tuple[int, Tensor]]:
    """What a worker does with a part: an `engine.Opening`."""
    painter, alone = painter_of(model), threading.Lock()

    def work(part: Part) -> tuple[int, Tensor]:
        at, jobs = part
        with alone:
            model.check_unchanged()
            return at, painter(jobs)

    return work
