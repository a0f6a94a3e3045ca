"""One queue of jobs for the device: one at a time, and every page of the browser in its turn.

A job belongs to the studio and not to the page that asked for it: it goes on when the page is
closed, and a page that comes back looks at it again. What a job is asked to do is kept in a file
until it has ended (`kept_jobs`), and what a studio that was killed had not finished is paused when
it is opened again.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import DigressionsError, InputError, OutputError
from ..events import Event
from .kept_jobs import KeptJobs
from .studio_job import Job, Settings, State

MOST_WAITING = 500
_REMEMBERED = 200  # ended jobs that pages can still ask for

Work: TypeAlias = Callable[[Settings], Iterator[Event]]
"""A use case, begun with the settings of a job."""


class Jobs:
    """The queue, and the thread that works through it.

    Attributes:
        strangers: Whether pages are of people who do not know each other.

    Args:
        folder: Keeps what is asked for until it has ended.
    """

    strangers = False

    def __init__(self, folder: Path) -> None:
        self._kept = KeptJobs(folder)
        self._works: dict[str, Work] = {}
        self._passing: set[str] = set()  # kinds that are not kept
        self._resuming: set[str] = set()
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._closed = False
        self._last_page = ""
        for left in self._kept.left():
            job = Job(next(self._numbers), "", left.kind, left.settings, left.title, left.file)
            job.state, job.is_left = "paused", True
            self._jobs[job.number] = job
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def learn(self, kind: str, work: Work, *, kept: bool = True, resumes: bool = False) -> None:
        """Registers how jobs of a kind are done.

        Args:
            kept: Whether they are offered again after the studio was killed.
            resumes: Whether they go on where they were stopped, so that pausing loses nothing.
        """
        self._works[kind] = work
        (self._passing.discard if kept else self._passing.add)(kind)
        (self._resuming.add if resumes else self._resuming.discard)(kind)

    def resumes(self, kind: str) -> bool:
        """Whether jobs of a kind go on where they were stopped."""
        return kind in self._resuming

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def close(self, patience: float = 5.0) -> None:
        """Stops the job at work, which counts as unfinished, and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(patience)

    def check(self, asked: Any) -> None:
        """Raises `InputError` for what may not be asked here, before anything looks at it; in the
        studio of one's own machine everything may."""

    def submit(self, page: str, kind: str, settings: Settings, title: str) -> Job:
        """Puts a job at the end of its page's jobs.

        Raises:
            InputError: Too many are waiting.
        """
        with self._changed:
            waiting = sum(job.state == "waiting" for job in self._jobs.values())
            if waiting >= MOST_WAITING:
                raise InputError(f"{waiting} jobs are waiting already: wait, or cancel some")
            job = Job(next(self._numbers), page, kind, dict(settings), title)
            if kind not in self._passing:
                job.file = self._kept.put(job.number, kind, job.settings, title)
            self._jobs[job.number] = job
            self._forget_old()
            self._changed.notify_all()
        return job

    def get(self, number: int) -> Job | None:
        """A job by its number."""
        return self._jobs.get(number)

    def of(self, page: str, kinds: Collection[str]) -> list[Job]:
        """Every job of some kinds that a page asked for, the oldest first."""
        with self._changed:
            return [job for job in self._jobs.values() if job.page == page and job.kind in kinds]

    def that_made(self, path: Path) -> Job | None:
        """The job that saved a file, if it is remembered."""
        with self._changed:
            jobs = list(self._jobs.values())
        return next((job for job in jobs if any(s.path == path for s in job.saved)), None)

    def current(self, page: str, kinds: Collection[str]) -> Job | None:
        """The job that a page should see: the one at work, else the next, else the last."""
        found = self.of(page, kinds)
        for state in ("working", "waiting"):
            for job in found:
                if job.state == state:
                    return job
        return max(found, key=lambda job: job.ended or 0, default=None)

    def queue(self) -> list[Job]:
        """The job at work, then those that wait, in the order in which they come."""
        with self._changed:
            working = [job for job in self._jobs.values() if job.state == "working"]
            waiting = [job for job in self._jobs.values() if job.state == "waiting"]
            last, order = working[0].page if working else self._last_page, list[Job]()
            while waiting:
                order.append(_next_of(waiting, last))
                waiting.remove(order[-1])
                last = order[-1].page
            return working + order

    def ahead_of(self, job: Job) -> int:
        """How many jobs come before one that waits."""
        queue = self.queue()
        return queue.index(job) if job in queue else 0

    def paused(self) -> list[Job]:
        """What can be gone on with: what was paused, and what an earlier studio had not finished,
        that which it was at first and then in the order in which it was asked."""
        with self._changed:
            return [
                job
                for job in self._jobs.values()
                if job.state == "paused" and job.kind in self._works
            ]

    def cancel(self, number: int) -> None:
        """Ends a job: after the step that it is in where it works, else at once. What it has
        written stays."""
        self._stop(number, pausing=False)

    def pause(self, number: int) -> None:
        """As `cancel`, until `go_on`."""
        self._stop(number, pausing=True)

    def go_on(self, number: int, page: str) -> None:
        """Has a job that is paused wait for its turn again, as a job of a page."""
        with self._changed:
            job = self._jobs.get(number)
            if job is not None and job.state == "paused" and job.kind in self._works:
                job.page = page
                job.again()
                self._changed.notify_all()

    def _stop(self, number: int, *, pausing: bool) -> None:
        with self._changed:
            job = self._jobs.get(number)
            if job is None or job.is_over or (pausing and job.state == "paused"):
                return
            if job.state == "working":
                job.stopping, job.pausing = True, pausing
            else:
                self._end(job, "paused" if pausing else "cancelled")
            job.version += 1
            self._changed.notify_all()

    # --- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        while (job := self._take_next()) is not None:
            self._do(job)

    def _take_next(self) -> Job | None:
        with self._changed:
            while not self._closed:
                waiting = [job for job in self._jobs.values() if job.state == "waiting"]
                if waiting:
                    job = _next_of(waiting, self._last_page)
                    self._last_page = job.page
                    job.state, job.began = "working", time.monotonic()
                    job.version += 1
                    if job.file is not None:
                        with suppress(OutputError):  # then it comes back, only not as the first
                            self._kept.put(job.number, job.kind, job.settings, job.title, job.file)
                    return job
                self._changed.wait()
        return None

    def _do(self, job: Job) -> None:
        stopped = False
        try:
            work = self._works[job.kind](job.settings)
            for event in work:
                job.take(event)
                if job.stopping or self._closed:
                    getattr(work, "close", lambda: None)()
                    stopped = True
                    break
        except DigressionsError as error:
            job.error = _alone(error)
        except Exception as error:
            traceback.print_exc()  # for whoever reports it
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            job.error = DigressionsError(f"something went wrong that should not: {what}")
        if stopped and not job.stopping and job.error is None:
            return  # the studio closes, and its file stays
        with self._changed:
            halted: State = "paused" if job.pausing else "cancelled"
            self._end(job, "failed" if job.error else halted if stopped else "finished")

    def _end(self, job: Job, state: State) -> None:
        job.state, job.ended, job.stopping = state, time.monotonic(), False
        job.version += 1
        if job.file is not None and state != "paused":
            job.file.unlink(missing_ok=True)

    def _forget_old(self) -> None:
        over = [job for job in self._jobs.values() if job.is_over]
        for job in over[:-_REMEMBERED]:
            del self._jobs[job.number]


def _alone(error: DigressionsError) -> DigressionsError:
    """An error without the frames that it went through, which hold whatever model was at work."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _next_of(waiting: list[Job], last: str) -> Job:
    """The first job of the page whose turn it is, after that of the page ``last``."""
    pages = sorted({job.page for job in waiting})
    turn = next((page for page in pages if page > last), pages[0])
    return next(job for job in waiting if job.page == turn)
