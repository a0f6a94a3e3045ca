"""Groups of options: one parameter of a command, several options on the command line."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from digressions.cli import app
from digressions.commands.groups import ModelOptions, TunedModelOptions, spread


@dataclass(frozen=True)
class Paper:
    width: Annotated[int, typer.Option(help="Across.")] = 3
    colour: Annotated[str, typer.Option("--tint")] = "white"


def told(*arguments: str) -> str:
    seen: list[str] = []

    @spread
    def write(text: str, *, paper: Paper, loud: bool = False) -> None:
        """Writes."""
        seen.append(f"{text} {paper} {loud}")

    program = typer.Typer()
    program.command()(write)
    result = CliRunner().invoke(program, arguments)
    assert result.exit_code == 0, result.output
    return seen[0]


def test_options_of_a_group_are_gathered() -> None:
    assert told("a") == f"a {Paper(3, 'white')} False"
    assert told("a", "--tint", "red", "--loud", "--width", "7") == f"a {Paper(7, 'red')} True"


def test_the_options_stand_where_the_group_stood() -> None:
    @spread
    def write(text: str, *, paper: Paper, loud: bool = False) -> None: ...

    assert list(inspect.signature(write).parameters) == ["text", "width", "colour", "loud"]


def test_two_groups_with_one_option_are_refused() -> None:
    def write(*, one: Paper, other: Paper) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name"):
        spread(write)


def test_no_command_has_a_group_left_on_its_command_line() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        for parameter in inspect.signature(command.callback).parameters.values():
            assert not isinstance(parameter.annotation, type) or parameter.annotation is bool


def test_a_model_is_loaded_with_what_was_said_and_nothing_else() -> None:
    assert ModelOptions().special == {}
    assert TunedModelOptions().special == {}
    assert TunedModelOptions(openvino=True).special == {"openvino": True}
