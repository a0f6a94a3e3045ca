"""What a job looks like in the page: its picture so far, a bar, the time, and what it noted."""

from __future__ import annotations

import base64
import time
from html import escape
from weakref import WeakKeyDictionary

from ..errors import DigressionsError, in_words
from ..events import Preview, duration
from ..images.image_files import thumbnail, to_jpeg, to_png
from .forms import label_of, words
from .studio_job import Job

_TOLD = {
    "finished": "Finished",
    "cancelled": "Cancelled",
    "failed": "Failed",
    "paused": "Paused",
}
_SMALL = 128  # pixels a side up to which a preview is sent as it is
_LARGE = 768  # pixels a side that a preview is sent with, at most
_SEVERAL = 10  # units of a task after which it is said how many a second are done


def shown_job(job: Job, ahead: int, result: str) -> str:
    """A job as HTML.

    Args:
        ahead: Jobs before it in the queue.
        result: Its finished picture as HTML, or nothing.
    """
    parts = [result if result else _so_far(job)]
    if job.error is not None:
        parts.append(refusal(job.error))
    parts.append(_bar(job, ahead))
    notes = [note for note in job.notes if note.text]
    if notes:
        items = "".join(
            f'<li class="{note.level}">{escape(in_words(note.text, label_of))}</li>'
            for note in notes
        )
        parts.append(f'<ul class="notes">{items}</ul>')
    return f'<div class="job {job.state}" data-state="{job.state}">{"".join(parts)}</div>'


def refusal(error: DigressionsError) -> str:
    """An error as HTML, where it is about no field."""
    return f'<p class="said wrong" role="alert">{escape(words(error))}</p>'


def _so_far(job: Job) -> str:
    if job.so_far is not None and job.state != "finished":
        lines = "".join(f"<li>{escape(in_words(each, str))}</li>" for each in job.so_far.lines)
        return f'<div class="empty found"><ol aria-label="So far">{lines}</ol></div>'
    if job.preview is None:
        busy = (
            ""
            if job.is_over or job.state == "paused"
            else '<span class="pulse" aria-hidden="true"></span>'
        )
        return f'<div class="empty">{busy}</div>'
    alt = f"{job.title}, {job.preview.label}"
    return (
        '<figure class="picture sofar">'
        f'<img src="{_encoded(job.preview)}" alt="{escape(alt)}"></figure>'
    )


_known: WeakKeyDictionary[Preview, str] = WeakKeyDictionary()


def _encoded(preview: Preview) -> str:
    """A preview as the address of a picture; made once, however often it is shown."""
    if preview not in _known:
        image = thumbnail(preview.image, _LARGE)
        is_small = max(image.shape[:2]) <= _SMALL
        kind, data = ("png", to_png(image)) if is_small else ("jpeg", to_jpeg(image, 80))
        _known[preview] = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return _known[preview]


def _bar(job: Job, ahead: int) -> str:
    """One line on where the job is, and a bar while it works."""
    said = f'<p class="said" role="status">{escape(said_of(job, ahead))}</p>'
    latest = job.latest
    if job.state != "working" or job.stopping or latest is None:
        return said
    label = escape(latest.task.capitalize())
    if not latest.total:
        return f'{said}<progress aria-label="{label}"></progress>'
    bar = f'<progress max="{latest.total}" value="{latest.done}" aria-label="{label}"></progress>'
    return said + bar


def said_of(job: Job, ahead: int) -> str:
    """Where a job is, in one line.

    Args:
        ahead: Jobs before it in the queue.
    """
    now = time.monotonic()
    if job.state == "waiting":
        return f"Waiting: {f'{ahead} before it' if ahead else 'next'} in the queue"
    if job.state != "working":
        took = (job.ended or now) - (job.began or now)
        return f"{_TOLD[job.state]} after {duration(took)}" if job.began else _TOLD[job.state]
    if job.stopping:
        return "Pausing after this step" if job.pausing else "Stopping after this step"
    latest = job.latest
    if latest is None:
        return "Beginning"
    task = latest.task.capitalize()
    if not latest.total:
        return task
    done, seconds = latest.done - job.task_from, job.seconds_left(now)
    spent = now - (job.task_began or now)
    is_steady = done >= _SEVERAL and latest.done < latest.total and spent > 0
    rate = f", {done / spent:.1f} a second" if is_steady else ""
    left = "" if seconds is None else f", about {duration(seconds)} left"
    return f"{task}: {latest.done:,} of {latest.total:,}{rate}{left}"
