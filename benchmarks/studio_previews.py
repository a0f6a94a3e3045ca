"""What previews take of a job's time in the studio, with a page in Chromium that follows it.

    OMP_NUM_THREADS=1 python -m benchmarks.studio_previews --update docs/studio.md

Seconds of processor time of the studio's process, which other work on the machine hardly changes.
"Making" is done where the job is done: colours from latents, a mosaic copied as it fills in.
"Showing" is the rest up to Gradio's having it sent: the picture encoded, the panel written. The
last column is all that the process does besides the job while it works: also the first and the last
panel, the queue in the header, and the server itself.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from benchmarks.page import update
from digressions.events import Event
from digressions.generate.preview_pace import PreviewPace
from digressions.models.loading import load
from digressions.studio.jobs import Work
from digressions.studio.studio import Studio
from digressions.studio.studio_job import Settings
from tests.conftest import open_chromium
from tests.studios import StudioPage, open_studio, until

JOBS = {
    "Paint, one picture of 4 steps": "tab=paint&prompt=photo+of+a+fox&steps=4&enlarge=1&seed=1",
    "Paint, one picture of 30 steps": "tab=paint&prompt=photo+of+a+fox&steps=30&enlarge=1&seed=1",
    "Ensemble of three prompts": "tab=ensemble&prompt_1=photo+of+a+fox&prompt_2=photo+of+an+owl"
    "&prompt_3=photo+of+a+bee&enlarge=1&seed=1",
    "Mosaic of 16 x 16": "tab=mosaic&prompt=photo+of+a+fox&grid=16&seed=1",
}


class Spent(NamedTuple):
    """Seconds of processor time: of the process, and of it for previews and besides the job."""

    whole: float
    making: float
    showing: float
    besides: float


class Counted:
    """Counts what jobs and previews take, while a studio is open."""

    def __init__(self) -> None:
        self.making = self.showing = self.work = 0.0
        self._usual = PreviewPace.making

    @contextmanager
    def previews(self, pace: PreviewPace) -> Iterator[None]:
        """In place of `PreviewPace.making`."""
        start = time.thread_time()
        with self._usual(pace):
            yield
        spent = time.thread_time() - start
        if threading.current_thread().name == "jobs":
            self.making += spent
        else:
            self.showing += spent

    def working(self, work: Work) -> Work:
        """In place of a work: the same, counted."""

        def counted(settings: Settings) -> Iterator[Event]:
            events = work(settings)
            while True:
                start = time.thread_time()
                event = next(events, None)
                self.work += time.thread_time() - start
                if event is None:
                    return
                yield event

        return counted


def run(page: StudioPage, studio: Studio, query: str) -> Spent:
    """One job, from the press to the end, with the page as it is."""
    tab = query.removeprefix("tab=").partition("&")[0]
    counted, usual = Counted(), studio.jobs._works[tab]
    page.open(query)
    until(lambda: not studio.jobs.queue(), 300)  # a mosaic's cost is measured first
    studio.jobs.learn(tab, counted.working(usual), resumes=studio.jobs.resumes(tab))

    def making(pace: PreviewPace) -> Any:
        return counted.previews(pace)

    with mock.patch.object(PreviewPace, "making", making):
        start, own = time.process_time(), time.thread_time()
        page.click(f"{tab}-go")
        until(lambda: page.state(tab) == "finished", 900)
        whole = time.process_time() - start - (time.thread_time() - own)  # which only looks on
    studio.jobs.learn(tab, usual, resumes=studio.jobs.resumes(tab))
    return Spent(whole, counted.making, counted.showing, whole - counted.work)


def table(rows: dict[str, Sequence[Spent]]) -> str:
    """The sums of some runs of each job as a table."""
    lines = [
        "| job | processor time | making | showing | previews in all | besides the job |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, runs in rows.items():
        whole, making, showing, besides = (sum(part) for part in zip(*runs, strict=True))
        shares = " | ".join(
            f"{part / whole:.1%}" for part in (making, showing, making + showing, besides)
        )
        lines.append(f"| {name} | {whole / len(runs):.1f} s | {shares} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", nargs="*", default=list(JOBS), choices=JOBS)
    parser.add_argument("--update", type=Path, help="page of the docs whose table is replaced")
    arguments = parser.parse_args()
    driver = open_chromium()
    model = load("bundled", "cpu", "float32")
    with tempfile.TemporaryDirectory() as folder, open_studio(Path(folder) / "out", model) as found:
        page = StudioPage(driver, found.address)
        rows = {
            name: [run(page, found.studio, JOBS[name]) for _ in range(arguments.runs)]
            for name in arguments.jobs
        }
    driver.quit()
    text = table(rows)
    print(text)
    if arguments.update is not None:
        update(arguments.update, text, "previews")


if __name__ == "__main__":
    main()
