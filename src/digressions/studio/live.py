"""The panel of a tab that shows its jobs while they work: progress, preview, results, cancel.

A page follows its jobs; it does not own them. A reload follows again, and closing it stops nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import gradio as gr

from ..errors import DigressionsError
from ..generate.preview_pace import PreviewPace
from ..images.video import VIDEOS
from .endpoints import PRIVATE
from .folds import Folds
from .forms import Form, Forms
from .showing import refusal, shown_job
from .studio import PREVIEW_EVERY, PREVIEW_SHARE, Studio
from .studio_job import Job

_LOOK = 0.1  # seconds between two looks at a job
_STRIP = 24  # results of a page that are shown
_LIVE: dict[str, Any] = {**PRIVATE, "concurrency_limit": None}
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_PAGE, _AFAR = "index.html", "preview.jpg"  # in the folder of a mosaic


class Shared(NamedTuple):
    """What all tabs of a page share.

    Attributes:
        page: Names this page of the browser, also after a reload.
        loaded: The event after which ``page`` is known.
        gone_on: The event after which the page may have a job that it did not ask for by a button
            of a tab; see `queue_panel`.
    """

    page: Any
    loaded: Any
    gone_on: Any


class Live:
    """The panel; made where Gradio's context is.

    Args:
        kind: Of the jobs that its button begins.
        form: Where errors are shown at their fields.
        verb: What the button says that begins, such as "Paint".
        name: The prefix of the ids in the page, if it is not the kind.
        shows: A finished picture as HTML, from its path and name; as of `look_of` if not given.
        shows_job: What a job that is over has made, as HTML; its first picture if not given.
        pauses: Whether its jobs go on where they were stopped, so that a button pauses them.

    Attributes:
        kinds: Of the jobs that it shows.
        chosen: The path of the result that the page looks at; empty without one.
        stage: Shows the job, or what the page looks at instead.
        go: The button that begins.
    """

    def __init__(
        self,
        studio: Studio,
        kind: str,
        form: Form | Forms,
        verb: str,
        *,
        name: str = "",
        shows: Callable[[str, str], str] | None = None,
        shows_job: Callable[[Job], str] | None = None,
        pauses: bool = False,
    ) -> None:
        self.studio, self.form = studio, form
        self._shows, self._shows_job = shows, shows_job
        self.kinds = [kind]
        name = name or kind
        self._numbers = itertools.count()
        self._following: dict[str, int] = {}
        self._wrong_of: dict[str, DigressionsError] = {}  # by page: what its fields are marked with
        self._refused: set[str] = set()  # pages whose last press began nothing
        with gr.Row(elem_classes=["acts"]):
            self.go = gr.Button(verb, variant="primary", elem_id=f"{name}-go", elem_classes=["go"])
            self._pause = gr.Button(
                "Pause",
                elem_id=f"{name}-pause",
                interactive=False,
                visible=pauses,
                elem_classes=["stop"],
            )
            self._cancel = gr.Button(
                "Cancel", elem_id=f"{name}-cancel", interactive=False, elem_classes=["stop"]
            )
        self.stage = gr.HTML(
            _EMPTY, elem_id=f"{name}-stage", elem_classes=["stage"], container=False
        )
        self._strip = gr.Gallery(
            label="Results of this page",
            columns=6,
            height="auto",
            allow_preview=False,
            show_label=False,
            object_fit="cover",
            buttons=[],
            visible=False,
            elem_id=f"{name}-results",
            elem_classes=["strip"],
        )
        self._results = gr.State([])
        self.chosen = gr.Textbox("", visible="hidden", elem_id=f"{name}-chosen")
        # Which error the fields are marked with. They are written when it changes, not with the
        # panel: Gradio makes every output of an event anew, unchanged ones too.
        self._wrong = gr.Textbox("", visible="hidden", elem_id=f"{name}-wrong")
        self._strip.select(
            self._look_at, [self._results], [self.stage, self.chosen], **PRIVATE, queue=False
        )

    @property
    def _panel(self) -> list[Any]:
        looks = [self.stage, self._strip, self._results, self.chosen]
        return [*looks, self._cancel, self._pause, self._wrong]

    def begins(
        self,
        shared: Shared,
        settings_of: Callable[[Sequence[Any]], Mapping[str, Any]],
        title_of: Callable[[Mapping[str, Any]], str],
        inputs: Sequence[Any],
        button: Any = None,
        kind: str = "",
    ) -> None:
        """Has a button ask for a job, which the panel shows from then on.

        Args:
            settings_of: From the values of ``inputs`` to the settings of a job; what it raises is
                shown at the field that it is about.
            title_of: What people see a job as.
            inputs: Fields that are read.
            button: If it is not `go`.
            kind: Of the job, if it is not that of the panel.
        """
        kind = kind or self.kinds[0]
        self.kinds.append(kind)

        async def begin(page: str, *values: Any) -> list[Any]:
            try:
                self.studio.jobs.check(values)
                settings = await asyncio.to_thread(settings_of, values)
                self.studio.jobs.submit(page, kind, settings, title_of(settings))
            except DigressionsError as error:
                self._refused.add(page)
                if not self.form.has(error):
                    return [refusal(error), ""]
                self._wrong_of[page] = error
                return [gr.skip(), f"refused {next(self._numbers)}"]
            self._refused.discard(page)
            return [gr.skip(), ""]

        reads, writes = [shared.page, *inputs], [self.stage, self._wrong]
        pressed = (button or self.go).click
        event = pressed(begin, reads, writes, trigger_mode="multiple", **_LIVE)
        event.then(self._follow_begun, [shared.page], self._panel, **_LIVE)

    def follows(self, shared: Shared) -> None:
        """Has a page that is loaded follow its jobs, and its buttons cancel and pause them."""
        self.follows_after(self._cancel.click(self._stop, [shared.page], [], **_LIVE), shared)
        self.follows_after(self._pause.click(self._rest, [shared.page], [], **_LIVE), shared)
        self.follows_after(shared.loaded, shared)
        shared.gone_on.then(self._follow_new, [shared.page], self._panel, **_LIVE)
        fields, folds = self.form.inputs, Folds(self.form.inputs)

        async def mark(wrong: str, page: str) -> list[Any]:
            """Marks the fields that an error is about, or none any more, and opens their folds."""
            marks = self.form.marks(self._wrong_of.pop(page, None) if wrong else None)
            return [*marks, *folds.opened(marks)]

        marked = [*fields, *folds.blocks]
        changed = self._wrong.change(mark, [self._wrong, shared.page], marked, **_LIVE)
        js = "(wrong) => wrong && window.digress.toWrong()"  # also where no mark is new
        changed.then(None, self._wrong, None, js=js, **PRIVATE)

    def follows_after(self, event: Any, shared: Shared) -> None:
        """Has a page follow its jobs after an event."""
        event.then(self._follow, [shared.page], self._panel, **_LIVE)

    # --- following ---------------------------------------------------------------------------

    async def _follow(self, page: str) -> AsyncIterator[list[Any]]:
        """Shows the jobs of a page until all are over, or until the page follows anew."""
        own = self._following[page] = next(self._numbers)
        urgent: tuple[Any, ...] | None = None
        seen = -1
        pace = PreviewPace(PREVIEW_EVERY, PREVIEW_SHARE, cost=time.thread_time)
        yield _nothing(self._panel)  # Gradio empties the outputs of what yields nothing
        while self._following.get(page) == own:
            job = self.studio.jobs.current(page, self.kinds)
            if job is None:
                return
            ahead = self.studio.jobs.ahead_of(job) if job.state == "waiting" else 0
            now, over = (job.number, job.state, job.stopping, ahead), job.is_over
            if now != urgent:
                urgent, seen = now, job.version
                yield self._shown(page, job, ahead)
            elif job.version != seen and pace.is_due():
                seen = job.version
                with pace.making():
                    yield self._shown(page, job, ahead)  # until Gradio has sent it
            if over:
                return
            await asyncio.sleep(_LOOK)

    async def _follow_new(self, page: str) -> AsyncIterator[list[Any]]:
        """As `_follow`, where there is a job that is not over; else the page sees what it saw."""
        job = self.studio.jobs.current(page, self.kinds)
        if job is None or job.is_over:
            yield _nothing(self._panel)
            return
        async for update in self._follow(page):
            yield update

    async def _follow_begun(self, page: str) -> AsyncIterator[list[Any]]:
        """As `_follow` after a press that began a job; after another as `_follow_new`."""
        follow = self._follow_new if page in self._refused else self._follow
        async for update in follow(page):
            yield update

    def _shown(self, page: str, job: Job, ahead: int) -> list[Any]:
        results = self._results_of(page)
        made = [each.path for each in job.saved if each.path.exists()]
        faces = [str(face) for path in made if (face := face_of(path)) is not None]
        chosen = faces[0] if faces else ""
        if self._shows_job is not None and job.is_over and job.saved:
            result = self._shows_job(job)
        elif self._shows is not None:
            result = self._shows(chosen, job.title) if chosen else ""
        else:
            result = look_of(self.studio, made[0], job.title) if made else ""
        strip = gr.update(value=results, visible=len(results) > 1)
        stage = shown_job(job, ahead, result)
        going, paused = not job.is_over and not job.stopping, job.state == "paused"
        stops = gr.update(interactive=going or paused)
        rests = gr.update(value="Go on" if paused else "Pause", interactive=going or paused)
        kept = gr.update(value=chosen) if chosen else gr.skip()
        wrong = gr.skip()
        if job.error is not None and self.form.has(job.error):
            self._wrong_of[page] = job.error
            wrong = f"job {job.number}"
        return [stage, strip, results, kept, stops, rests, wrong]

    def _results_of(self, page: str) -> list[str]:
        """Pictures that the page's jobs have made, the newest first."""
        made = [
            str(face)
            for job in reversed(self.studio.jobs.of(page, self.kinds))
            for saved in job.saved
            if saved.path.exists() and (face := face_of(saved.path)) is not None
        ]
        return made[:_STRIP]

    async def _stop(self, page: str) -> None:
        job = self.studio.jobs.current(page, self.kinds)
        if job is not None:
            self.studio.jobs.cancel(job.number)

    async def _rest(self, page: str) -> None:
        job = self.studio.jobs.current(page, self.kinds)
        if job is not None and job.state == "paused":
            self.studio.jobs.go_on(job.number, page)
        elif job is not None:
            self.studio.jobs.pause(job.number)

    def _look_at(self, results: list[str], event: gr.SelectData) -> tuple[str, str]:
        path = results[int(event.index)]
        name = Path(path).name
        if self._shows is not None:
            return self._shows(path, name), path
        return look_of(self.studio, Path(path), name), path


def face_of(path: Path) -> Path | None:
    """The picture that stands for what was made: itself, or that of a mosaic whose page it is."""
    if path.name == _PAGE:
        small = path.with_name(_AFAR)
        return small if small.exists() else None
    return path if path.suffix.lower() in PICTURES else None


def look_of(studio: Studio, path: Path, name: str) -> str:
    """What was made, large: a picture, a film, or a page to fly through."""
    page = path / _PAGE if path.is_dir() else path.with_name(_PAGE)
    is_page = path.is_dir() or path.name in (_PAGE, _AFAR)
    if is_page and page.exists() and path.is_relative_to(studio.out):
        link = studio.address(page)
        return (
            f'<figure class="picture world"><iframe src="{link}" title="{escape(name)}" '
            'allow="fullscreen" loading="lazy"></iframe><figcaption>'
            f'<a href="{link}" target="_blank">{escape(page.parent.name)}, in a window of its own'
            "</a></figcaption></figure>"
        )
    suffix = path.suffix.lower()
    if suffix in VIDEOS and suffix not in PICTURES and path.is_relative_to(studio.out):
        link = studio.address(path)
        return (
            f'<figure class="picture"><video src="{link}" controls loop autoplay muted '
            f'aria-label="{escape(name)}"></video><figcaption><a href="{link}" '
            f'download="{escape(path.name)}">{escape(path.name)}</a></figcaption></figure>'
        )
    return picture(str(path), name) if suffix in PICTURES else ""


def picture(path: str, name: str) -> str:
    """A finished picture, large, with its name and a link that downloads it."""
    link = file_url(path)
    return (
        f'<figure class="picture"><img src="{link}" alt="{escape(name)}">'
        f'<figcaption><a href="{link}" download="{escape(Path(path).name)}">'
        f"{escape(Path(path).name)}</a></figcaption></figure>"
    )


def file_url(path: str | Path) -> str:
    """The address of a file among what the studio has made."""
    return f"/gradio_api/file={quote(str(path))}"


_EMPTY = '<div class="empty"><p>What you make appears here.</p></div>'


def _nothing(outputs: Sequence[Any]) -> list[Any]:
    return [gr.skip() for _ in outputs]
