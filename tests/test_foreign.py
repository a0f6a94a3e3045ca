"""Pictures of other programs: what each writes is read, whatever the spelling and the place."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from digressions.errors import ImageError
from digressions.generate.metadata import Record, a1111
from digressions.generate.record_reading import others_of, record_and_notes, record_of
from digressions.images.image_files import read_text
from digressions.images.text_chunks import user_comment
from digressions.prompts.foreign_syntax import (
    from_a1111,
    from_comfyui,
    from_invokeai,
    from_novelai,
    from_plain,
)
from digressions.prompts.parse import parse
from digressions.prompts.terms import Weighted

from .conftest import Ran
from .jobs import resolved

PROMPT, NEGATIVE = "a turtle, (green:1.2)", "blur"
LINE = "Steps: 20, Sampler: Euler a, CFG scale: 6.5, Seed: 1234, Size: 512x768, Model: v1-5"
WANTED = resolved(
    PROMPT,
    negative=NEGATIVE,
    steps=20,
    sampler="euler_ancestral",
    guidance=6.5,
    seed=1234,
    size=(512, 768),
)
SAMPLER = {"seed": 1234, "steps": 20, "cfg": 6.5, "denoise": 1.0, "scheduler": "normal"}
GRAPH: dict[str, Any] = {
    "3": {
        "class_type": "KSampler",
        "inputs": SAMPLER
        | {"sampler_name": "euler_ancestral", "model": ["4", 0], "latent_image": ["5", 0]}
        | {"positive": ["6", 0], "negative": ["7", 0]},
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["9", 0], "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": NEGATIVE, "clip": ["4", 1]}},
    "8": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
    "9": {"class_type": "PrimitiveString", "inputs": {"value": PROMPT}},
}
EDITOR = {
    "nodes": [
        {
            "id": 3,
            "type": "KSampler",
            "widgets_values": [1234, "randomize", 20, 6.5, "euler_ancestral", "normal", 1],
            "inputs": [
                {"name": "positive", "link": 1},
                {"name": "negative", "link": 2},
                {"name": "latent_image", "link": 3},
            ],
        },
        {"id": 6, "type": "CLIPTextEncode", "widgets_values": [PROMPT], "inputs": []},
        {"id": 7, "type": "CLIPTextEncode", "widgets_values": [NEGATIVE], "inputs": []},
        {"id": 5, "type": "EmptyLatentImage", "widgets_values": [512, 768, 1], "inputs": []},
    ],
    "links": [[1, 6, 0, 3, 1, "C"], [2, 7, 0, 3, 2, "C"], [3, 5, 0, 3, 3, "LATENT"]],
}
CUSTOM = GRAPH | {
    "3": {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {"noise": ["10", 0], "guider": ["11", 0], "sampler": ["12", 0]}
        | {"sigmas": ["13", 0], "latent_image": ["5", 0]},
    },
    "10": {"class_type": "RandomNoise", "inputs": {"noise_seed": 1234}},
    "11": {
        "class_type": "CFGGuider",
        "inputs": {"cfg": 6.5, "positive": ["6", 0], "negative": ["7", 0]},
    },
    "12": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler_ancestral"}},
    "13": {"class_type": "BasicScheduler", "inputs": {"steps": 20, "scheduler": "normal"}},
}
INVOKE = {
    "positive_prompt": PROMPT,
    "negative_prompt": NEGATIVE,
    "steps": 20,
    "cfg_scale": 6.5,
    "seed": 1234,
    "width": 512,
    "height": 768,
    "scheduler": "euler_a",
    "generation_mode": "txt2img",
    "model": {"name": "v1-5"},
}
OLD_INVOKE = {
    "model": "stable diffusion",
    "image": {
        "prompt": [{"prompt": f"{PROMPT} [{NEGATIVE}]", "weight": 1}],
        "steps": 20,
        "cfg_scale": 6.5,
        "seed": 1234,
        "width": 512,
        "height": 768,
        "sampler": "k_euler_a",
        "type": "txt2img",
    },
}
SWARM = {
    "sui_image_params": {
        "prompt": PROMPT,
        "negativeprompt": NEGATIVE,
        "steps": 20,
        "cfgscale": 6.5,
        "seed": 1234,
        "width": 512,
        "height": 768,
        "sampler": "euler_ancestral",
        "model": "v1-5",
    }
}
FOOOCUS = {
    "prompt": PROMPT,
    "negative_prompt": NEGATIVE,
    "full_prompt": [PROMPT, "cinematic still"],
    "steps": 20,
    "guidance_scale": 6.5,
    "seed": "1234",
    "resolution": "(512, 768)",
    "sampler": "euler_ancestral",
    "scheduler": "karras",
    "base_model": "juggernaut",
}
NOVEL = {
    "prompt": PROMPT,
    "uc": NEGATIVE,
    "steps": 20,
    "scale": 6.5,
    "seed": 1234,
    "width": 512,
    "height": 768,
    "sampler": "k_euler_ancestral",
    "noise_schedule": "native",
}
WHOLE = f"{PROMPT}\nNegative prompt: {NEGATIVE}\n{LINE}"
SPELLINGS: dict[str, dict[str, str]] = {
    "the web UI": {"parameters": WHOLE},
    "in one line": {"parameters": f"{PROMPT} Negative prompt: {NEGATIVE} {LINE}"},
    "lines of Windows": {"parameters": f"{PROMPT}\r\nNegative prompt: {NEGATIVE}\r\n{LINE}\r\n"},
    "lines after it": {
        "parameters": f"{PROMPT}\nNegative prompt: {NEGATIVE}\n{LINE}\nTemplate: a\nb"
    },
    "no space after commas": {"parameters": WHOLE.replace(LINE, LINE.replace(", ", ","))},
    "another sampler's name": {"parameters": WHOLE.replace("Euler a", "k_euler_a")},
    "a network": {"parameters": f"{PROMPT} <lora:ink:0.8>\nNegative prompt: {NEGATIVE}\n{LINE}"},
    "ComfyUI": {"prompt": json.dumps(GRAPH), "workflow": json.dumps(EDITOR)},
    "ComfyUI's editor": {"workflow": json.dumps(EDITOR)},
    "ComfyUI's parts": {"prompt": json.dumps(CUSTOM)},
    "SwarmUI": {"parameters": json.dumps(SWARM)},
    "Fooocus": {"parameters": json.dumps(FOOOCUS)},
}
PLAIN: dict[str, dict[str, str]] = {
    "InvokeAI": {"invokeai_metadata": json.dumps(INVOKE)},
    "InvokeAI of 2023": {"sd-metadata": json.dumps(OLD_INVOKE)},
    "NovelAI": {"Software": "NovelAI", "Description": PROMPT, "Comment": json.dumps(NOVEL)},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_a_program_writes_is_read(spelling: str) -> None:
    spacing = "karras" if spelling == "Fooocus" else None
    wanted = WANTED.but(timestep_spacing=spacing)
    if spelling == "a network":
        wanted = wanted.but(prompt=f"{PROMPT} <lora:ink:0.8>")
    assert record_of(SPELLINGS[spelling]).params == wanted


@pytest.mark.parametrize("program", PLAIN)
def test_brackets_are_text_where_a_program_reads_them_in_its_own_way(program: str) -> None:
    found, notes = record_and_notes(PLAIN[program])
    green = r"\(green\:1.2\)" if program == "NovelAI" else r"green\:1.2"
    assert found.params == WANTED.but(prompt=f"a turtle, {green}")
    assert any("its prompt is read as" in note for note in notes)


def test_what_has_no_meaning_here_is_kept_and_noted() -> None:
    more = "Clip skip: 2, Schedule type: KL Optimal, VAE hash: 735e4c3a44"
    text = f"{PROMPT} <hypernet:glow:0.8>\n{LINE}, {more}\nTemplate: x"
    found, notes = record_and_notes({"parameters": text})
    kept = others_of(found)
    assert found.params.prompt == PROMPT
    assert kept["left out"] == "hypernet glow"
    assert (kept["VAE hash"], kept["Model"]) == ("735e4c3a44", "v1-5")
    assert found.additions.clip_skip == 2
    assert (kept["Schedule type"], kept["Lines after"]) == ("KL Optimal", "Template: x")
    said = " ".join(notes)
    assert all(words in said for words in ("schedule KL Optimal", "hypernet glow"))
    assert record_of(found.to_text()) == found


def test_a_graph_of_two_passes_is_read_at_its_first() -> None:
    second = {
        "class_type": "KSampler",
        "inputs": GRAPH["3"]["inputs"] | {"denoise": 0.4, "steps": 9, "latent_image": ["3", 0]},
    }
    found, notes = record_and_notes({"prompt": json.dumps({"2": second} | GRAPH)})
    assert found.params == WANTED
    assert "ComfyUI sampled it 2 times: the first is read" in notes


def test_a_graph_over_a_picture_is_not_taken_for_one_from_noise() -> None:
    graph = json.loads(json.dumps(GRAPH))
    graph["3"]["inputs"] |= {"denoise": 0.5}
    graph["5"]["inputs"]["samples"] = ["14", 0]
    graph["14"] = {"class_type": "LoadImage", "inputs": {"image": "a.png"}}
    with pytest.raises(ImageError, match="painted over a picture"):
        record_of({"prompt": json.dumps(graph)})


def test_a_seed_beyond_ours_is_folded_and_said() -> None:
    graph = json.loads(json.dumps(GRAPH))
    graph["3"]["inputs"]["seed"] = 2**63 + 5
    found, notes = record_and_notes({"prompt": json.dumps(graph)})
    assert found.params.seed == 5
    assert "larger than seeds are here" in notes[0]


@pytest.mark.parametrize(
    ("named", "sampler", "spacing"),
    [
        ("Euler", "euler", None),
        ("Heun", "heun", None),
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("DPM++ 2M SDE Karras", "dpmpp_2m_sde", "karras"),
        ("DPM++ 2M SDE Exponential", "dpmpp_2m_sde", "exponential"),
        ("Euler SGMUniform", "euler", "trailing"),
        ("DPM++ SDE", "dpmpp_sde", None),
        ("UniPC", "unipc", None),
        ("uni_pc", "unipc", None),
        ("dpmpp_2m_sde_gpu", "dpmpp_2m_sde", None),
        ("dpmpp_sde_k", "dpmpp_sde", "karras"),
        ("euler_k", "euler", "karras"),
    ],
)
def test_samplers_are_known_by_their_names_elsewhere(
    named: str, sampler: str, spacing: str | None
) -> None:
    found = record_of({"parameters": f"a frog\n{LINE.replace('Euler a', named)}"}).params
    assert (found.sampler, found.timestep_spacing) == (sampler, spacing)


def test_the_web_uis_automatic_schedules_go_by_the_sampler() -> None:
    line = LINE.replace("Euler a", "DPM++ 2M SDE") + ", Schedule type: Automatic"
    assert record_of({"parameters": f"a frog\n{line}"}).params.timestep_spacing == "exponential"


# --- brackets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("a (frog:1.3) [hat]", "a (frog:1.3) [hat]"),
        ("a frog)", r"a frog\)"),
        ("a (frog", "a (frog)"),
        ("a ((frog", "a (frog:1.2100000000000002)"),
        ("a [frog", "a [frog]"),
        ("[a (b] c", r"(a :0.9090909090909091)(b:1.0)( c:1.1)"),
        ("a frog:0,7 AND b)", r"a frog\:0,7 AND b\)"),
        ("a (b AND c :0.5", "a (b) AND c :0.5"),
        (r"a \(b\) c)", r"a \(b\) c\)"),
        ("a AND ", "a"),
    ],
)
def test_brackets_that_do_not_match_are_read_as_the_web_ui_reads_them(text: str, ours: str) -> None:
    found = from_a1111(text)
    if "1.0)" in ours:  # what cancels out leaves no bracket
        ours = "[a ]b( c)"
    assert found.text == ours
    assert parse(found.text)


def test_comfyui_knows_round_brackets_alone() -> None:
    assert from_comfyui("a (frog:1.3) [hat] AND b|c").text == r"a (frog:1.3) \[hat\] \AND b|c"
    assert from_comfyui("a (frog").text == r"a \(frog"
    assert from_plain("{a} (b)").text == r"\{a\} \(b\)"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("a {frog}", "a (frog:1.05)"),
        ("a {{frog}}, [hat]", "a (frog:1.1025), (hat:0.9523809523809523)"),
        ("a {[frog]}", "a frog"),
        ("{a [b} c]", "(a :1.05)b( c:0.9523809523809523)"),
        ("a {frog", "a (frog:1.05)"),
        ("a frog}", r"a frog\}"),
        ("1.5::rain, night::, a fox", "(rain, night:1.5), a fox"),
        ("a fox, -1::hat::", r"a fox, (hat:-1.0)"),
        ("1.5::rain, 0.5::night", "(rain, :1.5)(night:0.5)"),
        ("a (frog:1.3) | b", r"a \(frog\:1.3\) | b"),
        ("at 12:00", r"at 12\:00"),
    ],
)
def test_novelai_weighs_by_other_brackets_and_numbers(text: str, ours: str) -> None:
    assert parse(from_novelai(text).text) == parse(ours)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("a ball++ in the forest", "a (ball:1.21) in the forest"),
        ("rain--, night", "(rain:0.81), night"),
        ("a (red fox)1.3", "a (red fox:1.3)"),
        ("a (red fox)+, (night)0.5", "a (red fox:1.1), (night:0.5)"),
        ("a (red (old)1.5 fox)-", "a (red :0.9)(old:1.35)( fox:0.9)"),
        ("a (red fox) in the rain", "a red fox in the rain"),
        (r"a car \(1999\)", r"a car \(1999\)"),
        ("semi-realistic, C-3PO", "semi-realistic, C-3PO"),
        ("(fox)-1", "(fox:-1)"),
        ("+ and -", "+ and -"),
        ("a [frog]|{b}", r"a \[frog\]|\{b\}"),
        ('("a fox", "a cat").blend(1, 2)', r'\("a fox", "a cat"\).blend\(1, 2\)'),
        ("a (fox++", r"a \(fox++"),
    ],
)
def test_invokeai_weighs_by_signs_and_numbers(text: str, ours: str) -> None:
    def weighed(prompt: str) -> list[tuple[str, float]]:
        (term,) = parse(prompt).terms
        pieces = [
            each if isinstance(each, Weighted) else Weighted((each,), 1) for each in term.pieces
        ]
        return [("".join(map(str, each.pieces)), round(each.attention, 9)) for each in pieces]

    assert weighed(from_invokeai(text).text) == weighed(ours)


def test_what_invokeai_weighs_is_read_so_and_said() -> None:
    texts = {"invokeai_metadata": json.dumps(INVOKE | {"positive_prompt": "a turtle++"})}
    found, notes = record_and_notes(texts)
    (term,) = parse(found.params.prompt).terms
    assert str(term) == "a (turtle:1.2100000000000002)"
    assert any("read as InvokeAI reads it" in note for note in notes)


def test_what_novelai_weighs_is_read_so_and_said() -> None:
    novel = NOVEL | {"prompt": "a {turtle}, [green]", "uc": "{blur}"}
    found, notes = record_and_notes({"Software": "NovelAI", "Comment": json.dumps(novel)})
    assert found.params.prompt == "a (turtle:1.05), (green:0.9523809523809523)"
    assert found.params.negative == "(blur:1.05)"
    assert any("read as NovelAI reads it" in note for note in notes)


@given(st.text(st.sampled_from("ab ()[]{}:\\|@1.+-AND\n"), max_size=30) | st.text(max_size=30))
def test_every_prompt_of_another_program_is_one_of_ours(text: str) -> None:
    for read in (from_a1111, from_comfyui, from_invokeai, from_novelai, from_plain):
        found = read(text)
        parse(found.text)
    assert "".join(str(each) for each in parse(from_plain(text).text).texts(1)) is not None


# --- places ----------------------------------------------------------------------------------

COMMENTS = {
    "UTF-16, high byte first": b"UNICODE\0" + "é frog".encode("utf-16-be"),
    "UTF-16, low byte first": b"UNICODE\0" + "é frog".encode("utf-16-le"),
    "UTF-16 with its mark": b"UNICODE\0" + "é frog".encode("utf-16"),
    "no code": "é frog".encode(),
    "a code of zeros": bytes(8) + "é frog".encode(),
    "Latin-1": "é frog".encode("latin-1"),
    "text": "é frog",
}


@pytest.mark.parametrize("encoding", COMMENTS)
def test_a_comment_is_read_in_every_encoding(encoding: str) -> None:
    assert user_comment(COMMENTS[encoding]) == "é frog"
    assert user_comment(b"ASCII\0\0\0a frog\0") == "a frog"


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif", "png"])
@pytest.mark.parametrize("inside", [True, False], ids=["EXIF", "beside it"])
def test_a_comment_is_found_in_every_place(tmp_path: Path, suffix: str, inside: bool) -> None:
    exif, comment = Image.Exif(), b"UNICODE\0" + WHOLE.encode("utf-16-be")
    if inside:
        tags = exif.get_ifd(ExifTags.IFD.Exif)
        tags[ExifTags.Base.UserComment] = comment
        exif[ExifTags.IFD.Exif] = tags
    else:
        exif[ExifTags.Base.UserComment] = comment
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    assert read_text(path)["parameters"] == WHOLE


def test_a_graph_in_the_tags_of_a_webp_is_found(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = f"prompt:{json.dumps(GRAPH)}"
    exif[ExifTags.Base.Make] = f"workflow:{json.dumps(EDITOR)}"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.webp", exif=exif)
    assert record_of(read_text(tmp_path / "a.webp")).params == WANTED


# --- showing ---------------------------------------------------------------------------------


def test_what_is_read_is_shown_and_nothing_is_painted(
    digress: Callable[..., Ran], refused: Callable[..., str]
) -> None:
    Image.new("RGB", (8, 8)).save("a.png", pnginfo=_chunks(SPELLINGS["ComfyUI"]))
    ran = digress("replay", "--show", "a.png")
    assert ran.code == 0, ran.err
    for line in (f"prompt: {PROMPT}", "seed: 1234", "made by: ComfyUI, a picture"):
        assert line in ran.out.splitlines()
    assert not Path("a-replay.png").exists()
    assert "-o does nothing with --show" in refused("replay", "--show", "a.png", "-o", "b.png")


def _shown(digress: Callable[..., Ran], path: str) -> list[str]:
    ran = digress("replay", "--show", path)
    assert ran.code == 0, ran.err
    assert not set('{}"') & set(ran.out)
    return ran.out.splitlines()


def test_what_was_made_of_a_file_is_shown_in_words(digress: Callable[..., Ran]) -> None:
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save("a.png")
    digress("upscale", "a.png", "--times", "2", "--upscaler", "lanczos")
    assert {"made last by: upscale", "size: 24x16", "upscaler: lanczos", "keep icc: off"} <= {
        *_shown(digress, "a-upscaled.png")
    }
    digress("print", "a.png", "--size", "3x2cm", "--dpi", "72", "--upscaler", "lanczos")
    said = _shown(digress, "a.pdf")
    assert {"made last by: print", "trim: 30x20 mm", "bleed: 0 mm", "marks: off"} <= {*said}
    assert any(re.fullmatch(r"image: a\.png \([0-9a-f]{12}\)", line) for line in said)


def test_what_a_mosaic_and_its_cells_were_asked_is_shown(digress: Callable[..., Ran]) -> None:
    quick = ("--grid", "2", "--size", "32", "--steps", "1", "--upscaler", "lanczos")
    digress("mosaic", "a frog", "--cell-prompt", "a fox", *quick, "-o", "m")
    assert {"prompt: a frog", "mosaic prompt: a fox", "mosaic steps: 1", "mosaic grid: 2x2"} <= {
        *_shown(digress, "m")
    }


def test_hung_pictures_and_sheets_are_shown_in_words(digress: Callable[..., Ran]) -> None:
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save("room.png")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save("a.png")
    corners = "16,16 48,16 48,48 16,48"
    digress("frame", "room.png", "--insert", "a.png", "--corners", corners, "-o", "o")
    (hung,) = [line for line in _shown(digress, "o/room.png") if line.startswith("hung 1: ")]
    assert f"opening {corners}" in hung
    assert "picture a.png (" in hung
    assert {"made last by: sheet", "what: a photo before and after", "pictures: room.png"} <= {
        *_shown(digress, "o/before-after.jpg")
    }


def test_what_cannot_be_made_again_is_shown_nevertheless(digress: Callable[..., Ran]) -> None:
    graph = json.loads(json.dumps(GRAPH))
    graph["3"]["inputs"] |= {"denoise": 0.5}
    graph["5"]["inputs"]["samples"] = ["14", 0]
    graph["14"] = {"class_type": "LoadImage", "inputs": {"image": "a.png"}}
    version = f"{LINE.replace('Euler a', 'DPM2 a')}, Version: v1.9.0"
    for texts, program, reason in (
        ({"prompt": json.dumps(graph)}, "ComfyUI", "was painted over a picture"),
        ({"parameters": f"{PROMPT}\n{version}"}, "A1111 v1.9.0", "needs the sampler 'DPM2 a'"),
        ({"parameters": f"{PROMPT}\nSteps: 20"}, "another program", "does not say its Sampler"),
    ):
        Image.new("RGB", (8, 8)).save("a.png", pnginfo=_chunks(texts))
        ran = digress("replay", "--show", "a.png")
        assert ran.code == 0, ran.err
        assert {f"prompt: {PROMPT}", "steps: 20", f"made by: {program}, a picture"} <= {
            *ran.out.splitlines()
        }
        assert f"it cannot be made again: a.png {reason}" in ran.err
        assert digress("replay", "a.png").code == 2


@pytest.mark.parametrize("program", ["NovelAI", "InvokeAI"])
def test_what_painted_an_enlarged_picture_is_shown_with_it(
    digress: Callable[..., Ran], program: str
) -> None:
    Image.new("RGB", (8, 8)).save("a.png", pnginfo=_chunks(PLAIN[program]))
    digress("upscale", "a.png", "--times", "2", "--upscaler", "lanczos", "-o", "b.png")
    ran = digress("replay", "--show", "b.png")
    assert {"made last by: upscale", f"made by: {program}, a picture", "seed: 1234"} <= {
        *ran.out.splitlines()
    }


def test_settings_that_are_damaged_are_not_shown(
    digress: Callable[..., Ran], refused: Callable[..., str]
) -> None:
    for words in ("{", "[1]"):
        Image.new("RGB", (8, 8)).save("a.png", pnginfo=_chunks({"print": words}))
        assert "a.png has damaged settings" in refused("replay", "--show", "a.png")
    deep = f'{{"image": {"[" * 900}{"]" * 900}}}'
    Image.new("RGB", (8, 8)).save("a.png", pnginfo=_chunks({"print": deep}))
    assert "nested too deeply" in digress("replay", "--show", "a.png").err


def _chunks(texts: dict[str, str]) -> PngImagePlugin.PngInfo:
    found = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        found.add_text(key, value)
    return found


# --- nothing does worse than an error --------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(
    st.sampled_from([*SPELLINGS.values(), *PLAIN.values()]),
    st.data(),
)
def test_no_damaged_settings_do_worse_than_an_image_error(
    text: dict[str, str], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(text)))
    if text[key].startswith("{"):
        found = json.loads(text[key])
        inner: Any = found
        while True:
            place = data.draw(st.sampled_from(sorted(inner)))
            if not isinstance(inner[place], dict) or not inner[place] or data.draw(st.booleans()):
                break
            inner = inner[place]
        inner[place] = data.draw(values)
        changed = json.dumps(found)
    else:
        cut = data.draw(st.integers(0, len(text[key])))
        changed = text[key][:cut] + data.draw(st.text(max_size=9)) + text[key][cut + 3 :]
    with contextlib.suppress(ImageError):
        record, notes = record_and_notes(text | {key: changed})
        assert all("\n" not in note for note in notes)
        assert record_of(record.to_text()) == record
        parse(record.params.prompt)


@given(st.text(max_size=30), st.sampled_from(["ddim", "dpmpp_2m"]), st.integers(0, 2**40))
def test_what_we_write_is_read_without_our_json(prompt: str, sampler: str, seed: int) -> None:
    text = " ".join(prompt.split())
    if text.startswith("Negative prompt:"):
        return
    params = resolved(text, sampler=sampler, seed=seed)
    written = a1111(Record(kind="picture", params=params, version="1.0"))
    assert record_of({"parameters": written}).params == params
