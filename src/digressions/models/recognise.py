"""What a safetensors file is, told from its header: a checkpoint and of which family, a LoRA, an
autoencoder, an embedding, an upscaler, or something that is not read here. Needs no torch.

The names of tensors tell more than any title: programs pass files on under other names, and leave
the metadata behind. Where a mark is a convention of ComfyUI (``v_pred``, ``ztsnr``) or of Stability
AI's modelspec (https://github.com/Stability-AI/ModelSpec), it is named as there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from .header import Header

Kind = Literal[
    "checkpoint", "lora", "vae", "embedding", "upscaler", "text encoder", "ControlNet", "unknown"
]
Family = Literal["sd1", "sd2", "sdxl"]
Prediction = Literal["epsilon", "v_prediction"]

FAMILIES: dict[Family, str] = {
    "sd1": "Stable Diffusion 1",
    "sd2": "Stable Diffusion 2",
    "sdxl": "SDXL",
}

BELONGS: dict[Kind, str] = {
    "vae": "give it to `vae`",
    "upscaler": "give it to `upscaler`",
    "lora": "give it to `lora`, beside a model",
    "text encoder": "give it to `text_encoder`, beside a model",
    "embedding": "use its name as a word of the prompt, and name its folder with `models`",
    "checkpoint": "give it to `model`",
}
"""What to do with a file that was given for another kind of file."""

UNET, VAE = "model.diffusion_model.", "first_stage_model."
_TEXTS = ("cond_stage_model.", "conditioner.embedders.")
_ENCODERS = ("text_model.", "transformer.resblocks.", "token_embedding.weight")
WIDTHS: dict[int, Family] = {768: "sd1", 1024: "sd2", 2048: "sdxl"}

_MOST_VECTORS = 300

_LORA = (
    *(".lora_up.", ".lora_down.", ".lora_A.", ".lora_B.", ".lora.up.", ".lora.down."),
    *("_lora.up.", "_lora.down.", ".lora_linear_layer."),
)
_LORA_DOWN = (".lora_down.weight", ".lora_A.weight", ".lora.down.weight", ".hada_w1_b")
LYCORIS = {
    "LoHa": (".hada_w1_a",),
    "LoKr": (".lokr_w1", ".lokr_w2"),
    "OFT": (".oft_blocks", ".oft_diag"),
    "IA3": (".on_input",),
    "GLoRA": (".a1.weight", ".b1.weight"),
    "DoRA": (".dora_scale",),
}
_OTHER_FAMILIES = {  # by a part of a name that only they have
    "Flux.2": ("single_stream_modulation.lin",),
    "Flux": ("double_blocks.0.img_attn", "single_transformer_blocks.0."),
    "Stable Diffusion 3": ("joint_blocks.0.",),
    "Z-Image": ("cap_embedder.0.", "noise_refiner.0."),
    "Qwen-Image": ("txt_in.text_norm", "transformer_blocks.0.txt_mlp."),
    "Stable Cascade": ("down_blocks.0.0.channelwise", "clip_txt_pooled_mapper"),
    "AuraFlow": ("double_layers.0.", "cond_seq_linear"),
    "PixArt": ("adaln_single.", "t_block.1."),
    "Wan": ("head.modulation",),
    "Playground 2.5": ("edm_mean",),
    "a v-prediction model with EDM's noise": ("edm_vpred.",),
}


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        kind: Of its file as a whole.
        family: Of a checkpoint, a LoRA or an embedding; ``None`` where nothing says so.
        what: In words, as in "this is a ...".
        channels: That the network takes: 4, or 9 for inpainting; 0 without one.
        prediction: Of the network; ``None`` where the header does not say.
        zero_snr: Whether it was trained down to noise alone.
        parts: Which of ``unet``, ``vae`` and ``text encoder`` are there.
    """

    kind: Kind
    family: Family | None
    what: str
    channels: int = 0
    prediction: Prediction | None = None
    zero_snr: bool = False
    parts: frozenset[str] = frozenset()


def recognise(header: Header) -> Contents:
    """What a file is. Anything has an answer, if only ``unknown``."""
    if (lora := _lora_kind(header)) is not None:
        family = _lora_family(header)
        name = f"{FAMILIES[family]} {lora}" if family else lora
        return Contents("lora", family, f"{_article(name)} {name}")
    if header.has("control_model.", "controlnet_cond_embedding.", "controlnet_"):
        return Contents("ControlNet", None, "a ControlNet")
    for name, marks in _OTHER_FAMILIES.items():
        if header.holds(*marks):
            what = name if name.startswith("a ") else f"a {name} model"
            return Contents("unknown", None, f"{what}, a family that is not supported yet")
    if _unet_start(header) is not None:
        return _checkpoint(header)
    return _other(header)


def _checkpoint(header: Header) -> Contents:
    start = _unet_start(header) or ""
    family = _family(header, start)
    parts = {"unet"}
    if header.has(VAE):
        parts.add("vae")
    if header.has(*_TEXTS):
        parts.add("text encoder")
    stored = header.tensors[f"{start}input_blocks.0.0.weight"]
    channels = stored.shape[1] if len(stored.shape) == 4 else 0
    name = FAMILIES[family] if family else "diffusion"
    if family == "sdxl" and header.has("conditioner.embedders.0.model."):
        return Contents("unknown", None, "an SDXL refiner, which is not supported")
    if family and channels not in (4, 9):
        what = f"{_article(name)} {name} network that takes {channels} channels"
        return Contents("unknown", family, f"{what}, which is not supported")
    prediction = _prediction(header)
    zero_snr = "ztsnr" in header or f"{start}ztsnr" in header
    what = f"{_article(name)} {name} checkpoint"
    if family is None:
        return Contents("unknown", None, f"{what} of a family that is not supported")
    return Contents("checkpoint", family, what, channels, prediction, zero_snr, frozenset(parts))


def _other(header: Header) -> Contents:
    """What has no network that denoises."""
    if (widths := _vectors(header)) is not None:
        family = "sdxl" if len(widths) == 2 else WIDTHS.get(widths[0])
        name = f"{FAMILIES[family]} embedding" if family else "embedding"
        return Contents("embedding", family, f"{_article(name)} {name} (textual inversion)")
    half = "3.conv.0.weight" in header or "1.conv.0.weight" in header
    tiny = half or header.has("decoder.layers.")
    if tiny or header.has(VAE, "decoder.conv_in.", "decoder.mid.", "post_quant_conv."):
        what = "a tiny autoencoder (TAESD)" if tiny else "an autoencoder (VAE)"
        return Contents("vae", None, what, parts=frozenset({"vae"}))
    if header.has("conv_first.", "model.0.weight", "body.0.", "model.1.sub.", "params_ema."):
        return Contents("upscaler", None, "an upscaler")
    if header.has(*_TEXTS, "encoder.block.0.") or header.holds(*_ENCODERS):
        return Contents("text encoder", None, "a text encoder")
    if header.has("down_blocks.", "conv_in."):
        return Contents("unknown", None, "a network in diffusers' names without the rest of it")
    return Contents("unknown", None, "nothing that is known here")


def _vectors(header: Header) -> list[int] | None:
    """The widths of the vectors of an embedding, one for each text encoder that it is for."""
    if {"clip_l", "clip_g"} & set(header.tensors):
        stored = list(header.tensors.values())
    elif "emb_params" in header:
        stored = [header.tensors["emb_params"]]
    else:  # of any name, alone: as much as fits into some prompts
        stored = list(header.tensors.values())
        if len(stored) != 1 or "." in next(iter(header.tensors)):
            return None
        shape = stored[0].shape
        several = len(shape) == 2 and shape[0] <= _MOST_VECTORS
        if not several and not (len(shape) == 1 and shape[0] in WIDTHS):
            return None
    if not all(1 <= len(each.shape) <= 2 and math.prod(each.shape) for each in stored):
        return None
    return [each.shape[-1] for each in stored]


def _unet_start(header: Header) -> str | None:
    """What the names of the network's tensors start with."""
    for start in (UNET, ""):
        if f"{start}input_blocks.0.0.weight" in header and header.has(f"{start}middle_block."):
            return start
    return None


def _family(header: Header, start: str) -> Family | None:
    """By the text encoder where there is one, else by the width of what the network reads."""
    if header.has("conditioner.embedders."):
        # Stable Diffusion 2 was also published in this layout.
        return "sdxl" if header.has(f"{start}label_emb.") else "sd2"
    if header.has("cond_stage_model.model."):
        return None if header.has(f"{start}label_emb.") else "sd2"  # unCLIP has labels
    if header.has("cond_stage_model."):
        return "sd1"
    for name, stored in header.tensors.items():
        if name.startswith(start) and name.endswith("attn2.to_k.weight"):
            return WIDTHS.get(stored.shape[-1] if stored.shape else 0)
    return None


def _prediction(header: Header) -> Prediction | None:
    said = header.metadata.get("modelspec.prediction_type", "").lower()
    if (
        "v_pred" in header
        or f"{UNET}v_pred" in header
        or said in ("v", "v_prediction", "v-prediction")
    ):
        return "v_prediction"
    return "epsilon" if said in ("epsilon", "eps") else None


def _lora_kind(header: Header) -> str | None:
    for name, marks in LYCORIS.items():
        if header.holds(*marks):
            return name
    return "LoRA" if header.holds(*_LORA) else None


def _lora_family(header: Header) -> Family | None:
    """By its text encoders or the width of what its layers read, else by what its makers wrote.

    The name of the model that it was trained on (``ss_sd_model_name``) says nothing: an
    ``anything-v2`` is a Stable Diffusion 1.
    """
    if header.has("lora_te2_", "text_encoder_2.", "text_encoders.clip_g."):
        return "sdxl"
    for name, stored in header.tensors.items():
        reads = name.endswith(_LORA_DOWN) and "attn2" in name and ("to_k" in name or "to_v" in name)
        if reads and stored.shape and stored.shape[-1] in WIDTHS:
            return WIDTHS[stored.shape[-1]]
    said = " ".join(
        header.metadata.get(name, "").lower()
        for name in ("modelspec.architecture", "ss_base_model_version")
    )
    if "xl" in said:
        return "sdxl"
    if "-v2" in said or "sd_v2" in said:
        return "sd2"
    if "-v1" in said or "sd_v1" in said:
        return "sd1"
    return None


def _article(name: str) -> str:
    return "an" if name.startswith(("SDXL", "e")) else "a"
