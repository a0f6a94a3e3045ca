"""Use case: a film that falls into a world and comes out where it began, and such a film again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from ..distributed.executor import Executor, with_notes
from ..errors import InputError
from ..events import Event, Note
from ..generate.declare import Params
from ..generate.kinds import PictureSize
from ..generate.metadata import Record
from ..generate.outputs import FOLDER
from ..generate.presets import notes_on_preset
from ..generate.replay import ReplayRequest, replays_kind
from ..geometry import CellPath, Size
from ..images.source_image import SourceImage
from ..images.video import check_video, uneven_rate
from ..models.base import Model
from ..mosaics.base_image import remembered_base_image
from ..mosaics.mosaic_spec import Mosaic, ToneName
from .bank import FiniteWorld, growing_bank
from .cache import Cache
from .filming import Way, check_film, chosen_film, filmed, usual_film
from .flight_params import MAX_FPS, MAX_FRAME_SIDE, MAX_SECONDS
from .opening import ResolvedWorld, manifest_of, notes_on_world, open_world, resolve_world
from .world_spec import BankSize, BatchParams, CacheParams, FilmSpec

KIND = "film"
_FOUND = ("loop", "reuse")  # of a film's details: shown by its pictures


@dataclass(frozen=True, eq=False)
class FilmPlan:
    """A film to be made, nothing left open but its way.

    Attributes:
        world: Where it flies.
        reuse: Pictures of the bank that the world is made of, or ``None`` for an endless one.
        levels: To fall through in a round.
        path: The first cells, as far as they are chosen; all ``levels`` of them is the loop.
        size, fps, count: Of the film's frames.
        max_mb: That a GIF is made to fit, or ``None``.
    """

    world: ResolvedWorld
    reuse: int | None
    levels: int
    path: CellPath
    size: Size
    fps: int
    count: int
    max_mb: float | None = None

    @property
    def way(self) -> Way:
        """What of it is not the world's."""
        return Way(self.levels, self.path, self.size, self.fps, self.count, self.max_mb)


def make_film(
    model: Model,
    spec: FilmSpec,
    target: str | Path | None = None,
    *,
    overwrite: bool = False,
    start: SourceImage | None = None,
    executor: Executor[Model] | None = None,
    folder: Path = FOLDER,
) -> Iterator[Event]:
    """Makes a film, and says what it costs, how far it is and how well it closes.

    Closing it cancels; what is painted by then is kept in the cache, and is not painted again.

    Args:
        model: Paints it.
        spec: What film.
        target: ``.mp4``, ``.webm``, ``.gif``, ``.webp``, or no suffix for a folder of its frames; a
            free name after the prompt, if not given.
        overwrite: As of `outputs.chosen_output`.
        start: What ``spec.world.image`` is, if the caller has read it already (see
            `opening.read_start`).
        executor: Whose workers paint; this process if not given.
        folder: Where a file named after the prompt goes.

    Raises:
        InputError, PromptError, ImageError, OutputError: It cannot be made; said before anything
            is painted, where possible.
        ExecutorError: Workers cannot be had or keep dying; what they have painted is kept.
    """
    target = None if target is None else Path(target)
    check_film(spec, target, folder)
    world = resolve_world(model, spec.world, start)
    plan = FilmPlan(
        world,
        spec.bank.reuse,
        spec.levels,
        spec.first_cells,
        spec.frame_for(world.cells.cell),
        spec.fps,
        spec.count,
        spec.max_mb,
    )
    choose = partial(chosen_film, target, usual_film(spec.world.title, folder), overwrite=overwrite)
    yield from notes_on_world(model, plan.world)
    manifest_of(model, plan.world)  # raises before anything is said that is no note
    yield from notes_on_preset(spec, preset=spec.preset)
    work = film_plan(model, plan, choose, spec.cache, spec.batch, executor)
    yield from work if executor is None else with_notes(executor, work)


def film_plan(
    model: Model,
    plan: FilmPlan,
    choose: Callable[..., Path],
    cache: CacheParams,
    batch: BatchParams,
    executor: Executor[Model] | None = None,
) -> Generator[Event, None, None]:
    """Makes a film that is planned; ``choose`` says where it goes, of what it remembers."""
    manifest_of(model, plan.world).check_path(plan.path)
    # The way is not known yet, but this much is before anything is painted.
    target = choose(film_record(plan, plan.path or (0,), plan.reuse).to_text(), aside=_FOUND)
    if uneven := uneven_rate(target, plan.fps):
        yield Note(uneven, "note")
    with Cache(cache.cache, cache.limit) as pictures:
        world = open_world(
            model, plan.world, pictures, batch_size=batch.batch_size, executor=executor
        )
        yield from world.notes
        if plan.reuse is not None:
            world = FiniteWorld(world, (yield from growing_bank(world, plan.reuse)))

        def text_for(loop: CellPath) -> dict[str, str]:
            # A bank may have come out smaller than asked for, and would do so again.
            return film_record(plan, loop, plan.reuse).to_text()

        yield from filmed(world, plan.way, text_for, choose)


# --- what a film's file remembers ------------------------------------------------------------


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class FilmDetails(Params):
    """What a record of kind ``"film"`` says besides how the root is made.

    Attributes:
        cells: How the other pictures are painted.
        deeper: Prompts of depth 2, 3, ...
        tone: Of the root; see `mosaics.base_image.BaseImage`.
        reuse: As of a `FilmPlan`.
        loop: Where falls into.
        size, fps, count: Of its frames.
        max_mb: That a GIF was made to fit, or ``None``.
    """

    cells: Mosaic
    deeper: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
    tone: ToneName = "off"
    reuse: BankSize | None
    loop: Annotated[tuple[int, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    size: PictureSize
    fps: int = Field(ge=1, le=MAX_FPS)
    count: int = Field(ge=1, le=MAX_SECONDS * MAX_FPS)
    max_mb: float | None = Field(gt=0)


def film_record(plan: FilmPlan, loop: CellPath, reuse: int | None) -> Record:
    """What the file of a film remembers: everything that `plan_of` asks for."""
    details = FilmDetails(
        cells=plan.world.cells,
        deeper=plan.world.deeper,
        tone=plan.world.base.tone,
        reuse=reuse,
        loop=loop,
        size=plan.size,
        fps=plan.fps,
        count=plan.count,
        max_mb=plan.max_mb,
    )
    base = plan.world.base
    return base.record.but(kind=KIND, upscaler=base.upscaler, details=details.json_object())


def plan_of(record: Record) -> FilmPlan:
    """The film that a record remembers.

    Raises:
        InputError: The settings are damaged.
        ImageError, InputError: The picture that it starts from cannot be read, or is another.
    """
    try:
        found = FilmDetails.from_json_object(record.details)
    except InputError as error:
        raise InputError(f"the settings of the film are damaged: {error}") from error
    if max(found.size) > MAX_FRAME_SIDE:
        raise InputError(f"the settings of the film are damaged: frames of {found.size}")
    world = ResolvedWorld(remembered_base_image(record), found.cells, found.deeper)
    loop, way = found.loop, (found.size, found.fps, found.count)
    return FilmPlan(world, found.reuse, len(loop), loop, *way, found.max_mb)


@replays_kind(KIND)
def replay_film(request: ReplayRequest, model: Model, record: Record) -> Iterator[Event]:
    """A film again. A frame of a folder of PNGs remembers the film, too."""
    still = request.source.suffix.lower() == ".png"
    plan = plan_of(record)
    usual = request.usual_folder if still else request.usual_file
    place = request.output or usual
    check_video(place, plan.size, plan.count, plan.fps)
    if place.suffix.lower() != ".gif":
        plan = replace(plan, max_mb=None)
    yield Note(f"a film of {plan.count:,} frames of {plan.size}, {plan.fps} a second")
    choose = partial(chosen_film, request.output, usual, overwrite=request.overwrite)
    yield from film_plan(model, plan, choose, CacheParams(), BatchParams())
