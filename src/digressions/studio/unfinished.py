"""What was paused, or was left when the studio was closed or killed: it offers to go on."""

from __future__ import annotations

from typing import Any

import gradio as gr

from .jobs import Unfinished
from .live import Live, Shared
from .studio import Studio

_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class Offers:
    """A row of what is unfinished of a panel's kinds; made where Gradio's context is, and hidden
    while there is nothing.

    Args:
        live: Shows the job that goes on.
        name: The prefix of the ids in the page.
    """

    def __init__(self, studio: Studio, live: Live, name: str) -> None:
        self._studio, self._live = studio, live
        with gr.Column(visible=False, elem_id=f"{name}-unfinished", elem_classes=["left"]) as row:
            self._row = row
            self._choice = gr.Dropdown(
                [],
                label="Not finished yet",
                info="What is done of it is kept.",
                elem_id=f"{name}-left",
                filterable=False,
            )
            with gr.Row(elem_classes=["after"]):
                self._go_on = gr.Button("Go on", size="sm", elem_id=f"{name}-goon")
                self._drop = gr.Button("Leave it", size="sm", elem_id=f"{name}-leave")

    @property
    def outputs(self) -> list[Any]:
        """What `look` changes."""
        return [self._row, self._choice]

    def look(self, page: str) -> list[Any]:
        """Updates to what is unfinished by now, but for the job that the panel shows."""
        shown = self._studio.jobs.current(page, self._live.kinds)
        own = None if shown is None else self._studio.jobs.left_by(shown.number)
        found = [left for left in self._found() if left != own]
        choices = [(left.title, left.file.name) for left in found]
        chosen = choices[0][1] if choices else None
        return [gr.update(visible=bool(found)), gr.update(choices=choices, value=chosen)]

    def begins(self, shared: Shared) -> None:
        """Has the buttons work, and a page that is loaded look."""
        shared.loaded.then(self.look, [shared.page], self.outputs, queue=False, **_PRIVATE)
        self._live.stage.change(self.look, [shared.page], self.outputs, queue=False, **_PRIVATE)
        gone_on = self._go_on.click(self._resume, [shared.page, self._choice], [], **_PRIVATE)
        self._live.follows_after(gone_on, shared)
        self._drop.click(self._forget, self._choice, [], **_PRIVATE).then(
            self.look, [shared.page], self.outputs, queue=False, **_PRIVATE
        )

    def _found(self) -> list[Unfinished]:
        return [left for left in self._studio.jobs.unfinished if left.kind in self._live.kinds]

    def _resume(self, page: str, name: str) -> None:
        for left in self._found():
            if left.file.name == name:
                self._studio.jobs.resume(left, page)

    def _forget(self, name: str) -> None:
        for left in self._found():
            if left.file.name == name:
                self._studio.jobs.forget(left)
