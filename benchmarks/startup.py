"""Two checkouts beside each other: how fast the command line is there, and what memory it takes.

    python benchmarks/startup.py --src OLD/src --src NEW/src

Each path is the folder that holds the package, or a checkout with that folder as its ``src``. They
take turns, and the one that begins changes with each turn, so that a machine that slows down slows
both; ratios are taken within a turn. Measured are ``digress --help``, and ``digress mosaic`` with
the bundled model: pictures a second as it says itself, seconds of processor time and of the whole
process, the most memory that it holds. Every run is a process of its own, with a folder of its own.
How many pictures a mosaic paints at once is found by measuring, and its memory goes with that.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

if not __package__:  # as a script: what lies beside it must not pass for other packages
    sys.path[0] = str(Path(__file__).parents[1])

PROMPT = "photo of a turtle"
SEED = "14"
RATE = re.compile(r"([\d.,]+)\s+pictures/s")
KIBIBYTE = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in


class Ran(NamedTuple):
    """What one process took.

    Attributes:
        seconds: From its start to its end.
        processor: Seconds that it had of the processor.
        peak: Bytes of memory, at most.
        said: What it wrote.
    """

    seconds: float
    processor: float
    peak: int
    said: str


class Figure(NamedTuple):
    """A line of the table.

    Attributes:
        values: For each checkout one of each turn.
    """

    name: str
    unit: str
    values: tuple[list[float], list[float]]


def source(path: Path) -> Path:
    """The folder that holds the package. Raises `SystemExit` where there is none."""
    for folder in (path, path / "src"):
        if (folder / "digressions" / "__init__.py").is_file():
            return folder.resolve()
    raise SystemExit(f"{path} holds no package digressions")


def run(folder: Path, arguments: Sequence[str], where: Path) -> Ran:
    """Runs ``python`` with the package of a folder, in ``where``.

    Raises:
        SystemExit: It failed.
    """
    given = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200", "HF_HUB_OFFLINE": "1"}
    with (where / "said.txt").open("w+", encoding="utf-8") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], env=given, cwd=where, stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise SystemExit(f"{folder}: {' '.join(arguments)} failed:\n{text}")
    return Ran(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * KIBIBYTE, text)


def check(folder: Path) -> None:
    """Raises `SystemExit` where ``python -m digressions`` would be another one's."""
    with tempfile.TemporaryDirectory() as where:
        program = "import digressions; print(digressions.__file__)"
        found = run(folder, ["-c", program], Path(where)).said.strip()
    if Path(found).resolve().parent.parent != folder:
        raise SystemExit(f"the package of {folder} is hidden by {found}")


def help_once(folder: Path) -> Ran:
    """``digress --help``."""
    with tempfile.TemporaryDirectory() as where:
        return run(folder, ["-m", "digressions", "--help"], Path(where))


def mosaic_once(folder: Path, grid: int) -> Ran:
    """A mosaic of ``grid x grid`` pictures, into a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as where:
        words = ["-m", "digressions", "mosaic", PROMPT, "--seed", SEED, "-o", "made"]
        return run(folder, [*words, "--grid", str(grid)], Path(where))


def rate(ran: Ran, pictures: int) -> float:
    """Pictures a second: as it says itself, or of the whole run."""
    found = RATE.search(ran.said)
    return pictures / ran.seconds if found is None else float(found[1].replace(",", ""))


def in_turns(
    folders: Sequence[Path], once: Callable[[Path], Ran], turns: int
) -> tuple[list[Ran], list[Ran]]:
    """What each of two takes in each turn."""
    found: tuple[list[Ran], list[Ran]] = ([], [])
    for turn in range(turns):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            found[side].append(once(folders[side]))
    return found


def figures(
    name: str, runs: tuple[list[Ran], list[Ran]], pictures: int | None = None
) -> list[Figure]:
    """The lines that runs of one kind give."""

    def line(what: str, unit: str, value: Callable[[Ran], float]) -> Figure:
        first, second = ([value(ran) for ran in side] for side in runs)
        return Figure(f"{name}: {what}", unit, (first, second))

    lines = [] if pictures is None else [line("rate", "pictures/s", lambda r: rate(r, pictures))]
    return [
        *lines,
        line("whole run", "s", lambda ran: ran.seconds),
        line("processor", "s", lambda ran: ran.processor),
        line("memory", "MiB", lambda ran: ran.peak / 2**20),
    ]


def table(found: Sequence[Figure]) -> str:
    """Medians, and ratios within a turn, in Markdown."""
    lines = ["| | A | B | B / A (range) | turns |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, unit, (first, second) in found:
        ratios = [b / a for a, b in zip(first, second, strict=True)]
        medians = (f"{statistics.median(side):.4g} {unit}" for side in (first, second))
        ratio = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
        lines.append(f"| {' | '.join((name, *medians, ratio, str(len(ratios))))} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> list[Figure]:
    """Measures and prints; returns the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--src", type=Path, action="append", required=True, help="give it twice")
    parser.add_argument("--runs", type=int, default=15, help="turns of --help")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each mosaic")
    parser.add_argument("--grid", type=int, action="append", help="16 and 64 if not said")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    asked = parser.parse_args(arguments)
    if len(asked.src) != 2:
        parser.error("--src must be given twice")
    if min(asked.runs, asked.repeats) < 1:
        parser.error("--runs and --repeats must be at least 1")
    folders = [source(path) for path in asked.src]
    for folder in folders:
        check(folder)
        help_once(folder)  # compiles, and brings the files into memory
    found = figures("`digress --help`", in_turns(folders, help_once, asked.runs))
    for grid in asked.grid or (16, 64):
        runs = in_turns(folders, lambda folder, grid=grid: mosaic_once(folder, grid), asked.repeats)
        found += figures(f"mosaic {grid}x{grid}", runs, grid**2)
    # Not before: Linux counts what a process held before it became another one, this one's memory.
    from benchmarks.machine import machine, threads_of

    seen = machine()
    print(f"A: {folders[0]}\nB: {folders[1]}\n\n{table(found)}\n")
    print(f"{seen['cpu']}, {seen['cores']} cores, {threads_of(seen)}; Python {seen['python']}")
    if asked.out is not None:
        report = {"machine": seen, "src": [str(folder) for folder in folders]}
        report["figures"] = [figure._asdict() for figure in found]
        asked.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return found


if __name__ == "__main__":
    main()
