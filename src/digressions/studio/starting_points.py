"""Starting points: settings that work with the bundled model and show what a tab is for.

A row of them stands at the head of a tab. Choosing one fills the whole form, and an address can
name one (``?tab=mosaic&start=turtle``). Their pictures are made by ``docs/make_starts.py`` of these
very settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from .endpoints import PRIVATE
from .sending import TabParts

STARTS = Path(__file__).parents[1] / "web" / "studio" / "starts"
"""The pictures of starting points, and those that they begin with."""
ADDRESS = "/starts"
"""Where the page asks for them."""


@dataclass(frozen=True)
class StartingPoint:
    """One of them.

    Attributes:
        tab: Its tab's id.
        name: By which an address names it; of its own in its tab.
        title, hint: What people read.
        settings: Of the tab's form, by parameter; all others are at their defaults.
        pictures: Files in `STARTS` that it begins with, by the field.
        keeps: Whether a picture that is there already stays.
    """

    tab: str
    name: str
    title: str
    hint: str
    settings: Mapping[str, Any]
    pictures: Mapping[str, str] = field(default_factory=dict)
    keeps: bool = False

    @property
    def face(self) -> Path:
        """Its picture."""
        return STARTS / f"{self.tab}-{self.name}.webp"

    def given(self) -> dict[str, Any]:
        """Everything that it fills in, pictures as their files."""
        return {
            **self.settings,
            **{name: str(STARTS / file) for name, file in self.pictures.items()},
        }


POINTS = (
    StartingPoint(
        "mosaic",
        "turtle",
        "A turtle of turtles",
        "One from afar, 576 from near",
        {"prompt": "photo of a turtle", "seed": 7, "grid": "24", "reuse": 64},
    ),
    StartingPoint(
        "mosaic",
        "sunflowers",
        "An owl of sunflowers",
        "The cells have a prompt of their own",
        {
            "prompt": "a drawing of an owl",
            "cell_prompt": ["photo of a sunflower"],
            "seed": 4,
            "grid": "24",
            "reuse": 64,
        },
    ),
    StartingPoint(
        "mosaic",
        "picture",
        "A fox of fish",
        "Made of a picture: put in yours",
        {"prompt": "photo of a fish", "seed": 1, "grid": "24", "reuse": 64},
        {"image": "fox.webp"},
    ),
    StartingPoint(
        "ensemble",
        "lion-rabbit",
        "Half lion, half rabbit",
        "Two prompts at every step",
        {"prompt_1": "photo of a lion", "prompt_2": "photo of a rabbit", "seed": 6},
    ),
    StartingPoint(
        "ensemble",
        "beside",
        "Penguin left, parrot right",
        "Each prompt in its area",
        {
            "prompt_1": "photo of a penguin",
            "area_1": "left",
            "prompt_2": "photo of a parrot",
            "area_2": "right",
            "seed": 5,
        },
    ),
    StartingPoint(
        "ensemble",
        "sweep",
        "From frog to fox",
        "Five pictures to leaf through",
        {"prompt_1": "photo of a frog", "prompt_2": "photo of a fox", "seed": 1, "sweep": 5},
    ),
    StartingPoint(
        "frame",
        "pair",
        "Two frames on a wall",
        "A fox and a parrot, at once",
        {"prompts": ["photo of a fox", "photo of a parrot"], "seed": 2, "n": [1]},
        {"photo": "sage room.webp"},
    ),
    StartingPoint(
        "frame",
        "choice",
        "One frame, four candidates",
        "Choose the one that suits the wall",
        {"prompts": ["photo of a sunflower"], "seed": 2, "n": [4]},
        {"photo": "clay room.webp"},
    ),
    StartingPoint(
        "print",
        "mat",
        "20 x 20 cm behind a mat",
        "For a frame: the mat covers 5 mm",
        {"size": "20x20cm", "mat": "5mm"},
        {"picture": "fox.webp"},
        keeps=True,
    ),
    StartingPoint(
        "print",
        "shop",
        "A4 for a print shop",
        "3 mm bleed, crop marks, nothing near the cut",
        {"size": "A4", "bleed": "3mm", "safe": "5mm", "marks": True},
        {"picture": "fox.webp"},
        keeps=True,
    ),
    StartingPoint(
        "paint",
        "owls",
        "Four owls",
        "One prompt, four seeds",
        {"prompt": "a drawing of an owl", "n": 4, "seed": 2},
    ),
    StartingPoint(
        "paint",
        "over",
        "A fox into a parrot",
        "Painted over a picture: put in yours",
        {"prompt": "photo of a parrot", "strength": 0.7, "seed": 8},
        {"image": "fox.webp"},
    ),
)
"""All of them, in the order of the page."""


def point_named(tab: str, name: str) -> StartingPoint | None:
    """The starting point of a tab by its name, if there is one."""
    return next((each for each in POINTS if (each.tab, each.name) == (tab, name)), None)


# --- in the page -----------------------------------------------------------------------------


def show_row(tab: str) -> Any:
    """Puts the row of a tab where Gradio's context is; ``None`` where it has none."""
    points = [each for each in POINTS if each.tab == tab]
    if not points:
        return None
    items = "".join(_item(each) for each in points)
    return gr.HTML(
        f'<ul class="starts" role="list" aria-label="Starting points">{items}</ul>',
        elem_id=f"{tab}-starts",
        container=False,
        js_on_load=_CHOSEN,
    )


_CHOSEN = """element.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-start]");
    if (chosen) trigger("click", { start: chosen.dataset.start });
});"""


def _item(point: StartingPoint) -> str:
    texts = {name: _text(value) for name, value in point.settings.items()}
    return (
        f'<li><button type="button" data-start="{point.name}" aria-pressed="false" '
        f'data-settings="{escape(json.dumps(texts))}">'
        f'<img src="{ADDRESS}/{point.face.name}" alt="" width="72" height="72" loading="lazy">'
        f"<span><b>{escape(point.title)}</b> <small>{escape(point.hint)}</small></span>"
        "</button></li>"
    )


def _text(value: Any) -> str:
    """A value as the page has it."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def fills(row: Any, part: TabParts) -> None:
    """Has the row of a tab fill in its form and what stands beside it."""
    form = part.form
    assert form is not None  # what has starting points has a form
    besides = list(part.besides)
    keeps = any(point.keeps for point in POINTS if point.tab == part.tab)
    kept = [each.field for each in besides] if keeps else []

    def fill(event: gr.EventData, *now: Any) -> list[Any]:
        point = point_named(part.tab, event.start)
        if point is None:
            return [gr.skip() for _ in (*form.inputs, *besides)]
        given = point.given()
        stays = point.keeps and any(now)
        return [
            *form.filled(given),
            *(gr.skip() if stays else gr.update(value=each.value(given)) for each in besides),
        ]

    row.click(
        fill,
        kept,
        [*form.inputs, *(each.field for each in besides)],
        **PRIVATE,
        queue=False,
    )
