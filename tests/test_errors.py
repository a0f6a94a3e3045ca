"""One message, worded by each door: Python says ``guidance``, the command line ``--guidance``."""

from __future__ import annotations

import dataclasses
import pickle
import re
from pathlib import Path

import pytest

import digressions
from digressions.errors import (
    DigressionsError,
    ExecutorError,
    ImageError,
    InputError,
    MissingExtraError,
    ModelError,
    OutputError,
    PromptError,
    StoppedError,
    in_words,
    verbatim,
)
from digressions.generate.notes import notes_on_cells
from digressions.geometry import Size
from digressions.models.base import Model
from digressions.prompts.parse import parse


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def test_python_reads_names_and_the_command_line_options() -> None:
    error = InputError("`guidance_rescale` 2 is out of range: 0 to 1; see `guidance`")
    assert str(error) == "guidance_rescale 2 is out of range: 0 to 1; see guidance"
    assert error.worded(option) == "--guidance-rescale 2 is out of range: 0 to 1; see --guidance"
    assert error.message == "`guidance_rescale` 2 is out of range: 0 to 1; see `guidance`"


def test_the_field_is_the_first_parameter_named_or_the_one_that_is_said() -> None:
    assert InputError("`strength` needs an `image`").field == "strength"
    assert InputError("`strength` needs an `image`", field="image").field == "image"
    assert InputError("it cannot be").field is None
    assert InputError("`focal_35mm` is 0").field == "focal_35mm"
    assert OutputError("there is no room").field == "output"
    assert OutputError("there is no room", field="cache").field == "cache"


def test_only_names_are_worded() -> None:
    """A user's own text may have backquotes in it."""
    assert in_words("`a b` and `` and ` stay, `size` does not", option) == (
        "`a b` and `` and ` stay, --size does not"
    )


def test_what_the_user_typed_is_no_parameter() -> None:
    error = InputError(f"`size` {verbatim('`seed`')} is wrong")
    assert error.worded(option) == "--size `seed` is wrong"
    assert str(error) == "size `seed` is wrong"
    shown = PromptError("it is never closed", 9, "a `seed` (b").worded(option)
    assert "`seed`" in shown
    assert "--seed" not in shown


def test_the_strength_of_a_lora_names_no_option() -> None:
    with pytest.raises(PromptError) as error:
        parse("a fox <lora:ink:0`seed`8>")
    assert '"0`seed`8" is no strength of a LoRA' in error.value.worded(option)


def test_a_prompts_error_points_at_its_character() -> None:
    error = PromptError('"(" is never closed', 6, "a frog (green")
    assert str(error) == '"(" is never closed (character 7: a frog --> (green)'
    assert (error.reason, error.position, error.field) == ('"(" is never closed', 6, "prompt")
    assert PromptError("it is empty", field="negative").field == "negative"
    assert str(PromptError("it is empty")) == "it is empty"


def test_a_package_that_is_missing_says_how_to_install_it() -> None:
    assert str(MissingExtraError("ray", "ray")).endswith(
        "pip install 'digressions[ray]', or pip install '.[ray]' in a clone"
    )
    assert str(MissingExtraError("torch")).endswith("pip install torch")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *((kind, 2) for kind in (InputError, ImageError, ModelError, PromptError, OutputError)),
        (ExecutorError, 2),
        (StoppedError, 130),
    ],
)
def test_every_error_is_one_of_the_package_with_an_exit_code(
    kind: type[DigressionsError], code: int
) -> None:
    error = kind("`size` is wrong")
    assert isinstance(error, DigressionsError)
    assert error.exit_code == code
    assert str(error) == "size is wrong"


@pytest.mark.parametrize(
    "error",
    [
        InputError("`size` is wrong", field="grid"),
        ImageError("a.png is damaged"),
        PromptError("it is never closed", 3, "a (b"),
        OutputError("no room", field="cache"),
        MissingExtraError("ray", "ray"),
        StoppedError("stopped"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_whole_from_another_process(error: DigressionsError) -> None:
    """As workers send them."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.message == error.message
    assert vars(again) == vars(error)


def test_the_name_of_a_model_is_no_parameter() -> None:
    """Someone's folder may be called anything, and no message takes its name for one of ours."""
    package = Path(digressions.__file__).parent
    bare = re.compile(r"\{(self\.)?(model|profile|record)\.(name|upscaler)\}")
    allowed = {"mosaics/folder.py", "generate/declare.py"}  # a page, which escapes it; JSON
    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for path in package.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if bare.search(line) and "tracked(" not in line and "verbatim(f" not in line
        if path.relative_to(package).as_posix() not in allowed
    ]
    assert found == []


def test_a_note_shows_a_models_name_as_it_is(bundled: Model) -> None:
    odd = dataclasses.replace(bundled, name="my `seed` model")
    note = str(notes_on_cells(odd, Size(512, 64))[0].text)
    assert in_words(note, option).startswith("pictures of 512x64 are more than my `seed` model pa")
