r"""Ways of combining that need more of a run than one step's guesses.

`apart` takes every prompt's step alone and averages the latents (``latents``). `Evidence` weighs
the prompts by how well each has foreseen the picture so far (``superpose-or``). Both belong to one
run: denoisers keep no state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from ..condition import Condition, Terms
from ..denoise import Denoiser, Directions, Schedule
from ..sample import Noise, Sampler, Step

LEAST = -60.0  # of a log-likelihood ratio: lower is as good as never, and must not become silence


def apart(sampler: Sampler) -> Sampler:
    r"""Each prompt steps alone from the same latents; then :math:`x = \sum w_i x_i / \sum w_i`.

    The original's words taken literally. Every prompt has its own noise and its own history, so it
    equals the mean of the guesses where a step is affine in the guesses and draws no noise (DDIM,
    Euler, DPM-Solver++ 2M); where noise is drawn, averaging makes it fainter. N prompts cost 2 N
    rows of the network. Without several prompts it is the sampler itself.
    """

    def separate(
        denoiser: Denoiser,
        schedule: Schedule,
        x: Tensor,
        times: Tensor,
        condition: Condition,
        noise: Noise,
    ) -> Iterator[Step]:
        terms = condition.terms
        if terms is None:
            yield from sampler(denoiser, schedule, x, times, condition, noise)
            return
        picture, member = terms.weight.any(2).nonzero(as_tuple=True)
        alone = dataclasses.replace(condition, terms=None)[picture]
        alone = dataclasses.replace(alone, text=terms.text[picture, member])
        own = noise.apart(picture.tolist(), member.tolist())
        run = sampler(denoiser, schedule, x[picture], times[:, picture], alone, own)
        for t, step in zip(times, run, strict=False):
            weight = terms.weight_at(t)[picture, member].view(-1, 1, 1, 1)
            mean = _averaged(step.x, weight, picture, len(x))
            step.x.copy_(mean[picture])
            yield Step(step.done, mean, _averaged(step.x_0, weight, picture, len(x)))

    return separate


def _averaged(values: Tensor, weight: Tensor, picture: Tensor, count: int) -> Tensor:
    """Weighted means of the rows of each picture: ``(count, C, h, w)``."""
    total = weight.new_zeros(count, 1, 1, 1).index_add(0, picture, weight)
    summed = values.new_zeros(count, *values.shape[1:]).index_add(0, picture, weight * values)
    return summed / total


class Evidence:
    r"""Each prompt's likelihood of the picture so far becomes its weight in the mean.

    SuperDiff's OR (Skreta et al. 2025, arXiv 2412.17762): :math:`\kappa` is the softmax of
    :math:`\log q_i(x_t)` plus a prior. From ``t`` to ``s`` a prompt's log-likelihood of the step
    that was taken changes, up to what all prompts share, by
    :math:`-\tfrac12 (\mathrm{SNR}_s - \mathrm{SNR}_t) \| g D - d_i \|^2`: the log-ratio of
    Gaussian reverse steps (as in the discrete-time loss of Kingma et al. 2021, arXiv 2107.00630)
    with the expectation over the step's noise taken. The prompts' own weights are the prior's odds.
    """

    def __init__(self, schedule: Schedule, terms: Terms) -> None:
        """Watches a run with these ``terms``, and changes their weights in place as it goes on."""
        self._schedule = schedule
        self._terms = terms
        self._prior = terms.weight.clone()
        self._log_q = terms.weight.new_zeros(terms.weight.shape[:2])

    def update(self, seen: Directions, t: Tensor, s: Tensor, live: Tensor) -> None:
        """Takes in the step from ``t`` to ``s``, ``(B,)``, that the ``live`` pictures have made."""
        gap = (self._snr(s) - self._snr(t))[live] / 2
        heard = (seen.w != 0).flatten(2).any(2)
        loss = (seen.taken[:, None] - seen.d).square().flatten(2).sum(2) * gap[:, None]
        # A silent prompt foresees nothing: it neither gains nor loses against the others.
        usual = (loss * heard).sum(1, keepdim=True) / heard.sum(1, keepdim=True).clamp(min=1)
        change = torch.where(heard & loss.isfinite(), usual - loss, torch.zeros_like(loss))
        self._log_q[live] += change
        ratio = self._log_q - self._log_q.amax(1, keepdim=True)
        self._terms.weight.copy_(self._prior * ratio.clamp(min=LEAST).exp()[:, :, None])

    def _snr(self, t: Tensor) -> Tensor:
        alpha, sigma = self._schedule.alpha_sigma(t)
        return (alpha / sigma).square().view(-1)
