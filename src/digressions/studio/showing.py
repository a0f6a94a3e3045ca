"""What a job looks like in the page: its picture so far, a bar, the time, and what it noted."""

from __future__ import annotations

import base64
import time
from html import escape

from ..errors import DigressionsError, in_words
from ..events import duration
from ..images.image_files import to_png, to_webp
from .forms import label_of, words
from .jobs import Job

_TOLD = {
    "finished": "Finished",
    "cancelled": "Cancelled",
    "failed": "Failed",
    "paused": "Paused",
}
_SMALL = 128  # pixels a side up to which a preview is sent as it is
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
        busy = "" if job.is_over else '<span class="pulse" aria-hidden="true"></span>'
        return f'<div class="empty">{busy}</div>'
    image = job.preview.image
    kind, data = "webp", to_webp(image, 85)
    if max(image.shape[:2]) <= _SMALL:
        kind, data = "png", to_png(image)
    text = base64.b64encode(data).decode()
    alt = f"{job.title}, {job.preview.label}"
    return (
        '<figure class="picture sofar">'
        f'<img src="data:image/{kind};base64,{text}" alt="{escape(alt)}"></figure>'
    )


def _bar(job: Job, ahead: int) -> str:
    """One line on where the job is, and a bar while it works."""
    if job.state == "waiting":
        before = f"{ahead} before it" if ahead else "next"
        return f'<p class="said" role="status">Waiting: {before} in the queue</p>'
    took = (job.ended or time.monotonic()) - (job.began or time.monotonic())
    if job.is_over:
        said = f"{_TOLD[job.state]} after {duration(took)}" if job.began else _TOLD[job.state]
        return f'<p class="said" role="status">{said}</p>'
    if job.stopping:
        return '<p class="said" role="status">Stopping after this step</p>'
    if not job.progress:
        return '<p class="said" role="status">Beginning</p>'
    latest = list(job.progress.values())[-1]
    task = escape(latest.task.capitalize())
    if not latest.total:
        return f'<p class="said" role="status">{task}</p><progress aria-label="{task}"></progress>'
    done, rest = latest.done - job.task_from, latest.total - latest.done
    spent = time.monotonic() - (job.task_began or 0)
    rate = f", {done / spent:.1f} a second" if done >= _SEVERAL and rest else ""
    told = rest and done > 0.1 * (done + rest)
    left = f", about {duration(spent * rest / done)} left" if told else ""
    return (
        f'<p class="said" role="status">{task}: {latest.done:,} of {latest.total:,}{rate}{left}</p>'
        f'<progress max="{latest.total}" value="{latest.done}" aria-label="{task}"></progress>'
    )
