"""Autoencoders of their own: a file or a folder, of full size or tiny (TAESD).

Files come in the original names (alone, or in a whole checkpoint) or in diffusers'. TAESD
(https://github.com/madebyollin/taesd) is one file in diffusers' names, or two beside each other,
``taesd_encoder.safetensors`` and ``taesd_decoder.safetensors``, as ComfyUI and A1111 keep them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError, verbatim
from .header import Header, read_header
from .recognise import VAE, recognise
from .tensors import filled, read_tensors

_HALVES = ("encoder", "decoder")


def autoencoder_in(header: Header, config: dict[str, Any], dtype: torch.dtype) -> Any:
    """The autoencoder that a file holds, alone or among others.

    Args:
        config: Of an `AutoencoderKL`, for one of full size.

    Raises:
        ModelError: It is not whole, or of another build.
    """
    from diffusers import AutoencoderKL
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    start = VAE if header.has(VAE) else ""

    def tensors(network: Any) -> dict[str, Tensor]:
        found = read_tensors(header, start, dtype)
        if any(".mid_block." in name for name in found):
            return found  # diffusers' names
        return convert_ldm_vae_checkpoint(found, config=config)

    what = f"the vae of {verbatim(str(header.path))}"
    return filled(what, lambda: AutoencoderKL.from_config(config), tensors)


def autoencoder_file(path: Path, config: dict[str, Any], dtype: torch.dtype) -> Any:
    """The autoencoder in a file, of full size or tiny.

    Args:
        config: As `autoencoder_in`.

    Raises:
        ModelError: The file holds none, or only half of one.
    """
    header = read_header(path)
    contents = recognise(header)
    if "vae" not in contents.parts:
        raise ModelError(
            f"`vae` {verbatim(str(path))} is {contents.what}: give the file of an autoencoder"
        )
    if contents.kind != "vae" or "tiny" not in contents.what:
        return autoencoder_in(header, config, dtype)
    return _tiny(header, dtype)


def files_of(path: Path) -> list[Path]:
    """The files of an autoencoder: one, or the two halves of a tiny one. Raises `ModelError`."""
    if read_header(path).has(*(f"{half}.layers." for half in _HALVES)):
        return [path]
    if not (found := [half for half in _HALVES if half in path.name]):
        return [path]
    halves = [path.with_name(path.name.replace(found[0], half)) for half in _HALVES]
    return [half for half in halves if half.is_file()]


def _tiny(header: Header, dtype: torch.dtype) -> Any:
    from diffusers import AutoencoderTiny

    shown = verbatim(str(header.path))

    def tensors(network: Any) -> dict[str, Tensor]:
        if header.has("decoder.layers."):
            return read_tensors(header, "", dtype)
        halves = files_of(header.path)
        if len(halves) != 2:
            raise ModelError(f"`vae` {shown} is half an autoencoder: put the other half beside it")
        found = {}
        for half, path in zip(_HALVES, halves, strict=True):
            # The decoder's first layer has no weights, and diffusers does not count it.
            shift = int(half == "decoder")
            for name, tensor in read_tensors(read_header(path), "", dtype).items():
                number, _, rest = name.partition(".")
                found[f"{half}.layers.{int(number) - shift}.{rest}"] = tensor
        return found

    return filled(f"the vae {shown}", AutoencoderTiny, tensors)
