"""The tabs put together into one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from .live import Shared
from .queue_panel import SHOWN_BELOW, SHOWN_IN_HEADER, QueuePanel, queue_endpoints
from .sending import TabParts, wire
from .studio import Studio
from .tabs import TABS

_HEAD = f"""<header><h1>digressions</h1>
<p>Pictures made of pictures, and other ways to lose the thread. All of it on this machine.</p>
{SHOWN_IN_HEADER}</header>{SHOWN_BELOW}"""
_AT_ONCE = 600  # events that wait for jobs at once: more than there can be jobs


def page(studio: Studio) -> gr.Blocks:
    """The page, with the actions that programs may call."""
    with gr.Blocks(title="digressions", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(_HEAD, elem_id="head", container=False)
        own = gr.Textbox("", visible="hidden", elem_id="page")
        query = gr.Textbox("", visible="hidden", elem_id="query")
        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

        def seen(page: str, query: str) -> tuple[str, str]:
            studio.page_seen.set()
            return page, query

        loaded = blocks.load(
            seen,
            [own, query],
            [own, query],
            js="() => [window.digress.page(), location.search]",
            queue=False,
            **private,
        )
        shared = Shared(own, loaded, QueuePanel(studio, own).gone_on)
        with gr.Tabs(elem_id="tabs") as tabs:
            parts = []
            for name, build in TABS.items():
                with gr.Tab(name, id=name.lower()) as tab:
                    parts.append(build(studio, shared))
                if (shown := parts[-1].shown) is not None:
                    tab.select(*shown, **private)
        wire(tabs, parts)
        _keep_addresses(loaded, tabs, query, parts)
        queue_endpoints(studio)
    blocks._queue.max_thread_count = _AT_ONCE  # programs that wait must not keep pages waiting
    return blocks


def _keep_addresses(loaded: Any, tabs: Any, query: Any, parts: Sequence[TabParts]) -> None:
    """Has the address of the page hold the settings of a tab, and a page open with them."""
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    forms = [(part.tab, part.form) for part in parts if part.form is not None]
    fields = [field for _, form in forms for field in form.inputs]

    def fill(text: str) -> list[Any]:
        asked = dict(parse_qsl(text.removeprefix("?"))[:200])
        tab = asked.get("tab", "")
        known = [part.tab for part in parts]
        front = gr.Tabs(selected=tab) if tab in known else gr.skip()
        updates: list[Any] = []
        for name, form in forms:
            found = form.read_url(asked) if name == tab else {}
            updates += form.filled(found) if found else [gr.skip() for _ in form.inputs]
        return [front, *updates]

    loaded.then(fill, [query], [tabs, *fields], queue=False, **private)
    for tab, form in forms:
        names = json.dumps(list(form.fields))
        defaults = json.dumps([_plain(field.value) for field in form.inputs])
        js = f"(...v) => window.digress.address({json.dumps(tab)}, {names}, v, {defaults})"
        told = [field.change for field in form.inputs]
        gr.on(told, None, form.inputs, None, js=js, **private)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) else None
