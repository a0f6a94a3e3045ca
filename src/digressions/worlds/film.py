"""Use case: a film that falls into a world and comes out where it began, and such a film again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from ..distributed.executor import Executor, with_notes
from ..errors import InputError
from ..events import Estimate, Event, Note, Saved, counted, duration, tracked
from ..generate.declare import Params
from ..generate.kinds import PictureSize
from ..generate.metadata import Record
from ..generate.presets import notes_on_preset
from ..generate.replay import ReplayRequest, replays_kind
from ..geometry import CellPath, Size
from ..images.source_image import SourceImage
from ..images.video import check_video, write_video
from ..models.base import Model
from ..mosaics.base_image import remembered_base_image
from ..mosaics.mosaic_spec import Mosaic, ToneName
from .bank import FiniteWorld, growing_bank
from .cache import Cache
from .opening import ResolvedWorld, manifest_of, notes_on_world, open_world, resolve_world
from .world_spec import (
    MAX_FPS,
    MAX_FRAME_SIDE,
    MAX_SECONDS,
    BankSize,
    BatchParams,
    CacheParams,
    FilmSpec,
)
from .zoom_film import ZoomFilm, choose_loop

KIND = "film"


@dataclass(frozen=True, eq=False)
class FilmPlan:
    """A film to be made, nothing left open but its way.

    Attributes:
        world: Where it flies.
        reuse: Pictures of the bank that the world is made of, or ``None`` for an endless one.
        levels: To fall through in a round.
        path: The first cells, as far as they are chosen; all ``levels`` of them is the loop.
        size, fps, count: Of the film's frames.
    """

    world: ResolvedWorld
    reuse: int | None
    levels: int
    path: CellPath
    size: Size
    fps: int
    count: int


def check_film(spec: FilmSpec, target: Path) -> None:
    """Refuses what can be refused without a model.

    Args:
        spec: What film.
        target: Where it is to be written.

    Raises:
        InputError: Parameters that contradict each other, or a world that cannot exist.
        OutputError: It cannot be written there.
    """
    spec.check()
    check_video(target, spec.frame_size, spec.count, name="frame_size")
    if spec.max_mb is not None and target.suffix.lower() != ".gif":
        raise InputError(
            f"`max_mb` is for a GIF: leave it out, or choose `output` {target.stem}.gif"
        )


def make_film(
    model: Model,
    spec: FilmSpec,
    target: str | Path,
    *,
    start: SourceImage | None = None,
    executor: Executor[Model] | None = None,
) -> Iterator[Event]:
    """Makes a film, and says what it costs, how far it is and how well it closes.

    Closing it cancels; what is painted by then is kept in the cache, and is not painted again.

    Args:
        model: Paints it.
        spec: What film.
        target: ``.mp4``, ``.webm``, ``.gif``, ``.webp``, or no suffix for a folder of its frames.
        start: What ``spec.world.image`` is, if the caller has read it already (see
            `opening.read_start`).
        executor: Whose workers paint; this process if not given.

    Raises:
        InputError, PromptError, ImageError, OutputError: It cannot be made; said before anything
            is painted, where possible.
        ExecutorError: Workers cannot be had or keep dying; what they have painted is kept.
    """
    target = Path(target)
    check_film(spec, target)
    plan = FilmPlan(
        resolve_world(model, spec.world, start),
        spec.bank.reuse,
        spec.levels,
        spec.first_cells,
        spec.frame_size,
        spec.fps,
        spec.count,
    )
    yield from notes_on_world(model, plan.world)
    manifest_of(model, plan.world)  # raises before anything is said that is no note
    yield from notes_on_preset(spec, preset=spec.preset)
    work = _filming(model, plan, target, spec.cache, spec.batch, spec.max_mb, executor)
    yield from work if executor is None else with_notes(executor, work)


def _filming(
    model: Model,
    plan: FilmPlan,
    target: Path,
    cache: CacheParams,
    batch: BatchParams,
    max_mb: float | None = None,
    executor: Executor[Model] | None = None,
) -> Generator[Event, None, None]:
    manifest_of(model, plan.world).check_path(plan.path)
    with Cache(cache.cache, cache.limit) as pictures:
        world = open_world(
            model, plan.world, pictures, batch_size=batch.batch_size, executor=executor
        )
        yield from world.notes
        if plan.reuse is not None:
            world = FiniteWorld(world, (yield from growing_bank(world, plan.reuse)))
        loop = choose_loop(world, plan.levels, plan.path)
        film = ZoomFilm(world.looped(loop), plan.size, plan.fps, plan.count)
        yield from _painting(film)
        most_bytes = None if max_mb is None else int(max_mb * 1_000_000)
        text = film_record(plan, film).to_text()
        writing = write_video(target, film, most_bytes=most_bytes, text=text)
        size = yield from tracked("filming", writing, film.count)
        yield _closes(film)
        fits = f"at {size} to fit {max_mb:g} MB" if size != film.size else ""
        yield Saved(target, fits, {"loop": list(loop)})


def _painting(film: ZoomFilm) -> Iterator[Event]:
    """Says what a film costs, once a batch is painted to tell, and paints the rest."""
    needed = film.needed()
    cost, levels = film.cost(needed), len(film.world.manifest.loop)
    whole = levels * film.world.manifest.cells.grid.cells
    # Where pictures have few cells, deeper ones show as well.
    of_whole = f" of {whole:,} in whole levels" if cost.pictures < whole else ""
    yield Estimate(
        f"{counted(levels, 'level')} in {film.count:,} frames of {film.size} "
        f"({film.count / film.fps:.1f} s): {cost.pictures:,} pictures{of_whole}, "
        f"{cost.canvases:,} of them enlarged, about {duration(cost.seconds)}",
        pictures=cost.pictures - cost.done,
        done=cost.done,
        seconds=cost.seconds,
    )
    if cost.done:
        yield Note(f"{cost.done:,} of them are already painted; continuing with the rest")
    yield from tracked("painting", film.preparing(needed), needed.total)


def _closes(film: ZoomFilm) -> Note:
    """How well the loop closes."""
    world = film.world
    loop = world.manifest.loop
    return Note(
        f"falls into {'/'.join(map(str, loop))} and closes: the root equals its cell there to "
        f"{world.residual(loop):.2f} grey levels"
        + (f", its picture the one above to {world.residual(loop[:-1]):.2f}" if loop[1:] else "")
    )


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
    """

    cells: Mosaic
    deeper: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
    tone: ToneName = "off"
    reuse: BankSize | None
    loop: Annotated[tuple[int, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    size: PictureSize
    fps: int = Field(ge=1, le=MAX_FPS)
    count: int = Field(ge=1, le=MAX_SECONDS * MAX_FPS)


def film_record(plan: FilmPlan, film: ZoomFilm) -> Record:
    """What the file of a film remembers: everything that `plan_of` asks for."""
    details = FilmDetails(
        cells=plan.world.cells,
        deeper=plan.world.deeper,
        tone=plan.world.base.tone,
        # A bank may have come out smaller than asked for, and would do so again.
        reuse=plan.reuse if isinstance(film.world, FiniteWorld) else None,
        loop=film.world.manifest.loop,
        size=film.size,
        fps=film.fps,
        count=film.count,
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
    loop = found.loop
    return FilmPlan(world, found.reuse, len(loop), loop, found.size, found.fps, found.count)


@replays_kind(KIND)
def replay_film(request: ReplayRequest, model: Model, record: Record) -> Iterator[Event]:
    """A film again. A frame of a folder of PNGs remembers the film, too."""
    still = request.source.suffix.lower() == ".png"
    target = request.folder if still else request.target
    plan = plan_of(record)
    check_video(target, plan.size, plan.count)
    yield from _filming(model, plan, target, CacheParams(), BatchParams())
