"""One queue of jobs for the device: one at a time, and every page of the browser in its turn.

A job belongs to the studio and not to the page that asked for it: it goes on when the page is
closed, and a page that comes back looks at it again. What a job is asked to do is kept in a file
until it has ended, so that a studio that was killed knows what it had not finished.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..errors import DigressionsError, InputError
from ..events import Estimate, Event, Note, Preview, Progress, Saved, SoFar
from ..files import write_json

State: TypeAlias = Literal["waiting", "working", "paused", "finished", "cancelled", "failed"]
MOST_WAITING = 500
_REMEMBERED = 200  # ended jobs that pages can still ask for

Settings: TypeAlias = Mapping[str, Any]
"""What a job is asked to do, in plain values that JSON can keep."""

Work: TypeAlias = Callable[[Settings], Iterator[Event]]
"""A use case, begun with the settings of a job."""


@dataclass
class Job:
    """What was asked for, and how far it is.

    Attributes:
        number: Of the job, from 1.
        page: Of the browser that asked.
        kind: Which of the studio's kinds of work it is, such as ``"paint"``.
        settings: Of the work.
        title: What people see it as.
        state: Where it is between ``waiting`` and its end.
        estimate: What it will take, where that was said.
        progress: The latest of each task, the task at work last.
        task_began: When the task at work began, as ``began``.
        task_from: How much of it was done by then.
        preview: How it looks so far.
        so_far: What is found so far.
        notes, saved: All of them so far.
        error: Why it failed, if it did.
        began, ended: In seconds of `time.monotonic`.
        version: Grows with every change, for those who wait for one.
    """

    number: int
    page: str
    kind: str
    settings: Settings
    title: str
    state: State = "waiting"
    estimate: Estimate | None = None
    progress: dict[str, Progress] = field(default_factory=dict)
    preview: Preview | None = None
    so_far: SoFar | None = None
    notes: list[Note] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)
    error: DigressionsError | None = None
    began: float | None = None
    ended: float | None = None
    task_began: float | None = None
    task_from: int = 0
    version: int = 0
    stopping: bool = False
    pausing: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in ("waiting", "working")

    def take(self, event: Event) -> None:
        """Takes in what the work tells."""
        match event:
            case Estimate():
                self.estimate = event
            case Progress(task, done):
                if task not in self.progress or task != next(reversed(self.progress)):
                    self.task_began, self.task_from = time.monotonic(), done
                self.progress.pop(task, None)  # the latest task stands last
                self.progress[task] = event
            case Preview():
                self.preview = event
            case SoFar():
                self.so_far = event
            case Note():
                self.notes.append(event)
            case Saved():
                self.saved.append(event)
        self.version += 1


@dataclass(frozen=True)
class Unfinished:
    """What was paused, or what a studio that was killed had not finished; see
    `Jobs.unfinished`."""

    file: Path
    kind: str
    settings: Settings
    title: str


class Jobs:
    """The queue, and the thread that works through it.

    Args:
        folder: Keeps what is asked for until it has ended.

    Attributes:
        unfinished: What can be gone on with, the oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._works: dict[str, Work] = {}
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._closed = False
        self._last_page = ""
        self.unfinished = list(_left_in(folder))
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def learn(self, kind: str, work: Work) -> None:
        """Registers how jobs of a kind are done."""
        self._works[kind] = work

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
            self._jobs[job.number] = job
            self._forget_old()
            asked = {"kind": kind, "settings": job.settings, "title": title}
            write_json(self._file(job), asked)
            self._changed.notify_all()
        return job

    def resume(self, left: Unfinished, page: str) -> Job:
        """Asks again for what was not finished."""
        job = self.submit(page, left.kind, left.settings, left.title)
        self.forget(left)
        return job

    def forget(self, left: Unfinished) -> None:
        """Takes back what was not finished; what it has written stays."""
        left.file.unlink(missing_ok=True)
        with suppress(ValueError):
            self.unfinished.remove(left)

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

    def cancel(self, number: int) -> None:
        """Ends a job: at once where it waits, after the step that it is in where it works. One that
        is paused is not offered again."""
        if (left := self.left_by(number)) is not None:
            self.forget(left)
            self._jobs[number].state = "cancelled"
        self._stop(number, pausing=False)

    def pause(self, number: int) -> None:
        """As `cancel`, for a while: it is `unfinished` then."""
        self._stop(number, pausing=True)

    def go_on(self, number: int, page: str) -> None:
        """Asks again for a job that is paused."""
        if (left := self.left_by(number)) is not None:
            self.resume(left, page)
            self._jobs[number].state = "cancelled"

    def _stop(self, number: int, *, pausing: bool) -> None:
        with self._changed:
            job = self._jobs.get(number)
            if job is None or job.is_over:
                return
            job.stopping, job.pausing = True, pausing
            if job.state == "waiting":
                self._end(job, "paused" if pausing else "cancelled")
            job.version += 1
            self._changed.notify_all()

    def left_by(self, number: int) -> Unfinished | None:
        """What is unfinished of a job that is paused."""
        job = self._jobs.get(number)
        if job is None or job.state != "paused":
            return None
        return next((left for left in self.unfinished if left.file == self._file(job)), None)

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
                    return job
                self._changed.wait()
        return None

    def _do(self, job: Job) -> None:
        try:
            work = self._works[job.kind](job.settings)
            for event in work:
                job.take(event)
                if job.stopping or self._closed:
                    getattr(work, "close", lambda: None)()
                    break
        except DigressionsError as error:
            job.error = _alone(error)
        except Exception as error:
            traceback.print_exc()  # for whoever reports it
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            job.error = DigressionsError(f"something went wrong that should not: {what}")
        if self._closed and job.error is None:
            return  # its file stays: it counts as unfinished
        with self._changed:
            stopped: State = "paused" if job.pausing else "cancelled"
            self._end(job, "failed" if job.error else stopped if job.stopping else "finished")

    def _end(self, job: Job, state: State) -> None:
        job.state, job.ended = state, time.monotonic()
        job.version += 1
        file = self._file(job)
        if state == "paused":
            self.unfinished.append(Unfinished(file, job.kind, job.settings, job.title))
        else:
            file.unlink(missing_ok=True)

    def _file(self, job: Job) -> Path:
        return self._folder / f"{id(self):x}-{job.number}.json"

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


def _left_in(folder: Path) -> Iterator[Unfinished]:
    """What files say that was not finished, the oldest first; damaged ones are passed over."""
    for file in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
        try:
            found = json.loads(file.read_text("utf-8"))
            yield Unfinished(file, str(found["kind"]), dict(found["settings"]), str(found["title"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
