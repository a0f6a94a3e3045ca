"""Checkpoints in single files: the same pictures as from folders and from diffusers, without a
network; and what a file is, told from its header."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from digressions.errors import ModelError
from digressions.generate.paint import sample_batch
from digressions.models import single_file
from digressions.models.header import read_header
from digressions.models.loading import load
from digressions.models.recognise import recognise
from tests import jobs
from tests.original_layout import SIDE, configs, original, parts, save_folder, save_single, small

__all__ = ["configs", "small"]

TOLERANCE = 1e-3  # of the largest value: rounding, where a wrong weight is off by a tenth
V = {"prediction_type": "v_prediction"}
ZERO_SNR = V | {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


@pytest.fixture(scope="module")
def networks(configs: Path) -> Callable[..., dict[str, Any]]:
    return cache(lambda family, channels=4: parts(configs, family, channels))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def latents(model: Any, **changes: Any) -> torch.Tensor:
    usual = {"seed": 3, "size": SIDE, "steps": 5, "guidance": 5.0, "negative": "a turtle"}
    job = jobs.job("photo of a frog", **usual | changes)
    *_, last = sample_batch(model, [job])
    return last.x


MARK = torch.tensor([])
CASES = [
    ("sd1", {}, {}),
    ("sd1", {"v_pred": MARK}, V),
    ("sd2", {}, {}),
    ("sdxl", {}, {}),
    ("sdxl", {"v_pred": MARK, "ztsnr": MARK}, ZERO_SNR),
]


@pytest.mark.parametrize(("family", "marks", "scheduler"), CASES)
def test_a_file_paints_as_the_folder_does(
    networks: Callable[..., dict[str, Any]],
    tmp_path: Path,
    no_network: None,
    family: str,
    marks: dict[str, torch.Tensor],
    scheduler: dict[str, Any],
) -> None:
    made = networks(family)
    path = save_single(tmp_path / "model.safetensors", made, **marks)
    file = load(path, "cpu", "float32")
    folder = load(save_folder(tmp_path / "folder", made, **scheduler), "cpu", "float32")
    assert torch.equal(latents(file), latents(folder))
    assert file.defaults == folder.defaults
    assert (file.spacing, file.schedule.prediction) == (folder.spacing, folder.schedule.prediction)
    picture = torch.rand(1, 3, SIDE, SIDE)
    assert torch.equal(file.decode(file.encode(picture)), folder.decode(folder.encode(picture)))


@pytest.mark.parametrize(
    ("family", "channels"),
    [("sd1", 4), ("sd2", 4), ("sdxl", 4), ("sd1", 9), ("sd2", 9), ("sdxl", 9)],
)
def test_a_file_paints_as_diffusers_does(
    networks: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    family: str,
    channels: int,
) -> None:
    # Ours takes the mode of what the autoencoder sees, diffusers a sample.
    monkeypatch.setattr(
        DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode()
    )
    made = networks(family, channels)
    path = save_single(tmp_path / "model.safetensors", made)
    folder = save_folder(tmp_path / "folder", made)
    xl, inpainting = family == "sdxl", channels == 9
    kinds = [StableDiffusionPipeline, StableDiffusionXLPipeline]
    kinds += [StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline]
    pipe = kinds[xl + 2 * inpainting].from_single_file(str(path), config=str(folder))
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    pipe.set_progress_bar_config(disable=True)
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 16:48, 8:40] = 1
    extra = {"image": image, "mask_image": mask, "strength": 1.0} if inpainting else {}
    wanted = pipe(
        "photo of a frog",
        negative_prompt="a turtle",
        num_inference_steps=5,
        guidance_scale=5.0,
        width=SIDE,
        height=SIDE,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
        **extra,
    ).images
    own = {"image": image[0], "mask": mask[0]} if inpainting else {}
    found = latents(load(path, "cpu", "float32"), **own)
    assert float((found - wanted).abs().max()) < TOLERANCE * float(wanted.abs().max())


def test_the_shipped_tokenizer_is_clips() -> None:
    """Against ids from the card of openai/clip-vit-large-patch14."""
    tokenizer = CLIPTokenizer.from_pretrained(single_file.CONFIGS / "tokenizer")
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_the_shipped_configs_are_of_the_published_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their numbers of parameters."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    monkeypatch.undo()
    counts = {}
    for family in ("sd1", "sd2", "sdxl"):
        config = json.loads((single_file.CONFIGS / f"{family}.json").read_text())
        with torch.device("meta"):
            built = [UNet2DConditionModel.from_config(config["unet"])]
            built += [AutoencoderKL.from_config(config["vae"])]
            built += [CLIPTextModel(CLIPTextConfig(**config["text_encoder"]))]
            if family == "sdxl":
                second = CLIPTextConfig(**config["text_encoder_2"])
                built += [CLIPTextModelWithProjection(second)]
        counts[family] = [sum(p.numel() for p in each.parameters()) for each in built]
    assert counts == {
        "sd1": [859_520_964, 83_653_863, 123_060_480],
        "sd2": [865_910_724, 83_653_863, 340_387_840],
        "sdxl": [2_567_463_684, 83_653_863, 123_060_480, 694_659_840],
    }


def test_v_prediction_of_stable_diffusion_2_shows_in_a_bias(
    networks: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    tensors = original(networks("sd2"))
    name = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
    tensors[name] = torch.linspace(-1, 1, len(tensors[name]))
    save_file(tensors, tmp_path / "768.safetensors")
    model = load(tmp_path / "768.safetensors", "cpu", "float32")
    assert model.schedule.prediction == "v_prediction"
    assert model.size == SIDE * 3 // 2
    assert load(save_single(tmp_path / "512.safetensors", networks("sd2")), "cpu").size == SIDE


def test_float8_is_widened(networks: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    tensors, narrow = original(networks("sd1")), {}
    for name, value in tensors.items():
        narrow[name] = value
        if name.startswith("model.diffusion_model.") and value.ndim > 1:
            scale = value.abs().max() / 400
            narrow[name] = (value / scale).to(torch.float8_e4m3fn)
            tensors[name] = narrow[name].float() * scale
            narrow[name.removesuffix(".weight") + ".scale_weight"] = scale
        elif value.is_floating_point():
            tensors[name] = narrow[name] = value.half()
    narrow["scaled_fp8"] = torch.zeros(2, dtype=torch.float8_e4m3fn)
    save_file(narrow, tmp_path / "fp8.safetensors")
    save_file(tensors, tmp_path / "wide.safetensors")
    found = latents(load(tmp_path / "fp8.safetensors", "cpu", "float32"))
    assert torch.equal(found, latents(load(tmp_path / "wide.safetensors", "cpu", "float32")))


def test_a_network_alone_says_what_it_lacks(
    networks: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    made = networks("sd1")
    no_vae = {k: v for k, v in original(made).items() if not k.startswith("first_stage")}
    save_file(no_vae, tmp_path / "no-vae.safetensors")
    with pytest.raises(ModelError, match=r"no autoencoder \(VAE\): .*vae"):
        load(tmp_path / "no-vae.safetensors", "cpu")
    no_text = {k: v for k, v in original(made).items() if not k.startswith("cond_stage")}
    wide = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    save_file(no_text | {wide: torch.zeros(32, 768)}, tmp_path / "no-text.safetensors")
    with pytest.raises(
        ModelError,
        match=r"lacks a text encoder 32 wide \(clip_l\): name the file with text_encoder",
    ):
        load(tmp_path / "no-text.safetensors", "cpu")


def test_a_missing_layer_is_not_made_up(
    networks: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    tensors = original(networks("sd1"))
    del tensors["model.diffusion_model.out.2.bias"]
    save_file(tensors, tmp_path / "holed.safetensors")
    with pytest.raises(ModelError, match=r"lacks conv_out\.bias"):
        load(tmp_path / "holed.safetensors", "cpu")


FOREIGN = {
    "a Stable Diffusion 1 LoRA": {
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (
            4,
            768,
        ),
    },
    "an SDXL LoRA": {"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": (8, 4)},
    "LoKr": {"lora_unet_x.lokr_w1": (4, 4)},
    "an autoencoder (VAE)": {"decoder.conv_in.weight": (8, 4, 3, 3)},
    "a tiny autoencoder (TAESD)": {"decoder.layers.0.weight": (8, 4, 3, 3)},
    "an upscaler": {"conv_first.weight": (64, 3, 3, 3)},
    "embedding": {"emb_params": (3, 768)},
    "a ControlNet": {"control_model.input_blocks.0.0.weight": (8, 4, 3, 3)},
    "a Flux model": {"double_blocks.0.img_attn.norm.key_norm.scale": (128,)},
    "a text encoder": {"text_model.embeddings.position_embedding.weight": (77, 8)},
    "SDXL refiner": {
        "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
        "model.diffusion_model.middle_block.0.in_layers.0.weight": (8,),
        "model.diffusion_model.label_emb.0.0.weight": (8, 8),
        "conditioner.embedders.0.model.ln_final.weight": (8,),
    },
    "nothing that is known": {"weight": (3,)},
}


@pytest.mark.parametrize("what", FOREIGN)
def test_another_file_is_named_for_what_it_is(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in FOREIGN[what].items()}, path)
    with pytest.raises(ModelError) as caught:
        load(path, "cpu")
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_off_is_refused(
    networks: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    path = save_single(tmp_path / "model.safetensors", networks("sd1"))
    whole = path.read_bytes()
    for length, what in [(len(whole) - 1, "cut off"), (1000, "cut off"), (4, "no safetensors")]:
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=what):
            load(path, "cpu")
    path.write_bytes(struct.pack("<Q", 4) + b"{]  ")
    with pytest.raises(ModelError, match="damaged"):
        load(path, "cpu")


def test_a_header_agrees_with_the_library(
    networks: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    path = save_single(tmp_path / "m.safetensors", networks("sdxl"), {"modelspec.title": "Small"})
    header = read_header(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in load_file(path).items()}
    assert {name: stored.shape for name, stored in header.tensors.items()} == shapes
    assert header.metadata == {"modelspec.title": "Small"}
    contents = recognise(header)
    assert (contents.family, contents.parts) == ("sdxl", {"unet", "vae", "text encoder"})


def test_the_hash_is_the_files(networks: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    import hashlib

    path = save_single(tmp_path / "model.safetensors", networks("sd1"))
    assert load(path, "cpu").hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_command_line_paints_with_a_file_and_replays_it(
    networks: Callable[..., dict[str, Any]], digress: Callable[..., Any], tmp_path: Path
) -> None:
    save_single(tmp_path / "dream.safetensors", networks("sd1"))
    ran = digress("paint", "frog", "--model", "dream.safetensors", "--steps", 2, "-o", "a.png")
    assert ran.code == 0, ran.err
    assert digress("replay", "a.png", "-o", "b.png").code == 0
    from PIL import Image, ImageChops

    assert not ImageChops.difference(Image.open("a.png"), Image.open("b.png")).getbbox()


def test_a_vae_file_takes_the_place_of_the_models_own(
    networks: Callable[..., dict[str, Any]], configs: Path, tmp_path: Path
) -> None:
    """Alone in its own names, in diffusers', or in a whole checkpoint; also where there is none."""
    made = networks("sd1")
    other = parts(configs, "sd1")["vae"]
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(1.1)
    whole = save_single(tmp_path / "whole.safetensors", made)
    changed = original({"vae": other})
    save_file(
        {k.removeprefix("first_stage_model."): v for k, v in changed.items()},
        tmp_path / "alone.safetensors",
    )
    save_single(tmp_path / "in.safetensors", made | {"vae": other})
    save_file(other.state_dict(), tmp_path / "diffusers.safetensors")
    without = {k: v for k, v in original(made).items() if not k.startswith("first_stage")}
    save_file(without, tmp_path / "without.safetensors")
    picture = torch.rand(1, 3, SIDE, SIDE)
    wanted = load(tmp_path / "in.safetensors", "cpu", "float32").encode(picture)
    assert not torch.allclose(load(whole, "cpu", "float32").encode(picture), wanted)
    hashes = set()
    for name in ("alone", "in", "diffusers"):
        for base in (whole, tmp_path / "without.safetensors"):
            model = load(base, "cpu", "float32", vae=tmp_path / f"{name}.safetensors")
            assert torch.equal(model.encode(picture), wanted)
            hashes.add(model.hash)
    assert len(hashes) == 6
    lora = {"lora_unet_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}
    save_file(lora, tmp_path / "lora.safetensors")
    with pytest.raises(ModelError, match="is a Stable Diffusion 1 LoRA"):
        load(whole, "cpu", vae=tmp_path / "lora.safetensors")


def test_a_tiny_vae_is_one_file_or_two_halves(
    networks: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    from diffusers import AutoencoderTiny

    torch.manual_seed(2)
    tiny = AutoencoderTiny().eval()
    save_file(tiny.state_dict(), tmp_path / "taesd.safetensors")
    for half, shift in (("encoder", 0), ("decoder", 1)):
        found = {}
        for name, tensor in getattr(tiny, half).state_dict().items():
            number, _, rest = name.removeprefix("layers.").partition(".")
            found[f"{int(number) + shift}.{rest}"] = tensor
        save_file(found, tmp_path / f"tae_{half}.safetensors")
    base = save_single(tmp_path / "base.safetensors", networks("sd1"))
    picture = torch.rand(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        wanted = tiny.encode(picture * 2 - 1).latents
    for name in ("taesd", "tae_encoder", "tae_decoder"):
        model = load(base, "cpu", "float32", vae=tmp_path / f"{name}.safetensors")
        assert torch.allclose(model.encode(picture), wanted, atol=1e-5)
    (tmp_path / "tae_encoder.safetensors").unlink()
    with pytest.raises(ModelError, match="put the other half beside it"):
        load(base, "cpu", vae=tmp_path / "tae_decoder.safetensors")
