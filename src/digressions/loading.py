"""A model by name, brought from its files to a device.

`load` takes the bundled model's name, a folder in diffusers layout, or a hub id. Families:
Stable Diffusion 1.x, 2.x, SDXL, their inpainting (9-channel), Turbo and LCM variants, and anything
of the same make, such as the bundled model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .autoencoder import Autoencoder
from .checkpoint import BUNDLED, Checkpoint, tiny_autoencoder
from .device import check_compiler, device_for, dtype_for
from .errors import InputError, ModelError
from .fingerprint import Fingerprint
from .models import Model
from .openvino_networks import BATCH, check_openvino, convert
from .stopwatch import Stopwatch
from .textencoder import TextEncoder


def load(
    name: str = BUNDLED,
    device: str | None = None,
    dtype: str | None = None,
    *,
    compiled: bool = False,
    tiny_vae: Path | None = None,
    openvino: bool = False,
) -> Model:
    """Loads a model.

    Args:
        name: ``"bundled"``, a folder in diffusers layout, or a hub id such as ``"owner/model"``
            (fetched once into the hub's cache; the only case that may use the network).
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; ``None`` takes the first there is.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``; ``None`` as `device.dtype_for`.
        compiled: Has torch.compile work on the networks: minutes at the start, then quicker.
        tiny_vae: Folder of a tiny autoencoder to use in place of the model's own.
        openvino: Has OpenVINO run those networks that it is quicker with, on a CPU.

    Raises:
        ModelError: No such model, a part of the checkpoint is missing or of an unknown kind, its
            weights are pickles, or it cannot be fetched.
        InputError: No such device or dtype, no compiler, or no CPU for OpenVINO.
        MissingExtraError: OpenVINO is not installed.
    """
    checkpoint = Checkpoint(name)
    tiny = None if tiny_vae is None else Fingerprint(tiny_vae, ("*.safetensors",))
    scheduler = checkpoint.scheduler
    where = device_for(device)
    kind = dtype_for(dtype, where)
    if compiled and openvino:
        raise InputError("--compile and --openvino both run the networks: choose one")
    if compiled:
        check_compiler(where)
    if openvino:
        check_openvino(where)
    # Convolutions are quicker with the channels last, in float32 on a plain CPU as well.
    layout = torch.preserve_format if where.type == "mps" else torch.channels_last
    unet = checkpoint.network("unet", kind).to(where, memory_format=layout)
    clock = Stopwatch()
    if tiny_vae is None:
        half = kind == torch.float16 and _wants_float32(checkpoint, unet)
        network = checkpoint.network("vae", torch.float32 if half else kind)
    else:
        network = tiny_autoencoder(tiny_vae, kind)
    vae = Autoencoder(network.to(where, memory_format=layout), where, clock)
    encoders = [encoder.to(where) for encoder in checkpoint.text_encoders(kind)]
    _check_fit(checkpoint.folder, unet, vae.channels, encoders)
    if compiled:
        unet.compile()
        vae.compile()
    model = Model(
        name=name,
        checkpoint=checkpoint,
        device=where,
        dtype=kind,
        schedule=checkpoint.schedule(),
        defaults=checkpoint.defaults(unet),
        vocabulary=checkpoint.vocabulary(),
        spacing=scheduler.get("timestep_spacing", "leading"),
        offset=scheduler.get("steps_offset", 0),
        to_zero=bool(scheduler.get("set_alpha_to_one", True)),
        size=_sample_side(unet) * vae.factor,
        clock=clock,
        inpainting=unet.config.in_channels == 2 * vae.channels + 1,
        _unet=unet,
        _vae=vae,
        _text=TextEncoder(
            checkpoint.tokenizers(),
            encoders,
            where,
            sdxl=unet.config.addition_embed_type == "text_time",
            zero_empty=checkpoint.zero_empty,
        ),
        _tiny=tiny,
    )
    if openvino:
        model.contests = convert(unet, network, _examples(model))
    return model


def _examples(model: Model) -> dict[str, tuple[Tensor, ...]]:
    """Inputs of a small batch for each network."""
    side = model.size // model.factor
    latents = torch.zeros(BATCH, model.channels, side, side, dtype=model.dtype)
    text = model.encode_prompts([""] * BATCH)
    inputs = [latents, torch.full((BATCH,), 499.0), text.tokens]
    if model.inpainting:
        inputs[0] = torch.cat([latents, latents, latents[:, :1]], 1)
    if model.guidance_in_network:
        inputs.append(torch.zeros(BATCH, model._unet.config.time_cond_proj_dim, dtype=model.dtype))
    ids = model.time_ids(model.size, model.size, BATCH)
    if ids is not None and text.pooled is not None:
        inputs += [text.pooled, ids]
    images = torch.zeros(BATCH, 3, model.size, model.size, dtype=model._vae.dtype)
    return {"unet": tuple(inputs), "encoder": (images,), "decoder": (latents.to(images),)}


def _check_fit(folder: Path, unet: Any, channels: int, encoders: list[Any]) -> None:
    taken = unet.config.in_channels
    if taken not in (channels, 2 * channels + 1):
        raise ModelError(
            f"the unet of {folder} takes {taken} channels and its vae makes {channels}: "
            "they do not belong together"
        )
    if not encoders:
        raise ModelError(f"the checkpoint {folder} has no text encoder")
    added = unet.config.addition_embed_type
    if added not in (None, "text", "text_time"):
        raise ModelError(f"the unet of {folder} wants to be told more ({added}): not supported")
    if added == "text_time" and len(encoders) != 2:
        raise ModelError(f"{folder} is an SDXL refiner or lacks a text encoder: not supported")


def _wants_float32(checkpoint: Checkpoint, unet: Any) -> bool:
    """Whether the autoencoder overflows in float16: SDXL's says so, and others have it by default
    without needing it."""
    config = checkpoint.config("vae")
    sdxl = unet.config.addition_embed_type == "text_time"
    return sdxl and bool(config.get("force_upcast", True))


def _sample_side(unet: Any) -> int:
    side = unet.config.sample_size or 64
    return int(max(side) if isinstance(side, (list, tuple)) else side)
