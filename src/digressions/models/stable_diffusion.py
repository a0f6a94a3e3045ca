"""Stable Diffusion and its kin: a U-Net over the latents of an autoencoder.

The families of this make: Stable Diffusion 1.x, 2.x, SDXL, their inpainting (9-channel), Turbo and
LCM variants, and the bundled model.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ..diffusion.condition import Condition, Text
from ..diffusion.names import SpacingName
from ..diffusion.sample import SAMPLERS, time_grid
from ..diffusion.schedule import TableSchedule
from ..errors import InputError
from ..prompts.choices import stretches
from ..prompts.scheduling import parsed
from ..prompts.terms import LoraTag, Plain
from .adapters import Adapters
from .autoencoder_file import autoencoder_file, files_of
from .base import Model
from .checkpoint import Checkpoint, autoencoder_folder
from .embeddings import Embeddings
from .encoders import Autoencoder, TextEncoder
from .few_steps import MadeFor, made_for
from .fingerprint import FileFingerprint, Fingerprint, SettingFingerprint, Source
from .library import Library, NamedFiles, files_of_kind
from .lora import Fused, Lora
from .openvino_networks import BATCH, convert
from .placement import Placement
from .quantize import quantize_network
from .runtime import Stopwatch
from .scheduler_config import check_scheduler, defaults_of, schedule_of
from .single_file import SingleFile, shipped_configs
from .unet_config import check_fit, family_of, sample_side, vae_dtype


@dataclass(kw_only=True)
class StableDiffusion(Model):
    """See `Model`.

    Attributes:
        steps_offset, to_clean: How its scheduler lays out time steps (see `time_grid`).
        adapters: LoRAs that prompts ask for.
        loras: That it was loaded with.
        placement: Which of its networks are on the device.
    """

    schedule: TableSchedule
    steps_offset: int
    to_clean: bool
    unet: Any
    autoencoder: Autoencoder
    text_encoder: TextEncoder
    adapters: Adapters
    placement: Placement
    loras: Sequence[Lora] = ()

    def networks(self) -> list[torch.nn.Module]:
        return [self.unet, self.autoencoder.vae, *self.text_encoder.encoders]

    def use_loras(self, tags: Sequence[LoraTag]) -> None:
        if self.adapters.use(tags):
            self.text_encoder.forget()

    def named_sources(self, *prompts: str) -> list[Source]:
        ensembles = [parsed(prompt) for prompt in prompts]
        tags = [tag for each in ensembles for term in each.terms for tag in term.loras]
        texts = [text for each in ensembles for text in stretches(each)]
        return self.adapters.sources(tags) + self.text_encoder.embeddings.sources(texts)

    def made_for(self, prompt: str) -> MadeFor | None:
        tags = [tag for term in parsed(prompt).terms for tag in term.loras]
        return made_for([*self.loras, *self.adapters.found(tags)])

    def notes_on_words(self, *texts: str) -> list[str]:
        return self.text_encoder.embeddings.notes(texts)

    def check_unchanged(self) -> None:
        super().check_unchanged()
        self.adapters.check_unchanged()
        self.text_encoder.embeddings.check_unchanged()

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
        at_work = self.placement.using(self.unet)
        with at_work, self.clock.timing("denoise", self.device):
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
    text_encoders: Sequence[Path] = (),
    library: Library | None = None,
    named: NamedFiles | None = None,
    openvino: bool = False,
    offload: bool = False,
    quantize: str | None = None,
    vae_tiles: str | None = None,
) -> StableDiffusion:
    """Brings an opened checkpoint to a device; see `loading.load`.

    Raises:
        ModelError: A part of the checkpoint is missing, of an unknown kind, or of another model.
    """
    fingerprints = [checkpoint.fingerprint]
    sources = [Source("lora", str(lora.path), FileFingerprint(lora.path)) for lora in loras]
    if isinstance(checkpoint, SingleFile):
        sources.insert(0, Source("checkpoint", name, checkpoint.fingerprint))
        fingerprints += [FileFingerprint(path) for path in text_encoders]
    if vae is None:
        checkpoint.config("vae")  # before anything large is loaded
    scheduler = checkpoint.config("scheduler", "scheduler_config.json")
    check_scheduler(scheduler, checkpoint.folder / "scheduler" / "scheduler_config.json")
    schedule = schedule_of(scheduler)
    # Convolutions are faster with the channels last, in float32 on a plain CPU as well; but a
    # CPU's bfloat16 loses more in a denoiser's norms and attention than it gains (docs/speed.md).
    layout = torch.preserve_format if device.type == "mps" else torch.channels_last
    halved = device.type == "cpu" and dtype == torch.bfloat16
    placement = Placement(device, offload=offload)
    unet = checkpoint.network("unet", dtype)
    clock = Stopwatch()
    network, own = _autoencoder(checkpoint, unet, vae, dtype)
    fingerprints += own
    network = placement.placed(network, layout)
    autoencoder = Autoencoder(network, placement, clock, tiles=vae_tiles)
    encoders = [placement.placed(encoder) for encoder in checkpoint.text_encoders(dtype)]
    check_fit(checkpoint.folder, unet, autoencoder.channels, encoders)
    pairs = zip(("text_encoder", "text_encoder_2"), encoders, strict=False)
    networks, family = {"unet": unet, **dict(pairs)}, family_of(unet)
    if loras:
        Fused(networks, loras, family)
        fingerprints += [source.fingerprint for source in sources if source.kind == "lora"]
        fingerprints += [SettingFingerprint(f"lora {lora.strength:g}") for lora in loras]
    if quantize is not None:  # before it goes to the device, which may not hold it as it is
        quantize_network(unet, quantize, device)
        fingerprints.append(SettingFingerprint(f"quantize {quantize}"))
    unet = placement.placed(unet, torch.preserve_format if halved else layout)
    if compile:
        unet.compile()
        autoencoder.compile()
    widths = [int(encoder.config.hidden_size) for encoder in encoders]
    guidance_embedded = bool(unet.config.time_cond_proj_dim)
    fixed_by = "openvino" if openvino else None if quantize is None else "quantize"
    text_encoder = TextEncoder(
        checkpoint.tokenizers(),
        encoders,
        placement,
        sdxl=unet.config.addition_embed_type == "text_time",
        zero_empty=checkpoint.zero_empty,
        clip_skip=clip_skip,
        embeddings=Embeddings(widths, library, files_of_kind(named, "embedding")),
    )
    if clip_skip is not None:
        fingerprints.append(SettingFingerprint(f"clip skip {clip_skip}"))
    if vae_tiles is not None:
        fingerprints.append(SettingFingerprint(f"vae tiles {vae_tiles}"))
    model = StableDiffusion(
        name=name,
        fingerprints=fingerprints,
        device=device,
        dtype=dtype,
        schedule=schedule,
        defaults=checkpoint.defaults()
        or defaults_of(scheduler, guidance_embedded=guidance_embedded),
        vocabulary=checkpoint.vocabulary(),
        size=sample_side(unet) * autoencoder.scale_factor,
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
        adapters=Adapters(
            networks, family, library, named=files_of_kind(named, "lora"), fixed_by=fixed_by
        ),
        sources=sources,
        loras=loras,
        offload=offload,
        placement=placement,
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
        return checkpoint.network("vae", vae_dtype(checkpoint.config("vae"), xl, dtype)), []
    if not path.is_file():
        return autoencoder_folder(path, dtype), [Fingerprint(path, ("*.safetensors",))]
    config = shipped_configs("sdxl" if xl else "sd1")["vae"]
    found = autoencoder_file(path, config, vae_dtype(config, xl, dtype))
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
