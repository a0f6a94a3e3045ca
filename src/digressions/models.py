"""A loaded model: text in, latents in and out, and a `Denoiser`.

`load` takes the bundled model's name, a folder in diffusers layout, or a hub id. Families:
Stable Diffusion 1.x, 2.x, SDXL, their inpainting (9-channel), Turbo and LCM variants, and anything
of the same make, such as the bundled model.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .autoencoder import Autoencoder
from .checkpoint import BUNDLED, Checkpoint, Defaults, tiny_autoencoder
from .combine import Combine, mean
from .condition import Condition, Text
from .denoise import Denoiser, Directions, Schedule, anchored, denoiser, ensembled, masked, tiled
from .device import check_compiler, device_for, dtype_for
from .errors import InputError, ModelError
from .fingerprint import Fingerprint
from .openvino_networks import BATCH, Contest, check_openvino, convert
from .sample import Spacing, time_grid
from .stopwatch import Stopwatch
from .terms import Plain
from .textencoder import TextEncoder
from .vocabulary import Vocabulary

NETWORK_STAGES = ("encode", "denoise", "decode")


@dataclass
class Model:
    """A loaded model on one device. Nothing that shapes a picture changes after loading.

    Attributes:
        name: As the user asked for it.
        checkpoint: Where its files are.
        vocabulary: The words that it was taught, or ``None`` where that is not said.
        size: The side in pixels that it was trained at.
        clock: Seconds in its own networks (stages ``encode``, ``denoise``, ``decode``), and in
            whatever else its user counts there.
        contests: What was measured where OpenVINO was to run its networks.
        spacing, offset, to_zero: How its scheduler lays out time steps (see `time_grid`).
    """

    name: str
    checkpoint: Checkpoint
    device: torch.device
    dtype: torch.dtype
    schedule: Schedule
    defaults: Defaults
    vocabulary: Vocabulary | None
    spacing: Spacing
    offset: int
    to_zero: bool
    size: int
    clock: Stopwatch
    inpainting: bool
    _unet: Any
    _vae: Autoencoder
    _text: TextEncoder
    _tiny: Fingerprint | None = None
    contests: list[Contest] = field(default_factory=list)

    @functools.cached_property
    def hash(self) -> str:
        """Of the weights (see `Fingerprint.hash`), those of a tiny autoencoder included."""
        whole = self.checkpoint.fingerprint.hash()
        if self._tiny is None:
            return whole
        return hashlib.sha256(f"{whole}:{self._tiny.hash()}".encode()).hexdigest()

    def check_unchanged(self) -> None:
        """Raises `ModelError` where the files of its weights are not what they were."""
        self.checkpoint.fingerprint.check()
        if self._tiny is not None:
            self._tiny.check()

    @property
    def seconds(self) -> float:
        """Spent inside its own networks so far."""
        return self.clock.seconds(*NETWORK_STAGES)

    @property
    def factor(self) -> int:
        """Pixels per latent, along a side."""
        return self._vae.factor

    @property
    def channels(self) -> int:
        """Of its latents."""
        return self._vae.channels

    @property
    def sdxl(self) -> bool:
        """Whether it is of SDXL's family: two text encoders, and sizes as conditions."""
        return self._text.sdxl

    @property
    def guidance_in_network(self) -> bool:
        """Whether the network takes the guidance scale as an input (guidance-distilled LCMs)."""
        return bool(self._unet.config.time_cond_proj_dim)

    def times(self, sampler: str, steps: int) -> Tensor:
        """The `time_grid` that this model's scheduler asks for."""
        return time_grid(
            self.schedule,
            sampler,
            steps,
            spacing=self.spacing,
            offset=self.offset,
            to_zero=self.to_zero,
        )

    def start_scale(self, sampler: str, t: Tensor) -> Tensor:
        r"""What pure noise is multiplied with to start from it, ``(B, 1, 1, 1)``.

        1 as a rule. Ancestral models published with trailing or linspace spacing (the Turbo ones)
        start from :math:`\sigma_t` times the noise, 0.2 % less.
        """
        _, sigma = self.schedule.alpha_sigma(t)
        exact = sampler == "euler_ancestral" and self.spacing != "leading"
        return sigma if exact else torch.ones_like(sigma)

    def encode_prompts(self, prompts: Sequence[str | Plain]) -> Text:
        """As `TextEncoder.encode`."""
        return self._text.encode(prompts)

    def time_ids(self, width: int, height: int, count: int) -> Tensor | None:
        """SDXL's size conditioning, ``(count, 6)``: original size, no crop, target size."""
        if not self.sdxl:
            return None
        return torch.tensor([[height, width, 0, 0, height, width]] * count, device=self.device)

    def denoiser(
        self,
        combine: Combine = mean,
        watch: Callable[[Directions], None] | None = None,
        tiles: bool = False,
    ) -> Denoiser:
        """The network with guidance, inpainting and anchoring around it, as conditions ask.

        ``tiles``: in windows of the size that it was trained at, where a picture is larger.
        """
        alone = denoiser(self._network, self.schedule)
        if tiles:
            alone = tiled(alone, self.size // self.factor)
        prompted = ensembled(alone, combine, watch, self.schedule)
        return anchored(masked(prompted, self.schedule))

    def _network(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        if condition.channels is not None:
            x_t = torch.cat([x_t, condition.channels], dim=1)
        added = None
        if condition.time_ids is not None:
            added = {"text_embeds": condition.text.pooled, "time_ids": condition.time_ids}
        scale = None
        if self.guidance_in_network:
            width = self._unet.config.time_cond_proj_dim
            scale = _guidance_embedding(condition.guidance, width).to(self.dtype)
        with self.clock.timing("denoise"):
            found = self._unet(
                x_t.to(self.dtype),
                t,
                encoder_hidden_states=condition.text.tokens,
                timestep_cond=scale,
                added_cond_kwargs=added,
                return_dict=False,
            )[0]
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
        return found

    def encode(self, images: Tensor) -> Tensor:
        """As `Autoencoder.encode`."""
        with torch.inference_mode():
            return self._vae.encode(images)

    def decode(self, latents: Tensor) -> Tensor:
        """As `Autoencoder.decode`."""
        with torch.inference_mode():
            return self._vae.decode(latents)


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
        offset=int(scheduler.get("steps_offset", 0)),
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


def _guidance_embedding(guidance: Tensor, width: int) -> Tensor:
    """Sinusoids of ``guidance - 1``, ``(B, width)`` (LCM, arXiv 2310.04378, appendix)."""
    half = width // 2
    rates = torch.exp(
        torch.arange(half, device=guidance.device) * -(math.log(10000.0) / (half - 1))
    )
    angles = (guidance - 1)[:, None] * 1000.0 * rates[None]
    return torch.nn.functional.pad(torch.cat([angles.sin(), angles.cos()], 1), (0, width % 2))
