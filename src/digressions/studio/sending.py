"""From tab to tab: a finished picture goes to a field of another, or its settings do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from ..errors import DigressionsError
from ..generate.made_files import settings_of
from ..images.pyramid import is_mosaic, preview_of
from .endpoints import PRIVATE
from .forms import Form, words
from .reading import as_it_is, reads_by

PRINTED = "Print: picture"
"""The place where pictures are printed, and mosaics with all their pixels."""
SEND = "Send to …"
"""What the menu says while nothing is sent."""


@dataclass(frozen=True)
class Accept:
    """What a tab takes from others.

    Attributes:
        label: Of the choice, such as "Paint: start picture".
        fields: That change.
        fill: From the path of a picture to an update of each; raises `gr.Error` for people.
    """

    label: str
    fields: Sequence[Any]
    fill: Callable[[str], Sequence[Any]]


def takes_settings(
    label: str,
    form: Form,
    fields_of: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> Accept:
    """A form that takes the settings of a picture, whatever program made it.

    Args:
        fields_of: From the parameters of `PaintSpec` to the values of its fields, where they are
            others; raises `DigressionsError` where they do not fit.
    """

    def fill(path: str) -> list[Any]:
        try:
            asked, notes = settings_of(Path(path))
            values = fields_of(asked)
        except DigressionsError as error:
            raise gr.Error(words(error), print_exception=False) from None
        for note in notes:
            gr.Info(note)
        return form.filled({name: each for name, each in values.items() if name in form.fields})

    return Accept(label, form.inputs, fill)


def takes_picture(label: str, field: Any) -> Accept:
    """A field of a picture that takes one from another tab, of a mosaic the small one."""
    return Accept(label, [field], lambda path: [gr.update(value=str(shown_of(Path(path))))])


def mosaic_of(path: Path) -> Path | None:
    """The folder of a finished mosaic with all its pictures, from itself or its small picture."""
    from ..mosaics.stored import is_stored  # with torch, which comes later

    folder = path if path.is_dir() else path.parent
    return folder if is_stored(folder) and path in (folder, preview_of(folder)) else None


def shown_of(path: Path) -> Path:
    """The picture that stands for what was made: itself, or a mosaic's small one."""
    return preview_of(path) if is_mosaic(path) else path


@dataclass(frozen=True)
class Offer:
    """A picture that a tab sends.

    Attributes:
        chosen: Holds its path.
        menu: Where one chooses a place for it; see `send_menu`.
        buttons: Send it to one place, by the label of that.
    """

    chosen: Any
    menu: Any
    buttons: Mapping[str, Any] = field(default_factory=dict)


def send_menu(tab: str) -> Any:
    """The menu that an `Offer` has."""
    menu = gr.Dropdown(
        [SEND],
        label="Send to",
        value=SEND,
        show_label=False,
        container=False,
        elem_id=f"{tab}-send",
        elem_classes=["send"],
        filterable=False,
    )
    reads_by(menu, as_it_is)  # only `wire` knows the places
    return menu


class Beside(NamedTuple):
    """A field of a tab that stands beside its form.

    Attributes:
        field: As the page has it.
        value: What it shows when the tab is filled in anew, from the settings that it is filled
            with.
    """

    field: Any
    value: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class TabParts:
    """What a tab hands to the page that it is in.

    Attributes:
        tab: Its id.
        form: Whose values stand in the URL, if it has one.
        besides: What is filled in besides the form.
        accepts, offers: What it takes and sends.
        shown: What is done whenever the tab comes to the front: a function, inputs, outputs.
    """

    tab: str
    form: Form | None = None
    besides: Sequence[Beside] = ()
    accepts: Sequence[Accept] = ()
    offers: Sequence[Offer] = ()
    shown: tuple[Callable[..., Any], Sequence[Any], Sequence[Any]] | None = None


def wire(tabs: Any, parts: Sequence[TabParts]) -> None:
    """Connects what tabs send with what tabs take.

    Args:
        tabs: Gradio's tabs, of which the one that takes comes to the front.
    """
    places = {accept.label: (part.tab, accept) for part in parts for accept in part.accepts}
    fields = list(dict.fromkeys(f for _, accept in places.values() for f in accept.fields))

    def send(label: str, path: str) -> list[Any]:
        if label not in places or not path:
            if label in places:
                gr.Info("There is no picture yet to send.")
            return [gr.skip(), gr.update(value=SEND), *(gr.skip() for _ in fields)]
        tab, accept = places[label]
        updates = dict(zip(accept.fields, accept.fill(path), strict=True))
        front = gr.Tabs(selected=tab)
        return [front, gr.update(value=SEND), *(updates.get(f, gr.skip()) for f in fields)]

    for part in parts:
        for offer in part.offers:
            offer.menu.choices = [(SEND, SEND), *((label, label) for label in places)]
            offer.menu.input(
                send,
                [offer.menu, offer.chosen],
                [tabs, offer.menu, *fields],
                **PRIVATE,
            )
            for label, button in offer.buttons.items():
                button.click(
                    lambda path, label=label: send(label, path),
                    offer.chosen,
                    [tabs, offer.menu, *fields],
                    **PRIVATE,
                )
