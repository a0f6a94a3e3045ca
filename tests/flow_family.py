"""A family of flow matching models in one file: what a flow transformer needs, with a toy network.

Its network mixes the latents' channels linearly and adds a colour of the prompt; its autoencoder
averages 4 x 4 pixels. Everything is exact, so that a test can paint the same by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from digressions.diffusion.condition import Condition, Text
from digressions.diffusion.schedule import FlowSchedule
from digressions.errors import InputError
from digressions.models.base import Defaults, Model
from digressions.models.fingerprint import Fingerprint
from digressions.prompts.terms import Plain

SIDE, FACTOR = 32, 4
MIX = torch.tensor([[0.9, 0.2, 0.0], [-0.1, 0.8, 0.1], [0.3, 0.0, 1.1]])


@dataclass(kw_only=True)
class LinearFlow(Model):
    """See `Model`."""

    schedule: FlowSchedule

    def times(self, sampler: str, steps: int) -> Tensor:
        if not 1 <= steps <= 100:
            raise InputError(f"`steps` {steps} is out of range: 1 to 100")
        return self.schedule.grid(steps)

    def encode_text(self, prompts: Sequence[str | Plain], width: int, height: int) -> Text:
        texts = [p if isinstance(p, str) else "".join(s.text for s in p) for p in prompts]
        return Text(torch.stack([colour(text).view(1, 3) for text in texts]))

    def encode(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(images.to(self.device), FACTOR) * 2 - 1

    def decode(self, latents: Tensor) -> Tensor:
        return F.interpolate(latents / 2 + 0.5, scale_factor=FACTOR).clamp(0, 1)

    def network(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        mixed = torch.einsum("ij,bjhw->bihw", MIX, x_t)
        return mixed - condition.text.tokens.mean(1)[:, :, None, None]


def colour(text: str) -> Tensor:
    """What a prompt stands for, ``(3,)`` in -1..1."""
    return torch.tensor(list(hashlib.sha256(text.encode()).digest()[:3])) / 127.5 - 1


def linear_flow(folder: Path) -> LinearFlow:
    """A model with the weights in a folder, of which there are none."""
    return LinearFlow(
        name="linear",
        fingerprints=[Fingerprint(folder, ("*.safetensors",))],
        device=torch.device("cpu"),
        dtype=torch.float32,
        schedule=FlowSchedule(shift=3.0),
        defaults=Defaults("ddim", steps=8, guidance=2.5, strength=0.7),
        vocabulary=None,
        size=SIDE,
        latent_channels=3,
        vae_scale_factor=FACTOR,
    )
