"""A film of any world: whether it can be written, where it goes, its cost, how well it closes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..events import Estimate, Event, Note, Saved, counted
from ..files import check_file, check_folder, slug
from ..generate.outputs import FOLDER, chosen_frames, chosen_output
from ..geometry import CellPath, Size
from ..images.video import check_video, write_video
from ..pace import paced
from .film_work import Needed
from .photo_world_spec import PhotoFilmSpec
from .ways import choose_loop
from .world import World
from .world_spec import FilmSpec
from .zoom_film import ZoomFilm


@dataclass(frozen=True)
class Way:
    """How a film goes through a world; see `FilmPlan`."""

    levels: int
    path: CellPath
    size: Size
    fps: int
    count: int
    max_mb: float | None


def check_film(spec: FilmSpec | PhotoFilmSpec, target: Path | None, folder: Path = FOLDER) -> None:
    """Refuses what can be refused without a model and without looking at photos.

    Args:
        spec: What film.
        target: Where it is to be written, if the user says.
        folder: Where it goes if nobody says.

    Raises:
        InputError: Parameters that contradict each other, or a world that cannot exist.
        OutputError: It cannot be written there.
    """
    spec.check()
    check_file(spec.cache.cache, "cache")
    if target is None:
        check_folder(folder)
        target = usual_film(spec.world.title, folder)
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


def usual_film(title: str, folder: Path = FOLDER) -> Path:
    """Where the film of a world goes if nobody says and it is free."""
    return folder / f"{slug(title)}.mp4"


def chosen_film(
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


def filmed(
    world: World,
    way: Way,
    text_for: Callable[[CellPath], dict[str, str]],
    choose: Callable[..., Path],
    verb: str = "paint",
) -> Generator[Event, None, None]:
    """Films an open world.

    Args:
        world: It does not loop yet.
        way: How to go through it.
        text_for: What the file remembers, of the loop that was found.
        choose: Where it goes, of that text.
        verb: What becomes of pictures: they are painted, or placed.
    """
    loop = choose_loop(world, way.levels, way.path)
    film = ZoomFilm(world.looped(loop), way.size, way.fps, way.count)
    text = text_for(loop)
    target = choose(text)
    needed = film.needed()
    yield from _painting(film, needed, verb)
    most_bytes = None if way.max_mb is None else int(way.max_mb * 1_000_000)
    writing = write_video(target, film, most_bytes=most_bytes, text=text)
    size = yield from paced("filming", "film", writing, film.count, needed.work)
    yield _closes(film)
    fits = f"at {size} to fit {way.max_mb:g} MB" if size != film.size else ""
    yield Saved(target, fits, {"loop": list(loop)})


def _painting(film: ZoomFilm, needed: Needed, verb: str) -> Iterator[Event]:
    """Says what a film costs, and paints it."""
    gerund, past = f"{verb.removesuffix('e')}ing", f"{verb.removesuffix('e')}ed"
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
        yield Note(f"{cost.done:,} of them are already {past}{rest}")
    pictures, canvases = len(needed.pictures), len(needed.canvases)
    yield from paced(gerund, verb, film.painting(needed), pictures)
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
