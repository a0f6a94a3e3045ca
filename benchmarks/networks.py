"""Networks of real size with random weights, in diffusers layout: only the time matters.

The configs are those that the checkpoints were published with; the tokenizer is the bundled one,
told to take 77 tokens. Weights are small normal noise, so that nothing overflows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, LCMScheduler, UNet2DConditionModel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
)

import digressions

TOKENIZER = Path(digressions.__file__).parent / "weights" / "tokenizer"
TOKENS = 77

_SD15_UNET: dict[str, Any] = {
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
_SDXL_UNET: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
_VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
_TEXT: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
}
_TEXT_2: dict[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
}
_TINY = {"norm_num_groups": 8, "layers_per_block": 1}

NAMES = {"sd15": "Stable Diffusion 1.5", "sdxl": "Stable Diffusion XL"}


def write_checkpoint(folder: Path, name: str, dtype: torch.dtype, tiny: bool = False) -> Path:
    """Writes a checkpoint of a few-step model (LCM's scheduler), and returns its folder.

    Args:
        name: In `NAMES`.
        dtype: Of the weights on disk.
        tiny: The same shape with few channels, for a dry run.
    """
    large = name == "sdxl"
    unet = dict(_SDXL_UNET if large else _SD15_UNET)
    vae, text, text_2 = dict(_VAE), dict(_TEXT), dict(_TEXT_2)
    if large:
        vae |= {"scaling_factor": 0.13025, "force_upcast": True, "sample_size": 1024}
    else:
        vae |= {"force_upcast": False, "sample_size": 512}
    if tiny:
        small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
        small |= {"num_attention_heads": 4, "projection_dim": 32}
        text, text_2 = text | small, text_2 | small
        levels = len(unet.get("block_out_channels", (0,) * 4))
        unet |= _TINY | {"block_out_channels": (32, 64, 64, 64)[:levels], "sample_size": 8}
        unet |= {"attention_head_dim": 8, "cross_attention_dim": 64 if large else 32}
        vae |= _TINY | {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4}
        if large:
            unet |= {"transformer_layers_per_block": 1, "addition_time_embed_dim": 8}
            unet |= {"projection_class_embeddings_input_dim": 6 * 8 + 32}
    parts: dict[str, Any] = {
        "unet": _random(lambda: UNet2DConditionModel(**unet), dtype),
        "vae": _random(lambda: AutoencoderKL(**vae), dtype),
        "text_encoder": _random(lambda: CLIPTextModel(_text_config(text)), dtype),
        "tokenizer": _tokenizer(),
        "scheduler": LCMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
        ),
    }
    if large:
        second = _text_config(text_2)
        parts["text_encoder_2"] = _random(lambda: CLIPTextModelWithProjection(second), dtype)
        parts["tokenizer_2"] = _tokenizer()
    index: dict[str, Any] = {
        "_class_name": f"StableDiffusion{'XL' if large else ''}Pipeline",
        "_diffusers_version": "0.35.0",
    }
    for part, network in parts.items():
        network.save_pretrained(folder / part)
        diffusers = part in ("unet", "vae", "scheduler")
        index[part] = ["diffusers" if diffusers else "transformers", type(network).__name__]
        if part.startswith("tokenizer"):
            index[part][1] = "PreTrainedTokenizerFast"
    if large:
        index["force_zeros_for_empty_prompt"] = True
    else:
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    return folder


def bare(name: str) -> tuple[UNet2DConditionModel, AutoencoderKL]:
    """Network and autoencoder of a name in `NAMES`, without weights: to count arithmetic."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**(_SDXL_UNET if name == "sdxl" else _SD15_UNET))
        return unet, AutoencoderKL(**_VAE)


def _random(build: Any, dtype: torch.dtype) -> Any:
    """A network of noise; built without weights first, as these would be drawn in vain."""
    with torch.device("meta"):
        network = build()
    network = network.to(dtype).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for value in (*network.parameters(), *network.buffers()):
        if value.is_floating_point():
            value.data.normal_(0, 0.02, generator=generator)
        else:  # positions, which are counted
            value.data.copy_(torch.arange(value.numel()).view_as(value))
    return network


def _text_config(sizes: dict[str, Any]) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408,
        max_position_embeddings=TOKENS,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        **sizes,
    )


def _tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(TOKENIZER, model_max_length=TOKENS)
