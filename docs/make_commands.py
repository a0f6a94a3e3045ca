"""Writes the generated part of docs/commands.md: every command and option, from the program itself.

python -m docs.make_commands
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_origin

from benchmarks.page import update
from digressions.cli.app import COMMANDS, app
from digressions.cli.options import GROUPS

PAGE = Path(__file__).parent / "commands.md"
PAINTING = ["mosaic", "zoom", "serve", "screensaver", "export-site", "ensemble", "paint", "frame"]
WHERE = {tuple(COMMANDS): "all", tuple(PAINTING): "all that paint"}
ABOUT = re.compile(r"(?P<text>.*?)\s*(\[?(default: (?P<default>.*?)|required)\]?)?", re.DOTALL)


class Row(NamedTuple):
    """An option as a page shows it; commands that have the very same one share it."""

    group: str
    names: tuple[str, ...]
    help: str
    default: str


def arguments(command: str) -> Iterator[Any]:
    """What a command takes: cyclopts' arguments that are shown in its help."""
    yield from (each for each in app[command].assemble_argument_collection() if each.show)


def row(argument: Any) -> Row:
    """An option's row."""
    text, _, default = (argument.parameter.help or "").removesuffix("]").rpartition(" [")
    headings = [str(group.name) for group in argument.parameter.group]
    return Row(headings[0], tuple(argument.names), text, default.removeprefix("default: "))


def generated() -> str:
    """The tables, in Markdown."""
    lines = ["", "| command | what it does |", "| --- | --- |"]
    rows: dict[Row, list[str]] = {}
    for command in COMMANDS:
        usage = ["digress", command]
        for argument in arguments(command):
            if argument.index is None:
                rows.setdefault(row(argument), []).append(command)
            else:
                many = "..." if get_origin(argument.hint) in (tuple, list) else ""
                usage.append(argument.names[0].upper() + many)
        lines.append(f"| `{' '.join(usage)}` | {cell(app[command].help)} |")
    for group in GROUPS:
        own = {each: where for each, where in rows.items() if each.group == group}
        if own:
            lines += ["", f"## {group}", "", "| option | what it does | default | in |"]
            lines += ["| --- | --- | --- | --- |"]
            lines += [shown(each, where) for each, where in own.items()]
    missing = {each.group for each in rows} - set(GROUPS)
    assert not missing, f"GROUPS lacks {missing}"
    return "\n".join(lines) + "\n\n"


def shown(option: Row, where: list[str]) -> str:
    """A row of a table."""
    names = ", ".join(f"`{name}`" for name in option.names)
    commands = WHERE.get(tuple(where), ", ".join(where))
    return f"| {names} | {cell(option.help)} | {cell(option.default)} | {commands} |"


def cell(text: str) -> str:
    """A text that a table's cell can hold, options and choices in it as code."""
    text = re.sub(r"--[a-z][a-z-]*", r"`\g<0>`", text)
    text = re.sub(r"(?<=One of )[^.]*", lambda found: re.sub(r"[\w-]+", r"`\g<0>`", found[0]), text)
    return re.sub(r"\s+", " ", text.replace("|", r"\|")).strip()


if __name__ == "__main__":
    update(PAGE, generated())
