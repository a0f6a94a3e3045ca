"""``digress zoom``: a film that falls into a picture made of pictures, for ever."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import duration, err, out, progress
from ..errors import InputError, StoppedError
from ..geometry import CellPath, Size
from .chosen import check_reuse, grown, loaded_world, slug
from .far import FleetOptions, far_engine
from .groups import CacheOptions, CellOptions, RootOptions, TunedModelOptions, spread
from .options import Prompt, Reuse

if TYPE_CHECKING:
    from ..batching import Painter
    from ..models import Model
    from ..worlds.flight import Flight
    from ..worlds.zoom import Zoom


@spread
def zoom(
    prompt: Prompt,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="FILE.mp4, .webm or .gif, or a folder for PNGs; out/PROMPT.mp4 if not said.",
        ),
    ] = None,
    levels: Annotated[int, typer.Option(help="Pictures to fall through in one round.")] = 2,
    seconds: Annotated[
        float | None, typer.Option(help="Of one round; 5 a level if not said.")
    ] = None,
    fps: Annotated[int, typer.Option(help="Frames a second.")] = 25,
    size: Annotated[str, typer.Option(help="Of a frame: WIDTHxHEIGHT, or one for both.")] = "480",
    into: Annotated[
        str, typer.Option(help="Numbers of the first cells to fall into, like 1500/2200.")
    ] = "",
    max_mb: Annotated[
        float | None, typer.Option(help="A GIF is made smaller until it takes less.")
    ] = None,
    root: RootOptions,
    reuse: Reuse = None,
    cells: CellOptions,
    cache: CacheOptions,
    batch_size: Annotated[int, typer.Option(help="Pictures painted at once (by a worker).")] = 32,
    model: TunedModelOptions,
    fleet: FleetOptions,
) -> None:
    """Fall into a picture made of pictures and come out where it began: a film that loops."""
    from ..pictures.film import check_film
    from ..worlds.flight import Flight

    screen, first_cells = Size.parse(size), _path(into)
    target = output or Path("out") / f"{slug(prompt)}.mp4"
    count = _frame_count(levels, seconds, fps)
    _check(screen, batch_size, max_mb, reuse)
    cache.check()
    check_film(target, screen)
    if max_mb is not None and target.suffix.lower() != ".gif":
        raise InputError(f"--max-mb is for a GIF: leave it out, or give -o {target.stem}.gif")
    fleet.check()
    loaded, world = loaded_world(prompt, root, cells, model)
    flight = Flight(world, reuse, levels, first_cells, screen, fps, count)
    if not fleet.far:
        run_flight(loaded, flight, target, cache.store, batch_size=batch_size, max_mb=max_mb)
        return
    from ..engines.painter import far_painter, part_painter

    with far_engine(fleet, loaded, model) as hands:
        with err.status("waiting for the first worker"):
            hands.begin(part_painter)
        together = batch_size * hands.wanted  # asked for at once, so that all have something to do
        painter = far_painter(hands, batch_size)
        run_flight(
            loaded,
            flight,
            target,
            cache.store,
            batch_size=together,
            max_mb=max_mb,
            painter=painter,
        )


def run_flight(
    model: Model,
    flight: Flight,
    target: Path,
    cache: tuple[Path, int],
    *,
    batch_size: int = 32,
    max_mb: float | None = None,
    painter: Painter | None = None,
) -> None:
    """Makes a film, and says what it costs, how far it is and how well it closes.

    Args:
        model: Paints it.
        flight: What it is made of.
        target: The file, or the folder of its frames.
        cache: The file that keeps what is painted, and its limit in bytes.
        batch_size: Pictures painted at once.
        max_mb: Megabytes that a GIF may take, or ``None``.
        painter: Paints the pictures; the model itself if not given.

    Raises:
        StoppedError: Ctrl-C; it says how to go on.
    """
    from ..worlds.bank import FiniteWorld
    from ..worlds.cache import Cache
    from ..worlds.genesis import manifest_of, open_world
    from ..worlds.zoom import Zoom, choose_loop

    manifest = manifest_of(model, flight.world)
    manifest.check_path(flight.path)
    try:
        with Cache(*cache) as pictures:
            world = open_world(
                manifest,
                model,
                flight.world.primary,
                pictures,
                batch_size=batch_size,
                painter=painter,
            )
            if flight.reuse is not None:
                world = FiniteWorld(world, grown(world, flight.reuse))
            loop = choose_loop(world, flight.levels, flight.path)
            film = Zoom(world.looped(loop), flight.size, flight.fps, flight.count)
            _paint(film)
            _write(film, flight, target, max_mb)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; what is painted is kept in {cache[0]}: the same command goes on"
        ) from None


def _paint(film: Zoom) -> None:
    """Says what the film costs, and paints it."""
    needed = film.needed()
    cost, levels = film.cost(needed), len(film.world.manifest.loop)
    whole = levels * film.world.manifest.cells.grid.cells
    # Where pictures have few cells, deeper ones show as well.
    of_whole = f" of {whole:,} in whole levels" if cost.pictures < whole else ""
    out.print(
        f"{levels} levels in {film.count:,} frames of {film.size} ({film.count / film.fps:.1f} s): "
        f"{cost.pictures:,} pictures{of_whole}, {cost.canvases:,} of them enlarged, "
        f"about {duration(cost.seconds)}"
    )
    if cost.done:
        out.print(f"painted already: {cost.done:,}; going on with the rest")
    with progress() as bar:
        total = len(needed.pictures) + len(needed.canvases)
        task = bar.add_task("painting", total=total)
        for ready in film.prepare(needed):
            bar.advance(task, ready)


def _write(film: Zoom, flight: Flight, target: Path, max_mb: float | None) -> None:
    """Writes the film, and says how well it closes."""
    from ..pictures.film import write_film
    from ..pictures.metadata import to_text
    from ..worlds.flight import settings_of

    most = None if max_mb is None else int(max_mb * 1_000_000)
    with progress() as bar:
        task = bar.add_task("filming", total=film.count)
        size = write_film(
            target,
            film,
            most_bytes=most,
            text=to_text(settings_of(flight, film)),
            on_frame=lambda done: bar.update(task, completed=done),
        )
    world = film.world
    loop = world.manifest.loop
    out.print(
        f"falls into {'/'.join(map(str, loop))} and closes: the root is its cell there to "
        f"{world.residual(loop):.2f} grey levels"
        + (f", its picture the one above to {world.residual(loop[:-1]):.2f}" if loop[1:] else "")
    )
    out.print(f"{target}" + (f", at {size} to fit {max_mb:g} MB" if size != film.size else ""))


def _frame_count(levels: int, seconds: float | None, fps: int) -> int:
    if not 1 <= levels <= 1000:
        raise InputError(f"--levels {levels} is out of range: 1 to 1000")
    if not 1 <= fps <= 120:
        raise InputError(f"--fps {fps} is out of range: 1 to 120")
    wanted = 5.0 * levels if seconds is None else seconds
    if not (math.isfinite(wanted) and 0 < wanted <= 3600):
        raise InputError(f"--seconds {wanted:g} is out of range: more than 0, at most an hour")
    return max(1, round(wanted * fps))


def _check(screen: Size, batch_size: int, max_mb: float | None, reuse: int | None) -> None:
    if not 32 <= min(screen) <= max(screen) <= 4096:
        raise InputError(f"--size {screen} is out of range: 32 to 4096 a side")
    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size} must be at least 1")
    check_reuse(reuse)
    if max_mb is not None and not max_mb > 0:
        raise InputError(f"--max-mb {max_mb} must be more than 0")


def _path(text: str) -> CellPath:
    try:
        return tuple(int(cell) for cell in text.split("/") if text)
    except ValueError as error:
        raise InputError(f"--into {text!r}: give numbers of cells, like 1500/2200") from error
