"""The tabs put together into one page."""

from __future__ import annotations

import gradio as gr

from .addresses import keep_addresses
from .endpoints import PRIVATE
from .live import Shared
from .queue_panel import SHOWN_BELOW, SHOWN_IN_HEADER, QueuePanel, queue_endpoints
from .sending import wire
from .starting_points import fills, show_row
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

        def seen(page: str, query: str) -> tuple[str, str]:
            studio.page_seen.set()
            return page, query

        loaded = blocks.load(
            seen,
            [own, query],
            [own, query],
            js="() => [window.digress.page(), location.search]",
            queue=False,
            **PRIVATE,
        )
        shared = Shared(own, loaded, QueuePanel(studio, own).gone_on)
        with gr.Tabs(elem_id="tabs") as tabs:
            parts = []
            for name in [each for each in TABS if each not in studio.reach.left_out]:
                with gr.Tab(name, id=name.lower()) as tab:
                    row = show_row(name.lower())
                    parts.append(TABS[name](studio, shared))
                    if row is not None:
                        fills(row, parts[-1])
                if (shown := parts[-1].shown) is not None:
                    tab.select(*shown, **PRIVATE)
        wire(tabs, parts)
        keep_addresses(loaded, tabs, query, parts)
        queue_endpoints(studio)
    blocks._queue.max_thread_count = _AT_ONCE  # programs that wait must not keep pages waiting
    return blocks
