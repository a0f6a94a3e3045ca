"""The address of a page holds the settings of a tab: it is read once, and kept as fields change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from .endpoints import PRIVATE
from .forms import Form
from .sending import TabParts
from .starting_points import point_named

_MOST = 200  # parameters that are read


def keep_addresses(loaded: Any, tabs: Any, query: Any, parts: Sequence[TabParts]) -> None:
    """Has a page open with what its address says, and the address say what its fields do.

    The address is read while somebody may be typing already, so it fills in only what is still as
    it was: the page itself decides that, when the answer is there.

    Args:
        loaded: The event after which ``query`` is known.
        tabs: Gradio's tabs, of which the one that is asked for comes to the front.
        query: Holds the query of the address.
    """
    forms = [(part.tab, part.form) for part in parts if part.form is not None]
    typed = [
        (tab, name, field)
        for tab, form in forms
        for name, field in form.fields.items()
        if not isinstance(field, (gr.Image, gr.File))
    ]
    pictures = {
        field: (part.tab, value) for part in parts for field, value in _pictures_of(part).items()
    }
    asked = gr.Textbox("", visible="hidden", elem_id="asked")

    def read(text: str) -> list[Any]:
        query = dict(parse_qsl(text.removeprefix("?"))[:_MOST])
        part = next((each for each in parts if each.tab == query.get("tab")), None)
        if part is None:
            return [gr.skip(), "", *(gr.skip() for _ in pictures)]
        point = point_named(part.tab, query.get("start", ""))
        given = {} if point is None else point.given()
        values = {} if part.form is None else _shown(part.form, given | part.form.read_url(query))
        shown = [
            gr.update(value=value(given)) if point and tab == part.tab else gr.skip()
            for tab, value in pictures.values()
        ]
        return [gr.Tabs(selected=part.tab), json.dumps({part.tab: values}), *shown]

    names = json.dumps([[tab, name] for tab, name, _ in typed])
    defaults = json.dumps([_plain(field.value) for *_, field in typed])
    fields = [field for *_, field in typed]
    loaded.then(read, [query], [tabs, asked, *pictures], queue=False, **PRIVATE).then(
        *(None, [asked, *fields], fields),
        js=f"(asked, ...v) => window.digress.fill(asked, {names}, v, {defaults})",
        **PRIVATE,
    )
    for tab, form in forms:
        names = json.dumps(list(form.fields))
        defaults = json.dumps([_plain(field.value) for field in form.inputs])
        js = f"(...v) => window.digress.address({json.dumps(tab)}, {names}, v, {defaults})"
        told = [field.change for field in form.inputs]
        gr.on(told, None, form.inputs, None, js=js, **PRIVATE)


def _pictures_of(part: TabParts) -> dict[Any, Any]:
    """The fields of a tab that no query fills in but a starting point does, and from its settings
    to the value of each."""
    found = {each.field: each.value for each in part.besides}
    for name, field in part.form.fields.items() if part.form else ():
        if isinstance(field, (gr.Image, gr.File)):
            found[field] = _value_of(name)
    return found


def _shown(form: Form, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the page has them, in fields of text as texts: no server stands in between."""
    return {
        name: str(value) if isinstance(form.fields[name], gr.Textbox) else value
        for name, value in form.shown(given).items()
    }


def _value_of(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda given: given.get(name)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) else None
