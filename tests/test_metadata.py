"""Every picture remembers how it was made, exactly, or says that it does not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digressions.errors import ImageError
from digressions.metadata import KEY, Settings, a1111, from_text, to_text

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
    strength=st.none() | number,
    image=origin,
    mask=origin,
    upscaler=st.none() | text,
    how=text,
    regions=st.none() | st.lists(st.dictionaries(text, text, max_size=2), max_size=2),
    soft=number,
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
        {"image": "path"},
        {"image": ["path"]},
        {"extra": None},
        {"upscaler": 4},
        {"width": {"n" * 500: "\n"}},
    ],
    ids=str,
)
def test_a_setting_of_another_kind_is_named(values: dict[str, Any]) -> None:
    assert next(iter(values)) in damaged(changed(**values))


def test_a_setting_of_a_newer_version_is_not_dropped_in_silence() -> None:
    assert "newer version" in damaged(changed(ensemble=["a frog"]))


@given(st.text(max_size=40) | plain.map(json.dumps))
def test_no_text_does_worse_than_an_image_error(content: str) -> None:
    damaged(content)
