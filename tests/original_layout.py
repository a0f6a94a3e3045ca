"""Small random checkpoints in single files, in the layout of the programs that they were published
with (CompVis, Stability AI), and the same weights as folders in diffusers layout."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from digressions.models import single_file

SIDE = 64
FAMILIES = ("sd1", "sd2", "sdxl")
_SHIPPED = single_file.CONFIGS
_SMALL_TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
_SMALL_TEXT |= {"num_hidden_layers": 2, "projection_dim": 32}
_SMALL: dict[str, dict[str, Any]] = {
    "sd1": {"block_out_channels": [32, 32, 64, 64], "cross_attention_dim": 32},
    "sd2": {"block_out_channels": [32, 32, 64, 64], "cross_attention_dim": 32}
    | {"attention_head_dim": [4, 4, 8, 8]},
    "sdxl": {"block_out_channels": [32, 32, 64], "cross_attention_dim": 80}
    | {"attention_head_dim": [4, 4, 8], "transformer_layers_per_block": [1, 1, 2]}
    | {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + 48},
}
Tensors = dict[str, Tensor]


def small_configs(folder: Path) -> Path:
    """The shipped configs of every family with narrow layers: what `single_file.CONFIGS` is to be
    where small files are read."""
    folder.mkdir(parents=True)
    (folder / "tokenizer").symlink_to(_SHIPPED / "tokenizer")
    for family in FAMILIES:
        config = json.loads((_SHIPPED / f"{family}.json").read_text())
        config["unet"] |= _SMALL[family] | {"sample_size": SIDE // 8}
        config["vae"] |= {"block_out_channels": [32] * 4, "sample_size": SIDE}
        for name in ("text_encoder", "text_encoder_2"):
            if name in config:
                config[name] |= _SMALL_TEXT
        if "text_encoder_2" in config:  # wider: diffusers tells the two apart by their width
            config["text_encoder_2"] |= {"hidden_size": 48, "projection_dim": 48}
        (folder / f"{family}.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_configs(tmp_path_factory.mktemp("configs") / "small")


@pytest.fixture(autouse=True)
def small(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is imported, files are read by the small configs."""
    monkeypatch.setattr(single_file, "CONFIGS", configs)


def parts(configs: Path, family: str, channels: int = 4) -> dict[str, Any]:
    """Random networks of a family."""
    torch.manual_seed(5)
    config = json.loads((configs / f"{family}.json").read_text())
    config["unet"]["in_channels"] = channels
    made: dict[str, Any] = {
        "unet": UNet2DConditionModel.from_config(config["unet"]),
        "vae": AutoencoderKL.from_config(config["vae"]),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**config["text_encoder"])),
    }
    if family == "sdxl":
        second = CLIPTextConfig(**config["text_encoder_2"])
        made["text_encoder_2"] = CLIPTextModelWithProjection(second)
    return {name: part.eval() for name, part in made.items()}


def save_folder(folder: Path, parts: dict[str, Any], **scheduler: Any) -> Path:
    """Writes networks in diffusers layout, with the scheduler of their family and changes to it."""
    xl = "text_encoder_2" in parts
    inpaint = "Inpaint" if parts["unet"].config.in_channels == 9 else ""
    usual: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
    usual |= {"beta_schedule": "scaled_linear", "timestep_spacing": "leading"}
    if not xl:
        usual |= {"clip_sample": False, "set_alpha_to_one": False}
    kind = EulerDiscreteScheduler if xl else DDIMScheduler
    second = isinstance(parts["unet"].config.attention_head_dim, (list, tuple)) and not xl
    made = parts | {
        "scheduler": kind(**usual | scheduler),
        "tokenizer": CLIPTokenizer.from_pretrained(
            _SHIPPED / "tokenizer", pad_token="!" if second else "<|endoftext|>"
        ),
    }
    if xl:
        made["tokenizer_2"] = CLIPTokenizer.from_pretrained(_SHIPPED / "tokenizer", pad_token="!")
    index: dict[str, Any] = {"_class_name": f"StableDiffusion{'XL' if xl else ''}{inpaint}Pipeline"}
    for name, part in made.items():
        part.save_pretrained(folder / name)
        library = "diffusers" if name in ("unet", "vae", "scheduler") else "transformers"
        index[name] = [library, type(part).__name__]
    index |= {"safety_checker": [None, None], "feature_extractor": [None, None]} if not xl else {}
    index |= {"force_zeros_for_empty_prompt": True} if xl else {}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def save_single(
    path: Path, parts: dict[str, Any], metadata: dict[str, str] | None = None, **marks: Tensor
) -> Path:
    """Writes networks as one file in the original layout, with marks such as ``v_pred``."""
    save_file(original(parts) | marks, path, metadata)
    return path


def original(parts: dict[str, Any]) -> Tensors:
    """The tensors of networks under their original names."""
    xl = "text_encoder_2" in parts
    found: Tensors = {}
    for name, part in parts.items():
        weights = deepcopy(part.state_dict())
        if name == "unet":
            named = {f"model.diffusion_model.{k}": v for k, v in unet(weights).items()}
        elif name == "vae":
            named = {f"first_stage_model.{k}": v for k, v in vae(weights).items()}
        elif name == "text_encoder_2":
            named = {f"conditioner.embedders.1.model.{k}": v for k, v in open_clip(weights).items()}
        elif part.config.hidden_act == "gelu":  # OpenCLIP, whose last layer is not asked
            named = {f"cond_stage_model.model.{k}": v for k, v in open_clip(weights).items()}
            extra = "cond_stage_model.model.transformer.resblocks.23.ln_1.weight"
            named[extra] = torch.zeros(32)
        else:
            room = "conditioner.embedders.0" if xl else "cond_stage_model"
            start = "" if any(k.startswith("text_model.") for k in weights) else "text_model."
            named = {f"{room}.transformer.{start}{k}": v for k, v in weights.items()}
            ids = f"{room}.transformer.text_model.embeddings.position_ids"
            named[ids] = torch.arange(77)[None]
        found |= named
    return {name: value.contiguous() for name, value in found.items()}


_RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1"}
_RESNET |= {"norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
_ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
_ENDS |= {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
_ENDS |= {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}


def unet(weights: Tensors) -> Tensors:
    """A network's tensors under the names of CompVis' ``openaimodel.py``."""
    with_attention = {k.split(".")[1] for k in weights if re.match(r"up_blocks\.\d+\.att", k)}

    def renamed(name: str) -> str:
        head, _, last = name.rpartition(".")
        if head in _ENDS:
            return f"{_ENDS[head]}.{last}"
        if found := re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name):
            way, block, kind, number, rest = found.groups()
            at = 3 * int(block) + int(number) + (way == "down")
            if kind == "downsamplers":
                return f"input_blocks.{at + 2}.0.op.{last}"
            if kind == "upsamplers":
                return f"output_blocks.{at + 2}.{1 + (block in with_attention)}.conv.{last}"
            place = f"{'input' if way == 'down' else 'output'}_blocks.{at}"
        else:
            kind, number, rest = re.match(r"mid_block\.(\w+)\.(\d+)\.(.*)", name).groups()
            at = {"resnets0": 0, "attentions0": 1, "resnets1": 2}[kind + number]
            return f"middle_block.{at}.{_inside(kind, rest)}"
        return f"{place}.{int(kind == 'attentions')}.{_inside(kind, rest)}"

    return {renamed(name): value for name, value in weights.items()}


def _inside(kind: str, rest: str) -> str:
    layer, _, last = rest.rpartition(".")
    return rest if kind == "attentions" else f"{_RESNET[layer]}.{last}"


_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def vae(weights: Tensors) -> Tensors:
    """An autoencoder's tensors under their names in CompVis' ``model.py``."""
    found = {}
    for name, value in weights.items():
        changed = re.sub(r"up_blocks\.(\d+)", lambda each: f"up.{3 - int(each[1])}", name).replace(
            "down_blocks", "down"
        )
        changed = re.sub(r"((?:up|down)\.\d+)\.resnets", r"\1.block", changed)
        changed = re.sub(r"(up|down)samplers\.0", r"\1sample", changed)
        changed = re.sub(
            r"mid_block\.resnets\.(\d)", lambda e: f"mid.block_{int(e[1]) + 1}", changed
        )
        changed = changed.replace("conv_norm_out", "norm_out").replace(
            "conv_shortcut", "nin_shortcut"
        )
        if attention := re.match(r"(\w+)\.mid_block\.attentions\.0\.(.*)\.(\w+)", changed):
            half, layer, last = attention.groups()
            changed = f"{half}.mid.attn_1.{_ATTENTION[layer]}.{last}"
            if layer != "group_norm" and last == "weight":
                value = value[:, :, None, None]
        found[changed] = value
    return found


_LAYERS = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj"}
_LAYERS |= {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}


def open_clip(weights: Tensors) -> Tensors:
    """A text encoder's tensors under their names in OpenCLIP."""
    weights = {name.removeprefix("text_model."): value for name, value in weights.items()}
    found = {
        "token_embedding.weight": weights.pop("embeddings.token_embedding.weight"),
        "positional_embedding": weights.pop("embeddings.position_embedding.weight"),
        "ln_final.weight": weights.pop("final_layer_norm.weight"),
        "ln_final.bias": weights.pop("final_layer_norm.bias"),
        "logit_scale": torch.tensor(1.0),
    }
    projection = weights.pop("text_projection.weight", None)
    found["text_projection"] = torch.eye(32) if projection is None else projection.T
    for name, value in weights.items():
        number, layer, last = re.match(r"encoder\.layers\.(\d+)\.(.*)\.(\w+)", name).groups()
        place = f"transformer.resblocks.{number}"
        if layer in _LAYERS:
            found[f"{place}.{_LAYERS[layer]}.{last}"] = value
        elif layer == "self_attn.q_proj":
            three = [weights[name.replace("q_proj", f"{each}_proj")] for each in "qkv"]
            found[f"{place}.attn.in_proj_{last}"] = torch.cat(three)
    return found
