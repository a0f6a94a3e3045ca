r"""How much of each prompt is in a finished picture, by the model's own judgement.

The diffusion classifier of Li et al. 2023 (arXiv 2303.16203): a prompt that describes a picture
helps the model to find the noise in it. Noise is added to the picture at several levels, and the
error :math:`\|\epsilon - \hat\epsilon\|^2` of the guess with a prompt is compared with that of the
unconditional guess, with the same noise for all of them.

A guided guess is not the likeliest one: it overshoots, and its error is larger than that of no
prompt at all. Where guidance was distilled into a network, what it says with a prompt is therefore
taken back by that scale first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..diffusion.combine import mean
from ..diffusion.condition import Condition
from ..diffusion.noise import Noise
from ..errors import InputError
from ..models.base import Model
from ..prompts.terms import Plain

TRIALS = 16
"""Noise levels that a picture is tried at."""


class Balance(NamedTuple):
    """How much of the noise's error each prompt explains away; see `balances`.

    Attributes:
        explained: One a prompt, in their order.
        where: ``(prompts, h, w)`` float64, the same by place: its sums are ``explained``.
    """

    explained: tuple[float, ...]
    where: Tensor

    @property
    def least(self) -> float:
        """Of the prompt that is least in the picture: high where all of them are in it."""
        return min(self.explained)


def rows_for(prompts: int, trials: int = TRIALS) -> int:
    """Network rows that the balance of one picture costs."""
    return trials * (prompts + 1)


def check_judge(model: Model, prompts: Sequence[str | Plain]) -> None:
    """Raises what `balances` would raise, without judging."""
    if not prompts:
        raise InputError("a balance needs a prompt")
    if model.inpainting:
        raise InputError(f"{model.shown} is an inpainting model: it cannot judge a picture")
    model.encode_text(prompts, model.size, model.size)


@torch.inference_mode()
def balances(
    model: Model,
    images: Tensor,
    prompts: Sequence[str | Plain],
    *,
    trials: int = TRIALS,
    batch_size: int = 64,
    seed: int = 0,
) -> Iterator[Balance]:
    r"""The balance of each picture.

    A prompt's share is :math:`(E_\emptyset - E_i) / E_\emptyset`, errors summed over the levels:
    0 where it helps no more than no prompt at all, negative where it misleads, and far below 1
    always, since most of the noise cannot be guessed.

    Args:
        images: ``(B, 3, H, W)`` float32 in 0..1, of sizes that the model takes.
        prompts: At least one.
        trials: Levels, evenly over the schedule; each draws one noise, the same for all pictures.
        batch_size: Network rows at once.

    Raises:
        InputError: No prompts, or an inpainting model, which judges masked areas and not pictures.
        PromptError: A prompt is too long.
    """
    check_judge(model, prompts)
    count = len(prompts) + 1
    t = model.schedule.levels(trials).repeat_interleave(count).to(model.device)
    denoise = model.denoiser(mean)
    for image in images:
        texts = model.encode_text(["", *prompts], image.shape[2], image.shape[1])
        z = model.encode(image[None])
        drawn = Noise([seed + i for i in range(trials)], tuple(z.shape[1:])).draw()  # type: ignore[arg-type]
        noise = drawn.repeat_interleave(count, 0).to(z)
        x_t = model.schedule.noised(z, noise, t)
        guesses = []
        for start in range(0, len(t), batch_size):
            rows = slice(start, start + batch_size)
            prompt = torch.arange(len(t), device=model.device)[rows] % count
            guidance = torch.ones(len(prompt), device=model.device)
            condition = Condition(text=texts[prompt], guidance=guidance)
            guesses.append(denoise(x_t[rows], t[rows], condition).x_0)
        clean = torch.cat(guesses).unflatten(0, (trials, count))
        empty = clean[:, :1]
        clean = (empty + (clean - empty) / model.defaults.distilled_guidance).flatten(0, 1)
        alpha, sigma = model.schedule.alpha_sigma(t)
        # The error of the noise, without its own division by what may be 0.
        errors = ((clean - z) * alpha / sigma).square().sum(1)
        by_prompt = errors.cpu().double().unflatten(0, (trials, count)).sum(0)
        where = (by_prompt[0] - by_prompt[1:]) / by_prompt[0].sum()
        yield Balance(tuple(where.sum((1, 2)).tolist()), where)
