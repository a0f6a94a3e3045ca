"""Joining what was painted into a hole to the picture around it, so that no seam shows.

An autoencoder gives back the picture around a hole a little blurred and off in colour, and a hole
is painted in whole latents. So around the hole the picture itself is taken, and what differs there
is spread into the hole as smoothly as can be: the membrane of Pérez, Gangnet and Blake 2003
(*Poisson image editing*, https://doi.org/10.1145/882262.882269), which meets the picture at the
edge and leaves the details of the painting. Theirs goes through the whole hole and gives it the
colours of what is around; here it fades, since the colours were asked for.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_ROUNDS = 16  # of relaxation, on each level of the pyramid


def joined(painted: Tensor, original: Tensor, mask: Tensor, reach: int = 8) -> Tensor:
    """Pictures with their holes filled: ``(B, 3, H, W)`` float32 in 0..1.

    Args:
        painted: What the model painted, hole and surroundings, ``(B, 3, H, W)`` in 0..1.
        original: What must stay where the mask is 0, bit for bit, ``(B, 3, H, W)`` in 0..1.
        mask: ``(B, 1, H, W)`` in 0..1: 1 in the hole; between, the two are mixed.
        reach: How many pixels into the hole the painting may change to meet the picture.
    """
    known = mask == 0
    met = painted + nearness(known, reach) * membrane(original - painted, known)
    return torch.lerp(original, met.clamp(0, 1), mask)


def nearness(known: Tensor, reach: int) -> Tensor:
    """1 beside what is known ``(B, 1, H, W)``, falling to 0 at `reach` pixels further on."""
    held = known.float()
    total = torch.zeros_like(held)
    for _ in range(reach):
        held = F.max_pool2d(held, 3, 1, 1)
        total += held
    return total / reach


def membrane(values: Tensor, known: Tensor) -> Tensor:
    """Values ``(B, C, H, W)``, kept where they are known ``(B, 1, H, W)``, and between as smooth as
    a soap film: each the mean of its neighbours (Laplace's equation), nearly. Nothing known is 0.

    A pyramid gives the first guess (Gortler et al. 1996, *The lumigraph*, pull and push), and a few
    rounds of relaxation on each level the rest.
    """
    held = known.to(values.dtype)
    values = values * held
    height, width = values.shape[-2:]
    if max(height, width) == 1:
        return values
    share = F.avg_pool2d(held, 2, ceil_mode=True)
    coarse = F.avg_pool2d(values, 2, ceil_mode=True) / share.clamp(min=1e-6)
    guess = F.interpolate(membrane(coarse, share > 0), (height, width), mode="bilinear")
    film = torch.where(known, values, guess)
    for _ in range(_ROUNDS):
        near = F.pad(film, (1, 1, 1, 1), mode="replicate")
        across = near[..., 1:-1, :-2] + near[..., 1:-1, 2:]
        down = near[..., :-2, 1:-1] + near[..., 2:, 1:-1]
        film = torch.where(known, values, (across + down) / 4)
    return film
