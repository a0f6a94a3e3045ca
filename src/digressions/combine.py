r"""Ways to make one direction of several prompts' directions.

A prompt's direction is what it adds to the unconditional guess, :math:`d_i = c_i - u`. Guidance
goes from :math:`u` along a direction, :math:`\hat x_0 = u + g D`; with one prompt :math:`D = d_1`.
With several, :math:`D` is one of the functions here. All of them take

    d  ``(B, N, C, h, w)``   directions, 0 for a prompt that is silent
    w  ``(B, N, h, w)`` or ``(B, N, 1, 1)``   weights, negative for "away from", 0 for silent
    g  ``(B,)``   guidance scales

and return ``(B, C, h, w)``. A prompt's area in the picture is part of its weight.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Combine = Callable[[Tensor, Tensor, Tensor], Tensor]


def mean(d: Tensor, w: Tensor, g: Tensor) -> Tensor:
    r""":math:`\sum w_i d_i / \sum w_i`: the prompts share the guidance.

    Equal to averaging the latents of the prompts after every step, where a sampler's step is
    affine in the guess and its noise is shared. Where the weights add up to 0, no direction.
    """
    total = w.sum(1)[:, None]
    shared = torch.where(total == 0, torch.ones_like(total), total)
    return torch.where(total == 0, torch.zeros_like(d[:, 0]), added(d, w, g) / shared)


def added(d: Tensor, w: Tensor, g: Tensor) -> Tensor:
    r""":math:`\sum w_i d_i`: each prompt adds its own guidance.

    Composable diffusion (Liu et al. 2022, arXiv 2206.01714, eq. 11), and what ``AND`` means in
    A1111's web UI. Negative weights are its NOT.
    """
    return (w[:, :, None] * d).sum(1)


def perpendicular(d: Tensor, w: Tensor, g: Tensor) -> Tensor:
    r""":math:`w_1 d_1 + \sum_{i>1} w_i d_i^\perp`: the others add what the first has not.

    Perp-Neg (Armandpour et al. 2023, arXiv 2304.04968, eq. 9):
    :math:`d_i^\perp = d_i - d_1 \langle d_i, d_1 \rangle / \|d_1\|^2`, over the whole picture. The
    first prompt is the main one, so here the order matters.
    """
    first = d[:, :1]
    along = (d * first).sum((2, 3, 4), keepdim=True)
    length = (first * first).sum((2, 3, 4), keepdim=True).clamp(min=1e-12)
    across = d - along / length * first
    return added(torch.cat([first, across[:, 1:]], dim=1), w, g)


def strongest(d: Tensor, w: Tensor, g: Tensor) -> Tensor:
    r"""At each latent the one :math:`w_i d_i` that is longest over the channels.

    A hard form of semantic guidance by saliency (``AND_SALT`` of the neutral-prompt extension
    chooses by channel; here a latent's channels stay together).
    """
    weighted = w[:, :, None] * d
    chosen = weighted.square().sum(2, keepdim=True).argmax(1, keepdim=True)
    return weighted.gather(1, chosen.expand(-1, 1, *weighted.shape[2:]))[:, 0]


def superposed(d: Tensor, w: Tensor, g: Tensor) -> Tensor:
    r""":math:`\sum \kappa_i d_i` so that the picture becomes likelier under every prompt alike.

    SuperDiff's AND (Skreta et al. 2025, arXiv 2412.17762, prop. 6), with the expectation over the
    step's noise taken and for N prompts: along the reverse process
    :math:`d \log q_i \propto \langle d_i, g D \rangle - \|d_i\|^2 / 2` plus terms that all prompts
    share, so :math:`\kappa` solves :math:`g (G \kappa)_i - G_{ii} / 2 = \lambda` for all i and
    :math:`\sum \kappa_i = 1`, where :math:`G_{ij} = \langle d_i, d_j \rangle`. Weights only say
    who takes part; areas count.
    """
    heard = (w != 0).flatten(2).any(2).cpu()
    # A small system, but a stiff one: in float64, which not every accelerator has.
    flat = (d * (w != 0)[:, :, None]).flatten(2).cpu().double()
    gram = flat @ flat.transpose(1, 2)
    scale = gram.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-12)[:, None, None]
    gram = gram / scale  # the solution does not change with the length of all directions
    n = d.shape[1]
    system = gram.new_zeros(len(d), n + 1, n + 1)
    # A little of the identity, so that two equal prompts share alike.
    system[:, :n, :n] = g.cpu().double().view(-1, 1, 1) * (gram + 1e-6 * torch.eye(n).to(gram))
    system[:, :n, n], system[:, n, :n] = -1, heard.double()
    target = gram.new_ones(len(d), n + 1)
    target[:, :n] = gram.diagonal(dim1=1, dim2=2) / 2
    silent = torch.eye(n + 1).to(gram).expand_as(system)
    absent = torch.cat([~heard, ~heard.any(1, keepdim=True)], dim=1)
    system = torch.where(absent[:, :, None], silent, system)
    kappa = torch.linalg.solve(system, target.masked_fill(absent, 0))[:, :n]
    return (kappa[:, :, None] * flat).sum(1).view_as(d[:, 0]).to(d)


COMBINE: dict[str, Combine] = {
    "mean": mean,
    "sum": added,
    "perp": perpendicular,
    "max": strongest,
    "superpose": superposed,
}
