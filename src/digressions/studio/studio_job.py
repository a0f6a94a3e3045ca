"""A job of the studio: what was asked for, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..errors import DigressionsError
from ..events import Estimate, Event, Note, Preview, Progress, Saved, SoFar

State: TypeAlias = Literal["waiting", "working", "paused", "finished", "cancelled", "failed"]
_TELLING = 0.1  # share of a task after which its pace tells how long the rest takes

Settings: TypeAlias = Mapping[str, Any]
"""What a job is asked to do, in plain values that JSON can keep."""


@dataclass
class Job:
    """What was asked for, and how far it is.

    Attributes:
        number: Of the job, from 1.
        page: Of the browser that asked.
        kind: Which of the studio's kinds of work it is, such as ``"paint"``.
        settings: Of the work.
        title: What people see it as.
        file: Keeps what it is asked to do; none where that is not kept.
        is_left: Whether an earlier studio had not finished it, and nobody has gone on with it yet.
        state: Where it is between ``waiting`` and its end. One that is ``paused`` has not ended.
        estimate: What it will take, where that was said.
        progress: The latest of each task, the task at work last.
        task_began: When the task at work began, as ``began``.
        task_from: How much of it was done by then.
        preview: How it looks so far.
        so_far: What is found so far.
        notes, saved: All of them so far.
        error: Why it failed, if it did.
        began, ended: In seconds of `time.monotonic`; one that is paused has ended for now.
        version: Grows with every change, for those who wait for one.
    """

    number: int
    page: str
    kind: str
    settings: Settings
    title: str
    file: Path | None = None
    is_left: bool = False
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
        return self.state in ("finished", "cancelled", "failed")

    @property
    def latest(self) -> Progress | None:
        """Of the task at work."""
        return next(reversed(self.progress.values()), None)

    def seconds_left(self, now: float) -> float | None:
        """Until the task at work is done, once its pace tells.

        Args:
            now: In seconds of `time.monotonic`.
        """
        latest = self.latest
        if self.state != "working" or latest is None or not latest.total:
            return None
        done, rest = latest.done - self.task_from, latest.total - latest.done
        if not rest or done <= _TELLING * (done + rest):
            return None
        return (now - (self.task_began or now)) * rest / done

    def again(self) -> None:
        """Has it wait to begin once more; the preview stays."""
        self.state, self.is_left, self.stopping, self.pausing = "waiting", False, False, False
        self.estimate = self.error = self.began = self.ended = self.task_began = None
        self.progress, self.notes, self.saved, self.task_from = {}, [], [], 0
        self.version += 1

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
