"""Pictures a second that GPUs would paint: arithmetic over their data sheets, not measured."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.networks import NAMES, bare

STEPS = 3  # forward passes a picture: 4 steps at strength 0.75, no guidance
UTILISATION = 0.35  # assumed: of a GPU's peak, as large convolutions and attention often reach


class Gpu(NamedTuple):
    """Peak of dense 16-bit matrix products in TFLOP/s, from its maker's data sheet, and dollars an
    hour, assumed."""

    name: str
    peak: float
    price: float


GPUS = (
    Gpu("L4", 121, 0.8),
    Gpu("RTX 4090", 165, 0.5),
    Gpu("A100", 312, 2.0),
    Gpu("H100", 989, 3.0),
)


def tera(network: torch.nn.Module, *inputs: Any, **named: Any) -> float:
    """TFLOP of one forward pass, counted operation by operation on tensors without contents."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network(*inputs, **named)
    return counter.get_total_flops() / 1e12


@functools.cache
def picture_tera() -> dict[str, tuple[int, float, float]]:
    """Each network's side, and TFLOP: of one forward pass, of the autoencoder's halves together."""
    found = {}
    for name, label in NAMES.items():
        unet, vae = bare(name)
        side, width = unet.config.sample_size, unet.config.cross_attention_dim
        with torch.device("meta"):
            latents, image = torch.empty(1, 4, side, side), torch.empty(1, 3, 8 * side, 8 * side)
            added = {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}
            inputs = latents, torch.ones(1), torch.empty(1, 77, width)
            step = tera(unet, *inputs, added_cond_kwargs=added)
            halves = tera(vae.encoder, image) + tera(vae.decoder, latents)
        found[f"{label}, {8 * side} px"] = 8 * side, step, halves
    return found


class Rate(NamedTuple):
    """Pictures of a side that one GPU paints a second, dollars an hour, and where that is from."""

    name: str
    side: int
    pictures: float
    price: float
    source: str

    def hours(self, pictures: int) -> float:
        return pictures / self.pictures / 3600

    def cost(self, pictures: int) -> float:
        return self.hours(pictures) * self.price


def computed_rates() -> list[Rate]:
    """From data sheets: the peak times `UTILISATION`, over the arithmetic of a picture."""
    return [
        Rate(
            f"{gpu.name}, {network}",
            side,
            UTILISATION * gpu.peak / (STEPS * step + halves),
            gpu.price,
            "arithmetic",
        )
        for network, (side, step, halves) in picture_tera().items()
        for gpu in GPUS
    ]
