"""Options of the command line: help that says all, nothing ignored, the same options where they
make sense."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest

from digressions.cli.app import COMMANDS, app
from digressions.cli.options import GROUPS
from digressions.images.image_files import read_image, write_image

from .conftest import Ran
from .walls import framed

Digress = Callable[..., Ran]
PAINTING = ("mosaic", "zoom", "serve", "screensaver", "export-site", "ensemble", "paint", "frame")
TWO = ("a frog", "a fox")
FRAME = ("frame", "wall.png")
FILLED = (*FRAME, "a frog")


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, photo: np.ndarray) -> None:
    write_image(tmp_path / "photo.png", photo)
    write_image(tmp_path / "wall.png", framed())


def options(command: str) -> Iterator[Any]:
    """What a command takes besides its arguments: cyclopts' own description of it."""
    found = app[command].assemble_argument_collection()
    yield from (each for each in found if each.show and each.index is None)


# --- help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_heading_and_says_what_it_is_if_not_given(command: str) -> None:
    for option in options(command):
        (group,) = option.parameter.group
        assert group.name in GROUPS, option.name
        assert re.search(r"\w[.)']* \[(default: \S.*|required)\]$", option.parameter.help), (
            option.name
        )
        assert "`" not in option.parameter.help


@pytest.mark.parametrize("command", COMMANDS)
def test_a_help_text_names_options_as_they_are_typed(command: str) -> None:
    names = {name for option in options(command) for name in option.names}
    words = "|".join(name.lstrip("-") for name in names)
    for option in options(command):
        bare = re.search(rf"\b(with|without|instead of) (a )?({words})\b", option.parameter.help)
        assert bare is None, f"{option.name}: {option.parameter.help}"
        for typed in re.findall(r"extra --?[a-z]+", option.parameter.help):
            pytest.fail(f"{option.name}: an extra is no option: {typed}")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_may_be_given_several_times_is_taken_several_times(command: str) -> None:
    for option in options(command):
        taken = any(get_origin(kind) is list for kind in (option.hint, *get_args(option.hint)))
        assert taken == ("Repeatable." in option.parameter.help), option.name


@pytest.mark.parametrize("columns", ["40", "61", "200"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_name_of_an_option_is_whole_in_a_help_page_of_any_width(
    digress: Digress, monkeypatch: pytest.MonkeyPatch, command: str, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ran = digress(command, "-h")
    assert ran.code == 0
    for option in options(command):
        assert re.search(rf"{option.name}[ \n]", ran.out), option.name


@pytest.mark.parametrize("command", COMMANDS)
def test_the_headings_of_a_help_page_stand_in_their_order(digress: Any, command: str) -> None:
    ran = digress(command, "--help")
    shown = re.findall(r"^╭─ (\w+) ─", ran.out, re.MULTILINE)
    assert ran.code == 0
    asked = ["Arguments"] if command != "studio" else []  # which asks for everything in its page
    assert shown == [*asked, *(group for group in GROUPS if group in shown)]
    groups = {group for option in options(command) for group in _names(option)}
    assert groups == set(shown) - set(asked)


def _names(option: Any) -> list[str]:
    return [group.name for group in option.parameter.group]


def test_help_has_every_command_in_a_line_of_its_own(digress: Any) -> None:
    out = digress("--help").out
    places = [out.index(f"│ {command} ") for command in COMMANDS]
    assert places == sorted(places)


# --- the same options where they make sense --------------------------------------------------


@pytest.mark.parametrize("command", PAINTING)
def test_what_is_about_painting_is_in_every_command_that_paints(command: str) -> None:
    names = {name for option in options(command) for name in option.names}
    about_painting = {
        *("--negative", "--seed", "--steps", "--sampler", "--guidance", "--guidance-rescale"),
        *("--combine", "--strength", "--timestep-spacing", "--zero-snr"),
        *("--model", "--device", "--dtype", "--compile", "--vae", "--openvino"),
        *("--offload", "--quantize", "--vae-tiles"),
    }
    assert about_painting <= names
    cells = {"--grid", "--band", "--anchor", "--cell-prompt"}
    assert cells & names == (cells if command in PAINTING[:5] else set())
    assert ("--masked-content" in names) == (command in PAINTING[5:])


LANCZOS = ("--upscaler", "lanczos")
SMALL: dict[str, tuple[str, ...]] = {
    "paint": ("paint", "a frog", "--size", "32", "-o", "x.png"),
    "ensemble": ("ensemble", *TWO, "--size", "32", "-o", "x.png"),
    "mosaic": ("mosaic", "a frog", "--size", "32", "--grid", "2x1", *LANCZOS, "-o", "x"),
    "zoom": (
        *("zoom", "a frog", "--size", "32", "--grid", "2", *LANCZOS, "--frame-size", "32"),
        *("--levels", "1", "--fps", "9", "--seconds", "1", "--into", "3"),
        *("--band", "0", "--anchor", "0", "--adapt", "0", "-o", "x"),
    ),
    "frame": ("frame", "../wall.png", "a frog", *LANCZOS, "-o", "x"),
}
MADE = {
    **dict.fromkeys(("paint", "ensemble"), "x.png"),
    "mosaic": "x/preview.jpg",
    "zoom": "x/*.png",
    "frame": "x/picture.png",
}


@pytest.mark.parametrize("command", SMALL)
def test_rescaled_guidance_and_the_spacing_of_steps_change_what_is_painted(
    digress: Digress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    usual = ("--steps", "3", "--guidance", "4", "--seed", "3", "--sampler", "ddim")
    made = []
    for more in ((), ("--guidance-rescale", "0.9"), ("--timestep-spacing", "leading")):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        monkeypatch.chdir(folder)
        ran = digress(*SMALL[command], *usual, *more)
        assert ran.code == 0, ran.err
        assert "does nothing" not in ran.err
        found = [read_image(path).astype(int) for path in sorted(folder.glob(MADE[command]))]
        made.append(np.concatenate(found))
    plain, *others = made
    changes = [np.abs(plain - other).max() for other in others]
    assert min(changes) > 3, changes


# --- nothing is ignored ----------------------------------------------------------------------


def _shown(value: Any) -> str:
    return " ".join(value)[:60] if isinstance(value, tuple) else ""


IDLE: list[tuple[tuple[str, ...], str]] = [
    *(
        ((*command, *more), words)
        for command in (("paint", "a frog"), ("ensemble", *TWO))
        for more, words in (
            (("--strength", "0.5"), "--strength is about a start picture, and needs an --image"),
            (("--masked-content", "noise"), "--masked-content is about the masked area, and needs"),
            (
                ("--image", "photo.png", "--masked-content", "noise"),
                "--masked-content is about the masked area, and needs an --image and a --mask",
            ),
            (("--mask", "photo.png"), "--mask needs an --image"),
            (("--image", "photo.png", "--palette", "navy"), "--palette needs a --mask"),
            (("--region-softness", "0.2"), "--region-softness is about the edges of a --region"),
        )
    ),
    (("paint", "a frog", "--enlarge", "1", *LANCZOS), "--upscaler does nothing with --enlarge 1"),
    (("paint", "a frog", "--region", "left"), "--region says where each of several prompts counts"),
    (("paint", "a AND b", "--region", "left"), "prompts: 2, regions: 1; give one --region for"),
    (("ensemble", *TWO, "--compare", "--combine", "sum"), "--combine does nothing with --compare"),
    (("ensemble", *TWO, "--sweep", "3", "--weights", "1,2"), "--sweep gives the prompts weights"),
    (("ensemble", "a :2", "b", "--sweep", "3"), "leave out --weights, and those in the prompts"),
    (
        ("upscale", "photo.png", "--times", "2", *LANCZOS, "--device", "cpu"),
        "--device is for an --upscaler from a file",
    ),
    (
        ("print", "photo.png", "--size", "A6", *LANCZOS, "--device", "cpu"),
        "--device is for an --upscaler from a file",
    ),
    ((*FRAME, "--insert", "photo.png", *LANCZOS), "--upscaler is about the print, and needs"),
    (("ensemble", *TWO, "--best", "2"), "--best 2 is out of range: 1 to the 1 of -n"),
    (("ensemble", *TWO, "--compare", "--judge", "a"), "--judge are for pictures, not for a table"),
    *(
        ((*command, *more), f"{more[0]} is for --executor ray")
        for command in (("mosaic", "a frog"), ("zoom", "a frog"))
        for more in (
            ("--workers", "2"),
            ("--address", "auto"),
            ("--cpus-per-worker", "2"),
            ("--gpus-per-worker", "1"),
        )
    ),
    (("mosaic", "a frog", "--executor", "ray", "--profile"), "--profile times this process"),
    (("mosaic", "a frog", "--reuse", "2", "--merge-similar", "0.1"), "choose one of them"),
    (("zoom", "a frog", "--max-mb", "2", "-o", "film.mp4"), "--max-mb is for a GIF"),
    *(
        ((*FILLED, *more), f"{more[0]} is about the print, and needs --size")
        for more in (
            ("--bleed", "3mm"),
            ("--safe", "3mm"),
            ("--mat", "3mm"),
            ("--dpi", "300"),
            ("--fit", "contain"),
            ("--marks",),
            ("--proof",),
            ("--print-as", "tif"),
        )
    ),
    *(
        ((*FRAME, "--find", *more), f"{more[0]} is about paint")
        for more in (
            ("--steps", "3"),
            ("--seed", "3"),
            ("--negative", "a fox"),
            ("--palette", "navy"),
            ("--room", "0.1"),
            ("-n", "2"),
            ("--pick", "1"),
            LANCZOS,
            ("--model", "bundled"),
            ("--device", "cpu"),
        )
    ),
    ((*FILLED, "--refine-scale", "3"), "--refine-strength and --refine-scale are about --refine"),
    ((*FILLED, "--explain", "--pick", "1"), "--pick does nothing with --explain"),
    ((*FILLED, "--insert", "photo.png"), "a prompt and --insert both say what to hang"),
    (("print", "photo.png", "--size", "A6", "--intent", "absolute"), "--intent is about the"),
    (("print", "photo.png", "--size", "A6", "--edge", "picture"), "--edge is about what is beyond"),
    (("upscale", "photo.png", "--times", "2", "--size", "99"), "give one of them"),
]


@pytest.mark.parametrize(("arguments", "words"), IDLE, ids=_shown)
def test_an_option_that_would_do_nothing_is_refused_before_a_model_is_loaded(
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setattr("digressions.models.loading.load", lambda *_, **__: pytest.fail("too late"))
    assert words in refused(*arguments)


EARLY: list[tuple[tuple[str, ...], str]] = [
    *(
        ((*command, "--image", "none.png"), "none.png: there is no such file")
        for command in (
            *(("paint", "a frog"), ("ensemble", *TWO), ("mosaic", "a frog"), ("zoom", "a frog")),
            *(("serve", "a frog"), ("screensaver", "a frog"), ("export-site", "a frog")),
        )
    ),
    (("frame", "none.png", "a frog"), "none.png: there is no such file"),
    (("paint", "a frog", "--size", "64x"), "--size '64x' is not a number or WIDTHxHEIGHT"),
    (("mosaic", "a frog", "--grid", "64x"), "--grid '64x' is not a number or ACROSSxDOWN"),
    (("paint", "a (frog"), '"(" is never closed'),
    *(
        ((*command, "--device", "tpu"), "--device 'tpu' is not known: choose one of cuda, mps, cpu")
        for command in (("paint", "a frog"), ("mosaic", "a frog"), ("upscale", "photo.png"))
    ),
    (("paint", "a frog", "-o", "x.gif"), "cannot write '.gif'"),
    (("ensemble", "a frog"), "needs several prompts"),
    (("ensemble", *TWO, "--region", "left"), "prompts: 2, regions: 1"),
    (("mosaic", "a frog", "--grid", "four"), "'four' is not a number"),
    (
        ("mosaic", "a frog", "--executor", "ray", "--gpus-per-worker", "1.5"),
        "--gpus-per-worker 1.5",
    ),
    (("zoom", "a frog", "-o", "x.avi"), "x.avi"),
    (("serve", "a frog", "--grid", "4x3"), "--grid 4 --cell-aspect 4:3 gives all of them"),
    (("export-site", "a frog", "--reuse", "1"), "--reuse 1 is out of range"),
    ((*FILLED, "-o", "wall.png/o"), "wall.png is not a folder"),
    ((*FRAME, "a (frog"), '"(" is never closed'),
]


@pytest.mark.parametrize(("arguments", "words"), EARLY, ids=_shown)
def test_what_is_wrong_without_a_model_is_found_before_one_is_loaded(
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setattr("digressions.models.loading.load", lambda *_, **__: pytest.fail("too late"))
    assert words in refused(*arguments)


QUICK = ("--steps", "2", "--seed", "3", "--guidance", "1")
NOTED: list[tuple[tuple[str, ...], str]] = [
    (("--negative", "a toad"), "at a guidance of 1 --negative does nothing"),
    (("--guidance-rescale", "0.5"), "at a guidance of 1 --guidance-rescale does nothing"),
    (("--combine", "sum"), "--combine sum does nothing for a single prompt: add AND"),
    (("--sampler", "lcm", "--timestep-spacing", "leading"), "--timestep-spacing does nothing: lcm"),
]


@pytest.mark.parametrize(("more", "words"), NOTED, ids=lambda v: v[0] if v[1:] else "")
def test_an_option_that_does_nothing_with_others_is_noted_wherever_it_is(
    digress: Digress, more: tuple[str, ...], words: str
) -> None:
    for number, command in enumerate(("paint", "mosaic", "zoom")):
        own = [each.replace("x", f"{number}x", 1) for each in SMALL[command][-1:]]
        ran = digress(*SMALL[command][:-1], *own, *QUICK, *more)
        assert ran.code == 0, ran.err
        (line,) = [
            line
            for line in ran.err.splitlines()
            if line.startswith("note: ") and "is for the cells" not in line
        ]
        assert words in line


def test_a_base_image_that_is_painted_otherwise_than_the_cells_is_noted(digress: Digress) -> None:
    for command in ("mosaic", "zoom"):
        ran = digress(*SMALL[command][:-1], f"of-{command}", "--steps", "3")
        assert "--steps 3 is for the cells: the base image is painted with 12" in ran.err


def test_a_prompt_that_nothing_is_painted_from_is_noted(digress: Digress) -> None:
    for command in ("mosaic", "zoom"):
        given = ("--image", "photo.png", "--cell-prompt", "a bee", "--steps", "1")
        ran = digress(*SMALL[command][:-1], f"of-{command}", *given)
        assert ran.code == 0, ran.err
        assert "the prompt paints nothing: the base image is --image" in ran.err


def test_a_replay_that_needs_no_model_says_that_one_was_named_for_nothing(
    digress: Digress,
) -> None:
    assert digress("upscale", "photo.png", *LANCZOS, "-o", "x.png").code == 0
    ran = digress("replay", "x.png", "--model", "nonsense", "--dtype", "float32")
    assert ran.code == 0
    assert "note: --model and --dtype changed nothing: no model was needed" in ran.err
    assert "note" not in digress("replay", "x.png", "--device", "cpu").err


# --- how options are typed -------------------------------------------------------------------

TYPED: list[tuple[tuple[str, ...], str]] = [
    ((), "PROMPT is missing"),
    (
        ("frog", "pond"),
        "'pond' is one argument too many: put quotes around the words of a prompt, and the",
    ),
    (("frog", "--guidence", "3"), "there is no option --guidence here: did you mean --guidance?"),
    (("frog", "--sampler"), "--sampler needs a value"),
    (("frog", "-o"), "-o needs a value"),
    (("frog", "--seed", "1", "--seed", "2"), "--seed is given twice"),
    (("frog", "--zero-snr=3"), "--zero-snr takes no value"),
    (("frog", "--no-zero-snr"), "there is no option --no-zero-snr here"),
    (("frog", "--steps", "2.5"), "--steps is '2.5': it must be a whole number"),
    (("frog", "--steps", "1e2"), "--steps is '1e2': it must be a whole number"),
    (("frog", "--seed="), "--seed is '': it must be a whole number"),
    (("frog", "--guidance", "x"), "--guidance is 'x': it must be a number"),
    (("frog", "--guidance", "inf"), "--guidance is inf: it must be a finite number"),
    (("frog", "--strength", "-1"), "--strength -1.0 is out of range: 0 to 1"),
    (("frog", "--sampler", "DDIM"), "--sampler 'DDIM' is called ddim here"),
    (("frog", "-n", "x"), "-n is 'x': it must be a whole number"),
    (("frog", "-n0"), "-n 0 is out of range: 1 to 9999"),
]


@pytest.mark.parametrize(("arguments", "words"), TYPED, ids=lambda v: " ".join(v))
def test_a_slip_is_one_line_that_names_the_option_as_typed(
    refused: Callable[..., str], arguments: tuple[str, ...], words: str
) -> None:
    line = refused("paint", *arguments)
    assert line.startswith(f"digress: {words}")
    assert "pydantic" not in line


def test_a_slip_in_a_command_or_in_a_list(refused: Callable[..., str]) -> None:
    assert "no command 'mosaik': did you mean mosaic?; 'digress --help'" in refused("mosaik")
    assert "--corners needs 4 values, and 2 are there" in refused(*FRAME, "--corners", "0,0", "1,1")
    for three in (["0,0 9,0 9,9"], ["0,0", "-1,0", "9,9"]):
        line = refused(*FRAME, "--corners", *three, "-o", "o")
        assert "--corners needs 4 values, and 3 are there" in line
    assert "--frame is 'x': it must be" in refused(*FILLED, "--frame", "1", "--frame", "x")
    assert "--weights 'a,b': give numbers" in refused("ensemble", *TWO, "--weights", "a,b")
    assert "add up to 0" in refused("ensemble", *TWO, "--weights", "-1,1")
    assert "PHOTO is missing" in refused("frame")
    assert "PROMPTS is missing" in refused("ensemble")


# --- what is said ----------------------------------------------------------------------------


def test_nothing_that_somebody_types_is_taken_for_markup(
    digress: Digress, refused: Callable[..., str], tmp_path: Path
) -> None:
    assert "'[red]:dog:\\\\[/x]'" in refused("paint", "frog", "--size", "[red]:dog:\\[/x]")
    assert refused("paint", "frog", "--image", "a\nb.png").startswith("digress: a b.png: there is")
    odd = "[bold]:dog:\udce9.png"
    ran = digress("paint", "frog", "--size", "32", "--steps", "1", "-o", odd)
    assert (ran.code, ran.out) == (0, "[bold]:dog:\\udce9.png\n")
    assert (tmp_path / odd).is_file()


def test_notes_are_not_said_before_an_error(refused: Callable[..., str]) -> None:
    """All of these are noted where they do nothing else."""
    idle = ("--negative", "a zyzzyva", "--guidance", "1")
    line = refused("paint", "a zyzzyva", *idle, "--size", "33")
    assert "33" in line
    for command in ("mosaic", "zoom"):
        assert "tokens long" in refused(command, "zyzzyva " * 300, *idle, "--grid", "2")
