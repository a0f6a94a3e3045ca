"""Seconds a picture of painting a mosaic's cells: diffusers' own pipeline, and this package.

    python -m benchmarks.mosaic --update docs/speed.md

Every side goes from a prompt and start pictures in memory to finished 8-bit pictures in memory.
This package's sides also cut the cells out of the base image, steer and correct the band; the
pipeline's sides are handed cells that are cut already. No side writes files. The sides take turns
within each repeat, so that a machine that slows down slows all of them, and ratios are taken
within a repeat.

    python -m benchmarks.mosaic --compile --cells 256 --update docs/speed.md

compares this package compiled (torch.compile) with itself, and tells after how many pictures the
compiling has paid.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import clock_for, clock_name, machine, threads_of
from benchmarks.page import update
from benchmarks.sides import GRID, Side, compiled_sides, sides
from benchmarks.subject import PROMPT
from digressions.device import device_for

REFERENCE = "d"  # what the ratios are relative to


def measure(sides: Sequence[Side], repeats: int) -> None:
    """Warms every side, then lets them take turns."""
    for side in sides:
        side.warm()
    for _ in range(repeats):
        for side in sides:
            side.run()


def ratios(sides: Sequence[Side]) -> dict[str, dict[str, float]]:
    """How many times as long as the reference each side takes: median and range over repeats."""
    reference = next(side for side in sides if side.key == REFERENCE)
    found = {}
    for side in sides:
        each = [a / b for a, b in zip(side.seconds, reference.seconds, strict=True)]
        found[side.key] = {
            "median": statistics.median(each),
            "lowest": min(each),
            "highest": max(each),
        }
    return found


def table(figures: Sequence[dict[str, Any]], ratios: dict[str, dict[str, float]]) -> Table:
    """One row a side."""
    drawn = Table()
    for heading in ("", "side", "settings", "dtype", "batch", "cells a repeat"):
        drawn.add_column(heading)
    for heading in (
        "s a picture",
        f"times ({REFERENCE})",
        "range",
        "in the network",
        f"min for {GRID.cells:,}",
    ):
        drawn.add_column(heading, justify="right")
    for side in figures:
        ratio = ratios[side["key"]]
        drawn.add_row(
            side["key"],
            side["name"],
            ", ".join(f"{name} {value:g}" for name, value in side["settings"].items()),
            side["dtype"],
            str(side["batch"]),
            str(side["cells_a_repeat"]),
            f"{side['median_seconds']:.4f}",
            f"{ratio['median']:.2f}",
            f"{ratio['lowest']:.2f}-{ratio['highest']:.2f}",
            f"{side['network_share']:.0%}",
            f"{side['forecast_minutes']:.1f}",
        )
    return drawn


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and writes JSON where asked; returns what is written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page with a section between mosaic marks")
    parser.add_argument("--cells", type=int, default=64, help="a repeat, for sides in batches")
    parser.add_argument("--single", type=int, default=8, help="a repeat, for sides cell by cell")
    parser.add_argument("--batch", type=int, default=32, help="cells a batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="only d, and d compiled: minutes")
    asked = parser.parse_args(arguments)
    if min(asked.cells, asked.single, asked.batch, asked.repeats) < 1:
        parser.error("--cells, --single, --batch and --repeats must be at least 1")
    if max(asked.cells, asked.single) > GRID.cells:
        parser.error(f"--cells and --single: at most {GRID.cells}, the cells of the grid")
    if asked.compile:
        found = compiled_sides(asked.cells, asked.batch)
    else:
        found = sides(asked.cells, asked.single, asked.batch)
    with tempfile.TemporaryDirectory() as empty:  # what was compiled before does not count
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = empty
        measure(found, asked.repeats)
    report = {
        "machine": machine(("diffusers", "transformers")),
        "prompt": PROMPT,
        "grid": str(GRID),
        "repeats": asked.repeats,
        "sides": [side.figures() for side in found],
        "ratios": ratios(found),
    }
    show(report)
    if asked.out is not None:
        asked.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if asked.update is not None:
        name = "compile" if asked.compile else "mosaic"
        update(asked.update, section(report), name)
    return report


def section(report: dict[str, Any]) -> str:
    """The table in Markdown, with what it was measured on."""
    lines = [
        f"| | side | steps run, guidance | batch | s a picture | times {REFERENCE} (range) "
        f"| in the network | min for {GRID.cells:,} |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for side in report["sides"]:
        ratio, settings = report["ratios"][side["key"]], side["settings"]
        guidance = settings["guidance"]
        values = (
            *(side["key"], side["name"]),
            f"{settings['steps_run']} of {settings['steps']}, guidance {guidance:g}",
            *(str(side["batch"]), f"{side['median_seconds']:.4f}"),
            f"{ratio['median']:.2f} ({ratio['lowest']:.2f}-{ratio['highest']:.2f})",
            *(f"{side['network_share']:.0%}", f"{side['forecast_minutes']:.1f}"),
        )
        lines.append(f"| {' | '.join(values)} |")
    seen = report["machine"]
    (last,) = (side for side in report["sides"] if side["key"] == REFERENCE)
    versions = ", ".join(f"{name} {number}" for name, number in seen["versions"].items())
    return "\n".join(lines) + (
        f'\n\n"{report["prompt"]}", strength {last["settings"]["strength"]:g}, '
        f"{last['dtype']}, {seen['cpu']}, {seen['cores']} cores, {threads_of(seen)}; "
        f"{versions}; medians of {report['repeats']} interleaved repeats, "
        f"{clock_name(clock_for(device_for('cpu')))}.{paid(report['sides'])}\n"
    )


def paid(sides: Sequence[dict[str, Any]]) -> str:
    """What compiling cost and after how many pictures that has paid; nothing if none was."""
    compiled = [side for side in sides if side["key"] == "f"]
    if not compiled:
        return ""
    (plain,) = (side for side in sides if side["key"] == REFERENCE)
    cost = compiled[0]["warming"] - plain["warming"]
    saved = plain["median_seconds"] - compiled[0]["median_seconds"]
    after = f"that has paid after {cost / saved:,.0f} pictures" if saved > 0 else "it never pays"
    return f"\nCompiling, with batches of {plain['batch']} alone, took {cost:.0f} s: {after}."


def show(report: dict[str, Any]) -> None:
    """The table, and under it what it was measured on."""
    console = Console(width=200)
    console.print(table(report["sides"], report["ratios"]))
    seen = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in seen["versions"].items())
    console.print(
        f"{seen['cpu']}, {seen['cores']} cores, {threads_of(seen)}; {versions}; "
        f"Python {seen['python']}; medians of {report['repeats']} interleaved repeats"
    )


if __name__ == "__main__":
    main()
