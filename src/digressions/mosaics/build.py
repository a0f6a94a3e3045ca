"""The use case: from a prompt or a picture to a folder with a hypermosaic to zoom into.

    plan      everything that can be wrong, before anything is written
    start     the folder is claimed, the base image made
    paint     the first pictures tell how long the rest takes
    assemble  pyramid, page, preview, fidelity

Whenever it is stopped, the same call continues with what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..distributed.executor import Executor, LocalExecutor, with_notes
from ..errors import InputError, verbatim
from ..events import Estimate, Event, Note, Preview, Progress, Saved, duration, in_bytes
from ..files import slug
from ..generate.metadata import Record
from ..generate.notes import notes_on, notes_on_cells, notes_on_mix
from ..generate.outputs import FOLDER
from ..generate.presets import notes_on_preset, with_preset
from ..generate.replay import ReplayRequest, replays_kind
from ..geometry import Grid, Size, padded_size
from ..images import Fit
from ..images.image_files import read_image
from ..images.source_image import SourceImage, source_image
from ..models.base import NETWORK_STAGES, Model
from ..pace import Pace
from .base_image import base_image_of, notes_on_base_image, remembered_base_image
from .build_params import BuildParams
from .cell_shape import fitted_grid
from .folder import KIND, MosaicFolder, MosaicPlan, folder_for
from .mosaic_spec import Mosaic, MosaicSpec, SharingParams, mosaic_of
from .production import MAIN_STAGES, SIDE_STAGES, PaintTotals

BYTES_PER_PIXEL = 2.2  # store (lossless) and pyramid together, measured on the bundled model
SECONDS_BEFORE_ESTIMATE = 5.0  # of a search for the size of batches that has not ended


def build(
    model: Model,
    spec: MosaicSpec,
    folder: str | Path | None = None,
    options: BuildParams | None = None,
    *,
    overwrite: bool = False,
    executor: Executor[Model] | None = None,
    start: SourceImage | None = None,
) -> Iterator[Event]:
    """Makes a mosaic in a folder, or continues one that an earlier call has begun.

    Closing it cancels; what is painted by then is kept, and is not painted again.

    Args:
        model: Paints it.
        spec: What it is.
        folder: Where to: a new or empty folder, or one that holds this very mosaic. The first such
            folder after ``out/PROMPT``, if not given.
        options: Batch size and extra files, which change nothing in the pictures.
        overwrite: Whether what is in ``folder`` may go, whatever made it.
        executor: Whose workers paint; this process if not given.
        start: What ``spec.image`` is, if the caller has read it already.

    Yields:
        The cost (`Estimate`) before anything is painted, and again with the time once the first
        pictures tell it; `Progress`; notes on how good it became; `Saved` with the page.

    Raises:
        InputError, PromptError, ImageError: Something cannot be, before anything is written.
        OutputError: The folder belongs to something else, or cannot be written.
        ExecutorError: Workers cannot be had or keep dying; what they have painted is kept.
    """
    options = with_preset(options or BuildParams(), spec.preset)
    plan = plan_of(model, spec, read_start(spec) if start is None else start)
    other = [] if spec.cell_prompt is None else [spec.params.prompt]
    yield from notes_on(model, plan.mosaic.params, *plan.mosaic.prompts, *other)
    yield from notes_on_mix(model, plan.mosaic.params, plan.mosaic.prompts)
    yield from notes_on_cells(model, plan.mosaic.params.size)
    yield from notes_on_base_image(plan.base, spec.params, cell_prompts=bool(other))
    wanted = spec.larger.upscaler if "upscaler" in spec.larger.model_fields_set else "lanczos"
    if wanted != "lanczos" and not _enlarges(plan):
        yield Note(
            "`upscaler` does nothing: the base image is large enough, and cells are enlarged only "
            "with `enlarge`",
            "note",
        )
    grid = plan.mosaic.grid
    mend = "`fit` contain or pad keeps all of it"
    yield from plan.base.notes(plan.mosaic.size, f"a grid of {grid}", mend)
    plan.check(model)  # before anything is said that is no note
    yield from notes_on_preset(spec, options, preset=spec.preset)
    usual = FOLDER / slug(spec.params.prompt)
    place = folder_for(model, plan, usual) if folder is None else Path(folder)
    yield from make_mosaic(model, plan, place, options, executor, overwrite=overwrite)


def _enlarges(plan: MosaicPlan) -> bool:
    """Whether anything is enlarged: the base image, or the cells."""
    base, wanted = plan.base, plan.mosaic.base_size
    own = base.record.params.size
    if base.image is not None:
        own = Size(base.image.shape[1], base.image.shape[0])
        own = padded_size(own, wanted) if base.record.fit == "pad" else own
    small = own.width < wanted.width or own.height < wanted.height
    return small or plan.mosaic.enlarge > 1


def read_start(spec: MosaicSpec) -> SourceImage | None:
    """The picture that a mosaic starts from, and whether the spec can be, as far as that shows
    without a model.

    Raises:
        ImageError: The picture cannot be read.
        InputError: Settings that contradict each other, or a grid that does not fit the picture.
    """
    spec.check()
    start = None if spec.image is None else source_image(spec.image)
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


def make_mosaic(
    model: Model,
    plan: MosaicPlan,
    path: Path,
    options: BuildParams | None = None,
    executor: Executor[Model] | None = None,
    *,
    overwrite: bool = False,
) -> Iterator[Event]:
    """As `build`, with nothing left open."""
    options = options or BuildParams()
    options.check("local" if _is_here(executor) else "ray")
    folder = MosaicFolder(model, plan, path, overwrite=overwrite)
    if options.single is not None:
        folder.check_single(options.single)
    with _profiling(model, options.profile):
        work = _make(folder, options, executor)
        yield from work if executor is None else with_notes(executor, work)


def _make(
    folder: MosaicFolder, options: BuildParams, executor: Executor[Model] | None
) -> Generator[Event, None, None]:
    yield from folder.start()
    before, begun = folder.model.clock.spent(), time.perf_counter()
    totals = yield from _painted(folder, options, executor)
    painting = time.perf_counter() - begun
    if totals.placed:
        yield Note(_rate_text(totals, executor))
    if totals.shared_change:
        yield Note(_change_text(totals))
    fidelity = yield from folder.assemble(single=options.single)
    yield Note(f"fidelity {fidelity}")
    if options.profile:
        spent = folder.model.clock.spent()
        stages = {stage: seconds - before.get(stage, 0.0) for stage, seconds in spent.items()}
        whole = time.perf_counter() - begun
        yield from _profile_notes(stages, painting, whole, folder.sizes.now)
    yield Preview(read_image(folder.preview_path), "the mosaic from afar")
    if options.single is not None:
        yield Saved(folder.single_path(options.single))
    yield Saved(
        folder.page_path,
        f"open it in a browser and zoom in; {folder.preview_path} shows it from afar",
        {"painted": totals.painted, "fidelity": fidelity._asdict()},
    )


def _painted(
    folder: MosaicFolder, options: BuildParams, executor: Executor[Model] | None
) -> Generator[Event, None, PaintTotals]:
    """Says the cost and paints what is missing."""
    mosaic, done = folder.plan.mosaic, folder.done()
    cells, wanted = mosaic.grid.cells, len(folder.tasks(done))
    estimate = Estimate(
        f"{cells:,} pictures of {_px(mosaic.cell.times(mosaic.enlarge))} px, together "
        f"{mosaic.size.width:,} x {mosaic.size.height:,} px ({mosaic.size.megapixels}), about "
        f"{in_bytes(mosaic.size.pixels * BYTES_PER_PIXEL)} on disk",
        pictures=wanted,
        done=len(done),
        disk=int(mosaic.size.pixels * BYTES_PER_PIXEL),
    )
    yield estimate
    if folder.plan.sharing != SharingParams():
        yield Note(str(folder.variety()))
    if done:
        rest = "; continuing with the rest" if wanted else ""
        yield Note(f"{len(done):,} of them are already done{rest}")
    yield Progress("painting", len(done), cells)
    totals, pace = PaintTotals(), Pace()
    begun, size = time.perf_counter(), 0
    painting = folder.paint(batch_size=options.batch_size, executor=executor)
    with closing(painting):
        for totals in painting:
            yield Progress("painting", len(done) + totals.placed, cells)
            if folder.sizes.now != size:  # another size of batches has another pace
                size = folder.sizes.now
                pace.restart()
            pace.note(totals.painted)
            if folder.sizes.settled or time.perf_counter() - begun > SECONDS_BEFORE_ESTIMATE:
                yield from pace.estimate(wanted, "paint")
    return totals


def _px(size: Size) -> str:
    return str(size if size.width != size.height else size.width)


def _rate_text(totals: PaintTotals, executor: Executor[Model] | None) -> str:
    text = f"painted {totals.painted:,} in {duration(totals.seconds)}: {totals.rate:.1f} pictures/s"
    workers = 1 if executor is None else executor.workers
    if totals.network_seconds is not None:
        share = totals.network_seconds / workers / totals.seconds
        text += f", {share:.0%} of the time inside the model"
    return text if _is_here(executor) else f"{text}, by {executor}"


def _is_here(executor: Executor[Model] | None) -> bool:
    """Whether this process paints."""
    return executor is None or isinstance(executor, LocalExecutor)


def _change_text(totals: PaintTotals) -> str:
    """How much the correction changed pictures in places that they were not painted for."""
    shared = 255 * sum(totals.shared_change) / len(totals.shared_change)
    text = f"the correction bent shared pictures by {shared:.1f} grey levels on average"
    if not totals.own_change:
        return text
    own = 255 * sum(totals.own_change) / len(totals.own_change)
    return f"{text}, and by {own:.1f} where they were painted"


@contextmanager
def _profiling(model: Model, wanted: bool) -> Iterator[None]:
    """Has the model's clock wait for the device in the block, so that each stage's time is its."""
    before, model.clock.profiling = model.clock.profiling, wanted or model.clock.profiling
    try:
        yield
    finally:
        model.clock.profiling = before


def _profile_notes(
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


@replays_kind(KIND)
def replay_mosaic(request: ReplayRequest, model: Model, record: Record) -> Iterator[Event]:
    """A mosaic again, in another folder."""
    try:
        mosaic = Mosaic.from_json_object(record.details.get("mosaic"))
        sharing = SharingParams.from_json_object(record.details.get("sharing"))
    except InputError as error:
        raise InputError(f"the settings of the mosaic are damaged: {error.message}") from error
    plan = MosaicPlan(mosaic, remembered_base_image(record), sharing)
    place = request.output or folder_for(model, plan, request.usual_folder)
    yield Note(f"a mosaic of {mosaic.grid} pictures, into {verbatim(place)}")
    yield from make_mosaic(model, plan, place, overwrite=request.overwrite)
