"""Feeds damaged files to everything that reads one, for as long as one likes.

    python -m tests.fuzz --minutes 10 --seed 1

Each reader gets files that are right, damaged at random: bytes changed, cut out, repeated; values
of JSON replaced by what nobody expects; tables of SQLite altered. It may read them or raise a
`DigressionsError`. Whatever else it does is a bug: another exception, a crash of the process, or
more than `PATIENCE` seconds of the processor. The file of each bug is kept; seed and number in its
name make it again.

No test by itself: it ends with exit code 1 if it found something, and what it found becomes a test.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from digressions.errors import DigressionsError

from .fuzz_damage import Reader
from .fuzz_databases import DATABASES
from .fuzz_media import MEDIA
from .fuzz_models import MODELS
from .fuzz_prompts import PROMPTS
from .fuzz_texts import TEXTS

PATIENCE = 20.0  # seconds of CPU that a reader may take for a file of a few kilobytes
READERS = MEDIA | TEXTS | PROMPTS | DATABASES | MODELS
"""Everything that reads files, by name."""


def case_file(reader: Reader, name: str, seed: int, case: int, folder: Path) -> Path:
    """The file of a case: a function of its seed and its number."""
    chance = random.Random(f"{seed}:{name}:{case}")
    file = chance.choice(sorted(reader.seeds))
    path = folder / file
    for left in folder.glob(f"{file}*"):  # also what SQLite leaves beside it
        left.unlink()
    path.write_bytes(reader.damage(reader.seeds[file], chance))
    return path


def _work(pipe: Any, kept: Path, names: list[str], seed: int, first: int) -> None:
    """Runs cases and tells of each before and after; ends with its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Decoders in C print what they think of a file; it is of no use here.
    sys.stderr.flush()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "cases").mkdir()
        every = {}
        for name in names or READERS:
            (folder / name).mkdir()
            every[name] = READERS[name](folder / name)
        for case in itertools.count(first):
            for name in every:
                if name == "checkpoint" and case % 20:  # slow
                    continue
                path = case_file(every[name], name, seed, case, folder / "cases")
                copied = shutil.copyfile(path, kept / f"{name}-{seed}-{case}-{path.name}")
                pipe.send(("begin", name, case, str(copied)))
                outcome, words = "read", ""
                signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # kills, also within C
                try:
                    every[name].read(path)
                except DigressionsError as error:
                    outcome = "refused"
                    if "\n" in str(error):
                        outcome, words = "bug", f"more than one line: {error!s:.300}"
                except Exception:
                    outcome, words = "bug", traceback.format_exc()
                signal.setitimer(signal.ITIMER_PROF, 0)
                if outcome != "bug":
                    copied.unlink()
                pipe.send(("end", name, outcome, words))


def _plain(line: str) -> str:
    """An error's line without what differs from case to case."""
    return re.sub("0x[0-9a-f]+|[0-9]+", "#", line)[:100]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", action="append", choices=READERS, help="repeatable")
    parser.add_argument("--kept", type=Path, default=Path("out/fuzz"), help="for the files of bugs")
    given = parser.parse_args()
    given.kept.mkdir(parents=True, exist_ok=True)
    end, first = time.monotonic() + 60 * given.minutes, given.first
    outcomes: Counter[tuple[str, str]] = Counter()
    bugs: dict[str, str] = {}
    spawn = multiprocessing.get_context("spawn")
    while time.monotonic() < end:
        mine, theirs = spawn.Pipe(duplex=False)
        worker = spawn.Process(
            target=_work,
            args=(theirs, given.kept, given.only or [], given.seed, first),
            daemon=True,
        )
        worker.start()
        theirs.close()
        name = file = ""
        try:
            while time.monotonic() < end:
                if not mine.poll(1):
                    continue
                kind, name, what, words = mine.recv()
                if kind == "begin":
                    first, file = what + 1, words
                    continue
                outcomes[name, what] += 1
                last = words.strip().splitlines()[-1] if words else ""
                if what == "bug" and (key := f"{name}: {_plain(last)}") not in bugs:
                    bugs[key] = words
                    print(f"{key}\n  {file}\n{words}", flush=True)
        except EOFError:
            key = f"{name}: the process died or hung"
            outcomes[name, "bug"] += 1
            if name and key not in bugs:
                bugs[key] = file
                print(f"{key}\n  {file}", flush=True)
        worker.kill()
        worker.join()
    for name in sorted({name for name, _ in outcomes}):
        counts = ", ".join(f"{outcomes[name, how]:,} {how}" for how in ("read", "refused", "bug"))
        print(f"{name:12} {counts}")
    sys.exit(bool(bugs))


if __name__ == "__main__":
    main()
