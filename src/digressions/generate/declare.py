"""How parameters are declared: once, with type, range, help and where the default comes from.

A `Params` class is a frozen group of parameters. From its declarations come validation (one line
that names the parameter and says what would be right), JSON and its strict reading back, options of
the command line and Python signatures. Groups may be embedded in each other. Needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..errors import InputError, verbatim

Form = Literal["picture", "file", "path", "numbers"]
"""A picture in any form, a file that is read, a path, or numbers in one text."""


def option(
    default: Any,
    help: str,
    *,
    group: str = "Picture",
    default_from: str | None = None,
    form: Form | None = None,
    **limits: Any,
) -> Any:
    """A parameter of a `Params` class.

    Args:
        default: Its default; ``...`` for none.
        help: One or two sentences for people, without the default.
        group: The heading that it stands under: Picture, Cells, Start, Model, Output, Machines, ...
        default_from: In words, where the value comes from when the default is ``None``.
        form: What a value is that is neither a number nor plain text, for doors to ask for.
        limits: As `pydantic.Field` takes them: ``ge``, ``le``, ``gt``, ``lt``, ...
    """
    told: dict[str, Any] = {"group": group}
    if default_from is not None:
        told["default_from"] = default_from
    if form is not None:
        told["form"] = form
    return Field(default, description=help, json_schema_extra=told, **limits)


def declared(
    group: type[BaseModel],
    name: str,
    *,
    help: str | None = None,
    default_from: str | None = None,
    **limits: Any,
) -> Any:
    """A parameter that another group declares, with what differs here.

    Args:
        group: Where it is declared.
        name: Its name, there and here.
        help, default_from: As of `option`, where they differ.
        limits: Those that differ; the others stay.
    """
    found = group.model_fields[name]
    told = dict(about(found))
    if default_from is not None:
        told["default_from"] = default_from
    return Field(
        found.default,
        description=help or found.description,
        json_schema_extra=told,
        **limits_of(found) | limits,
    )


def about(info: FieldInfo) -> dict[str, Any]:
    """What `option` was told of a parameter: ``group``, ``default_from``, ``form``."""
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def plain_type(info: FieldInfo) -> Any:
    """The type of a parameter without ``None`` and without limits."""
    kind: Any = info.annotation
    if get_origin(kind) in (Union, UnionType):
        kind = next(each for each in get_args(kind) if each is not type(None))
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def item_type(kind: Any) -> Any:
    """What a list is of, without limits; ``None`` of what is none."""
    each = get_args(kind)[0] if get_origin(kind) is list else None
    return get_args(each)[0] if get_origin(each) is Annotated else each


def default_in_words(info: FieldInfo) -> str:
    """What a parameter is that is not given, such as "the model", "none" or "0.5"; nothing where
    it must be given."""
    default: Any = info.default
    if default is ... or default is PydanticUndefined:
        return ""
    if (where := about(info).get("default_from")) is not None:
        return str(where)
    if default is None or default in ("", [], ()):
        return "none"
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default)


class Params(BaseModel):
    """A frozen group of parameters: typed, bounded, and the same in JSON and in Python.

    Raises:
        InputError: From every way to make one: a value is of another type, out of range or
            unknown; one line that names the parameter and says what would be right.
    """

    hidden: ClassVar[frozenset[str]] = frozenset()
    """Parameters that this group inherits and that nobody chooses in it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,  # "4" is not a number and True is not one either
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
    )

    def __init__(self, /, **values: Any) -> None:
        fields = type(self).model_fields
        plain = {name: _in_python(value, fields.get(name)) for name, value in values.items()}
        try:
            super().__init__(**plain)
        except ValidationError as error:
            raise _explained(error, type(self)) from None

    @classmethod
    def flat_fields(cls) -> dict[str, FieldInfo]:
        """Every parameter by name, those of embedded groups in place of the group."""
        found: dict[str, FieldInfo] = {}
        for name, info in cls.model_fields.items():
            group = _group(info)
            own = {name: info} if group is None else group.flat_fields()
            if twice := found.keys() & own.keys() - cls.hidden:
                raise TypeError(f"{cls.__name__} has {', '.join(sorted(twice))} twice")
            found |= own
        return {name: info for name, info in found.items() if name not in cls.hidden}

    @classmethod
    def of(cls, /, **flat: Any) -> Self:
        """From parameters by name, embedded groups' too; one that is ``None`` is not given."""
        given = {name: value for name, value in flat.items() if value is not None}
        own: dict[str, Any] = {}
        for name, info in cls.model_fields.items():
            group = _group(info)
            if group is not None:
                names = group.flat_fields().keys() & given.keys()
                own[name] = group.of(**{each: given.pop(each) for each in names})
            elif name in given:
                own[name] = given.pop(name)
        return cls(**own | given)  # what is left is unknown, and refused

    def but(self, /, **changes: Any) -> Self:
        """A copy with other values, validated."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**values | changes)

    def json_object(self) -> dict[str, Any]:
        """As JSON has it: every field, in plain values."""
        return self.model_dump(mode="json")

    def json_line(self) -> str:
        """As one line of JSON with sorted keys: equal for equal parameters, different otherwise."""
        return json.dumps(self.json_object(), sort_keys=True)

    @classmethod
    def from_json_object(cls, found: object) -> Self:
        """Reads what `json_object` wrote.

        Raises:
            InputError: It is damaged, out of range, or has fields that this version does not know.
        """
        if not isinstance(found, Mapping):
            raise InputError(f"{found!r:.80} is not a group of settings")
        return cls(**{str(name): value for name, value in found.items()})


def _in_python(value: Any, info: FieldInfo | None) -> Any:
    """A value in Python's own types: numbers of numpy as numbers, and where a list is declared, one
    text, an array of numbers or any other sequence as a list."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    if info is not None and _is_list(info.annotation):
        if isinstance(value, str):
            return [value]
        if isinstance(value, (tuple, range, set)) or getattr(value, "ndim", 0) == 1:
            return [_in_python(each, None) for each in value]
    return value


def _is_list(kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType, Annotated):
        return any(_is_list(each) for each in get_args(kind))
    return get_origin(kind) is list


def _group(info: FieldInfo) -> type[Params] | None:
    """The class of an embedded group of parameters."""
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Params) else None


def _explained(error: ValidationError, of: type[BaseModel]) -> InputError:
    """The first of pydantic's complaints in one line."""
    found = error.errors(include_url=False)[0]
    names = [str(part) for part in found["loc"] if isinstance(part, str)]
    field = next((name for name in reversed(names) if name.isidentifier()), None)
    value, kind, told = found.get("input"), found["type"], found.get("ctx", {})
    name = f"`{field}`" if field else "a value"
    shown = verbatim(f"{value!r:.80}")
    if kind == "missing":
        return InputError(f"{name} is missing", field=field)
    if kind == "extra_forbidden":
        last = str(found["loc"][-1])
        unknown = name if field == last else verbatim(f"{last!r:.80}")
        return InputError(f"{unknown} is not a parameter that this version knows", field=field)
    if kind in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        return InputError(f"{name} {shown} is out of range: {_range(of, names)}", field=field)
    if kind == "literal_error":
        choices = str(told["expected"]).replace("'", "").replace(" or ", ", ")
        return InputError(f"{name} {shown} is not known: choose one of {choices}", field=field)
    if kind == "value_error":
        return InputError(f"{name} {shown}: {told.get('error')}", field=field)
    wanted = _WANTED.get(kind, found["msg"].lower().removeprefix("input should be "))
    return InputError(f"{name} is {shown}: it must be {wanted}", field=field)


_WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a group of settings",
    "model_type": "a group of settings",
    "list_type": "a list",
}


def _range(of: type[BaseModel], names: list[str]) -> str:
    """The limits of a field in words, such as "0 to 1" or "more than 0"."""
    limits = limits_of(_field(of, names))
    low, high = limits.get("ge"), limits.get("le")
    if low is not None and high is not None:
        return f"{_plain(low)} to {_plain(high)}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return ", ".join(f"{words[key]} {_plain(limit)}" for key, limit in limits.items())


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _field(of: type[BaseModel], names: list[str]) -> FieldInfo:
    """The declaration at the end of a path of field names."""
    info = None
    for name in names:
        if name not in of.model_fields:
            continue
        info = of.model_fields[name]
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            of = inner
    assert info is not None
    return info


def limits_of(info: FieldInfo) -> dict[str, float]:
    """The limits of a declaration by pydantic's names, ``ge``, ``gt``, ``le`` and ``lt``; of a list
    those of each of its values."""
    found: dict[str, float] = {}
    parts = [info.metadata, *_annotated(info.annotation)]
    for part in parts:
        for meta in part:
            for key in ("ge", "gt", "le", "lt"):
                if getattr(meta, key, None) is not None:
                    found[key] = getattr(meta, key)
    return found


def _annotated(kind: Any) -> Iterator[list[Any]]:
    """What annotations say within a type: in a union with None, and of a list's values."""
    for meta in getattr(kind, "__metadata__", ()):
        yield meta.metadata if isinstance(meta, FieldInfo) else [meta]
    for inner in get_args(kind) if get_origin(kind) in (Union, UnionType, Annotated, list) else ():
        yield from _annotated(inner)
