"""Use case: a film that falls into a world and comes out where it began, and such a film again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..distributed.executor import Executor, with_notes
from ..errors import InputError
from ..events import Estimate, Event, Note, Saved, counted
from ..files import check_file, check_folder, slug
from ..generate.declare import Params
from ..generate.kinds import PictureSize
from ..generate.metadata import Record
from ..generate.outputs import FOLDER, chosen_frames, chosen_output
from ..generate.presets import notes_on_preset
from ..generate.replay import ReplayRequest, replays_kind
from ..geometry import CellPath, Size
from ..images.source_image import SourceImage
from ..images.video import check_video, uneven_rate, write_video
from ..models.base import Model
from ..mosaics.base_image import remembered_base_image
from ..mosaics.mosaic_spec import Mosaic, ToneName
from ..pace import paced
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
from .zoom_film import Needed, ZoomFilm, choose_loop

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


def check_film(spec: FilmSpec, target: Path | None) -> None:
    """Refuses what can be refused without a model.

    Args:
        spec: What film.
        target: Where it is to be written, if the user says.

    Raises:
        InputError: Parameters that contradict each other, or a world that cannot exist.
        OutputError: It cannot be written there.
    """
    spec.check()
    check_file(spec.cache.cache, "cache")
    if target is None:
        check_folder(FOLDER)
        target = _usual(spec)
    largest = spec.frame_for(Size(1, 1))
    check_video(target, largest, spec.count, spec.fps, name="frame_size")
    if target.suffix:
        check_file(target)
    else:
        check_folder(target)
    if spec.max_mb is not None and target.suffix.lower() != ".gif":
        raise InputError(
            f"`max_mb` is for a GIF: leave it out, or choose `output` {target.stem}.gif"
        )


def _usual(spec: FilmSpec) -> Path:
    return FOLDER / f"{slug(spec.world.params.prompt)}.mp4"


def _chosen(
    target: Path | None,
    usual: Path,
    text: Mapping[str, str],
    *,
    overwrite: bool = False,
    aside: Collection[str] = (),
) -> Path:
    """Where a film goes, a file or a folder of frames; see `outputs.chosen_output`."""
    rules: Any = {"overwrite": overwrite, "aside": aside}
    if (target or usual).suffix:
        return chosen_output(target, usual, lambda place: {place: text}, **rules)
    return chosen_frames(target, usual, text, **rules)


def make_film(
    model: Model,
    spec: FilmSpec,
    target: str | Path | None = None,
    *,
    overwrite: bool = False,
    start: SourceImage | None = None,
    executor: Executor[Model] | None = None,
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

    Raises:
        InputError, PromptError, ImageError, OutputError: It cannot be made; said before anything
            is painted, where possible.
        ExecutorError: Workers cannot be had or keep dying; what they have painted is kept.
    """
    target = None if target is None else Path(target)
    check_film(spec, target)
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
    choose = partial(_chosen, target, _usual(spec), overwrite=overwrite)
    yield from notes_on_world(model, plan.world)
    manifest_of(model, plan.world)  # raises before anything is said that is no note
    yield from notes_on_preset(spec, preset=spec.preset)
    work = _filming(model, plan, choose, spec.cache, spec.batch, executor)
    yield from work if executor is None else with_notes(executor, work)


def _filming(
    model: Model,
    plan: FilmPlan,
    choose: Callable[..., Path],
    cache: CacheParams,
    batch: BatchParams,
    executor: Executor[Model] | None = None,
) -> Generator[Event, None, None]:
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
        loop = choose_loop(world, plan.levels, plan.path)
        film = ZoomFilm(world.looped(loop), plan.size, plan.fps, plan.count)
        # A bank may have come out smaller than asked for, and would do so again.
        reuse = plan.reuse if isinstance(film.world, FiniteWorld) else None
        text = film_record(plan, loop, reuse).to_text()
        target = choose(text)
        needed = film.needed()
        yield from _painting(film, needed)
        most_bytes = None if plan.max_mb is None else int(plan.max_mb * 1_000_000)
        writing = write_video(target, film, most_bytes=most_bytes, text=text)
        size = yield from paced("filming", "film", writing, film.count, needed.work)
        yield _closes(film)
        fits = f"at {size} to fit {plan.max_mb:g} MB" if size != film.size else ""
        yield Saved(target, fits, {"loop": list(loop)})


def _painting(film: ZoomFilm, needed: Needed) -> Iterator[Event]:
    """Says what a film costs, and paints it."""
    cost, levels = film.cost(needed), len(film.world.manifest.loop)
    whole = levels * film.world.manifest.cells.grid.cells
    # Where pictures have few cells, deeper ones show as well.
    of_whole = f" of {whole:,} in whole levels" if cost.pictures < whole else ""
    yield Estimate(
        f"{counted(levels, 'level')} in {film.count:,} frames of {film.size} "
        f"({film.count / film.fps:.1f} s): {cost.pictures:,} pictures{of_whole}, "
        f"{cost.canvases:,} of them enlarged",
        pictures=cost.pictures - cost.done,
        done=cost.done,
    )
    if cost.done:
        rest = "; continuing with the rest" if cost.done < cost.pictures else ""
        yield Note(f"{cost.done:,} of them are already painted{rest}")
    pictures, canvases = len(needed.pictures), len(needed.canvases)
    yield from paced("painting", "paint", film.painting(needed), pictures)
    if canvases:
        yield from paced("enlarging", "enlarge", film.enlarging(needed), canvases)


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
    choose = partial(_chosen, request.output, usual, overwrite=request.overwrite)
    yield from _filming(model, plan, choose, CacheParams(), BatchParams())
