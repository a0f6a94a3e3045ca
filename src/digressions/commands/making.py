"""A mosaic made while somebody watches: what it costs, how far it is, how good it became."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..console import duration, err, out, progress, size_of
from ..errors import StoppedError

if TYPE_CHECKING:
    from ..engines.ray_engine import RayEngine
    from ..models import Model
    from ..mosaics.factory import Tally
    from ..mosaics.hypermosaic import Hypermosaic
    from ..mosaics.work import Work

MOST_SILENCE = 5.0  # seconds of painting before the cost is said


def run_mosaic(
    job: Hypermosaic,
    batch_size: int | None = None,
    single: str | None = None,
    *,
    profile: bool = False,
    engine: RayEngine[Model] | None = None,
) -> None:
    """Makes a mosaic, and says what it costs, how far it is and how good it became.

    Args:
        job: What to make.
        batch_size: Pictures painted at once; found by measuring if not given.
        single: Also one big image: ``"jpg"`` or ``"tif"``.
        profile: Say where the time went.
        engine: Whose workers paint; this process if not given.

    Raises:
        StoppedError: Ctrl-C; it says how to go on.
    """
    try:
        _run_through(job, batch_size, single, profile, engine)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; finished pictures are kept in {job.folder}: the same command goes on"
        ) from None


def _run_through(
    job: Hypermosaic,
    batch_size: int | None,
    single: str | None,
    profile: bool,
    engine: RayEngine[Model] | None,
) -> None:
    estimate = job.start()
    size, side = job.mosaic.size, job.mosaic.side * job.mosaic.enlarge
    before, begun = job.model.clock.spent(), time.perf_counter()
    first = _first_pictures(job, batch_size, engine)
    left = 0 if engine is not None else estimate.to_paint - first.tally.painted
    out.print(
        f"{estimate.pictures:,} pictures of {side} px, together {size.width:,} x {size.height:,} "
        f"px ({size.megapixels}), about {size_of(estimate.disk)} on disk"
        + (f", about {duration(left / first.rate)} to paint" if left else "")
    )
    if job.sharing.job():
        out.print(str(job.variety()))
    if estimate.done:
        out.print(f"{estimate.done:,} of them are done already; going on with the rest")
    with progress() as bar:
        done = estimate.done + first.pictures
        task = bar.add_task("painting", total=estimate.pictures, completed=done)
        rest = job.paint(
            batch_size=batch_size, on_batch=lambda n: bar.advance(task, n), engine=engine
        )
    work = first.plus(rest)
    if work.pictures:
        out.print(
            f"painted {work.tally.painted:,} in {duration(work.seconds)}: "
            f"{work.rate:.1f} pictures/s, {work.inside / work.seconds:.0%} of the time inside the "
            "model" + (f", by {engine}" if engine is not None else "")
        )
    if work.tally.shared:
        out.print(_bent(work.tally))
    painted = time.perf_counter() - begun
    fidelity = job.assemble(single=single)
    out.print(f"fidelity {fidelity}")
    if profile:
        spent = job.model.clock.spent()
        stages = {stage: seconds - before.get(stage, 0.0) for stage, seconds in spent.items()}
        _show_profile(stages, painted, time.perf_counter() - begun, job, batch_size)
    out.print(
        f"open {job.folder / 'index.html'} in a browser and zoom in; "
        f"{job.folder / 'preview.jpg'} shows it from afar"
    )


def _first_pictures(
    job: Hypermosaic, batch_size: int | None, engine: RayEngine[Model] | None
) -> Work:
    """What tells how long the rest takes. Workers that are yet to start would tell nothing."""
    from ..mosaics.work import Work

    if engine is not None:
        return Work.none()
    with err.status("painting the first pictures, to tell how long the rest takes"):
        return job.paint(batch_size=batch_size, enough=_timed_enough(job, batch_size))


def _timed_enough(job: Hypermosaic, batch_size: int | None) -> Callable[[int], bool]:
    """When the first pictures tell how long the rest takes: one batch of the size wanted, or the
    search for the best size, as far as it comes in a few seconds."""
    begun = time.perf_counter()

    def enough(painted: int) -> bool:
        if batch_size is not None:
            return painted > 0
        return painted > 0 and (job.tuned or time.perf_counter() - begun > MOST_SILENCE)

    return enough


def _bent(tally: Tally) -> str:
    """How much the correction changed pictures in places that they were not painted for."""
    shared = 255 * sum(tally.shared) / len(tally.shared)
    text = f"the correction bent shared pictures by {shared:.1f} grey levels on average"
    if not tally.own:
        return text
    return f"{text}, and by {255 * sum(tally.own) / len(tally.own):.1f} where they were painted"


def _show_profile(
    stages: dict[str, float], painted: float, whole: float, job: Hypermosaic, batch_size: int | None
) -> None:
    """Says where the time went: stages of the main thread, and those beside it."""
    from ..models import NETWORK_STAGES
    from ..mosaics.factory import MAIN_STAGES, SIDE_STAGES

    known = sum(stages.get(stage, 0.0) for stage in MAIN_STAGES)
    inside = sum(stages.get(stage, 0.0) for stage in NETWORK_STAGES)
    rows = [(stage, stages.get(stage, 0.0)) for stage in MAIN_STAGES]
    rows += [("sampling and the rest", painted - known), ("pyramid and page", whole - painted)]
    size = job.batch_size if batch_size is None else batch_size
    out.print(
        f"{duration(whole)} in all, {inside / whole:.0%} of it inside the network's own forward "
        f"passes; batches of {size}"
    )
    for stage, seconds in rows:
        out.print(f"  {stage:<22}{seconds:9.2f} s {seconds / whole:6.1%}")
    out.print("beside it, in other threads:")
    for stage in SIDE_STAGES:
        if stages.get(stage):
            out.print(f"  {stage:<22}{stages[stage]:9.2f} s {stages[stage] / whole:6.1%}")
