"""What making a mosaic came to: pictures a second, what sharing bent, where the time went."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..distributed.executor import Executor, LocalExecutor
from ..events import Note, duration
from ..models.base import NETWORK_STAGES, Model
from .production import MAIN_STAGES, SIDE_STAGES, PaintTotals


def rate_text(totals: PaintTotals, executor: Executor[Model] | None) -> str:
    text = f"painted {totals.painted:,} in {duration(totals.seconds)}: {totals.rate:.1f} pictures/s"
    workers = 1 if executor is None else executor.workers
    if totals.network_seconds is not None:
        share = totals.network_seconds / workers / totals.seconds
        text += f", {share:.0%} of the time inside the model"
    return text if is_here(executor) else f"{text}, by {executor}"


def is_here(executor: Executor[Model] | None) -> bool:
    """Whether this process paints."""
    return executor is None or isinstance(executor, LocalExecutor)


def change_text(totals: PaintTotals) -> str:
    """How much the correction changed pictures in places that they were not painted for."""
    shared = 255 * sum(totals.shared_change) / len(totals.shared_change)
    text = f"the correction bent shared pictures by {shared:.1f} grey levels on average"
    if not totals.own_change:
        return text
    own = 255 * sum(totals.own_change) / len(totals.own_change)
    return f"{text}, and by {own:.1f} where they were painted"


@contextmanager
def profiling(model: Model, wanted: bool) -> Iterator[None]:
    """Has the model's clock wait for the device in the block, so that each stage's time is its."""
    before, model.clock.profiling = model.clock.profiling, wanted or model.clock.profiling
    try:
        yield
    finally:
        model.clock.profiling = before


def profile_notes(
    stages: dict[str, float], painting: float, whole: float, batch_size: int
) -> Iterator[Note]:
    """Where the time went: stages of the main thread, and those beside it."""
    known = sum(stages.get(stage, 0.0) for stage in MAIN_STAGES)
    inside = sum(stages.get(stage, 0.0) for stage in NETWORK_STAGES)
    rows = [(stage, stages.get(stage, 0.0)) for stage in MAIN_STAGES]
    rows += [("sampling and the rest", painting - known), ("pyramid and page", whole - painting)]
    yield Note(
        f"{duration(whole)} in all, {inside / whole:.0%} of it in the network's forward "
        f"passes; batches of {batch_size}"
    )
    for stage, seconds in rows:
        yield Note(f"  {stage:<22}{seconds:9.2f} s {seconds / whole:6.1%}")
    yield Note("in other threads at the same time:")
    for stage in SIDE_STAGES:
        if stages.get(stage):
            yield Note(f"  {stage:<22}{stages[stage]:9.2f} s {stages[stage] / whole:6.1%}")
