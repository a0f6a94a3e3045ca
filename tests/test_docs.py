"""The pages of the docs: they name every command and option, and lead where they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.page import marked
from digressions.cli.app import COMMANDS, app
from docs.make_commands import PAGE, generated

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def pages() -> str:
    return "\n".join(page.read_text("utf-8") for page in PAGES)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_named(pages: str, command: str) -> None:
    assert f"digress {command} " in pages
    names = {
        name
        for argument in app[command].assemble_argument_collection()
        if argument.show and argument.index is None
        for name in argument.names
    }
    assert names
    unnamed = [name for name in sorted(names) if not re.search(rf"[`\s]{name}[`\s=]", pages)]
    assert unnamed == []


def test_the_page_of_commands_says_what_the_program_says() -> None:
    found = marked().search(PAGE.read_text("utf-8"))
    assert found is not None
    assert found[0] == f"{found[1]}{generated()}{found[2]}", "python -m docs.make_commands"


def test_no_command_line_has_an_option_that_is_not_there(pages: str) -> None:
    known = {
        name
        for command in COMMANDS
        for argument in app[command].assemble_argument_collection()
        for name in argument.names
    }
    lines = [line for line in pages.splitlines() if re.search(r"\bdigress [a-z]", line)]
    named = {name for line in lines for name in re.findall(r"(?<![\w-])--[a-z][\w-]*", line)}
    assert len(named) > 10
    assert sorted(named - known - {"--help", "--version"}) == []
