"""The denoiser, its noise schedule and the whole pipeline: made, loaded, and looked at."""

import copy
from pathlib import Path

import torch
from captions import every_caption, surroundings
from compose import SIZE
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from text import WIDTH, make_normalizer, make_text_encoder, train_tokenizer
from torch import nn
from transformers import CLIPTextModel, PreTrainedTokenizerFast

SHEET_PROMPTS = (
    "photo of a turtle",
    "photo of a frog",
    "photo of a giraffe",
    "drawing of a turtle",
    "drawing of a deer",
    "ink drawing of an elephant",
    "cartoon of a giraffe",
    "photo of a tiger",
    "painting of a parrot",
    "photo of a butterfly",
    "cartoon of a fox",
    "cartoon of an octopus",
)

POOLED_TEXT = {"addition_embed_type": "text", "addition_embed_type_num_heads": 8}


def make_unet(widths: tuple[int, int], size: int = SIZE) -> UNet2DConditionModel:
    """An untrained denoiser of (B, 16, size / 8, size / 8) latents.

    It attends to the text at half that side only. The text as a whole, pooled, is added to the time
    of every layer: so a network this small learns a thing from far fewer pictures.
    """
    return UNet2DConditionModel(
        sample_size=size // 8,
        in_channels=16,
        out_channels=16,
        block_out_channels=widths,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=tuple(width // 64 for width in widths),
        **POOLED_TEXT,
    )


def picture_size(unet: UNet2DConditionModel) -> int:
    """How many pixels a side a denoiser's pictures have."""
    return 8 * int(unet.config.sample_size)


def with_pooled_text(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A denoiser that was trained without the pooled text, given it; it says the same as before
    until it has learnt to listen."""
    settings = {name: value for name, value in unet.config.items() if name[0] != "_"}
    taught = UNet2DConditionModel(**settings | POOLED_TEXT)
    nn.init.zeros_(taught.add_embedding.norm2.weight)
    taught.load_state_dict(unet.state_dict(), strict=False)
    return taught


def make_scheduler() -> DDIMScheduler:
    """The noise schedule, in the form the exported pipeline uses it."""
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
        clip_sample=False,
    )


def load_tokenizer(records: list[dict], vocabulary: list[str]):
    """The tokenizer of a dataset: the same every time, so it needs no file of its own."""
    texts = [text for record in records for text in every_caption(record)]
    return train_tokenizer(texts + surroundings() + vocabulary)


def make_models(widths: tuple[int, int], pieces: int, size: int = SIZE) -> nn.ModuleDict:
    """Untrained: the denoiser and a text encoder for a vocabulary of `pieces`."""
    unet = make_unet(tuple(widths), size)
    return nn.ModuleDict({"unet": unet, "text": make_text_encoder(pieces)})


def load_models(folder: Path) -> tuple[PreTrainedTokenizerFast, nn.ModuleDict]:
    """The tokenizer, and the denoiser and text encoder in float32, of an exported folder."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    if unet.config.addition_embed_type is None:
        unet = with_pooled_text(unet)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
    tokenizer.backend_tokenizer.normalizer = make_normalizer()
    return tokenizer, nn.ModuleDict({"unet": unet.train(), "text": text.train()})


def make_pipeline(vae, tokenizer, text_encoder, unet, scheduler) -> StableDiffusionPipeline:
    """Assemble the parts; the pipeline paints what the denoiser's config says."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=copy.deepcopy(scheduler),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def contact_sheet(
    pipeline: StableDiffusionPipeline,
    prompts=SHEET_PROMPTS,
    seeds=range(4),
    steps: int = 10,
    guidance: float = 3.5,
) -> Image.Image:
    """Paint every prompt (columns) with every seed (rows) and paste the pictures into one."""
    pipeline.set_progress_bar_config(disable=True)
    side = picture_size(pipeline.unet)
    sheet = Image.new("RGB", (side * len(prompts), side * len(seeds)))
    for row, seed in enumerate(seeds):
        generators = [torch.Generator().manual_seed(seed) for _ in prompts]
        images = pipeline(
            list(prompts),
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=generators,
        ).images
        for column, image in enumerate(images):
            sheet.paste(image, (side * column, side * row))
    return sheet
