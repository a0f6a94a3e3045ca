"""What of model files `fuzz.py` feeds: headers of safetensors files."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

from .fuzz_damage import Reader, damaged, damaged_json


def _header(path: Path) -> None:
    from digressions.models.header import read_header
    from digressions.models.recognise import recognise
    from digressions.models.text_encoder_file import encoders_in

    header = read_header(path)
    recognise(header)
    encoders_in(header)


def _file(shapes: dict[str, tuple[int, ...]], metadata: dict[str, str]) -> bytes:
    """A safetensors file of zeros in float16."""
    content: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        content[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def _damaged(content: bytes, chance: random.Random) -> bytes:
    """Damaged in its header's values, or anywhere."""
    if chance.random() < 0.3:
        return damaged(content, chance)
    (length,) = struct.unpack("<Q", content[:8])
    text = damaged_json(content[8 : 8 + length], chance)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


_UNET = "model.diffusion_model."
_SEEDS = {
    "checkpoint.safetensors": _file(
        {
            f"{_UNET}input_blocks.0.0.weight": (8, 4, 3, 3),
            f"{_UNET}middle_block.0.in_layers.0.weight": (8,),
            f"{_UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 768),
            "first_stage_model.decoder.conv_in.weight": (8, 4, 3, 3),
        },
        {"modelspec.prediction_type": "v"},
    ),
    "lora.safetensors": _file(
        {"lora_unet_mid_block_attentions_0_attn2_to_k.lora_down.weight": (4, 768)},
        {"ss_base_model_version": "sd_v1"},
    ),
    "embedding.safetensors": _file({"clip_g": (2, 8), "clip_l": (2, 8)}, {}),
    "one.safetensors": _file({"<ink>": (2, 768)}, {}),
    "clip.safetensors": _file(
        {"text_model.embeddings.token_embedding.weight": (4, 8), "token_embedding.weight": (4, 8)},
        {},
    ),
}

MODELS: dict[str, Callable[[Path], Reader]] = {
    "header": lambda _: Reader(_SEEDS, _header, _damaged),
}
"""Readers by name; made in a folder of their own."""
