"""The queue for people and programs: what works, waits and is paused, and how to stop it.

The page asks for `queue_rows` every second (``/queue``) and its script `queue.js` draws them: in
the header what there is, and below it what an earlier studio had not finished. A press there is an
event of `QueuePanel`. Programs have the endpoints ``queue``, ``pause``, ``go_on`` and ``cancel``.
"""

from __future__ import annotations

import json
import time
from typing import Any

import gradio as gr

from .endpoints import PRIVATE, PROGRAM, describe
from .jobs import Jobs
from .reading import as_it_is, reads_by
from .showing import said_of
from .studio import Studio
from .studio_job import Job

SHOWN_IN_HEADER = """<details id="queue"><summary>Queue</summary><div class="jobs">
<p class="sum">Nothing is at work</p><ul></ul></div></details>"""
SHOWN_BELOW = """<section id="left" aria-labelledby="left-title" hidden>
<h2 id="left-title">Not finished yet</h2>
<p>The studio was closed before it had done this. What is done of it is kept.</p>
<ul></ul><button type="button" class="all">Go on with all</button></section>"""


def queue_rows(jobs: Jobs, page: str) -> list[dict[str, Any]]:
    """What works, waits and is paused, in this order, in plain values.

    Args:
        page: Whose jobs are ``"yours"``. Among strangers only these have a title.
    """
    queue = jobs.queue()
    return [_row(jobs, job, place, page) for place, job in enumerate(queue)] + [
        _row(jobs, job, 0, page) for job in jobs.paused()
    ]


def _row(jobs: Jobs, job: Job, ahead: int, page: str) -> dict[str, Any]:
    latest, seconds = job.latest, job.seconds_left(time.monotonic())
    whose = "yours" if job.page == page else "another page's"
    hidden = jobs.strangers and (job.page != page or page == PROGRAM)
    return {
        "number": job.number,
        "kind": job.kind,
        "title": "" if hidden else job.title,
        "state": job.state,
        "stopping": job.stopping,
        "left": job.is_left,
        "whose": "left over" if job.is_left else "a program's" if job.page == PROGRAM else whose,
        "ahead": ahead,
        "done": 0 if latest is None else latest.done,
        "total": None if latest is None else latest.total,
        "seconds_left": None if seconds is None else round(seconds, 1),
        "said": said_of(job, ahead),
        "pauses": jobs.resumes(job.kind),
    }


class QueuePanel:
    """What a press in the list of jobs does; made where Gradio's context is.

    Attributes:
        gone_on: The event after which the page may have a job more.
    """

    def __init__(self, studio: Studio, page: Any) -> None:
        self._jobs = studio.jobs
        asked = gr.Textbox("", visible="hidden", elem_id="queue-asked")
        button = gr.Button("Do it", visible="hidden", elem_id="queue-do")
        js = "() => [window.digress.page(), window.digress.asked()]"
        self.gone_on = button.click(
            self._act, [page, asked], None, js=js, queue=False, trigger_mode="multiple", **PRIVATE
        )

    def _act(self, page: str, asked: str) -> None:
        """Does what was asked with jobs of the page's own, or that nobody has."""
        told = json.loads(asked)
        for number in told["numbers"]:
            job = self._jobs.get(int(number))
            if job is None or not (job.is_left or job.page == page):
                continue
            match told["act"]:
                case "cancel":
                    self._jobs.cancel(job.number)
                case "pause":
                    self._jobs.pause(job.number)
                case "go on":
                    self._jobs.go_on(job.number, page)


# --- for programs ----------------------------------------------------------------------------

_NUMBER = {"number": "The job's number, as the endpoint queue gives it."}
_ROWS = (
    "A row for each job that works, waits or is paused, in this order: its number, kind, title and "
    "state, whose it is, how many come before it, how far it is, and the seconds that are left "
    "where they are known."
)


def queue_endpoints(studio: Studio) -> None:
    """The queue's state, and pause, go on and cancel, as endpoints and MCP tools; none among
    strangers, who would stop each other's jobs."""
    jobs = studio.jobs
    if jobs.strangers:
        return

    def rows() -> list[dict[str, Any]]:
        hidden = ("left", "pauses", "stopping")
        return [
            {name: value for name, value in row.items() if name not in hidden}
            for row in queue_rows(jobs, PROGRAM)
        ]

    def found(number: Any, states: tuple[str, ...], verb: str) -> int:
        try:
            job = jobs.get(int(number or 0))
        except (ValueError, TypeError, OverflowError):
            job = None
        if job is None:
            raise gr.Error(f"there is no job {number}: queue lists them", print_exception=False)
        if job.state not in states:
            raise gr.Error(f"job {number} is {job.state}: it cannot {verb}", print_exception=False)
        return job.number

    def queue() -> list[dict[str, Any]]:
        return rows()

    def pause(number: float) -> list[dict[str, Any]]:
        jobs.pause(found(number, ("waiting", "working"), "be paused"))
        return rows()

    def go_on(number: float) -> list[dict[str, Any]]:
        job = jobs.get(found(number, ("paused",), "go on"))
        if job is not None:
            jobs.go_on(job.number, PROGRAM if job.is_left else job.page)
        return rows()

    def cancel(number: float) -> list[dict[str, Any]]:
        jobs.cancel(found(number, ("waiting", "working", "paused"), "be cancelled"))
        return rows()

    for function, does in (
        (queue, "Show the studio's queue: one job works at a time, and pages take turns."),
        (
            pause,
            "Pause a job: at once where it waits, after the step that it is in where it works. A "
            "mosaic goes on later where it was; any other job begins anew. Whoever waits for the "
            "job keeps waiting.",
        ),
        (
            go_on,
            "Have a paused job wait for its turn again, or one that the studio had not finished "
            "when it was closed or killed.",
        ),
        (
            cancel,
            "Cancel a job: at once where it waits or is paused, after the step that it is in where "
            "it works. What it has written stays.",
        ),
    ):
        told = {} if function is queue else _NUMBER
        describe(function, function.__name__, does, told, _ROWS, told)
        numbers = [gr.Number(visible=False, precision=0) for _ in told]
        for number in numbers:
            reads_by(number, as_it_is)  # what is no number is refused in words
        gr.Button(visible=False).click(
            function,
            numbers,
            gr.JSON(visible=False),
            api_name=function.__name__,
            queue=False,
        )
