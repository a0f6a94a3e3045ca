r"""Ways to make one direction of several prompts' directions.

A prompt's direction is what it adds to the unconditional guess, :math:`d_i = c_i - u`. Guidance
goes from :math:`u` along a direction, :math:`\hat x_0 = u + g D`; with one prompt :math:`D = d_1`.
With several, :math:`D` is one of the functions in `COMBINE`. All of them take

    d  ``(B, N, C, h, w)``   directions, 0 for a prompt that is inactive
    w  ``(B, N, h, w)`` or ``(B, N, 1, 1)``   weights, negative for "away from", 0 for inactive
    g  ``(B,)``   guidance scales, 1 or more

and return ``(B, C, h, w)``. A prompt's area in the picture is part of its weight.

Two ways need more than one step's guesses. `sample_averaged_latents` has every prompt take its step
alone and averages the latents. `superdiff_or` weighs the prompts by how well each has foreseen the
picture so far; the history that it needs travels in the condition, passed in and handed back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from .condition import Condition
from .denoise import Combine, Denoiser
from .noise import Noise
from .sample import AfterStep, Sampler, Step, sample
from .schedule import Schedule


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
    step's noise in place of the noise itself, and for N prompts: along the reverse process
    :math:`d \log q_i \propto \langle d_i, g D \rangle - \|d_i\|^2 / 2` plus terms that all prompts
    share, so :math:`\kappa` solves :math:`g (G \kappa)_i - G_{ii} / 2 = \lambda` for all i and
    :math:`\sum \kappa_i = 1`, where :math:`G_{ij} = \langle d_i, d_j \rangle`. Weights only say
    who takes part; areas count.
    """
    active = (w != 0).flatten(2).any(2).cpu()
    # A small system, but a stiff one: in float64, which not every accelerator has.
    flat = (d * (w != 0)[:, :, None]).flatten(2).cpu().double()
    gram = flat @ flat.transpose(1, 2)
    scale = gram.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-12)[:, None, None]
    gram = gram / scale  # the solution does not change with the length of all directions
    n = d.shape[1]
    system = gram.new_zeros(len(d), n + 1, n + 1)
    # A little of the identity, so that two equal prompts share alike.
    system[:, :n, :n] = g.cpu().double().view(-1, 1, 1) * (gram + 1e-6 * torch.eye(n).to(gram))
    system[:, :n, n], system[:, n, :n] = -1, active.double()
    target = gram.new_ones(len(d), n + 1)
    target[:, :n] = gram.diagonal(dim1=1, dim2=2) / 2
    idle = torch.eye(n + 1).to(gram).expand_as(system)
    absent = torch.cat([~active, ~active.any(1, keepdim=True)], dim=1)
    system = torch.where(absent[:, :, None], idle, system)
    kappa = torch.linalg.solve(system, target.masked_fill(absent, 0))[:, :n]
    return (kappa[:, :, None] * flat).sum(1).view_as(d[:, 0]).to(d)


COMBINE: dict[str, Combine] = {
    "mean": mean,
    "sum": added,
    "perp": perpendicular,
    "max": strongest,
    "superpose": superposed,
    # With these one prompt is active at a step, or each is guided alone, or the weights move.
    **dict.fromkeys(("lerp", "slerp", "alternate", "switch", "latents", "superpose-or"), mean),
}
"""How each way of combining makes one direction of a step's; `generate.paint` does the rest."""


def sample_averaged_latents(
    denoiser: Denoiser,
    sampler: Sampler,
    schedule: Schedule,
    x: Tensor,
    times: Tensor,
    condition: Condition,
    noise: Noise,
) -> Iterator[Step]:
    r"""Each prompt steps alone from the same latents; then :math:`x = \sum w_i x_i / \sum w_i`.

    Every prompt has its own noise and its own history, so this equals the mean of the guesses where
    a step is affine in the guesses and draws no noise (DDIM, Euler, DPM-Solver++ 2M); where noise
    is drawn, averaging makes it fainter. N prompts cost 2 N rows of the network. Without several
    prompts it is `sample`, and it takes the same arguments.
    """
    sub_prompts = condition.sub_prompts
    if sub_prompts is None:
        yield from sample(denoiser, sampler, schedule, x, times, condition, noise)
        return
    picture, member = sub_prompts.weight.any(2).nonzero(as_tuple=True)
    alone = dataclasses.replace(condition, sub_prompts=None)[picture]
    alone = dataclasses.replace(alone, text=sub_prompts.text[picture, member])
    own = noise.for_members(picture.tolist(), member.tolist())

    def averaged(values: Tensor, t: Tensor) -> Tensor:
        weight = sub_prompts.weight_at(t)[picture, member].view(-1, 1, 1, 1)
        total = weight.new_zeros(len(x), 1, 1, 1).index_add(0, picture, weight)
        summed = values.new_zeros(x.shape).index_add(0, picture, weight * values)
        return summed / total

    def share(step: Step, row: Condition) -> tuple[Tensor, Condition]:
        return averaged(step.x, times[step.done - 1])[picture], row

    rows = x[picture], times[:, picture], alone, own
    first = torch.cat([torch.nonzero(picture == i)[:1, 0] for i in range(len(x))])
    for step in sample(denoiser, sampler, schedule, *rows, share):
        t, s = times[step.done - 1], times[step.done]
        yield Step(step.done, t, s, t != s, step.x[first], averaged(step.x_0, t), None)


def superdiff_or(schedule: Schedule) -> AfterStep:
    r"""Each prompt's likelihood of the picture so far becomes its weight in the mean.

    SuperDiff's OR (Skreta et al. 2025, arXiv 2412.17762): :math:`\kappa` is the softmax of
    :math:`\log q_i(x_t)` plus a prior. From ``t`` to ``s`` a prompt's log-likelihood of the step
    that was taken changes, up to what all prompts share, by
    :math:`-\tfrac12 (\mathrm{SNR}_s - \mathrm{SNR}_t) \| g D - d_i \|^2`: the log-ratio of
    Gaussian reverse steps (as in the discrete-time loss of Kingma et al. 2021, arXiv 2107.00630)
    with the expectation over the step's noise taken. The prompts' own weights are the prior's odds.

    Returns:
        What `sample` does after a step: `SubPrompts.log_likelihood` goes on from its last value.
    """

    def snr(t: Tensor) -> Tensor:
        alpha, sigma = schedule.alpha_sigma(t)
        return (alpha / sigma).square().view(-1)

    def after_step(step: Step, condition: Condition) -> tuple[Tensor, Condition]:
        sub_prompts, seen = condition.sub_prompts, step.directions
        if sub_prompts is None or seen is None:
            return step.x, condition
        gap = (snr(step.s) - snr(step.t))[step.active] / 2
        active = (seen.w != 0).flatten(2).any(2)
        loss = (seen.taken[:, None] - seen.d).square().flatten(2).sum(2) * gap[:, None]
        # An inactive prompt foresees nothing: it neither gains nor loses against the others.
        usual = (loss * active).sum(1, keepdim=True) / active.sum(1, keepdim=True).clamp(min=1)
        change = torch.where(active & loss.isfinite(), usual - loss, torch.zeros_like(loss))
        before = sub_prompts.log_likelihood
        after = torch.zeros_like(sub_prompts.weight[:, :, 0]) if before is None else before.clone()
        after[step.active] += change
        sub_prompts = dataclasses.replace(sub_prompts, log_likelihood=after)
        return step.x, dataclasses.replace(condition, sub_prompts=sub_prompts)

    return after_step
