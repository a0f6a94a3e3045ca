"""A text encoder from a file of its own: where a network lacks one, or in the place of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from digressions.errors import InputError, ModelError
from digressions.models.header import read_header
from digressions.models.loading import load
from digressions.models.recognise import recognise
from digressions.models.single_file import SingleFile
from tests.original_layout import (
    SIDE,
    Tensors,
    configs,
    original,
    parts,
    save_folder,
    save_single,
    small,
)

__all__ = ["configs", "small"]

_STARTS = ("cond_stage_model.", "conditioner.")
_CLIP = {"sd1": "cond_stage_model.transformer.", "sdxl": "conditioner.embedders.0.transformer."}
_OPEN = {"sd2": "cond_stage_model.model.", "sdxl": "conditioner.embedders.1.model."}


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    # A network alone is known by the width of the texts that it reads, which is small here.
    widths = {32: "sd1", 80: "sdxl"}
    monkeypatch.setattr("digressions.models.recognise.WIDTHS", widths)


@pytest.fixture(scope="module")
def networks(configs: Path) -> Callable[[str], dict[str, Any]]:
    return cache(lambda family: parts(configs, family))


def inside(tensors: Tensors, start: str) -> Tensors:
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def put(path: Path, tensors: Tensors) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


def bare(path: Path, made: dict[str, Any]) -> Path:
    """A file without text encoders."""
    return put(path, {k: v for k, v in original(made).items() if not k.startswith(_STARTS)})


def forms(family: str, made: dict[str, Any]) -> dict[str, list[Tensors]]:
    """The text encoders of a family in the forms that files of their own have."""
    whole = original(made)
    clip = inside(whole, _CLIP[family])
    plain = {k.removeprefix("text_model."): v for k, v in clip.items()}
    found = {
        "transformers": [clip],
        "transformers 5": [plain],
        "ComfyUI": [{f"clip_l.transformer.{k}": v for k, v in clip.items()}],
        "a checkpoint": [whole],
    }
    if family == "sdxl":
        other = inside(whole, _OPEN[family])
        second = {k: v.contiguous() for k, v in made["text_encoder_2"].state_dict().items()}
        found["transformers"].append(second)
        found["transformers 5"].append(other)
        found["ComfyUI"] = [found["ComfyUI"][0] | {f"clip_g.{k}": v for k, v in other.items()}]
    return found


def weights(path: Path, given: list[Path]) -> list[Tensors]:
    """Of the text encoders of a file that is opened with others beside it."""
    found = SingleFile(path, given).text_encoders(torch.float32)
    return [encoder.state_dict() for encoder in found]


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_text_encoder_of_any_form_is_that_of_the_whole_file(
    networks: Callable[[str], dict[str, Any]], tmp_path: Path, family: str
) -> None:
    made = networks(family)
    wanted = weights(save_single(tmp_path / "whole.safetensors", made), [])
    alone = bare(tmp_path / "alone.safetensors", made)
    for name, files in forms(family, made).items():
        paths = [put(tmp_path / f"{name} {i}.safetensors", each) for i, each in enumerate(files)]
        for given in (paths, paths[::-1]):
            for own, whole in zip(weights(alone, given), wanted, strict=True):
                assert own.keys() == whole.keys(), name
                assert all(torch.equal(own[key], whole[key]) for key in own), name


def test_it_takes_the_place_of_the_files_own(
    networks: Callable[[str], dict[str, Any]], configs: Path, tmp_path: Path
) -> None:
    made = networks("sd1")
    other = parts(configs, "sd1")["text_encoder"]
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(1.1)
    whole = save_single(tmp_path / "whole.safetensors", made)
    clip = inside(original({"text_encoder": other}), _CLIP["sd1"])
    path = put(tmp_path / "clip_l.safetensors", clip)
    ((name, found), *_) = weights(whole, [path])[0].items()
    assert torch.equal(found, other.state_dict()[name])
    assert not torch.equal(found, made["text_encoder"].state_dict()[name])
    plain, model = load(whole, "cpu"), load(whole, "cpu", text_encoder=[path])
    assert model.hash != plain.hash
    assert model.additions == {"text_encoder": [str(path)]}


def test_what_is_missing_is_said(networks: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    made = networks("sdxl")
    alone = bare(tmp_path / "alone.safetensors", made)
    files = forms("sdxl", made)["transformers"]
    first, second = (put(tmp_path / f"{i}.safetensors", each) for i, each in enumerate(files))

    def refused(*given: Path, model: Path = alone) -> str:
        with pytest.raises((ModelError, InputError)) as caught:
            load(model, "cpu", text_encoder=given)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    none = refused()
    assert "lacks a text encoder 32 wide (clip_l) and a text encoder 48 wide (clip_g)" in none
    assert "name the file with text_encoder" in none
    assert "lacks a text encoder 48 wide (clip_g): name" in refused(first)
    assert "lacks a text encoder 32 wide (clip_l): name" in refused(second)
    lora = put(tmp_path / "lora.safetensors", {"lora_unet_x.lora_up.weight": torch.zeros(2, 1)})
    assert "is a LoRA: give a text encoder" in refused(lora)
    t5 = {"encoder.block.0.layer.0.SelfAttention.q.weight": torch.zeros(2, 2)}
    assert "is a text encoder" in refused(put(tmp_path / "t5.safetensors", t5))
    wide = put(tmp_path / "wide.safetensors", {"token_embedding.weight": torch.zeros(9, 7)})
    assert "holds a text encoder 7 wide: give" in refused(wide)
    assert "there is no such file or folder" in refused(tmp_path / "nowhere.safetensors")
    folder = save_folder(tmp_path / "sd", networks("sd1"))
    assert "is for a .safetensors model" in refused(first, model=folder)


@pytest.mark.parametrize(
    "name",
    [
        "text_model.embeddings.token_embedding.weight",
        "clip_g.transformer.text_model.embeddings.token_embedding.weight",
        "token_embedding.weight",
        "transformer.resblocks.0.ln_1.weight",
    ],
)
def test_such_a_file_is_known(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / "x.safetensors", {name: torch.zeros(4, 4)})
    assert recognise(read_header(path)).kind == "text encoder"


def test_the_command_line_adds_one_and_replays_it(
    networks: Callable[[str], dict[str, Any]], digress: Callable[..., Any], tmp_path: Path
) -> None:
    from PIL import Image, ImageChops

    made = networks("sd1")
    (tmp_path / "m/models/text_encoders").mkdir(parents=True)
    bare(tmp_path / "m/models/dream.safetensors", made)
    put(tmp_path / "m/models/text_encoders/clip_l.safetensors", forms("sd1", made)["ComfyUI"][0])
    common = ("paint", "frog", "--models", "m", "--model", "dream", "--steps", 1, "--size", SIDE)
    ran = digress(*common)
    assert ran.code == 2
    assert "--text-encoder" in ran.err
    ran = digress(*common, "--text-encoder", "clip_l", "-o", "a.png")
    assert ran.code == 0, ran.err
    assert digress("replay", "a.png", "-o", "b.png").code == 0
    assert not ImageChops.difference(Image.open("a.png"), Image.open("b.png")).getbbox()
