"""What is given by name: found in the folders of every program, or said in one line where it was
looked for, what it is instead, and what may have been meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digressions.errors import InputError
from digressions.generate.params import EnlargeParams, UpscaleSpec
from digressions.models.library import Library
from tests.test_library import LORA, SD1, SDXL, UPSCALER, VAE, a1111, put

Refused = Callable[..., str]


@pytest.fixture
def webui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of A1111's, which the environment names."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = a1111(tmp_path / "webui")
    put(root / "models/VAE/anime.safetensors", VAE)
    put(root / "models/ESRGAN/4x-Sharp.safetensors", UPSCALER)
    (root / "models/ESRGAN/4x-Ultra.pth").write_bytes(b"pickle")
    monkeypatch.setenv("DIGRESSIONS_MODELS", str(root))
    return root


@pytest.mark.parametrize(
    ("option", "name", "words"),
    [
        ("--lora", "inc", "no LoRA 'inc' in WEBUI/models, WEBUI/embeddings: did you mean 'ink'?"),
        ("--lora", "dreamshaper_8", "is a Stable Diffusion 1 checkpoint: give it to --model"),
        ("--model", "dreamshaper_9", "no model 'dreamshaper_9' in WEBUI/models"),
        ("--model", "dreamshaper_9", "did you mean 'dreamshaper_"),
        ("--model", "ink", "is a Stable Diffusion 1 LoRA: give it to --lora, beside a model"),
        ("--model", "anime", "is an autoencoder (VAE): give it to --vae"),
        ("--model", "4x-Sharp", "is an upscaler: give it to --upscaler"),
        ("--model", "bad", "is a Stable Diffusion 1 embedding (textual inversion): use its name"),
        ("--model", "4x-Ultra", "4x-Ultra.pth is a pickle"),
        ("--vae", "animee", "no autoencoder (VAE) 'animee' in WEBUI/models"),
        ("--vae", "ink", "is a Stable Diffusion 1 LoRA"),
        ("--text-encoder", "clip_l", "no text encoder 'clip_l' in WEBUI/models"),
        ("--upscaler", "4x", "'4x' may be"),
        ("--upscaler", "4x-Sharq", "did you mean '4x-Sharp'?"),
        ("--upscaler", "4x-Ultra", "4x-Ultra.pth is a pickle"),
        ("--upscaler", "ink", "is a Stable Diffusion 1 LoRA: give it to --lora"),
    ],
)
def test_a_name_that_is_not_found_is_one_helpful_line(
    webui: Path, refused: Refused, option: str, name: str, words: str
) -> None:
    if name == "4x":
        put(webui / "models/ESRGAN/4x-Soft.safetensors", UPSCALER)
    said = refused("paint", "a frog", option, name, "--enlarge", 2, "-o", "x.png")
    assert words.replace("WEBUI", str(webui)) in said


@pytest.mark.parametrize("option", ["--lora", "--model", "--vae", "--text-encoder", "--upscaler"])
def test_a_damaged_file_that_is_named_is_said_to_be_damaged(
    webui: Path, refused: Refused, option: str
) -> None:
    path = put(webui / "models/torn.safetensors", LORA)
    path.write_bytes(path.read_bytes()[:-5])
    given = ("--enlarge", 2, "-o", "x.png")
    for name in ("torn", "tor"):
        assert f"{path} is cut off: " in refused("paint", "a frog", option, name, *given)
    for shapes in (SD1, VAE, LORA, UPSCALER):  # another that begins so does not take its place
        put(webui / "models/torn_2.safetensors", shapes)
        said = refused("paint", "a frog", option, "torn", *given)
        assert "fetch or copy it again" in said
    path.write_bytes(b"PK not at all")
    assert "torn.safetensors is no safetensors file" in refused(
        "paint", "x", option, "torn", *given
    )


@pytest.mark.parametrize("name", ["<lora:torn:0.8>", "embedding:torn"])
def test_a_damaged_file_in_a_prompt_is_said_to_be_damaged(
    webui: Path, refused: Refused, tmp_path: Path, name: str
) -> None:
    from tests.checkpoints import build

    build(tmp_path / "sd", "sd")
    path = put(webui / "models/Lora/torn.safetensors", LORA)
    path.write_bytes(path.read_bytes()[:-5])
    said = refused("paint", f"a frog {name}", "--model", "sd", "--steps", 1)
    assert f"{path} is cut off: " in said


def test_without_a_folder_it_is_said_how_to_name_one(refused: Refused, tmp_path: Path) -> None:
    assert "name the folder that it is in with --models" in refused("paint", "x", "--lora", "ink")
    said = refused("paint", "x", "--upscaler", "4x", "--enlarge", 2)
    assert "name the folder that it is in with --models" in said


def test_a_lora_in_a_prompt_is_looked_for_likewise(
    webui: Path, refused: Refused, tmp_path: Path
) -> None:
    from tests.checkpoints import build

    build(tmp_path / "sd", "sd")
    said = refused("paint", "a frog <lora:inc:0.8>", "--model", "sd", "--steps", 1)
    assert f"there is no LoRA 'inc' in {webui}/models" in said
    assert "did you mean 'ink'?" in said


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("ink:abc", "'abc' is no strength: give a number from -10 to 10"),
        ("ink:", "'' is no strength"),
        ("ink:0,8", "'0,8' is no strength"),
        ("ink:99", "99 is out of range: -10 to 10"),
        ("ink:nan", "out of range"),
    ],
)
def test_a_strength_that_is_no_number_is_said(
    webui: Path, refused: Refused, typed: str, words: str
) -> None:
    said = refused("paint", "a frog", "--lora", typed)
    assert words in said
    assert said.startswith("digress: --lora ")


def test_a_part_of_no_name_is_one_line(webui: Path, refused: Refused) -> None:
    said = refused("models", "dreemshaper")
    assert "none of 6 .safetensors files in " in said
    assert "has 'dreemshaper' in its name: did you mean 'dreamshaper_" in said


def test_upscalers_are_found_by_name(webui: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(webui / "models/ESRGAN/4x-Sharp.safetensors")
    for kind in (EnlargeParams, UpscaleSpec):
        assert kind.of(upscaler="4x-sharp").upscaler == path
        assert kind.of(upscaler="lanczos").upscaler == "lanczos"
        assert kind.of(upscaler=path).upscaler == path
    with pytest.raises(InputError, match="choose one of lanczos"):
        EnlargeParams.of(upscaler="nowhere")


@pytest.mark.parametrize(
    "command", ["paint", "ensemble", "mosaic", "zoom", "serve", "frame", "upscale", "print"]
)
def test_every_command_finds_them_in_the_folder_that_it_is_given(
    webui: Path,
    digress: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
) -> None:
    """Each comes to the file, and fails at what is no picture, or for want of spandrel."""
    monkeypatch.delenv("DIGRESSIONS_MODELS")
    asked: list[str] = []

    def check(name: str, device: str | None = None) -> None:
        asked.append(name)
        raise InputError("stop here")

    for module in (
        *("generate.enlarging", "mosaics.base_image", "mosaics.mosaic_spec", "worlds.opening"),
        *("frames.choosing", "generate.upscaling", "prints.printing", "images.upscale"),
    ):
        target = f"digressions.{module}.check_upscaler"
        monkeypatch.setattr(target, check, raising=False)
    arguments = {
        "ensemble": ("a frog", "a fox", "--enlarge", 2),
        "mosaic": ("a frog", "--grid", 2, "--enlarge", 2),
        "frame": ("x.png", "a frog"),
        "upscale": ("x.png",),
        "print": ("x.png", "--size", "A4"),
    }.get(command, ("a frog",))
    ran = digress(command, *arguments, "--upscaler", "4x-sharp", "--models", webui)
    assert ran.code == 2
    assert "stop here" in ran.err, ran.err
    assert asked[0] == str(webui / "models/ESRGAN/4x-Sharp.safetensors")


def test_models_without_an_upscaler_does_nothing_in_upscale(webui: Path, refused: Refused) -> None:
    assert "--models is where an --upscaler" in refused("upscale", "x.png", "--models", webui)


@pytest.mark.parametrize("inside", ["Models", "Data/Models"])
def test_a_folder_of_stabilitymatrix(
    digress: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "StabilityMatrix"
    put(root / inside / "StableDiffusion/xl/noob.safetensors", SDXL)
    put(root / inside / "Lora/ink.safetensors", LORA)
    put(root / inside / "VAE/anime.safetensors", VAE)
    put(root / inside / "ESRGAN/4x.safetensors", UPSCALER)
    put(root / inside / "Embeddings/bad.safetensors", {"emb_params": (2, 768)})
    clip = {"text_model.embeddings.token_embedding.weight": (4, 4)}
    put(root / inside / "TextEncoders/clip_l.safetensors", clip)
    put(root / "Packages/ComfyUI/venv/testdata.safetensors", SD1)
    library = Library(root)
    kinds = {
        "noob": "checkpoint",
        "ink": "lora",
        "anime": "vae",
        "4x": "upscaler",
        "bad": "embedding",
        "clip_l": "text encoder",
    }
    for name, kind in kinds.items():
        found = library.find(name, (kind,))
        assert found is not None, name
        assert found.stem == name
    rows = json.loads(digress("models", "--models", root, "--json").out)
    assert {row["name"]: row["kind"] for row in rows} == kinds


@pytest.mark.parametrize(
    ("typed", "ours"),
    [
        ("--sigmas", "--timestep-spacing"),
        ("--scheduler", "--timestep-spacing"),
        ("--cfg-scale", "--guidance"),
        ("--negative-prompt", "--negative"),
        ("--ckpt", "--model"),
    ],
)
def test_an_option_by_its_name_elsewhere_is_told_its_own(
    refused: Refused, typed: str, ours: str
) -> None:
    said = refused("paint", "a frog", typed, "karras")
    assert f"there is no option {typed} here: it is called {ours}" in said


def test_a_refusal_names_first_what_matters_most(digress: Callable[..., Any]) -> None:
    common = ("--grid", 2, "--steps", 1, "--guidance", 1, "--seed", 1, "-o", "m")
    assert digress("mosaic", "a frog", *common).code == 0
    ran = digress("mosaic", "a fox", "--adapt", 0.1, *common)
    assert "(the prompt of its base image is 'a frog', not 'a fox')" in ran.err
    ran = digress("mosaic", "a frog", "--adapt", 0.1, "--strength", 0.5, *common)
    assert "(the strength of its cells is " in ran.err
    ran = digress("mosaic", "a frog", "--negative", "blur", *common)
    assert "(it has no negative of its base image, and here it is 'blur')" in ran.err
