"""What a film costs: seconds of film per minute of work, pictures a level, memory.

Each film is made by a process of its own with a cache of its own, so that its peak memory is its
own. With ``--rehearse`` nothing but noise is painted: for memory, that makes no difference.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.subject import default_mosaic, painted_primary
from digressions.geometry import Grid, Size
from digressions.models import load
from digressions.paint import paint_batch, paint_noise
from digressions.pictures.film import write_film
from digressions.pictures.images import to_array
from digressions.upscale import load_upscaler
from digressions.worlds.bank import grow_bank
from digressions.worlds.cache import Cache
from digressions.worlds.world import Manifest, World
from digressions.worlds.zoom import Zoom, choose_loop

FPS = 25


@dataclass(frozen=True)
class Asked:
    """One film, or one bank where ``bank`` says of how many pictures."""

    grid: int
    size: int
    levels: int
    seconds: float
    rehearse: bool
    upscaler: str
    bank: int = 0


def open_world(asked: Asked, folder: Path) -> World:
    """The world of the benchmarks' frog, with an empty cache in ``folder``."""
    model = load("bundled", "cpu")
    cells = default_mosaic(model, Grid(asked.grid, asked.grid))
    root = to_array(painted_primary(model, cells))
    painter = paint_noise if asked.rehearse else functools.partial(paint_batch, model)
    manifest = Manifest(model.hash, "benchmark", cells, upscaler=asked.upscaler)
    upscaler = load_upscaler(asked.upscaler)
    return World(manifest, root, painter, upscaler, Cache(folder / "worlds.sqlite"))


def film(asked: Asked) -> dict[str, Any]:
    """Makes a film and says what it took."""
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(asked, Path(folder))
        before, begun = _peak(), time.perf_counter()
        count = round(asked.seconds * FPS)
        zoom = Zoom(
            world.looped(choose_loop(world, asked.levels)),
            Size(asked.size, asked.size),
            FPS,
            count,
        )
        needed = zoom.needed()
        for _ in zoom.prepare(needed):
            pass
        painted = time.perf_counter()
        write_film(Path(folder) / "film.mp4", zoom)
        done = time.perf_counter()
        return {
            "seconds": asked.seconds,
            "size": asked.size,
            "pictures": dict(sorted(Counter(map(len, needed.pictures)).items())),
            "enlarged": len(needed.canvases),
            "painting": painted - begun,
            "filming": done - painted,
            "film_seconds_a_minute": asked.seconds / (done - begun) * 60,
            "peak_mib": _peak(),
            "loaded_mib": before,
        }


def bank(asked: Asked) -> dict[str, Any]:
    """Grows a bank and says how well it covers its own cells."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        coverage = grow_bank(open_world(asked, Path(folder)), asked.bank).coverage
        return coverage._asdict() | {"growing": time.perf_counter() - begun}


def _peak() -> float:
    """Largest resident size of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def alone(asked: Asked) -> dict[str, Any]:
    """`film` or `bank` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(bank if asked.bank else film, asked).result()


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and writes JSON where asked; returns what is written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--grid", type=int, default=64)
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--levels", type=int, default=2)
    parser.add_argument("--seconds", type=float, nargs="*", default=[10, 100])
    parser.add_argument("--banks", type=int, nargs="*", default=[], help="pictures of each bank")
    parser.add_argument("--upscaler", default="realesrgan-animevideo")
    parser.add_argument("--rehearse", action="store_true", help="paint noise")
    given = vars(parser.parse_args(arguments))
    out, lengths, banks = given.pop("out"), given.pop("seconds"), given.pop("banks")
    report = {
        "machine": machine(("av",)),
        "asked": given,
        "films": [alone(Asked(seconds=seconds, **given)) for seconds in lengths],
        "banks": [alone(Asked(seconds=1, bank=count, **given)) for count in banks],
    }
    show(report)
    if out is not None:
        out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return report


def show(report: dict[str, Any]) -> None:
    """The tables, and under them what they were measured on."""
    console, cells = Console(width=160), report["asked"]["grid"] ** 2
    films = Table("film", "pictures by depth", f"of {cells:,} a level", "enlarged", "painting")
    for heading in ("filming", "film a minute of work", "peak memory", "of it loaded before"):
        films.add_column(heading)
    for row in report["films"]:
        deep = {depth: count for depth, count in row["pictures"].items() if int(depth)}
        films.add_row(
            f"{row['seconds']:g} s, {row['size']} px",
            ", ".join(map(str, deep.values())),
            ", ".join(f"{count / cells:.1%}" for count in deep.values()),
            str(row["enlarged"]),
            f"{row['painting']:.0f} s",
            f"{row['filming']:.0f} s",
            f"{row['film_seconds_a_minute']:.1f} s",
            f"{row['peak_mib']:.0f} MiB",
            f"{row['loaded_mib']:.0f} MiB",
        )
    console.print(films)
    if report["banks"]:
        banks = Table("bank", "of its cells within 0.05 in OKLab", "mean distance", "growing")
        for row in report["banks"]:
            banks.add_row(
                str(row["pictures"]),
                f"{row['close']:.0%}",
                f"{row['error']:.3f}",
                f"{row['growing']:.0f} s",
            )
        console.print(banks)
    seen = report["machine"]
    console.print(f"{seen['cpu']}, {seen['cores']} cores, {seen['threads']} threads")


if __name__ == "__main__":
    main()
