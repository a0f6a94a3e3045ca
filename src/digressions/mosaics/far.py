"""A mosaic's pictures, painted by the workers of an engine and stored here as they come in."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from ..engines.engine import Engine
from ..models import Model
from .factory import Finished, Painting, Tally
from .mosaic import Mosaic
from .sharing import Piece
from .store import Store

BATCH = 32
"""Pieces a batch where nobody says: it cannot be measured for machines that are not alike."""


class Brought(NamedTuple):
    """A finished batch, how many pieces it was, and the seconds it took inside the model."""

    finished: Finished
    painted: int
    inside: float


def opened(mosaic: Mosaic, primary: Tensor, model: Model) -> Callable[[Sequence[Piece]], Brought]:
    """What a worker does with a batch of pieces: an `engines.engine.Opening` without ``model``.

    While one batch is bent and compressed the next one is painted.
    """
    painting, painting_alone = Painting(model, mosaic, primary), threading.Lock()
    finishing_alone = threading.Lock()  # an upscaler is for one alone

    def work(pieces: Sequence[Piece]) -> Brought:
        with painting_alone:
            model.check_unchanged()
            before = model.seconds
            images = painting.paint(pieces)
            inside = model.seconds - before
        with finishing_alone:
            return Brought(painting.finish(pieces, images), len(pieces), inside)

    return work


def fill_far(
    store: Store,
    engine: Engine[Model],
    mosaic: Mosaic,
    primary: Tensor,
    pieces: Sequence[Piece],
    *,
    batch_size: int = BATCH,
    on_batch: Callable[[int], None] | None = None,
) -> tuple[Tally, float]:
    """As `factory.fill`, with an engine's workers; also gives their seconds inside the model.

    A batch is committed as soon as it comes in, so whatever happens to a worker, the cluster or
    this process, no more than the batches on their way are painted again.

    Raises:
        EngineError: See `Engine.map`; or what a worker has to say.
        OutputError: The store cannot be written.
    """
    tally, inside = Tally(), 0.0
    batches = (pieces[at : at + batch_size] for at in range(0, len(pieces), batch_size))
    for brought in engine.map(functools.partial(opened, mosaic, primary), batches):
        store.put(brought.finished.pngs)
        tally.take(brought.finished)
        tally.painted += brought.painted
        inside += brought.inside
        if on_batch is not None:
            on_batch(len(brought.finished.pngs))
    return tally, inside
