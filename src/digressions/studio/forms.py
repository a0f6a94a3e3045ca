"""Fields of a page out of declared parameters, and back: values, errors at their fields, URLs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args, get_origin

import gradio as gr
from pydantic.fields import FieldInfo

from ..errors import DigressionsError, InputError, in_words
from ..generate.declare import Params, about, default_in_words, item_type, limits_of, plain_type
from .reading import as_it_is, path_of, reads_by

WRONG = "wrong"
"""The class of a field that an error is about."""
_LABELS = {"n": "How many", "steps": "Steps", "icc": "ICC profile", "dpi": "DPI"} | {
    "lora": "LoRA",
    "vae": "VAE",
    "models": "Model folder",
    "explain": '"Why are the colours so?"',
}
_LONG = ("prompt", "negative")


def picture_field(**look: Any) -> Any:
    """A picture that is handed on as the file that it is, whatever its kind and size: reading and
    refusing it is the use case's.

    Args:
        look: As Gradio's image takes it.
    """
    usual = {"type": "filepath", "image_mode": None, "sources": ["upload", "clipboard"]}
    field = gr.Image(**usual | look)
    reads_by(field, path_of)
    return field


def file_field(**look: Any) -> Any:
    """A file that is handed on as it is: reading and refusing it is the use case's.

    Args:
        look: As Gradio's file takes it.
    """
    field = gr.File(**{"height": 96} | look)
    reads_by(field, path_of)
    return field


def label_of(name: str) -> str:
    """What a field is called, such as "Guidance rescale"."""
    return _LABELS.get(name) or name.replace("_", " ").capitalize()


class Form:
    """The fields of a spec, in the order in which they are added to the page.

    Args:
        spec: Whose parameters, embedded groups' too.
        tab: The prefix of the fields' ids in the page.
        without: Names that are no fields here.
    """

    def __init__(self, spec: type[Params], tab: str, *, without: Collection[str] = ()) -> None:
        self.spec, self.tab = spec, tab
        self.declared = {
            name: info for name, info in spec.flat_fields().items() if name not in without
        }
        self.fields: dict[str, Any] = {}

    # --- the page ----------------------------------------------------------------------------

    def add(self, *names: str, **look: Any) -> None:
        """Puts fields where Gradio's context is.

        Args:
            look: What Gradio's component shall be told besides, such as ``lines``.
        """
        for name in names:
            field = self._component(name, self.declared[name], look)
            if not isinstance(field, (gr.Image, gr.File)):
                reads_by(field, as_it_is)  # the spec refuses what is wrong, in its own words
            self.fields[name] = field

    def add_groups(self, **groups: str) -> None:
        """Puts the fields of groups that are not on the page yet, each group in a fold.

        Args:
            groups: The title of the fold of each, by the group's name.
        """
        for group, title in groups.items():
            names = [
                name
                for name, info in self.declared.items()
                if name not in self.fields and _group(info) == group
            ]
            if names:
                with gr.Accordion(title, open=False, elem_classes=["fold"]):
                    self.add(*names)

    @property
    def inputs(self) -> list[Any]:
        """The fields, in order, as inputs and outputs of events."""
        return list(self.fields.values())

    # --- values ------------------------------------------------------------------------------

    def given(self, values: Sequence[Any]) -> dict[str, Any]:
        """What was filled in, by parameter; what is empty or at its default is not given.

        Args:
            values: Of `inputs`, in order.
        """
        found = {}
        for (name, field), shown in zip(self.fields.items(), values, strict=True):
            info = self.declared[name]
            value = _typed(info, shown)
            if value in (None, "", []) or (shown == field.value and value == info.default):
                continue
            found[name] = value
        return found

    def filled(self, given: Mapping[str, Any]) -> list[Any]:
        """Updates of `inputs` to values by parameter; the other fields are emptied."""
        values = self.shown(given)
        return [
            gr.update(value=values[name]) if name in values else field.value
            for name, field, _ in self._rows()
        ]

    def shown(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values by parameter as their fields show them; what is no field here is left out."""
        return {name: _shown(info, given[name]) for name, _, info in self._rows() if name in given}

    def read_url(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Values by parameter out of a query. What cannot be read is left out; files are."""
        return {
            name: value
            for name, _, info in self._rows()
            if name in query
            and about(info).get("form") not in ("picture", "file")
            and (value := _from_text(info, query[name])) is not None
        }

    # --- errors ------------------------------------------------------------------------------

    def marks(self, error: DigressionsError | None) -> list[Any]:
        """Updates of `inputs` that show an error at its field, and take away an earlier one."""
        wrong = error.field if isinstance(error, InputError) else None
        return [
            _marked(name, info, None if wrong != name or error is None else words(error))
            for name, _, info in self._rows()
        ]

    def mark(self, name: str, error: DigressionsError) -> Any:
        """An update of one field that shows an error there."""
        return _marked(name, self.declared[name], words(error))

    def plain(self, name: str, told: str = "") -> Any:
        """An update of one field without an error; of a file one may say what it is."""
        update = _marked(name, self.declared[name], None)
        label = f"{label_of(name)}: {in_words(told, label_of)}"
        return update | {"label": label} if told else update

    def has(self, error: DigressionsError) -> bool:
        """Whether an error is about one of the fields."""
        return isinstance(error, InputError) and error.field in self.fields

    def _rows(self) -> Iterable[tuple[str, Any, FieldInfo]]:
        for name, field in self.fields.items():
            yield name, field, self.declared[name]

    def _component(self, name: str, info: FieldInfo, look: dict[str, Any]) -> Any:
        kind = plain_type(info)
        usual: dict[str, Any] = {"label": label_of(name), "elem_id": f"{self.tab}-{name}"}
        if _is_picture(info):
            return picture_field(**usual | look)
        if _is_file(info):
            return file_field(**usual | look)
        usual |= {"info": _info(info)}
        default = None if info.is_required() else info.default
        if kind is bool:
            return gr.Checkbox(**usual | {"value": bool(default)} | look)
        if get_origin(kind) is Literal:
            choices = [str(each) for each in get_args(kind)]
            if default is None:
                open_ = (f"({default_in_words(info)})", "")
                return gr.Dropdown(**usual | {"choices": [open_, *choices], "value": ""} | look)
            return gr.Dropdown(**usual | {"choices": choices, "value": str(default)} | look)
        limits = limits_of(info)
        if kind in (int, float) and default is not None:  # Gradio shows 0 for no number at all
            low, high = limits.get("ge"), limits.get("le")
            if kind is float and low is not None and high is not None:
                return gr.Slider(low, high, **usual | {"value": default, "step": 0.01} | look)
            precision = 0 if kind is int else None
            hint = {"placeholder": default_in_words(info)}
            return gr.Number(**usual | {"value": default, "precision": precision} | hint | look)
        lines = 3 if name in _LONG else 2 if get_origin(kind) is list else 1
        text = {"lines": lines, "placeholder": default_in_words(info), "value": default or ""}
        return gr.Textbox(**usual | text | look)


class HasFields(Protocol):
    """Fields at which errors are shown; see `Form`."""

    @property
    def inputs(self) -> list[Any]: ...

    def marks(self, error: DigressionsError | None) -> list[Any]: ...

    def has(self, error: DigressionsError) -> bool: ...


class Forms:
    """Several forms whose errors one panel shows."""

    def __init__(self, *forms: HasFields) -> None:
        self._forms = forms

    @property
    def inputs(self) -> list[Any]:
        """As of `Form`, of one after the other."""
        return [field for form in self._forms for field in form.inputs]

    def marks(self, error: DigressionsError | None) -> list[Any]:
        """As of `Form`."""
        return [mark for form in self._forms for mark in form.marks(error)]

    def has(self, error: DigressionsError) -> bool:
        """As of `Form`."""
        return any(form.has(error) for form in self._forms)


_UPLOADED = re.compile(r"/[^:'\"]*/\.studio/uploads/(?:[0-9a-f]{40,}/)?")


def words(error: DigressionsError) -> str:
    """An error as the page says it: parameters as their fields are called, and files that were
    given to the page by their names."""
    return _UPLOADED.sub("", in_words(error.message, label_of))


def _group(info: FieldInfo) -> str:
    return str(about(info).get("group", "Picture"))


def _is_picture(info: FieldInfo) -> bool:
    """Whether a parameter is one picture; several are typed as paths."""
    return about(info).get("form") == "picture" and get_origin(plain_type(info)) is not list


def _is_file(info: FieldInfo) -> bool:
    return about(info).get("form") == "file"


def _info(info: FieldInfo) -> str:
    return in_words(str(info.description), label_of)


def _marked(name: str, info: FieldInfo, wrong: str | None) -> Any:
    if _is_picture(info) or _is_file(info):  # which have no line of help
        return labelled(label_of(name), wrong)
    return gr.update(info=wrong or _info(info), elem_classes=[WRONG] if wrong else [])


def labelled(label: str, wrong: str | None) -> Any:
    """An update of a field without a line of help: what is wrong with it stands in its label."""
    label = label if wrong is None else f"{label}: {wrong}"
    return gr.update(label=label, elem_classes=[WRONG] if wrong else [])


def _typed(info: FieldInfo, value: Any) -> Any:
    """A value of the page as the spec takes it; what cannot be read stays as it is, which the spec
    refuses in its own words."""
    kind = plain_type(info)
    if isinstance(value, str):
        value = value.strip()
        if about(info).get("form") == "numbers":
            return [_number(each) for each in value.replace(",", " ").split()]
        if get_origin(kind) is list:
            lines = [line.strip() for line in value.splitlines() if line.strip()]
            return [*map(_whole, lines)] if item_type(kind) is int else lines
        if kind is int:
            return _whole(value)
        if kind is float:
            return _number(value)
        if get_origin(kind) is Literal:
            return next((each for each in get_args(kind) if str(each) == value), value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _shown(info: FieldInfo, value: Any) -> Any:
    """A value of a spec as its field shows it."""
    kind = plain_type(info)
    if isinstance(value, (list, tuple)) and get_origin(kind) is list:
        return "\n".join(map(str, value))
    if kind in (int, float) and about(info).get("form") is None and not isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return value
    return str(value)


def _from_text(info: FieldInfo, text: str) -> Any:
    kind = plain_type(info)
    try:
        if kind is bool:
            return text == "true"
        if kind in (int, float):
            return kind(text)
    except ValueError:
        return None
    if get_origin(kind) is Literal and text not in map(str, get_args(kind)):
        return None
    return text.splitlines() if get_origin(kind) is list else text
