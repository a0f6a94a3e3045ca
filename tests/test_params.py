"""Parameters are declared once: what is checked, said, written and read back comes from that."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from digressions.diffusion.names import SamplerName, SpacingName
from digressions.errors import InputError
from digressions.generate.declare import Params, limits_of, option
from digressions.generate.kinds import MAX_SEED, CellGrid, GridText, PictureSize, Share
from digressions.generate.params import (
    EnlargeParams,
    GenerationParams,
    MaskedContent,
    PaintSpec,
    ResolvedParams,
)
from digressions.geometry import Grid, Size
from digressions.models.base import Defaults
from digressions.mosaics.mosaic_spec import CellGenerationParams
from digressions.prompts.scheduling import COMBINE_HELP

from .jobs import resolved

text = st.text(max_size=20)
said = st.text("abc é🐢,`'\n\u00a0", max_size=20).map("frog {}".format)
any_given = st.fixed_dictionaries(
    {"prompt": said},
    optional={
        "negative": text,
        "seed": st.integers(0, MAX_SEED),
        "size": st.tuples(st.integers(1, 16_384), st.integers(1, 16_384)),
        "steps": st.integers(1, 1000),
        "sampler": st.sampled_from(get_args(SamplerName)),
        "guidance": st.floats(-100, 1000),
        "guidance_rescale": st.floats(0, 1),
        "combine": st.sampled_from(list(COMBINE_HELP)),
        "strength": st.floats(0, 1),
        "masked_content": st.sampled_from(get_args(MaskedContent)),
        "timestep_spacing": st.sampled_from(get_args(SpacingName)),
        "zero_snr": st.booleans(),
    },
)
DEFAULTS = Defaults("ddim", steps=12, guidance=3.0, strength=0.8).values()


def refused(**values: Any) -> InputError:
    """What is said of a value that cannot be: one line."""
    with pytest.raises(InputError) as caught:
        GenerationParams(**{"prompt": "a frog"} | values)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300
    return caught.value


# --- reading and writing ---------------------------------------------------------------------


@given(any_given)
def test_json_gives_back_what_it_was_given(values: dict[str, Any]) -> None:
    params = GenerationParams(**values)
    assert GenerationParams.from_json_object(json.loads(params.json_line())) == params
    assert "\n" not in params.json_line()
    open_ones = {name for name, value in params.json_object().items() if value is None}
    assert not open_ones & values.keys()


@given(any_given, any_given)
def test_lines_are_equal_where_parameters_are(a: dict[str, Any], b: dict[str, Any]) -> None:
    one, other = GenerationParams(**a), GenerationParams(**b)
    assert (one.json_line() == other.json_line()) == (one == other)


@pytest.mark.parametrize("found", [None, 3, "a", [], [["prompt", "a frog"]]])
def test_what_is_no_group_of_settings_is_refused(found: object) -> None:
    with pytest.raises(InputError, match="is not a group of settings"):
        GenerationParams.from_json_object(found)


def test_names_that_no_parameter_has_are_refused_by_name() -> None:
    for name in ("stepz", "self", "cls", "model_config", "model_fields", "Steps"):
        error = refused(**{name: 3})
        assert error.field == name
        assert str(error) == f"{name} is not a parameter that this version knows"
    assert str(refused(**{"a b": 3})) == "'a b' is not a parameter that this version knows"


# --- strictness ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("steps", True, "a whole number"),
        ("steps", "4", "a whole number"),
        ("steps", 4.0, "a whole number"),
        ("steps", 4.5, "a whole number"),
        ("seed", False, "a whole number"),
        ("seed", "7", "a whole number"),
        ("guidance", True, "a number"),
        ("guidance", "4", "a number"),
        ("guidance", float("nan"), "a finite number"),
        ("guidance", float("inf"), "a finite number"),
        ("strength", "0.5", "a number"),
        ("prompt", 3, "text"),
        ("prompt", b"frog", "text"),
        ("negative", None, "text"),
        ("zero_snr", 1, "true or false"),
        ("zero_snr", "yes", "true or false"),
    ],
)
def test_nothing_is_taken_for_what_it_is_not(name: str, value: object, wanted: str) -> None:
    error = refused(**{name: value})
    assert error.field == name
    assert error.message == f"`{name}` is {value!r}: it must be {wanted}"


def test_a_whole_number_is_a_number() -> None:
    assert GenerationParams(prompt="a", guidance=4).guidance == 4.0


@pytest.mark.parametrize("value", ["heun", "", "DDIM", 3, None])
def test_a_choice_that_is_none_names_the_choices(value: object) -> None:
    error = refused(combine=value)
    assert error.message.startswith(f"`combine` {value!r} is not known: choose one of mean, sum, ")
    assert all(name in error.message for name in COMBINE_HELP)


# --- limits ----------------------------------------------------------------------------------

LIMITED = {
    name: limits_of(info) for name, info in PaintSpec.flat_fields().items() if limits_of(info)
}


def test_the_limits_that_are_declared() -> None:
    assert LIMITED == {
        "seed": {"ge": 0, "le": MAX_SEED},
        "steps": {"ge": 1, "le": 1000},
        "guidance": {"ge": -100, "le": 1000},
        "guidance_rescale": {"ge": 0, "le": 1},
        "strength": {"ge": 0, "le": 1},
        "region_softness": {"ge": 0, "le": 0.5},
        "enlarge": {"ge": 1, "le": 16},
        "n": {"ge": 1, "le": 9999},
    }


@pytest.mark.parametrize("name", LIMITED)
def test_every_limit_is_one_line_that_names_the_parameter_and_says_what_would_be_right(
    name: str,
) -> None:
    low, high = LIMITED[name]["ge"], LIMITED[name]["le"]
    whole = isinstance(low, int) and name not in ("guidance", "guidance_rescale", "strength")
    over = high + 1 if whole and isinstance(high, int) else high + 0.001
    for value in (low - 1, over):
        with pytest.raises(InputError) as caught:
            PaintSpec.of(prompt="a frog", **{name: value})
        error = caught.value
        assert error.field == name
        assert error.message == f"`{name}` {value!r} is out of range: {low} to {high}"
        assert str(error) == error.message.replace("`", "")
    for value in (low, high):
        PaintSpec.of(prompt="a frog", **{name: value})


def test_resolved_parameters_have_the_same_limits() -> None:
    """Those of a file are held to what a user is held to."""
    for name in ("seed", "steps", "guidance", "strength"):
        assert limits_of(ResolvedParams.model_fields[name]) == LIMITED[name]


def test_limits_of_one_side_are_said_in_words() -> None:
    class Other(Params):
        above: float | None = option(None, "", gt=1)
        between: int = option(3, "", gt=1, lt=9)
        most: Share = option(0.5, "")

    for values, words in (
        ({"above": 1}, "`above` 1 is out of range: more than 1"),
        ({"between": 9}, "`between` 9 is out of range: more than 1, less than 9"),
        ({"most": 2}, "`most` 2 is out of range: 0 to 1"),
    ):
        with pytest.raises(InputError) as caught:
            Other(**values)
        assert caught.value.message == words


# --- sizes and grids -------------------------------------------------------------------------


class Shapes(Params):
    size: PictureSize | None = None
    grid: CellGrid = Grid(1, 1)
    asked: GridText = "64"


@pytest.mark.parametrize("value", [(64, 48), [64, 48], "64x48", "64 × 48", Size(64, 48)])
def test_a_size_is_read_however_it_is_said(value: object) -> None:
    assert Shapes(size=value).size == Size(64, 48)
    assert Shapes(grid=value).grid == Grid(64, 48)
    assert isinstance(Shapes(size=value).size, Size)
    assert isinstance(Shapes(grid=value).grid, Grid)


@pytest.mark.parametrize("value", [64, "64", np.int64(64)])
def test_one_number_is_a_square(value: object) -> None:
    assert Shapes(size=value, grid=value) == Shapes(size=(64, 64), grid=(64, 64))
    assert Shapes(asked=value).asked == "64"  # the longer side: the picture is not known yet


@pytest.mark.parametrize("name", ["size", "grid", "asked"])
@pytest.mark.parametrize(
    "value",
    [0, -3, 3.5, True, "", "x", "0x5", "5x0", "frog", (64,), (1, 2, 3), (64, 0), (6.4, 48), [], {}],
)
def test_what_is_no_size_is_refused(name: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        Shapes(**{name: value})
    assert caught.value.field == ("size" if name == "size" else "grid")
    assert "\n" not in caught.value.message


def test_a_picture_to_paint_has_a_largest_size() -> None:
    assert GenerationParams(prompt="a", size=16_384).size == Size(16_384, 16_384)
    error = refused(size="64x16385")
    assert error.message == "`size` 64x16385 is out of range: at most 16,384 pixels a side"
    assert Shapes(size=20_000).size is not None  # one that is enlarged may be larger


# --- groups in groups ------------------------------------------------------------------------


def test_a_spec_is_made_of_flat_parameters() -> None:
    spec = PaintSpec.of(prompt="a frog", steps=4, image="a.png", enlarge=2, n=3, guidance=None)
    assert spec.params == GenerationParams(prompt="a frog", steps=4)
    assert (spec.start.image, spec.larger, spec.n) == ("a.png", EnlargeParams(enlarge=2), 3)
    assert spec.params.guidance is None
    flat = PaintSpec.flat_fields()
    assert list(flat)[:2] == ["prompt", "negative"]
    assert {"image", "mask", "enlarge", "upscaler", "n"} < flat.keys()
    assert not {"params", "start", "larger"} & flat.keys()


def test_a_parameter_that_is_nowhere_is_refused_and_one_that_is_missing_named() -> None:
    with pytest.raises(InputError) as caught:
        PaintSpec.of(prompt="a frog", rescale=0.5)
    assert caught.value.message == "`rescale` is not a parameter that this version knows"
    with pytest.raises(InputError, match="prompt is missing"):
        PaintSpec.of(steps=3)
    with pytest.raises(InputError, match="params is 3: it must be a group of settings"):
        PaintSpec.of(prompt="a").but(params=3)


def test_every_parameter_says_what_it_is_and_where_its_default_comes_from() -> None:
    for name, info in PaintSpec.flat_fields().items():
        about = info.json_schema_extra
        assert isinstance(about, dict), name
        assert info.description, name
        assert about["group"] in ("Picture", "Start", "Sampling", "Output"), name
        if info.get_default() is None and about["group"] != "Start":  # no start picture is none
            assert "default_from" in about, name


# --- copies, and what is left open -----------------------------------------------------------


def test_a_copy_with_changes_is_checked_and_the_first_stays() -> None:
    params = resolved(steps=6)
    assert params.but(steps=7) == resolved(steps=7)
    assert params == resolved(steps=6)
    with pytest.raises(InputError, match="steps 0 is out of range"):
        params.but(steps=0)
    with pytest.raises(InputError, match="size"):
        params.but(size=None)


def test_parameters_do_not_change() -> None:
    with pytest.raises(Exception, match="frozen"):
        resolved().steps = 7  # type: ignore[misc]


def test_what_is_open_comes_from_the_model() -> None:
    found = GenerationParams(prompt="a frog", seed=3).resolved(DEFAULTS, size=Size(64, 48))
    assert found == ResolvedParams(
        prompt="a frog",
        seed=3,
        size=(64, 48),
        steps=12,
        sampler="ddim",
        guidance=3.0,
        strength=0.8,
    )


@given(any_given)
def test_what_the_user_says_comes_before_the_model(values: dict[str, Any]) -> None:
    found = GenerationParams(**values).resolved(DEFAULTS, size=Size(8, 8))
    for name, value in values.items():
        assert getattr(found, name) == value
    if "strength" not in values:
        assert found.strength == 0.8
    assert found.resolved({}, size=Size(1, 1)) == found  # nothing is open any more


def test_a_seed_that_nobody_gave_is_another_one_each_time() -> None:
    params = GenerationParams(prompt="a frog")
    seeds = {params.resolved(DEFAULTS, size=Size(8, 8)).seed for _ in range(5)}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_cells_have_defaults_of_their_own_where_the_model_says_so() -> None:
    own = Defaults("ddim", 12, 1.5, 0.8, cell_steps=4, cell_guidance=1.0)
    assert own.values() == {"sampler": "ddim", "steps": 12, "guidance": 1.5, "strength": 0.8}
    assert own.values(cells=True) == own.values() | {"steps": 4, "guidance": 1.0}


# --- by themselves ---------------------------------------------------------------------------


def test_messages_name_parameters_in_backquotes() -> None:
    for values in ({"steps": 0}, {"size": "frog"}, {"sampler": "lms"}, {"prompt": 3}):
        error = refused(**values)
        (name,) = values
        assert re.match(rf"`{name}` ", error.message)
        assert error.worded(lambda name: f"--{name}").startswith(f"--{name} ")


def test_no_declaration_is_made_twice() -> None:
    """A parameter of two groups would have two defaults one day."""
    groups = [info.annotation for info in PaintSpec.model_fields.values()]
    own = [
        g.model_fields.keys() for g in groups if isinstance(g, type) and issubclass(g, BaseModel)
    ]
    assert len(set().union(*own)) == sum(map(len, own))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"sampler": "euler_a"}, "`sampler` 'euler_a' is called euler_ancestral here"),
        ({"sampler": "Euler a"}, "is called euler_ancestral here"),
        (
            {"sampler": "DPM++ 2M Karras"},
            "is called dpmpp_2m here, and its Karras is `timestep_spacing` karras",
        ),
        ({"sampler": "plms"}, "`sampler` 'plms' is not known: choose one of ddim, euler"),
        ({"timestep_spacing": "SGM Uniform"}, "'SGM Uniform' is called trailing here"),
        ({"timestep_spacing": "normal"}, "'normal' is the model's own: leave it out"),
        ({"timestep_spacing": "beta"}, "is not known: choose one of"),
    ],
)
def test_what_other_programs_call_otherwise_is_told_its_name_here(
    asked: dict[str, Any], words: str
) -> None:
    for kind in (GenerationParams, CellGenerationParams):
        with pytest.raises(InputError) as caught:
            kind(prompt="x", **asked)
        assert words in caught.value.message
        assert caught.value.field == next(iter(asked))
