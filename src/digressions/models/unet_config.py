"""What the config of a U-Net says: its family and size, and whether other parts belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError, verbatim
from .recognise import WIDTHS, Family


def check_fit(folder: Path, unet: Any, channels: int, encoders: list[Any]) -> None:
    """Raises `ModelError` where the parts of a checkpoint do not belong together, or its network is
    of a kind that is not supported.

    Args:
        folder: Of the checkpoint.
        channels: Of its autoencoder's latents.
        encoders: Of texts.
    """
    taken = unet.config.in_channels
    if taken not in (channels, 2 * channels + 1):
        raise ModelError(
            f"the unet of {verbatim(folder)} takes {taken} channels and its vae makes {channels}: "
            "they do not belong together"
        )
    if not encoders:
        raise ModelError(f"the checkpoint {verbatim(folder)} has no text encoder")
    added = unet.config.addition_embed_type
    if added not in (None, "text", "text_time"):
        raise ModelError(
            f"the unet of {verbatim(folder)} needs another condition ({added}): not supported"
        )
    if added == "text_time" and len(encoders) != 2:
        raise ModelError(
            f"{verbatim(folder)} is an SDXL refiner or lacks a text encoder: not supported"
        )


def vae_dtype(config: Mapping[str, Any], sdxl: bool, dtype: torch.dtype) -> torch.dtype:
    """Float32 where an autoencoder overflows in float16: SDXL's says so, and others have it by
    default without needing it."""
    wide = sdxl and dtype == torch.float16 and bool(config.get("force_upcast", True))
    return torch.float32 if wide else dtype


def family_of(unet: Any) -> Family | None:
    """The family of a network, by what it reads."""
    if unet.config.addition_embed_type == "text_time":
        return "sdxl"
    return WIDTHS.get(unet.config.cross_attention_dim)


def sample_side(unet: Any) -> int:
    """The side that it was trained at, in latents."""
    side = unet.config.sample_size or 64
    return int(max(side) if isinstance(side, (list, tuple)) else side)
