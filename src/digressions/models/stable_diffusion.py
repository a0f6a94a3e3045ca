"""Stable Diffusion and its kin: a U-Net over the latents of an autoencoder.

The families of this make: Stable Diffusion 1.x, 2.x, SDXL, their inpainting (9-channel), Turbo and
LCM variants, and the bundled model.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ..diffusion.condition import Condition, Text
from ..diffusion.names import SpacingName
from ..diffusion.sample import SAMPLERS, time_grid
from ..diffusion.schedule import TableSchedule
from ..errors import InputError, ModelError, verbatim
from ..prompts.terms import LoraTag, Plain
from .autoencoder_file import autoencoder_file, files_of
from .base import Model
from .checkpoint import Checkpoint, autoencoder_folder
from .encoders import Autoencoder, TextEncoder
from .fingerprint import FileFingerprint, Fingerprint, SettingFingerprint
from .library import Library
from .lora import Adapters, Fused, Lora
from .openvino_networks import BATCH, convert
from .recognise import WIDTHS, Family
from .runtime import Stopwatch
from .scheduler_config import check_scheduler, defaults_of, schedule_of
from .single_file import SingleFile, shipped_configs


@dataclass(kw_only=True)
class StableDiffusion(Model):
    """See `Model`.

    Attributes:
        steps_offset, to_clean: How its scheduler lays out time steps (see `time_grid`).
        adapters: LoRAs that prompts ask for.
    """

    schedule: TableSchedule
    steps_offset: int
    to_clean: bool
    unet: Any
    autoencoder: Autoencoder
    text_encoder: TextEncoder
    adapters: Adapters

    def use_loras(self, tags: Sequence[LoraTag]) -> None:
        if self.adapters.use(tags):
            self.text_encoder.forget()

    def times(self, sampler: str, steps: int) -> Tensor:
        most = SAMPLERS[sampler].distilled_steps or len(self.schedule)
        if steps > most:
            raise InputError(f"`steps` {steps} is out of range: 1 to {most} with {sampler}")
        return time_grid(
            self.schedule,
            SAMPLERS[sampler],
            steps,
            spacing=self.spacing,
            offset=self.steps_offset,
            to_clean=self.to_clean,
        )

    def with_timesteps(self, spacing: SpacingName | None, zero_snr: bool) -> Self:
        if not zero_snr:
            if spacing in (None, self.spacing):
                return self
            return dataclasses.replace(self, spacing=spacing, to_clean=True)
        if self.schedule.prediction == "epsilon":
            raise InputError(
                f"`zero_snr`: {self.shown} predicts the noise, which says nothing about "
                "the picture where all is noise: it needs a model with v prediction; "
                "`timestep_spacing` trailing is as near as this one comes"
            )
        if spacing not in (None, "trailing"):
            raise InputError(f"`zero_snr` goes with `timestep_spacing` trailing, not {spacing}")
        schedule = self.schedule.zero_terminal_snr()
        return dataclasses.replace(self, schedule=schedule, spacing="trailing", to_clean=True)

    def init_noise_sigma(self, sampler: str, t: Tensor) -> Tensor:
        r"""See `Model.init_noise_sigma`.

        Ancestral models published with trailing or linspace spacing (the Turbo ones) start from
        :math:`\sigma_t` times the noise, 0.2 % less.
        """
        _, sigma = self.schedule.alpha_sigma(t)
        exact = SAMPLERS[sampler].starts_at_sigma and self.spacing != "leading"
        return sigma if exact else torch.ones_like(sigma)

    def spacing_for_noise(self, sampler: str) -> SpacingName:
        """See `Model.spacing_for_noise`.

        A network that always saw a trace of the picture at the start of its grid goes by its mean:
        what starts from pure noise there comes out of medium brightness (Lin et al. 2023,
        arXiv 2305.08891). Grids of consistency models are those of their distillation, and stay.
        """
        fixed = SAMPLERS[sampler].distilled_steps is not None
        return "trailing" if self.spacing == "leading" and not fixed else self.spacing

    def inpainting_channels(self, images: Tensor, masks: Tensor, small_masks: Tensor) -> Tensor:
        grey = torch.where(masks < 0.5, images, torch.full_like(images, 0.5))
        return torch.cat([small_masks, self.encode(grey)], dim=1)

    def encode_text(self, prompts: Sequence[str | Plain], width: int, height: int) -> Text:
        text = self.text_encoder.encode(prompts)
        if not self.text_encoder.sdxl:
            return text
        # Original size, no crop, target size.
        ids = [[height, width, 0, 0, height, width]] * len(prompts)
        return dataclasses.replace(text, time_ids=torch.tensor(ids, device=self.device))

    def encode(self, images: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.autoencoder.encode(images)

    def decode(self, latents: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.autoencoder.decode(latents)

    def network(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        if condition.extra_channels is not None:
            x_t = torch.cat([x_t, condition.extra_channels], dim=1)
        text, added, scale = condition.text, None, None
        if text.time_ids is not None:
            added = {"text_embeds": text.pooled, "time_ids": text.time_ids}
        if self.guidance_embedded:
            width = self.unet.config.time_cond_proj_dim
            scale = _guidance_embedding(condition.guidance, width).to(self.dtype)
        with self.clock.timing("denoise", self.device):
            return self.unet(
                x_t.to(self.dtype),
                t,
                encoder_hidden_states=text.tokens,
                timestep_cond=scale,
                added_cond_kwargs=added,
                encoder_attention_mask=text.mask,
                return_dict=False,
            )[0]


def _guidance_embedding(guidance: Tensor, width: int) -> Tensor:
    """Sinusoids of ``guidance - 1``, ``(B, width)`` (LCM, arXiv 2310.04378, appendix)."""
    half = width // 2
    rates = torch.exp(
        torch.arange(half, device=guidance.device) * -(math.log(10000.0) / (half - 1))
    )
    angles = (guidance - 1)[:, None] * 1000.0 * rates[None]
    return torch.nn.functional.pad(torch.cat([angles.sin(), angles.cos()], 1), (0, width % 2))


def load_stable_diffusion(
    checkpoint: Checkpoint | SingleFile,
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    *,
    compile: bool = False,
    vae: Path | None = None,
    clip_skip: int | None = None,
    loras: Sequence[Lora] = (),
    library: Library | None = None,
    openvino: bool = False,
) -> StableDiffusion:
    """Brings an opened checkpoint to a device; see `loading.load`.

    Raises:
        ModelError: A part of the checkpoint is missing, of an unknown kind, or of another model.
    """
    fingerprints = [checkpoint.fingerprint]
    if vae is None:
        checkpoint.config("vae")  # before anything large is loaded
    scheduler = checkpoint.config("scheduler", "scheduler_config.json")
    check_scheduler(scheduler, checkpoint.folder / "scheduler" / "scheduler_config.json")
    schedule = schedule_of(scheduler)
    # Convolutions are faster with the channels last, in float32 on a plain CPU as well; but a
    # CPU's bfloat16 loses more in a denoiser's norms and attention than it gains (docs/speed.md).
    layout = torch.preserve_format if device.type == "mps" else torch.channels_last
    halved = device.type == "cpu" and dtype == torch.bfloat16
    unet = checkpoint.network("unet", dtype)
    unet = unet.to(device, memory_format=torch.preserve_format if halved else layout)
    clock = Stopwatch()
    network, own = _autoencoder(checkpoint, unet, vae, dtype)
    fingerprints += own
    autoencoder = Autoencoder(network.to(device, memory_format=layout), device, clock)
    encoders = [encoder.to(device) for encoder in checkpoint.text_encoders(dtype)]
    _check_fit(checkpoint.folder, unet, autoencoder.channels, encoders)
    named = zip(("text_encoder", "text_encoder_2"), encoders, strict=False)
    networks, family = {"unet": unet, **dict(named)}, _family(unet)
    if loras:
        Fused(networks, loras, family)
        fingerprints += [FileFingerprint(lora.path) for lora in loras]
        fingerprints += [SettingFingerprint(f"lora {lora.strength:g}") for lora in loras]
    if compile:
        unet.compile()
        autoencoder.compile()
    guidance_embedded = bool(unet.config.time_cond_proj_dim)
    text_encoder = TextEncoder(
        checkpoint.tokenizers(),
        encoders,
        device,
        sdxl=unet.config.addition_embed_type == "text_time",
        zero_empty=checkpoint.zero_empty,
        clip_skip=clip_skip,
    )
    if clip_skip is not None:
        fingerprints.append(SettingFingerprint(f"clip skip {clip_skip}"))
    model = StableDiffusion(
        name=name,
        fingerprints=fingerprints,
        device=device,
        dtype=dtype,
        schedule=schedule,
        defaults=checkpoint.defaults()
        or defaults_of(scheduler, guidance_embedded=guidance_embedded),
        vocabulary=checkpoint.vocabulary(),
        size=_sample_side(unet) * autoencoder.scale_factor,
        latent_channels=autoencoder.channels,
        vae_scale_factor=autoencoder.scale_factor,
        inpainting=unet.config.in_channels == 2 * autoencoder.channels + 1,
        guidance_embedded=guidance_embedded,
        clock=clock,
        spacing=scheduler.get("timestep_spacing", "leading"),
        steps_offset=scheduler.get("steps_offset", 0),
        to_clean=bool(scheduler.get("set_alpha_to_one", True)),
        unet=unet,
        autoencoder=autoencoder,
        text_encoder=text_encoder,
        adapters=Adapters(networks, family, library, fixed=openvino),
    )
    if openvino:
        model.contests = convert(unet, network, _examples(model))
    return model


def _autoencoder(
    checkpoint: Checkpoint | SingleFile, unet: Any, path: Path | None, dtype: torch.dtype
) -> tuple[Any, list[Fingerprint]]:
    """The checkpoint's own autoencoder, or that of a file or folder, with its fingerprint."""
    xl = unet.config.addition_embed_type == "text_time"
    if path is None:
        return checkpoint.network("vae", _vae_dtype(checkpoint.config("vae"), xl, dtype)), []
    if not path.is_file():
        return autoencoder_folder(path, dtype), [Fingerprint(path, ("*.safetensors",))]
    config = shipped_configs("sdxl" if xl else "sd1")["vae"]
    found = autoencoder_file(path, config, _vae_dtype(config, xl, dtype))
    return found, [FileFingerprint(*files_of(path))]


def _examples(model: StableDiffusion) -> dict[str, tuple[Tensor, ...]]:
    """Inputs of a small batch for each network."""
    side = model.size // model.vae_scale_factor
    latents = torch.zeros(BATCH, model.latent_channels, side, side, dtype=model.dtype)
    text = model.encode_text([""] * BATCH, model.size, model.size)
    inputs = [latents, torch.full((BATCH,), 499.0), text.tokens]
    if model.inpainting:
        inputs[0] = torch.cat([latents, latents, latents[:, :1]], 1)
    if model.guidance_embedded:
        inputs.append(torch.zeros(BATCH, model.unet.config.time_cond_proj_dim, dtype=model.dtype))
    if text.time_ids is not None and text.pooled is not None:
        inputs += [text.pooled, text.time_ids]
    images = torch.zeros(BATCH, 3, model.size, model.size, dtype=model.autoencoder.dtype)
    return {"unet": tuple(inputs), "encoder": (images,), "decoder": (latents.to(images),)}


def _check_fit(folder: Path, unet: Any, channels: int, encoders: list[Any]) -> None:
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


def _vae_dtype(config: Mapping[str, Any], sdxl: bool, dtype: torch.dtype) -> torch.dtype:
    """Float32 where an autoencoder overflows in float16: SDXL's says so, and others have it by
    default without needing it."""
    wide = sdxl and dtype == torch.float16 and bool(config.get("force_upcast", True))
    return torch.float32 if wide else dtype


def _family(unet: Any) -> Family | None:
    if unet.config.addition_embed_type == "text_time":
        return "sdxl"
    return WIDTHS.get(unet.config.cross_attention_dim)


def _sample_side(unet: Any) -> int:
    side = unet.config.sample_size or 64
    return int(max(side) if isinstance(side, (list, tuple)) else side)
