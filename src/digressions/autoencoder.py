"""Pictures to latents and back, also where half precision overflows.

Stable Diffusion's autoencoders have activations beyond float16's 65,504 for some pictures, and for
nearly all of them in SDXL's: these come out as NaN, black in the file. Here they are noticed and
done again in float32, and an SDXL autoencoder that says so in its config (``force_upcast``) runs in
float32 from the start, as in diffusers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .errors import ModelError
from .stopwatch import Stopwatch


class Autoencoder:
    """An autoencoder of diffusers on one device.

    Attributes:
        channels: Of its latents.
        factor: Pixels per latent, along a side.
    """

    def __init__(self, vae: Any, device: torch.device, clock: Stopwatch) -> None:
        """Takes a loaded `AutoencoderKL` or `AutoencoderTiny`; counts its time to ``clock``."""
        self._vae, self._device, self._clock = vae, device, clock
        self._exact: Any = None
        self.channels = int(vae.config.latent_channels)
        self.factor = 2 ** (len(_block_channels(vae)) - 1)

    def compile(self) -> None:
        """Has torch.compile work on both halves; takes effect with the first picture."""
        for half in (self._vae.encoder, self._vae.decoder):
            half.compile()

    def encode(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` in 0..1 to float32 latents ``(B, C, H/f, W/f)`` of about unit size.

        The mode of the distribution, not a sample: a start picture has no noise of its own.

        Raises:
            ModelError: What comes out is no number, in float32 either.
        """

        def run(vae: Any, values: Tensor) -> Tensor:
            encoded = vae.encode(values.to(vae.dtype) * 2 - 1)
            tiny = hasattr(encoded, "latents")
            return (encoded.latents if tiny else encoded.latent_dist.mode()).float()

        latents = self._soundly("encode", run, images.to(self._device))
        return (latents - self._shift) * self._vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures ``(B, 3, H, W)`` float32 in 0..1.

        Raises:
            ModelError: The latents, or the pictures, are no numbers, in float32 either.
        """
        if not bool(latents.isfinite().all()):
            raise ModelError(
                "the network's latents are not numbers: it overflows in its dtype; "
                "give --dtype bfloat16 or float32"
            )

        def run(vae: Any, values: Tensor) -> Tensor:
            return vae.decode(values.to(vae.dtype), return_dict=False)[0].float()

        latents = latents / self._vae.config.scaling_factor + self._shift
        return (self._soundly("decode", run, latents) / 2 + 0.5).clamp(0, 1)

    def _soundly(self, stage: str, run: Callable[[Any, Tensor], Tensor], values: Tensor) -> Tensor:
        """Runs a batch; the rows that do not come out as numbers are run again in float32."""
        with self._clock.timing(stage):
            found = run(self._vae, values)
            broken = ~found.isfinite().flatten(1).all(1)  # waits for a GPU, too
            if not bool(broken.any()):
                return found
            if self._vae.dtype != torch.float32:
                found = found.clone()
                found[broken] = run(self._in_float32(), values[broken])
        if not bool(found.isfinite().all()):
            raise ModelError(f"the autoencoder cannot {stage} a picture: its weights are damaged")
        return found

    def _in_float32(self) -> Any:
        if self._exact is None:
            # Not the vae's own `float`, which warns of layers not cast, of which there are none.
            self._exact = torch.nn.Module.float(copy.deepcopy(self._vae))
        return self._exact

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in, as a rule."""
        return self._vae.dtype

    @property
    def _shift(self) -> float:
        return getattr(self._vae.config, "shift_factor", None) or 0.0


def _block_channels(vae: Any) -> Sequence[int]:
    config = vae.config
    return getattr(config, "encoder_block_out_channels", None) or config.block_out_channels
