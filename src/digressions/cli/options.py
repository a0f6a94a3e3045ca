"""From declared parameters to options: the command line declares none of its own twice.

`options_of` makes a dataclass of the parameters of a `Params` class, which cyclopts flattens into
options: names, types, choices, help and groups all come from the declaration. An option that is not
given is ``None``, so that a command can tell; what is given goes into the spec, which validates.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from cyclopts import Group, Parameter, Token
from cyclopts.help import (
    AsteriskRenderer,
    ColumnSpec,
    DefaultFormatter,
    DescriptionRenderer,
    HelpEntry,
    NameRenderer,
)
from pydantic.fields import FieldInfo
from rich.console import Console, ConsoleOptions

from ..errors import InputError, in_words
from ..files import output_path
from ..generate.declare import Params, about, default_in_words, item_type, plain_type
from ..generate.kinds import named_upscaler
from ..generate.model_params import ModelParams
from ..generate.params import GenerationParams, OutputParams
from .console import option_name

GROUPS = (
    *(
        "Picture",
        "Start",
        "Cells",
        "Photos",
        "Frame",
        "Paper",
        "Film",
        "Page",
        "Sampling",
        "Output",
    ),
    *("Model", "Machines"),
)


def group(name: str) -> Group:
    """The heading of some options in a help page, in the order of `GROUPS`."""
    return Group(name, sort_key=GROUPS.index(name), help_formatter=_FORMATTER)


def _columns(
    console: Console, options: ConsoleOptions, entries: list[HelpEntry]
) -> tuple[ColumnSpec, ...]:
    """Columns of a help page in which the name of an option is never broken."""
    labels = (label for entry in entries for label in entry.display_labels_with_metavar)
    longest = max((len(word) for label in labels for word in label.split()), default=0)
    width = max(math.ceil(console.width * 0.35), longest)
    required = [ColumnSpec(AsteriskRenderer(), width=1, style="cyclopts.required")]
    names = ColumnSpec(NameRenderer(width), style="cyclopts.name", no_wrap=True)
    columns = (names, ColumnSpec(DescriptionRenderer(), overflow="fold"))
    return (*required, *columns) if any(entry.required for entry in entries) else columns


_FORMATTER = DefaultFormatter(column_specs=_columns)


def options_of(
    spec: type[Params],
    *,
    without: Collection[str] = (),
    only: Collection[str] | None = None,
) -> Any:
    """A dataclass whose fields are the options of a spec, for ``Annotated[..., FLAT]``.

    Args:
        spec: Whose parameters, embedded groups' too.
        without: Names that are no options of this command: arguments, or what does nothing in it.
        only: The names that are, if not all.
    """
    fields = []
    for name, info in spec.flat_fields().items():
        if name in without or (only is not None and name not in only):
            continue
        told, kind = about(info), plain_type(info)
        shape, metavar, read = _as_typed(kind, told.get("form"))
        parameter = Parameter(
            name=[option_name(name)],
            help=_help(info, kind),
            group=group(str(told.get("group", "Picture"))),
            converter=read,
            metavar=metavar,
            negative=(),
            show_default=False,
            allow_leading_hyphen=told.get("form") == "numbers"
            or get_origin(item_type(kind)) is tuple,
        )
        annotation: Any = Annotated[shape if shape is bool else shape | None, parameter]
        default = dataclasses.field(default=False if shape is bool else None)
        fields.append((name, annotation, default))
    made = dataclasses.make_dataclass(f"{spec.__name__}Options", fields, frozen=True)
    made.__module__ = __name__  # cyclopts flattens no class of the standard library's modules
    return made


_CORNERS = 4


def spread(arguments: Sequence[str]) -> list[str]:
    """Arguments in which several points in one text, ``"x,y x,y x,y x,y"``, are several.

    Raises:
        InputError: An option comes before the fourth, and would be taken for a point, as -3,5 is.
    """
    found: list[str] = []
    lacking = 0
    for argument in arguments:
        joined = argument.startswith("--corners=")
        points = argument.removeprefix("--corners=").split()
        if lacking and re.match("--?[A-Za-z]", argument):
            raise InputError(
                f"`corners` needs {_CORNERS} values, and {_CORNERS - lacking} are there"
            )
        if joined or argument == "--corners":
            lacking = _CORNERS - len(points) * joined
            found += ["--corners", *points] if joined and len(points) > 1 else [argument]
        else:
            points = points if found[-1:] == ["--corners"] and len(points) > 1 else [argument]
            found += points
            lacking = max(0, lacking - len(points))
    return found


FLAT = Parameter(name="*")
"""Spreads a dataclass of options over the command line."""


def output(help: str) -> Parameter:
    """The option ``-o``."""
    return Parameter(
        name=["-o", "--output"],
        help=help,
        group=group("Output"),
        converter=lambda _, tokens: output_path(tokens[0].value),
        show_default=False,
    )


def given(options: Any, model: Any = None) -> dict[str, Any]:
    """The options that were given, by parameter name.

    Args:
        model: Those of the model; an upscaler is looked for by name in the folder that they name.

    Raises:
        InputError: There is no such folder, or no such upscaler in it.
    """
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    found = {
        name: value for name, value in values.items() if value is not None and value is not False
    }
    if "upscaler" in found and getattr(model, "models", None) is not None:
        found["upscaler"] = named_upscaler(found["upscaler"], model.models)
    return found


def given_device(options: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The device that was given to a command that loads no model but an upscaler.

    Raises:
        InputError: A folder of models is given, and no upscaler that is in it.
    """
    found = given(options)
    if found.pop("models", None) is not None and "upscaler" not in asked:
        raise InputError("`models` is where an `upscaler` is looked for, and none is given")
    return found


Reader: TypeAlias = Callable[[Any, Sequence[Token]], Any]


def _as_typed(kind: Any, wanted: str | None) -> tuple[Any, str | None, Reader | None]:
    """How a parameter is typed: what cyclopts takes it for, what stands for its value in a help
    page, and what makes of it what the spec takes. What is no number or choice stays text, which
    the spec refuses in its own words."""
    if kind is bool:
        return bool, None, None
    if wanted == "numbers":
        return object, "N,N,...", _read_numbers
    if wanted in ("picture", "path") or kind is Path:
        several = get_origin(kind) is list
        return list[object] if several else object, "PATH", _read_texts if several else _read_text
    if get_origin(kind) is Literal and all(isinstance(each, int) for each in get_args(kind)):
        kind = int
    if kind in (int, float):
        return object, "NUMBER", lambda _, tokens: _number(kind, tokens[0].value)
    if get_origin(kind) is Literal:
        return object, "CHOICE", _read_text
    if get_origin(kind) is list:
        if get_origin(item_type(kind)) is tuple:
            return list[tuple[(str,) * len(get_args(item_type(kind)))]], "TEXT", None
        if item_type(kind) is int:
            return list[object], "NUMBER", _read_whole_numbers
        return list[object], "TEXT", _read_texts
    return object, "TEXT", _read_text


def _read_text(_: Any, tokens: Sequence[Token]) -> str:
    return tokens[0].value


def _read_texts(_: Any, tokens: Sequence[Token]) -> list[str]:
    return [token.value for token in tokens]


def _read_whole_numbers(_: Any, tokens: Sequence[Token]) -> list[Any]:
    return [_number(int, token.value) for token in tokens]


def _read_numbers(_: Any, tokens: Sequence[Token]) -> list[float]:
    """Numbers with commas between them, such as ``1,0.7``."""
    (token,) = tokens
    try:
        return [float(part) for part in token.value.split(",")]
    except ValueError:
        raise InputError(f"{token.keyword} {token.value!r}: give numbers like 1,0.7") from None


def _number(kind: Callable[[str], Any], text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return text


def _help(info: FieldInfo, kind: Any) -> str:
    """What a parameter is, its choices, and what it is if it is not given."""
    text = str(info.description)
    wanted = about(info).get("form")
    choices = [str(each) for each in get_args(kind)] if get_origin(kind) is Literal else []
    if not all(choice in text for choice in choices):
        text += f" One of {', '.join(choices)}."
    if get_origin(kind) is list and "repeatable" not in text and wanted != "numbers":
        text += " Repeatable."
    default = default_in_words(info)
    text += f" [default: {default}]" if default else " [required]"
    return in_words(text, option_name)


def path_argument(help: str) -> Parameter:
    """A file that a command is about."""
    return Parameter(help=help, converter=_read_path)


def _read_path(_: Any, tokens: Sequence[Token]) -> Path:
    if not tokens[0].value.strip():
        raise InputError("the name of the file is empty: say which")
    return Path(tokens[0].value)


PICTURE = Annotated[Path, path_argument("Any picture, or the folder of a mosaic.")]
Prompt = Annotated[str, Parameter(help=GenerationParams.model_fields["prompt"].description)]


class ModelOptions(options_of(ModelParams)):
    """See `ModelParams`."""


class OutputOptions(options_of(OutputParams)):
    """See `OutputParams`."""
