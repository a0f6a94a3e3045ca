"""Every picture remembers how it was made, exactly, or says that it does not."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digressions.errors import ImageError
from digressions.generate.metadata import KEY, Record, a1111
from digressions.generate.params import ResolvedParams
from digressions.generate.record_reading import record_and_notes, record_of

from .jobs import resolved

TURTLE = Record(
    kind="picture",
    params=resolved("photo of a turtle", seed=7, size="64x48", steps=12, guidance=4.0),
    model="bundled",
    model_hash="0123456789abcdef",
)
SAMPLERS = ["ddim", "euler_ancestral", "dpmpp_2m", "lcm"]
text = st.text(max_size=30)
number = st.floats(allow_nan=False, allow_infinity=False)
origin = st.none() | st.fixed_dictionaries({"path": text, "sha256": text})
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
any_params = st.builds(
    resolved,
    prompt=text,
    negative=text,
    seed=st.integers(0, 2**63 - 1),
    steps=st.integers(1, 1000),
    sampler=st.sampled_from(SAMPLERS),
    guidance=st.floats(-100, 1000) | st.integers(0, 30),
    guidance_rescale=st.floats(0, 1),
    size=st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    strength=st.floats(0, 1),
    combine=st.sampled_from(["mean", "sum", "superpose"]),
    masked_content=st.sampled_from([None, "noise", "original"]),
    timestep_spacing=st.sampled_from([None, "leading", "trailing", "linspace"]),
    zero_snr=st.booleans(),
)
any_record = st.builds(
    Record,
    kind=st.sampled_from(["picture", "mosaic"]),
    params=any_params,
    model=text,
    model_hash=text,
    image=origin,
    mask=origin,
    palette=st.none() | st.dictionaries(text, text, max_size=2),
    regions=st.none() | st.lists(st.dictionaries(text, text, max_size=2), max_size=2),
    region_softness=st.floats(0, 0.5),
    enlarge=st.integers(1, 16),
    upscaler=st.none() | text,
    version=text,
    details=st.dictionaries(text, plain, max_size=3),
)


@given(any_record)
def test_what_is_written_is_read_back_exactly(record: Record) -> None:
    texts = record.to_text()
    assert record_of(texts) == record
    assert texts[KEY].isascii()
    assert "\n" not in texts[KEY]


def test_a_path_that_is_no_text_is_kept_as_well() -> None:
    record = TURTLE.but(image={"path": "caf\udce9.png", "sha256": ""})
    assert record_of(record.to_text()) == record


def test_the_form_that_other_tools_read() -> None:
    start = {"path": "a.png", "sha256": ""}
    params = TURTLE.params.but(negative="blur", strength=0.5)
    assert a1111(TURTLE.but(params=params, model="a, b", image=start)).splitlines() == [
        "photo of a turtle",
        "Negative prompt: blur",
        "Steps: 12, Sampler: DDIM, CFG scale: 4.0, Seed: 7, Size: 64x48, Model hash: 0123456789, "
        'Model: "a, b", Denoising strength: 0.5, Version: digressions ',
    ]
    assert "Negative" not in a1111(TURTLE)
    assert "Denoising" not in a1111(TURTLE)


def damaged(content: str) -> str:
    with pytest.raises(ImageError) as error:
        record_of({KEY: content}, "turtle.png")
    message = str(error.value)
    assert message.startswith("turtle.png ")
    assert "\n" not in message
    assert len(message) < 250
    return message


def test_a_picture_that_remembers_nothing_says_so() -> None:
    with pytest.raises(ImageError, match=r"turtle.png does not say how it was made"):
        record_of({"parameters": "a turtle"}, "turtle.png")


@pytest.mark.parametrize("content", ["", "{", "nonsense", "[" * 100_000, "[]", "3", "null", '"a"'])
def test_what_is_no_object_is_damaged(content: str) -> None:
    assert "damaged" in damaged(content)


PARAMS = TURTLE.params.json_object()


def changed(**values: Any) -> str:
    """The turtle's JSON with values of its own, or of its parameters, changed."""
    own = {name: values.pop(name) for name in set(values) - PARAMS.keys()}
    found = TURTLE.json_object() | own
    if values:
        found["params"] = found["params"] | values
    return json.dumps(found)


@pytest.mark.parametrize("name", ["kind", "params"])
def test_a_missing_setting_is_named(name: str) -> None:
    found = TURTLE.json_object()
    del found[name]
    assert f"{name} is missing" in damaged(json.dumps(found))


@pytest.mark.parametrize("name", ["prompt", "seed", "size", "guidance", "sampler", "strength"])
def test_a_missing_parameter_is_named(name: str) -> None:
    found = TURTLE.json_object()
    del found["params"][name]
    assert f"{name} is missing" in damaged(json.dumps(found))


@pytest.mark.parametrize(
    "values",
    [
        {"seed": "7"},
        {"seed": 7.5},
        {"seed": True},
        {"seed": None},
        {"prompt": 3},
        {"prompt": None},
        {"guidance": "4"},
        {"guidance": False},
        {"guidance": 1001},
        {"strength": "a lot"},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": int("9" * 4000)},
        {"steps": 0},
        {"steps": 1001},
        {"size": "0x64"},
        {"size": [64, -64]},
        {"size": [64, 64, 64]},
        {"size": 10**9},
        {"size": "16385x64"},
        {"size": None},
        {"strength": -0.1},
        {"strength": 1.5},
        {"guidance_rescale": 1.5},
        {"guidance": 10**400},
        {"sampler": "lms"},
        {"combine": "average"},
        {"timestep_spacing": "published"},
        {"masked_content": "picture"},
        {"zero_snr": 1},
        {"details": {"a": [10**400]}},
        {"palette": {"colours": [-(10**400)]}},
        {"image": "path"},
        {"image": ["path"]},
        {"params": None},
        {"params": []},
        {"details": None},
        {"upscaler": 4},
        {"enlarge": 17},
        {"region_softness": 0.6},
        {"size": {"n" * 500: "\n"}},
    ],
    ids=lambda values: str(values)[:60],
)
def test_a_setting_of_another_kind_or_range_is_named(values: dict[str, Any]) -> None:
    assert next(iter(values)) in damaged(changed(**values))


@pytest.mark.parametrize("name", ["path", "sha256"])
def test_a_start_picture_that_is_half_remembered_is_damaged(name: str) -> None:
    origin = {"path": "a.png", "sha256": "0" * 64}
    del origin[name]
    assert name in damaged(changed(image=origin))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["details", "guidance"])
def test_a_number_that_is_none_is_found_at_any_depth(name: str, number: str) -> None:
    for depth in (0, 1, 30, 900):
        value = '{"a": ' + "[" * depth + number + "]" * depth + "}"
        value = number if name == "guidance" else value
        content = changed(**{name: "HERE"}).replace('"HERE"', value)
        assert number[:5] in damaged(content)


def test_what_is_nested_without_end_is_damaged() -> None:
    assert "details" in damaged(
        changed(details="HERE").replace('"HERE"', '{"a":' * 900 + "1" + "}" * 900)
    )


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 0, "steps": 1, "size": "1x1", "strength": 0, "guidance": -100},
        {"seed": 2**63 - 1, "steps": 1000, "size": "16384x16384", "strength": 1, "guidance": 1000},
    ],
    ids=["least", "most"],
)
def test_the_ends_of_the_ranges_are_settings(values: dict[str, Any]) -> None:
    wanted = TURTLE.but(params=TURTLE.params.but(**values))
    assert record_of({KEY: changed(**values)}) == wanted


@pytest.mark.parametrize("name", ["ensemble", "self", "cls", "", "model_config", "__init__"])
def test_a_setting_of_a_newer_version_is_not_dropped_in_silence(name: str) -> None:
    for content in (changed(**{name: 3}), json.dumps({"params": {name: 3}} | {"kind": "picture"})):
        damaged(content)
    assert "this version" in damaged(changed(ensemble=["a frog"]))


@given(st.text(max_size=40) | plain.map(json.dumps))
def test_no_text_does_worse_than_an_image_error(content: str) -> None:
    damaged(content)


@given(st.sampled_from([*TURTLE.json_object(), *PARAMS]), plain)
def test_no_value_does_worse_than_an_image_error(name: str, value: Any) -> None:
    with contextlib.suppress(ImageError):
        record_of(record_of({KEY: changed(**{name: value})}).to_text())


# --- the form of other tools -----------------------------------------------------------------

FOREIGN = """a turtle, (green:1.2)
on a beach
Negative prompt: blur,
grey: very
Steps: 20, Sampler: Euler a, Schedule type: Automatic, CFG scale: 6.5, Seed: 1234, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5, TI hashes: "a: 1, b: 2", Version: v1.10.1"""


def test_what_another_program_wrote_is_read() -> None:
    assert record_of({"parameters": FOREIGN}) == Record(
        kind="picture",
        params=ResolvedParams(
            prompt="a turtle, (green:1.2)\non a beach",
            negative="blur,\ngrey: very",
            seed=1234,
            steps=20,
            sampler="euler_ancestral",
            guidance=6.5,
            size=(512, 768),
            strength=1.0,
        ),
        version="A1111 v1.10.1",
        details={
            "other_program": {
                "Model hash": "6ce0161689",
                "Model": "v1-5",
                "TI hashes": "a: 1, b: 2",
                "Version": "v1.10.1",
            }
        },
    )


@pytest.mark.parametrize(
    ("sampler", "spacing"),
    [
        ("Sampler: Euler a", None),
        ("Sampler: Euler a, Schedule type: Automatic", None),
        ("Sampler: Euler a, Schedule type: SGM Uniform", "trailing"),
        ("Sampler: DPM++ 2M", None),
        ("Sampler: DPM++ 2M, Schedule type: Uniform", None),
        ("Sampler: DPM++ 2M Karras", "karras"),
        ("Sampler: DPM++ 2M, Schedule type: Automatic", "karras"),
        ("Sampler: DPM++ 2M, Schedule type: Exponential", "exponential"),
    ],
)
def test_noise_schedules_of_other_programs_are_ours(sampler: str, spacing: str | None) -> None:
    text = {"parameters": FOREIGN.replace("Sampler: Euler a, Schedule type: Automatic", sampler)}
    params = record_of(text).params
    assert params.timestep_spacing == spacing
    assert params.sampler == ("dpmpp_2m" if "2M" in sampler else "euler_ancestral")
    assert not [note for note in record_and_notes(text)[1] if "noise schedule" in note]


def test_other_noise_levels_are_not_taken_for_ours() -> None:
    sampler = "Sampler: DPM++ 2M, Schedule type: KL Optimal"
    text = {"parameters": FOREIGN.replace("Sampler: Euler a, Schedule type: Automatic", sampler)}
    notes = record_and_notes(text)[1]
    assert [note for note in notes if "noise schedule" in note] == [
        "it was painted with the noise schedule KL Optimal, which is not known here: the "
        "model steps through its own noise levels"
    ]
    assert record_and_notes(text | TURTLE.to_text())[1] == []


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_read_by_our_name_as_by_that_of_the_web_ui(name: str) -> None:
    record = TURTLE.but(params=TURTLE.params.but(sampler=name))
    written = a1111(record)
    assert f"Sampler: {name}," not in written
    for text in (written, re.sub("Sampler: [^,]+", f"Sampler: {name}", written)):
        assert record_of({"parameters": text}).params.sampler == name


def test_what_another_program_says_of_our_own_settings_is_not_ours() -> None:
    found = record_of({"parameters": f"{FOREIGN}, Ensemble: sum, Zero SNR: True, CFG rescale: 0.5"})
    assert (found.params.combine, found.params.zero_snr) == ("mean", False)
    assert found.params.guidance_rescale == 0


one_line = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=40)


@given(
    any_params,
    one_line.filter(lambda line: not line.startswith("Negative prompt:")),
    one_line,
    one_line.map(lambda name: name.strip() or "bundled"),
    st.text("0123456789abcdef", min_size=64, max_size=64),
)
def test_our_own_form_is_enough_without_the_json(
    params: ResolvedParams, prompt: str, negative: str, model: str, model_hash: str
) -> None:
    """Of a picture that started from noise: nothing that makes another of it is lost."""
    params = params.but(prompt=prompt, negative=negative, strength=1.0, masked_content=None)
    record = Record(
        kind="picture", params=params, model=model, model_hash=model_hash, version="1.0"
    )
    wanted = record.but(model_hash=model_hash[:10], version="digressions 1.0")
    assert record_of({"parameters": a1111(record)}) == wanted


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Seed: 1234, ", "", "does not say its Seed"),
        ("CFG scale: 6.5, Seed: 1234, ", "", "does not say its CFG scale, Seed"),
        ("Steps: 20, ", "", "does not say how it was made"),
        ("Euler a", "LMS", "needs the sampler 'LMS'"),
        ("512x768", "512", "does not say its Size"),
        ("Seed: 1234", "Seed: 1234, Regions: 2", "regions that it does not name"),
        ("512x768", "512x768x3", "damaged"),
        ("512x768", "0x768", "size '0x768'"),
        ("512x768", "99999x768", "size 99999x768"),
        ("Seed: 1234", "Seed: -1", "seed -1"),
        ("Seed: 1234", "Seed: frog", "damaged"),
        ("Seed: 1234", "Seed: " + "9" * 5000, "damaged"),
        ("Steps: 20", "Steps: 5000", "steps 5000"),
        ("6.5", "nan", "guidance is nan"),
        ("6.5", "1e999", "guidance is inf"),
        ("Version", "Denoising strength: 0.5, Version", "painted over a picture"),
    ],
)
def test_what_another_program_wrote_badly_is_one_line(old: str, new: str, reason: str) -> None:
    with pytest.raises(ImageError) as error:
        record_of({"parameters": FOREIGN.replace(old, new)}, "turtle.png")
    message = str(error.value)
    assert reason in message
    assert message.startswith("turtle.png ")
    assert "\n" not in message
    assert len(message) < 250


@given(st.text(max_size=80))
def test_no_parameters_do_worse_than_an_image_error(content: str) -> None:
    for text in (content, f"Steps: {content}", FOREIGN.replace("20", content)):
        with contextlib.suppress(ImageError):
            record_of({"parameters": text})
