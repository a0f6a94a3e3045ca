"""What is typed as a prompt and was not meant as one: refused or noted, in every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from digressions.errors import DigressionsError, InputError, PromptError
from digressions.images.image_files import write_image
from digressions.models.base import Model
from digressions.prompts.parse import parse
from digressions.prompts.slips import check_quoted, check_typed, notes_on_weights

from .conftest import Ran
from .walls import framed

Digress = Callable[..., Ran]
ONE = ("paint", "mosaic", "zoom", "serve", "screensaver", "export-site")
TWO = ("a frog", "a fox")
QUICK = ("--size", "32", "--steps", "1")


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "fox.png", photo)
    write_image(tmp_path / "wall.png", framed())
    (tmp_path / "out" / "me64").mkdir(parents=True)
    (tmp_path / "turtle").mkdir()


# --- nothing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "  ", "\n", "\u00a0", "\u200b", "...", "\u201c\u201d"])
@pytest.mark.parametrize("command", ONE)
def test_an_empty_prompt_is_refused(refused: Callable[..., str], command: str, text: str) -> None:
    assert "say what to paint" in refused(command, text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("mosaic", "a frog", "--cell-prompt", ""),
        ("zoom", "a frog", "--cell-prompt", "a bee", "--cell-prompt", " "),
        ("frame", "wall.png", ""),
        ("frame", "wall.png", "a frog", "--refine", ""),
        ("frame", "wall.png", "--insert", ""),
        ("frame", "", "a frog"),
        ("ensemble", "a frog", ""),
        ("ensemble", "a frog", "a fox", "--judge", ""),
        ("ensemble", "a frog", "a fox", "--region", "", "--region", "left"),
        *(("paint", "a frog", f"--{name}", "") for name in ("image", "model", "vae")),
        *(("paint", "a frog", f"--{name}", " ") for name in ("device", "output")),
        ("paint", "a frog", "--image", "fox.png", "--mask", ""),
        ("paint", "a frog", "--image", "fox.png", "--mask", "fox.png", "--palette", ""),
        ("zoom", "a frog", "--cache", ""),
        ("print", "", "--size", "A4"),
        ("print", "fox.png", "--size", "A4", "--icc", ""),
        ("upscale", ""),
        ("replay", ""),
    ],
    ids=" ".join,
)
def test_an_empty_value_is_refused(refused: Callable[..., str], arguments: tuple[str, ...]) -> None:
    line = refused(*arguments)
    assert "empty" in line or "not known" in line


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["fox.png", "none.jpg", "out/me64", "./turtle", "/nowhere/at/all"])
@pytest.mark.parametrize("command", ONE)
def test_the_name_of_a_file_is_no_prompt(
    refused: Callable[..., str], command: str, text: str
) -> None:
    assert f"the prompt '{text}' is a file or folder" in refused(command, text)


def test_the_message_names_the_option_that_takes_a_file(refused: Callable[..., str]) -> None:
    assert "--image" in refused("mosaic", "fox.png")
    assert "--insert" in refused("frame", "wall.png", "fox.png")
    assert "--image" in refused("ensemble", "fox.png", "a frog")


@pytest.mark.parametrize(
    "text", ["turtle", "AC/DC", "a cat/dog", "photo of fox.png", "1/2", "etc."]
)
def test_words_are_words_whatever_folders_there_are(text: str) -> None:
    assert check_typed(text) == text


# --- quotes and hyphens ----------------------------------------------------------------------


def test_words_without_quotes_are_asked_for_them(refused: Callable[..., str]) -> None:
    assert "put quotes around" in refused("paint", "photo", "of", "a", "turtle")
    assert "put quotes around each" in refused("ensemble", "photo", "of", "a", "frog")
    assert "put quotes around each" in refused("frame", "wall.png", "photo", "of", "a", "frog")
    with pytest.raises(PromptError):
        check_quoted(["a", "frog"])
    check_quoted(["frog", "fox"])


def test_a_prompt_that_begins_with_a_hyphen(refused: Callable[..., str], digress: Digress) -> None:
    assert "comes last, after --" in refused("paint", "-a frog")
    assert digress("paint", *QUICK, "-o", "x.png", "--", "-a frog").code == 0
    assert "--size stands after --" in refused("paint", "--", "-a frog", "--size", "32")


@pytest.mark.parametrize(
    "corners",
    [
        ("30,20", "90,20", "90,70", "30,70"),
        ("30,20 90,20 90,70 30,70",),
        (" 30,20  90,20\n90,70 30,70 ",),
        ("-3,20", "90,20", "90,70", "-3,70"),
    ],
)
def test_corners_are_four_texts_or_one(digress: Digress, corners: tuple[str, ...]) -> None:
    ran = digress("frame", "wall.png", "--find", "-o", "f", "--corners", *corners)
    assert ran.code == 0, ran.err
    if len(corners) == 1:
        assert digress("frame", "wall.png", "--find", f"--corners={corners[0]}").code == 0


def test_corners_are_given_once_for_each_opening(digress: Digress) -> None:
    corners = ("--corners", "30,20 90,20 90,70 30,70", "--corners", "3,20", "9,20", "9,70", "3,70")
    ran = digress("frame", "wall.png", "--find", "-o", "f", *corners)
    assert ran.code == 0, ran.err
    assert "2: score 1.00" in ran.out


# --- weights ---------------------------------------------------------------------------------


def test_a_time_that_silences_the_only_prompt_is_refused(refused: Callable[..., str]) -> None:
    for command in ("paint", "mosaic", "zoom"):
        line = refused(command, "a clock at 12:00")
        assert '":00" at the end is read as a weight of 0' in line
        assert r"\:00" in line


def test_a_colon_in_a_negative_prompt_gets_the_hint(refused: Callable[..., str]) -> None:
    line = refused("paint", "a fox", "--negative", "smile :3", "--guidance", "2")
    assert r"(type \: for a colon that is text)" in line
    assert "colon" not in refused("paint", "a", "--negative", "a AND b", "--guidance", "2")


def test_an_error_is_one_line_whatever_was_typed() -> None:
    with pytest.raises(PromptError) as error:
        check_typed("a clock at 12:\n00")
    assert len(str(error.value).splitlines()) == 1
    assert len(str(DigressionsError("a\u2028b\r\nc")).splitlines()) == 1


def test_bytes_that_are_no_characters_are_found_before_a_model_is_loaded(
    refused: Callable[..., str],
) -> None:
    assert "holds bytes that are no characters, from place 3 on" in refused("paint", "a \ud800")


def test_a_silent_prompt_of_an_ensemble_is_named(digress: Digress) -> None:
    for line in (
        ("ensemble", "a clock at 12:00", "photo of a fox"),
        ("paint", "a clock at 12:00 AND a fox"),
    ):
        ran = digress(*line, *QUICK, "-o", f"{line[0]}.png")
        assert ran.code == 0, ran.err
        assert r"prompt 1, 'a clock at 12', has a weight of 0 and is silent; type \:" in ran.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ratio 16:9", "has a weight of 9, not a time or a ratio"),
        ("a train at 10:30 AND a fox", "prompt 1, 'a train at 10', has a weight of 30"),
        ("smile :3", "the weight of 3 does nothing for a single prompt"),
        ("a frog AND a fox :0", "prompt 2, 'a fox', has a weight of 0"),
    ],
)
def test_a_number_that_looks_like_something_else_is_noted(text: str, words: str) -> None:
    (note,) = notes_on_weights(parse(text))
    assert words in note
    assert r"\:" in note


@pytest.mark.parametrize(
    "text", ["a frog", r"a clock at 12\:00", "a frog AND a fox :0.7", "a (b:1.2)"]
)
def test_weights_that_are_meant_are_not_noted(text: str) -> None:
    assert check_typed(text) == text
    assert notes_on_weights(parse(text)) == []


def test_a_weight_beyond_all_measure_is_refused(refused: Callable[..., str]) -> None:
    assert "cannot be its weight" in refused("ensemble", *TWO, "--weights", "1e308,1e308")
    assert "out of range for a weight" in refused("paint", "ratio 1920:1080")
    assert "out of range for a weight" in refused("paint", "a (frog:99999)")


# --- markup and lengths ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["out [old]/a.png", "a[/b].png", "[bold]x[/bold].png", "`size`.png"]
)
def test_a_path_is_printed_as_it_is(digress: Digress, name: str) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    ran = digress("paint", "a turtle", *QUICK, "-o", name)
    assert (ran.code, ran.out) == (0, f"{name}\n")
    (Path(name).parent / "a[").mkdir(exist_ok=True)
    assert (
        digress("upscale", name, "--times", "2", "--upscaler", "lanczos", "-o", "b.png").code == 0
    )
    assert "there is no such file" in digress("upscale", "[red]none[/].png").err


@pytest.mark.parametrize(
    "line",
    [
        ("upscale", "`seed`.png"),
        ("upscale", "`seed`"),
        ("upscale", "`seed`.txt"),
        ("upscale", "fox.png", "-o", "`seed`.xyz"),
        ("upscale", "fox.png", "-o", "`seed`.txt/fox.png"),
        ("print", "fox.png", "--size", "A4", "-o", "`seed`.xyz"),
        ("print", "fox.png", "--size", "A4", "--icc", "`seed`.icc"),
        ("paint", "a frog", "-o", "`seed`"),
        ("paint", "a frog", "-o", "`seed`.xyz"),
        ("paint", "a frog", "--image", "fox.png", "--mask", "`seed`.png"),
        ("paint", "a frog", "--image", "fox.png", "--mask", "`size`.png"),
        ("mosaic", "a frog", "-o", "`seed`.txt"),
        ("zoom", "a frog", "--cache", "`seed`"),
        ("zoom", "a frog", "--cache", "`seed`.txt"),
        ("zoom", "a frog", "-o", "`seed`.xyz"),
        ("frame", "`seed`.png", "--find"),
        ("replay", "`seed`.txt"),
        ("paint", "a frog", "--model", "./`seed`"),
        ("paint", "a frog", "--model", "`seed`.txt"),
        ("paint", "a frog", "--model", "~`seed`"),
        ("paint", "a frog", "--vae", "`seed`"),
        ("paint", "a frog", "--lora", "`seed`.txt"),
        ("paint", "a frog", "--models", "`seed`.txt"),
        ("paint", "a frog", "--enlarge", "2", "--upscaler", "`seed`"),
        ("replay", "`seed`"),
    ],
    ids=" ".join,
)
def test_backquotes_in_a_path_name_no_option(
    refused: Callable[..., str], photo: np.ndarray, line: tuple[str, ...]
) -> None:
    Path("`seed`").mkdir()
    Path("`seed`.txt").write_text("a frog")
    write_image("`size`.png", photo[:8, :8])
    said = refused(*line)
    assert "`seed`" in said or "`size`.png" in said
    assert "--seed" not in said


@pytest.mark.parametrize("command", ["paint", "ensemble", "mosaic"])
def test_backquotes_in_a_prompt_name_no_option(digress: Digress, command: str) -> None:
    more = ("a fox",) if command == "ensemble" else ()
    for text in ("a `seed` (b", "photo of a `steps` " * 30, "a `size` AND"):
        ran = digress(command, text, *more)
        assert ran.code == 2
        assert not any(name in ran.err for name in ("--seed", "--steps", "--size"))
    assert "--seed" not in digress("paint", "a frog", "--negative", "a `seed` AND b").err


def test_a_long_prompt_is_not_quoted_whole(refused: Callable[..., str]) -> None:
    line = refused("paint", "turtle " * 15_000)
    assert "15,0" in line
    assert len(line) < 400


# --- what the model knows --------------------------------------------------------------------


def test_words_lists_what_the_model_was_taught(
    digress: Digress, refused: Callable[..., str], bundled: Model
) -> None:
    assert bundled.vocabulary is not None
    assert digress("words").out.splitlines() == list(bundled.vocabulary.captions)
    some = digress("words", "TURT").out.splitlines()
    assert "turtle" in some
    assert all("turt" in each.lower() for each in some)
    assert "nothing with 'zyzzyva'" in refused("words", "zyzzyva")
    assert "nothing with 'turtel' (did you mean 'turtle'?) in it" in refused("words", "turtel")


# --- a new user's other paths ----------------------------------------------------------------


def test_an_inserted_picture_is_printed_too(digress: Digress) -> None:
    line = ("frame", "wall.png", "--insert", "fox.png", "--size", "A6", "--upscaler", "lanczos")
    ran = digress(*line, "-o", "f")
    assert ran.code == 0, ran.err
    assert Path("f/print.pdf").is_file()
    assert Path("f/room.png").is_file()
    assert digress("replay", "f/print.pdf", "-o", "again.pdf").code == 0


def test_the_help_has_a_short_name(digress: Digress) -> None:
    assert digress("-h").out == digress("--help").out
    assert digress("paint", "-h").out == digress("paint", "--help").out


@pytest.mark.parametrize("text", ["fox.png", "", "a clock at 12:00"])
def test_python_refuses_the_same(bundled: Model, text: str) -> None:
    import digressions as dg

    for call in (
        lambda: dg.paint(bundled, text),
        lambda: dg.mosaic(bundled, text),
        lambda: dg.film(bundled, text),
        lambda: dg.World.open(bundled, text),
    ):
        with pytest.raises(DigressionsError):
            list(call())  # type: ignore[call-overload]
    with pytest.raises(InputError):
        dg.paint(bundled, "a frog", image=" ")
