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
from contextlib import closing
from pathlib import Path
from typing import Any

from ..distributed.executor import Executor, with_notes
from ..errors import InputError, verbatim
from ..events import Event, Note, Preview, Progress, Saved
from ..files import slug
from ..generate.metadata import Record
from ..generate.notes import notes_on, notes_on_cells, notes_on_mix
from ..generate.outputs import FOLDER
from ..generate.presets import notes_on_preset, with_preset
from ..generate.previews import PaintPreviews
from ..generate.replay import ReplayRequest, replays_kind
from ..geometry import Size, padded_size
from ..images.image_files import read_image
from ..images.source_image import SourceImage
from ..models.base import Model
from ..pace import Pace
from .base_image import notes_on_base_image, remembered_base_image
from .build_notes import change_text, is_here, profile_notes, profiling, rate_text
from .build_params import BuildParams
from .cost import cost_of
from .filling_in import FillingIn
from .folder import KIND, MosaicFolder, MosaicPlan, folder_for
from .mosaic_spec import Mosaic, MosaicSpec, SharingParams
from .planning import plan_of, read_start
from .production import PaintTotals

SECONDS_BEFORE_ESTIMATE = 5.0  # of a search for the size of batches that has not ended


def build(
    model: Model,
    spec: MosaicSpec,
    target: str | Path | None = None,
    options: BuildParams | None = None,
    *,
    overwrite: bool = False,
    executor: Executor[Model] | None = None,
    start: SourceImage | None = None,
    folder: Path = FOLDER,
    previews: PaintPreviews | None = None,
) -> Iterator[Event]:
    """Makes a mosaic in a folder, or continues one that an earlier call has begun.

    Closing it cancels; what is painted by then is kept, and is not painted again.

    Args:
        model: Paints it.
        spec: What it is.
        target: Where to: a new or empty folder, or one that holds this very mosaic. The first such
            folder after ``out/PROMPT``, if not given.
        options: Batch size and extra files, which change nothing in the pictures.
        overwrite: Whether what is in ``target`` may go, whatever made it.
        executor: Whose workers paint; this process if not given.
        start: What ``spec.image`` is, if the caller has read it already.
        folder: Where a folder named after the prompt goes.
        previews: How the base image and then the mosaic look so far is shown as well, as often as
            this says.

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
    usual = folder / slug(spec.params.prompt)
    place = folder_for(model, plan, usual) if target is None else Path(target)
    showing: Any = {"overwrite": overwrite, "previews": previews}
    yield from make_mosaic(model, plan, place, options, executor, **showing)


def _enlarges(plan: MosaicPlan) -> bool:
    """Whether anything is enlarged: the base image, or the cells."""
    base, wanted = plan.base, plan.mosaic.base_size
    own = base.record.params.size
    if base.image is not None:
        own = Size(base.image.shape[1], base.image.shape[0])
        own = padded_size(own, wanted) if base.record.fit == "pad" else own
    small = own.width < wanted.width or own.height < wanted.height
    return small or plan.mosaic.enlarge > 1


def make_mosaic(
    model: Model,
    plan: MosaicPlan,
    path: Path,
    options: BuildParams | None = None,
    executor: Executor[Model] | None = None,
    *,
    overwrite: bool = False,
    previews: PaintPreviews | None = None,
) -> Iterator[Event]:
    """As `build`, with nothing left open."""
    options = options or BuildParams()
    options.check("local" if is_here(executor) else "ray")
    folder = MosaicFolder(model, plan, path, overwrite=overwrite)
    if options.single is not None:
        folder.check_single(options.single)
    with profiling(model, options.profile):
        work = _make(folder, options, executor, previews)
        yield from work if executor is None else with_notes(executor, work)


def _make(
    folder: MosaicFolder,
    options: BuildParams,
    executor: Executor[Model] | None,
    previews: PaintPreviews | None,
) -> Generator[Event, None, None]:
    yield from folder.start(previews)
    before, begun = folder.model.clock.spent(), time.perf_counter()
    filling = None if previews is None else folder.filling_in(previews)
    totals = yield from _painted(folder, options, executor, filling)
    painting = time.perf_counter() - begun
    if totals.placed:
        yield Note(rate_text(totals, executor))
    if totals.shared_change:
        yield Note(change_text(totals))
    fidelity = yield from folder.assemble(single=options.single)
    yield Note(f"fidelity {fidelity}")
    if options.profile:
        spent = folder.model.clock.spent()
        stages = {stage: seconds - before.get(stage, 0.0) for stage, seconds in spent.items()}
        whole = time.perf_counter() - begun
        yield from profile_notes(stages, painting, whole, folder.sizes.now)
    yield Preview(read_image(folder.preview_path), "the mosaic from afar")
    if options.single is not None:
        yield Saved(folder.single_path(options.single))
    yield Saved(
        folder.page_path,
        f"open it in a browser and zoom in; {folder.preview_path} shows it from afar",
        {"painted": totals.painted, "fidelity": fidelity._asdict()},
    )


def _painted(
    folder: MosaicFolder,
    options: BuildParams,
    executor: Executor[Model] | None,
    filling: FillingIn | None,
) -> Generator[Event, None, PaintTotals]:
    """Says the cost and paints what is missing."""
    mosaic, done = folder.plan.mosaic, folder.done()
    cells, wanted = mosaic.grid.cells, len(folder.tasks(done))
    yield cost_of(mosaic, wanted, len(done))
    if folder.plan.sharing != SharingParams():
        yield Note(str(folder.variety()))
    if done:
        rest = "; continuing with the rest" if wanted else ""
        yield Note(f"{len(done):,} of them are already done{rest}")
    yield Progress("painting", len(done), cells)
    totals, pace = PaintTotals(), Pace()
    begun, size, placed = time.perf_counter(), 0, 0
    painting = folder.paint(batch_size=options.batch_size, executor=executor, filling=filling)
    with closing(painting):
        for totals in painting:
            yield Progress("painting", len(done) + totals.placed, cells)
            if filling is not None and (preview := filling.due()) is not None:
                yield preview
            if folder.sizes.now != size:  # another size of batches has another pace
                size = folder.sizes.now
                pace.restart()
            # Pictures on their way do not count: what finishes them may be slower than the network.
            if totals.placed == placed:
                continue
            placed = totals.placed
            pace.note(placed, totals.placed_at)
            if folder.sizes.settled or time.perf_counter() - begun > SECONDS_BEFORE_ESTIMATE:
                yield from pace.estimate(cells - len(done), "paint")
    return totals


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
