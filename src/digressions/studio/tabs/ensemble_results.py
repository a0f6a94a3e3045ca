"""Finished ensembles as HTML: a sweep to leaf through, where prompts disagree, how balanced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...events import Saved
from ..jobs import Jobs
from ..live import file_url, picture


def shown_ensemble(jobs: Jobs, path: str, name: str) -> str:
    """A finished picture, large, with what its job says of it.

    Args:
        jobs: Who remember it.
        name: As of `live.picture`.
    """
    job = jobs.that_made(Path(path))
    saved = [] if job is None else job.saved
    details = next((each.details for each in saved if str(each.path) == path), {})
    if details.get("sweep"):
        return _sweep(details["labels"], details["pictures"])
    shown = picture(path, name)
    if "map" in details:
        shown = _overlaid(shown, details["map"])
    judged = [each for each in saved if "balance" in each.details]
    if "balance" in details:
        shown += f'<div class="shares">{_bars(details["balance"])}</div>'
    return shown + (_cards(judged) if len(judged) > 1 else "")


def _sweep(labels: Sequence[str], pictures: Sequence[str]) -> str:
    """The pictures of a sweep, one after the other under a slider; those of all seeds at once."""
    count = len(labels)
    middle = count // 2
    leaves = []
    for number, label in enumerate(labels):
        images = "".join(
            f'<img src="{file_url(path)}" alt="Share of the second prompt: {escape(label)}">'
            for path in pictures[number::count]
        )
        hidden = "" if number == middle else " hidden"
        leaves.append(
            f'<div class="leaf picture"{hidden} data-label="{escape(label)}">{images}</div>'
        )
    return (
        f'<div class="leaves">{"".join(leaves)}'
        '<label class="leafing">Share of the second prompt '
        f'<input type="range" min="0" max="{count - 1}" step="1" value="{middle}">'
        f"<output>{escape(labels[middle])}</output></label></div>"
    )


def _overlaid(shown: str, path: str) -> str:
    """A picture with its map over it, as strongly as a slider says."""
    image = f'<img class="map" src="{file_url(path)}" alt="" style="opacity: 0">'
    return (
        f'<div class="overlaid">{shown.replace("<figcaption>", f"{image}<figcaption>", 1)}'
        '<label class="leafing">Where the prompts disagree '
        '<input type="range" min="0" max="100" value="0"></label></div>'
    )


def _bars(balance: Mapping[str, Any]) -> str:
    """How much of each prompt is in a picture, as bars beside each other's."""
    most = max(0.0, *balance.values()) or 1.0
    rows = "".join(
        f'<li class="colour-{number}"><span>{escape(prompt)}</span>'
        f'<i aria-hidden="true"><i style="width: {max(0.0, share) / most:.1%}"></i></i>'
        f"<b>{share:.1%}</b></li>"
        for number, (prompt, share) in enumerate(balance.items(), 1)
    )
    return f'<ul class="bars">{rows}</ul>'


def _cards(judged: Sequence[Saved]) -> str:
    """Every judged picture of a job, the best balance first, with its bars."""
    cards = "".join(
        f'<figure><img src="{file_url(each.path)}" alt="{escape(each.path.name)}">'
        f"{_bars(each.details['balance'])}</figure>"
        for each in judged
    )
    return f'<div class="cards" role="group" aria-label="Balance of each picture">{cards}</div>'
