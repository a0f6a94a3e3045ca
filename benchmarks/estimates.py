"""Estimates of time beside the time that it took, for six jobs that begin cold.

Every estimate that a job says is compared with the seconds that its task went on for. The first one
counts most: by it people decide whether to wait. Each job runs in a process of its own, since a
warm one would hide what the estimates must leave out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from scipy.optimize import nnls

import digressions as dg
from benchmarks.machine import machine, threads_of
from digressions.events import Estimate, Event, Progress
from tests.walls import framed

ALLOWED = 1.5  # times too much or too little
PROMPT = "photo of a turtle"


@dataclass(frozen=True)
class Said:
    """One estimate.

    Attributes:
        job, task: What was estimated.
        after: Seconds from the task's begin until it was said.
        said: Seconds that were said to be left.
        took: Seconds that were left.
    """

    job: str
    task: str
    after: float
    said: float
    took: float

    @property
    def ratio(self) -> float:
        """Estimate / truth."""
        return self.said / self.took


def timed(job: str, events: Iterator[Event]) -> list[Said]:
    """Runs a job to its end and gives its estimates of time beside the truth."""
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}
    told: list[tuple[str, float, float]] = []
    task = ""
    for event in events:
        now = time.perf_counter()
        if isinstance(event, Progress):
            task = event.task
            begun.setdefault(task, now)
            ended[task] = now
        elif isinstance(event, Estimate) and event.seconds is not None:
            told.append((task, now, event.seconds))
    return [
        Said(job, task, at - begun[task], seconds, ended[task] - at) for task, at, seconds in told
    ]


def mosaic(size: float) -> Iterator[Event]:
    return dg.mosaic(dg.load(), PROMPT, grid=f"{40 * size:.0f}", seed=1, output="mosaic")


def mosaic_of_enlarged(size: float) -> Iterator[Event]:
    return dg.mosaic(dg.load(), PROMPT, grid=f"{24 * size:.0f}", seed=1, enlarge=2, output="large")


def mosaic_gone_on_with(size: float) -> Iterator[Event]:
    stopped = mosaic(size)
    for event in stopped:
        if isinstance(event, Progress) and event.total and event.done > event.total / 4:
            break
    stopped.close()  # type: ignore[attr-defined]
    return mosaic(size)


def film(size: float) -> Iterator[Event]:
    return dg.film(
        *(dg.load(), PROMPT),
        grid=32,
        levels=1 + round(size),
        seconds=8.0 * size,
        seed=1,
        output="a.mp4",
    )


def film_of_painted(size: float) -> Iterator[Event]:
    dg.finish(film(size))
    return film(size)


def explanation(size: float) -> Iterator[Event]:
    from digressions.frames.explain import explain_frame
    from digressions.frames.frame_spec import FrameSpec

    spec = FrameSpec.of(
        prompts=["drawing of a fox"], explain=True, n=max(3, round(4 * size)), seed=1
    )
    return explain_frame(dg.load(), Image.fromarray(framed()), spec, Path("why"))


JOBS: dict[str, Callable[[float], Iterator[Event]]] = {
    "a mosaic": mosaic,
    "a mosaic of enlarged pictures": mosaic_of_enlarged,
    "a mosaic gone on with": mosaic_gone_on_with,
    "a film": film,
    "a film whose pictures are painted": film_of_painted,
    "an explanation": explanation,
}


WORK_SIZES = (160, 320, 480, 640)  # pixels of a frame's side
PARTS = ("picture", "CANVAS", "DRAWN", "PIXEL", "FRAME")  # as in `film_work.py`
_ROUNDS = 200  # of fitting the parts and how fast each film went


def work_of_frames(size: float) -> np.ndarray:
    """Seconds for each of `PARTS`: those that explain best how the time of films whose pictures are
    painted goes by, whatever else the machine does in one or another."""
    films = [film_frames(side, size) for side in WORK_SIZES]
    return fitted_parts([rows for rows, _ in films], [seconds for _, seconds in films])


def film_frames(side: int, size: float) -> tuple[np.ndarray, np.ndarray]:
    """The parts of the work of frames, ``(N, 5)``, and the seconds that they took, ``(N,)``."""
    from digressions.worlds import filming
    from digressions.worlds.film_work import FrameWork
    from digressions.worlds.zoom_film import ZoomFilm

    needed, own = list[FrameWork](), ZoomFilm.needed

    def noting(film_: ZoomFilm) -> Any:
        found = own(film_)
        needed[:] = found.frames
        return found

    rows, seconds = list[FrameWork](), list[float]()
    filming.ZoomFilm.needed = noting  # type: ignore[method-assign]
    for name in ("first.mp4", f"{side}.mp4"):  # the first paints and enlarges
        events = dg.film(
            *(dg.load(), PROMPT),
            grid=32,
            levels=1 + round(size),
            seconds=4.0 * size,
            seed=1,
            frame_size=side,
            output=name,
            overwrite=True,
        )
        at, done = 0.0, 0
        for event in events:
            now = time.perf_counter()
            if isinstance(event, Progress) and event.task == "filming":
                if name != "first.mp4" and done and event.done == done + 1:
                    rows.append(needed[done])
                    seconds.append(now - at)
                at, done = now, event.done
    filming.ZoomFilm.needed = own  # type: ignore[method-assign]
    return np.column_stack([np.array(rows, float), np.ones(len(rows))]), np.array(seconds)


def fitted_parts(rows: Sequence[np.ndarray], seconds: Sequence[np.ndarray]) -> np.ndarray:
    """Non-negative least squares of the seconds of films on the parts of their frames, ``(5,)``.

    Each film counts the same, and each has a speed of its own, the geometric mean of which is 1:
    other programs may slow one or another.
    """
    speed = np.ones(len(rows))
    parts = np.zeros(rows[0].shape[1])
    for _ in range(_ROUNDS):
        scaled = [each / own for each, own in zip(seconds, speed, strict=True)]
        weighted = [each / took.sum() for each, took in zip(rows, scaled, strict=True)]
        shares = [took / took.sum() for took in scaled]
        parts, _ = nnls(np.concatenate(weighted), np.concatenate(shares))
        speed = np.array(
            [took.sum() / (each @ parts).sum() for each, took in zip(rows, seconds, strict=True)]
        )
        speed /= np.exp(np.log(speed).mean())
    return parts


def run(job: str, size: float) -> list[Said]:
    """One job, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        return timed(job, JOBS[job](size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=JOBS, help="repeatable")
    parser.add_argument(
        "--size", type=float, default=1, help="of the jobs: 2 for longer ones, 0.4 for short ones"
    )
    parser.add_argument("--out", type=Path, help="JSON")
    parser.add_argument(
        "--work", action="store_true", help="instead, what a film's frame takes: see film_work.py"
    )
    given = parser.parse_args()
    console = Console(highlight=False)
    if given.work:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            read, *others = work_of_frames(given.size)
        told = [f"{name} {part / read:.3g}" for name, part in zip(PARTS[1:], others, strict=True)]
        console.print(f"reading a picture takes {1e3 * read:.2f} ms; {', '.join(told)}")
        console.print(threads_of(machine()))
        return
    found: list[Said] = []
    for job in given.only or JOBS:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            told = pool.submit(run, job, given.size).result()
        for said in told:
            console.print(
                f"{job:34} {said.task:10} after {said.after:6.1f} s: {said.said:7.1f} s, "
                f"took {said.took:7.1f} s: {said.ratio:.2f}"
            )
        if not told:
            console.print(f"{job:34} is too brief for an estimate: raise --size")
        found += told
    console.print(threads_of(machine()))
    if given.out:
        rows = [asdict(said) | {"ratio": said.ratio} for said in found]
        given.out.write_text(json.dumps({"machine": machine(), "estimates": rows}, indent=1) + "\n")
    first = {(said.job, said.task): said for said in reversed(found)}
    wrong = [said for said in first.values() if not 1 / ALLOWED <= said.ratio <= ALLOWED]
    if wrong:
        raise SystemExit(f"{len(wrong)} of {len(first)} first estimates are wrong by more")


if __name__ == "__main__":
    main()
