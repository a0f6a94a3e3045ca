"""Small checkpoints of every family, with random weights: they paint nothing, but exactly."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    LCMScheduler,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
)

import digressions

WEIGHTS = Path(digressions.__file__).parent / "weights"
SIDE = 64


def tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(WEIGHTS / "tokenizer")


def text_encoder(width: int = 32, projection: bool = False) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=4096,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=24,
        projection_dim=width,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    return kind(config)


def unet(channels: int = 4, text_width: int = 32, **extra: object) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text_width,
        attention_head_dim=8,
        norm_num_groups=8,
        **extra,
    )


def tiny_vae() -> AutoencoderTiny:
    eights = (8, 8, 8, 8)
    return AutoencoderTiny(
        encoder_block_out_channels=eights,
        decoder_block_out_channels=eights,
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
        latent_channels=4,
        scaling_factor=1.0,
    )


def kl_vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIDE,
        scaling_factor=0.18215,
    )


def scheduler(kind: type = DDIMScheduler, **changes: object) -> DDIMScheduler:
    """As Stable Diffusion 1 was published."""
    config = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
        "timestep_spacing": "leading",
    }
    if kind is not EulerAncestralDiscreteScheduler:
        config |= {"clip_sample": False, "set_alpha_to_one": False}
    return kind(**config | changes)


def build(folder: Path, family: str) -> Path:
    """Writes a checkpoint: sd, sd-v, sd-pooled, sd-kl, inpainting, sdxl, lcm or turbo."""
    torch.manual_seed(7)
    parts: dict[str, object] = {
        "tokenizer": tokenizer(),
        "text_encoder": text_encoder(),
        "unet": unet(),
        "vae": tiny_vae(),
        "scheduler": scheduler(),
    }
    pipeline = "StableDiffusionPipeline"
    if family == "sd-v":
        parts["scheduler"] = scheduler(
            prediction_type="v_prediction", rescale_betas_zero_snr=True, set_alpha_to_one=True
        )
    elif family == "sd-pooled":
        parts["unet"] = unet(addition_embed_type="text", addition_embed_type_num_heads=8)
    elif family == "sd-kl":
        parts["vae"] = kl_vae()
    elif family == "inpainting":
        parts["unet"] = unet(9)
        pipeline = "StableDiffusionInpaintPipeline"
    elif family == "lcm":
        parts["scheduler"] = scheduler(LCMScheduler)
        parts["unet"] = unet(time_cond_proj_dim=16)
    elif family == "turbo":
        parts["scheduler"] = scheduler(EulerAncestralDiscreteScheduler, timestep_spacing="trailing")
    elif family == "sdxl":
        parts |= {"tokenizer_2": tokenizer(), "text_encoder_2": text_encoder(32, projection=True)}
        parts["unet"] = unet(
            text_width=64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 32,
        )
        pipeline = "StableDiffusionXLPipeline"
    index: dict[str, object] = {"_class_name": pipeline, "_diffusers_version": "0.35.0"}
    for name, part in parts.items():
        part.save_pretrained(folder / name)
        library = "diffusers" if name in ("unet", "vae", "scheduler") else "transformers"
        index[name] = [library, type(part).__name__]
    if family == "sdxl":
        index["force_zeros_for_empty_prompt"] = True
    else:
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None]}
    index["tokenizer"] = ["transformers", "PreTrainedTokenizerFast"]
    if family == "sdxl":
        index["tokenizer_2"] = ["transformers", "PreTrainedTokenizerFast"]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder
