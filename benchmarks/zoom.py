"""What a film costs: seconds of film per minute of work, pictures a level, memory.

Each film is made by a process of its own with a cache of its own, so that its peak memory is its
own. With ``--rehearse`` nothing but noise is painted: for memory, that makes no difference.
"""

from __future__ import annotations

import argparse
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

from benchmarks.machine import machine, threads_of
from benchmarks.page import update
from benchmarks.subject import default_mosaic, painted_base_image
from digressions.events import completed
from digressions.generate.paint import painter_of
from digressions.geometry import Grid, Size
from digressions.images.image_files import to_array
from digressions.images.upscale import load_upscaler
from digressions.images.video import write_video
from digressions.models.loading import load
from digressions.worlds.cache import Cache
from digressions.worlds.manifest import Manifest
from digressions.worlds.ways import choose_loop
from digressions.worlds.world import World
from digressions.worlds.zoom_film import ZoomFilm
from tests.painters import grow_bank, paint_noise

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
    root = to_array(painted_base_image(model, cells))
    painter = paint_noise if asked.rehearse else painter_of(model)
    manifest = Manifest(model=model.hash, root="benchmark", cells=cells, upscaler=asked.upscaler)
    upscaler = load_upscaler(asked.upscaler)
    return World(manifest, root, painter, upscaler, Cache(folder / "worlds.sqlite"))


def film(asked: Asked) -> dict[str, Any]:
    """Makes a film and says what it took."""
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(asked, Path(folder))
        before, begun = _peak(), time.perf_counter()
        count = round(asked.seconds * FPS)
        zoom = ZoomFilm(
            world.looped(choose_loop(world, asked.levels)),
            Size(asked.size, asked.size),
            FPS,
            count,
        )
        needed = zoom.needed()
        completed(zoom.painting(needed))
        completed(zoom.enlarging(needed))
        painted = time.perf_counter()
        completed(write_video(Path(folder) / "film.mp4", zoom))
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
    parser.add_argument("--update", type=Path, help="page whose generated section to write")
    parser.add_argument("--grid", type=int, default=64)
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--levels", type=int, default=2)
    parser.add_argument("--seconds", type=float, nargs="*", default=[10, 100])
    parser.add_argument("--banks", type=int, nargs="*", default=[], help="pictures of each bank")
    parser.add_argument("--upscaler", default="realesrgan-animevideo")
    parser.add_argument("--rehearse", action="store_true", help="paint noise")
    given = vars(parser.parse_args(arguments))
    out, page = given.pop("out"), given.pop("update")
    lengths, banks = given.pop("seconds"), given.pop("banks")
    report = {
        "machine": machine(("av",)),
        "asked": given,
        "films": [alone(Asked(seconds=seconds, **given)) for seconds in lengths],
        "banks": [alone(Asked(seconds=1, bank=count, **given)) for count in banks],
    }
    text = section(report)
    Console(width=160, markup=False).print(text)
    if out is not None:
        out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if page is not None:
        update(page, text, "zoom")
    return report


def section(report: dict[str, Any]) -> str:
    """The tables in Markdown, and under them what they were measured on."""
    return "\n" + "\n".join([*_films(report), *_banks(report["banks"]), *_where(report)]) + "\n"


def _films(report: dict[str, Any]) -> list[str]:
    cells = report["asked"]["grid"] ** 2
    lines = [
        f"| film | pictures by depth | of {cells:,} a level | enlarged | painting, s | "
        "filming, s | s of film a minute of work | peak memory, MiB | of it loaded before |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in report["films"]:
        deep = [count for depth, count in row["pictures"].items() if int(depth)]
        figures = (
            f"{row['seconds']:g} s, {row['size']} px",
            ", ".join(map(str, deep)),
            ", ".join(f"{count / cells:.1%}" for count in deep),
            row["enlarged"],
            f"{row['painting']:.0f}",
            f"{row['filming']:.0f}",
            f"{row['film_seconds_a_minute']:.1f}",
            f"{row['peak_mib']:.0f}",
            f"{row['loaded_mib']:.0f}",
        )
        lines.append(f"| {' | '.join(map(str, figures))} |")
    return [*lines, ""] if report["films"] else []


def _banks(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "| bank | of its cells within 0.05 in OKLab | mean distance | growing, s |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        seconds = f"{row['growing']:.0f}"
        lines.append(f"| {row['pictures']} | {row['close']:.0%} | {row['error']:.3f} | {seconds} |")
    return [*lines, ""] if rows else []


def _where(report: dict[str, Any]) -> list[str]:
    seen, asked = report["machine"], report["asked"]
    what = "noise instead of pictures" if asked["rehearse"] else "the bundled model"
    return [
        f"`python -m benchmarks.zoom` printed this: {seen['cpu']}, {seen['cores']} cores, "
        f"{threads_of(seen)}; {asked['grid']} x {asked['grid']} cells, {what}, "
        f"{asked['upscaler']}."
    ]


if __name__ == "__main__":
    main()
