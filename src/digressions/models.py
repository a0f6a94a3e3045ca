"""A loaded model: text in, latents in and out, and a `Denoiser`. `loading.load` makes one."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .autoencoder import Autoencoder
from .checkpoint import Checkpoint, Defaults
from .combine import Combine, mean
from .condition import Condition, Text
from .denoise import Denoiser, Directions, Schedule, anchored, denoiser, ensembled, masked, tiled
from .fingerprint import Fingerprint
from .openvino_networks import Contest
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


def _guidance_embedding(guidance: Tensor, width: int) -> Tensor:
    """Sinusoids of ``guidance - 1``, ``(B, width)`` (LCM, arXiv 2310.04378, appendix)."""
    half = width // 2
    rates = torch.exp(
        torch.arange(half, device=guidance.device) * -(math.log(10000.0) / (half - 1))
    )
    angles = (guidance - 1)[:, None] * 1000.0 * rates[None]
    return torch.nn.functional.pad(torch.cat([angles.sin(), angles.cos()], 1), (0, width % 2))
