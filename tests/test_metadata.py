"""Every picture remembers how it was made, exactly, or says that it does not."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digressions.errors import ImageError
from digressions.pictures.metadata import KEY, Settings, a1111, from_text, to_text

TURTLE = Settings(
    "paint", "photo of a turtle", "bundled", "0123456789abcdef", 7, 12, "ddim", 4.0, 64, 48
)
text = st.text(max_size=30)
number = st.floats(allow_nan=False, allow_infinity=False)
origin = st.none() | st.fixed_dictionaries({"path": text, "sha256": text})
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
any_settings = st.builds(
    Settings,
    command=st.sampled_from(["paint", "mosaic"]),
    prompt=text,
    model=text,
    model_hash=text,
    seed=st.integers(0, 2**63 - 1),
    steps=st.integers(1, 1000),
    sampler=text,
    guidance=number | st.integers(0, 30),
    width=st.integers(1, 9999),
    height=st.integers(1, 9999),
    negative=text,
    strength=st.none() | st.floats(0, 1),
    image=origin,
    mask=origin,
    upscaler=st.none() | text,
    how=text,
    regions=st.none() | st.lists(st.dictionaries(text, text, max_size=2), max_size=2),
    soft=number,
    hole=st.none() | text,
    rescale=st.floats(0, 1),
    timing=text,
    palette=st.none() | st.dictionaries(text, text, max_size=2),
    version=text,
    extra=st.dictionaries(text, plain, max_size=3),
)


@given(any_settings)
def test_what_is_written_is_read_back_exactly(settings: Settings) -> None:
    texts = to_text(settings)
    assert from_text(texts) == settings
    assert texts[KEY].isascii()
    assert "\n" not in texts[KEY]


def test_the_form_that_other_tools_read() -> None:
    settings = dataclasses.replace(TURTLE, negative="blur", strength=0.5, model="a, b")
    assert a1111(settings).splitlines() == [
        "photo of a turtle",
        "Negative prompt: blur",
        "Steps: 12, Sampler: ddim, CFG scale: 4.0, Seed: 7, Size: 64x48, Model hash: 0123456789, "
        'Model: "a, b", Denoising strength: 0.5, Version: digressions ',
    ]
    assert "Negative" not in a1111(TURTLE)
    assert "Denoising" not in a1111(TURTLE)


def damaged(content: str) -> str:
    with pytest.raises(ImageError) as error:
        from_text({KEY: content}, "turtle.png")
    message = str(error.value)
    assert message.startswith("turtle.png ")
    assert "\n" not in message
    assert len(message) < 250
    return message


def test_a_picture_that_remembers_nothing_says_so() -> None:
    with pytest.raises(ImageError, match=r"turtle.png does not say how it was made"):
        from_text({"parameters": "a turtle"}, "turtle.png")


@pytest.mark.parametrize("content", ["", "{", "nonsense", "[" * 100_000, "[]", "3", "null", '"a"'])
def test_what_is_no_object_is_damaged(content: str) -> None:
    assert "damaged" in damaged(content)


def changed(**values: Any) -> str:
    return json.dumps(dataclasses.asdict(TURTLE) | values)


@pytest.mark.parametrize("name", ["command", "prompt", "seed", "width", "model_hash", "guidance"])
def test_a_missing_setting_is_named(name: str) -> None:
    found = dataclasses.asdict(TURTLE)
    del found[name]
    assert repr(name) in damaged(json.dumps(found))


@pytest.mark.parametrize(
    "values",
    [
        {"seed": "7"},
        {"seed": 7.5},
        {"seed": True},
        {"seed": None},
        {"prompt": 3},
        {"prompt": None},
        {"guidance": float("nan")},
        {"guidance": float("inf")},
        {"guidance": "4"},
        {"strength": "a lot"},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": int("9" * 4000)},
        {"steps": 0},
        {"steps": 1001},
        {"width": 0},
        {"height": -64},
        {"width": 10**9},
        {"strength": -0.1},
        {"strength": 1.5},
        {"rescale": 1.5},
        {"guidance": 10**400},
        {"extra": {"mosaic": {"guidance": float("nan")}}},
        {"extra": {"a": [[{"b": [1, float("-inf")]}]]}},
        {"extra": {"a": [10**400]}},
        {"image": "path"},
        {"image": ["path"]},
        {"extra": None},
        {"upscaler": 4},
        {"width": {"n" * 500: "\n"}},
    ],
    ids=lambda values: str(values)[:60],
)
def test_a_setting_of_another_kind_or_range_is_named(values: dict[str, Any]) -> None:
    assert next(iter(values)) in damaged(changed(**values))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_is_none_is_found_at_any_depth(number: str) -> None:
    for depth in (0, 1, 900):
        extra = '{"a": ' + "[" * depth + number + "]" * depth + "}"
        assert "extra" in damaged(changed().replace('"extra": {}', f'"extra": {extra}'))


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 0, "steps": 1, "width": 1, "height": 1, "strength": 0},
        {"seed": 2**63 - 1, "steps": 1000, "width": 16_384, "height": 16_384, "strength": 1},
    ],
    ids=["least", "most"],
)
def test_the_ends_of_the_ranges_are_settings(values: dict[str, Any]) -> None:
    assert from_text({KEY: changed(**values)}) == dataclasses.replace(TURTLE, **values)


def test_a_setting_of_a_newer_version_is_not_dropped_in_silence() -> None:
    assert "newer version" in damaged(changed(ensemble=["a frog"]))


@given(st.text(max_size=40) | plain.map(json.dumps))
def test_no_text_does_worse_than_an_image_error(content: str) -> None:
    damaged(content)


# --- the form of other tools -----------------------------------------------------------------

FOREIGN = """a turtle, (green:1.2)
on a beach
Negative prompt: blur,
grey: very
Steps: 20, Sampler: Euler a, Schedule type: Automatic, CFG scale: 6.5, Seed: 1234, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5, TI hashes: "a: 1, b: 2", Version: v1.10.1"""


def test_what_another_program_wrote_is_read() -> None:
    assert from_text({"parameters": FOREIGN}) == Settings(
        command="paint",
        prompt="a turtle, (green:1.2)\non a beach",
        negative="blur,\ngrey: very",
        model="",
        model_hash="",
        seed=1234,
        steps=20,
        sampler="euler_ancestral",
        guidance=6.5,
        width=512,
        height=768,
        version="v1.10.1",
    )


one_line = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=40)


@given(
    any_settings,
    one_line.filter(lambda line: not line.startswith("Negative prompt:")),
    one_line,
    st.sampled_from(["ddim", "euler_ancestral", "dpmpp_2m", "lcm"]),
    st.floats(-99, 99),
    one_line.map(lambda name: name.strip() or "bundled"),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.sampled_from(["mean", "sum", "superpose"]),
    st.sampled_from(["", "published", "trailing", "zero-snr"]),
)
def test_our_own_form_is_enough_without_the_json(
    settings: Settings,
    prompt: str,
    negative: str,
    sampler: str,
    guidance: float,
    model: str,
    model_hash: str,
    how: str,
    timing: str,
) -> None:
    settings = dataclasses.replace(
        settings,
        command="paint",
        how=how,
        timing=timing,
        regions=None,
        soft=0.0,
        prompt=prompt,
        negative=negative,
        model=model,
        model_hash=model_hash,
        sampler=sampler,
        guidance=guidance,
        strength=None,
        image=None,
        mask=None,
        upscaler=None,
        hole=None,
        palette=None,
        version="1.0",
        extra={},
    )
    assert from_text({"parameters": a1111(settings)}) == dataclasses.replace(
        settings, model_hash=model_hash[:10], version="digressions 1.0"
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Seed: 1234, ", "", "does not say its Seed"),
        ("CFG scale: 6.5, Seed: 1234, ", "", "does not say its CFG scale, Seed"),
        ("Steps: 20, ", "", "does not say how it was made"),
        ("Euler a", "Heun", "needs the sampler 'Heun'"),
        ("512x768", "512", "damaged"),
        ("Seed: 1234", "Seed: 1234, Regions: 2", "regions that it does not name"),
        ("512x768", "512x768x3", "damaged"),
        ("512x768", "0x768", "width is 0"),
        ("Seed: 1234", "Seed: -1", "seed is -1"),
        ("Seed: 1234", "Seed: frog", "damaged"),
        ("Seed: 1234", "Seed: " + "9" * 5000, "damaged"),
        ("Steps: 20", "Steps: 5000", "steps is 5000"),
        ("6.5", "nan", "guidance has nan"),
        ("6.5", "1e999", "guidance has inf"),
        ("Version", "Denoising strength: 0.5, Version", "painted over a picture"),
    ],
)
def test_what_another_program_wrote_badly_is_one_line(old: str, new: str, reason: str) -> None:
    with pytest.raises(ImageError) as error:
        from_text({"parameters": FOREIGN.replace(old, new)}, "turtle.png")
    message = str(error.value)
    assert reason in message
    assert message.startswith("turtle.png ")
    assert "\n" not in message
    assert len(message) < 250


@given(st.text(max_size=80))
def test_no_parameters_do_worse_than_an_image_error(content: str) -> None:
    for text in (content, f"Steps: {content}", FOREIGN.replace("20", content)):
        with contextlib.suppress(ImageError):
            from_text({"parameters": text})
