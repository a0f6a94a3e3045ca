r"""Denoisers: ``(x_t, t, condition) -> x_0``, and the ways to wrap one into another.

A picture in the making is :math:`x_t = \alpha_t x_0 + \sigma_t \epsilon` (see `schedule`). A
network looks at :math:`x_t` and says, one way or another, what :math:`x_0` it sees in it.
Everything here is a function from such a guess to a better one:

    guided(d)     away from the negative prompt (classifier-free guidance)
    composed(d)   towards several prompts at once
    inpainted(d)  the unmasked part of a picture stays what it is
    anchored(d)   the coarse colours stay those of a parent picture (mosaic cells)
    tiled(d)      a picture larger than the network was trained for, in windows that agree

A denoiser keeps no state. What differs from picture to picture travels in the `Condition`, one
row a picture, so one batch may mix prompts, strengths and masks. A wrapper takes its part out of
the condition that it hands on.

Shapes: ``x_t`` is ``(B, C, h, w)`` float32 latents; ``t`` is ``(B,)`` float32 times of the
`Schedule`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from .condition import Condition, SubPrompts, Text
from .schedule import Schedule

SHOWS_THE_THING = 0.75
"""A window that holds a smaller share of the thing's width or height shows a part of it."""


class Directions(NamedTuple):
    r"""What several prompts asked for in one step.

    Attributes:
        d: ``(B, N, C, h, w)``, each prompt's direction, :math:`d_i = c_i - u`; see `combine`.
        w: ``(B, N, h, w)`` or ``(B, N, 1, 1)``, their weights, 0 for a prompt that is inactive.
        taken: ``(B, C, h, w)``, where the guess went, :math:`g D`.
    """

    d: Tensor
    w: Tensor
    taken: Tensor


class Guess(NamedTuple):
    """What a denoiser says.

    Attributes:
        x_0: ``(B, C, h, w)``, the clean latents that it sees.
        directions: Where each of several prompts pulled; ``None`` where there were none.
    """

    x_0: Tensor
    directions: Directions | None = None


class Denoiser(Protocol):
    """Anything that guesses the clean latents in noisy ones."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Condition) -> Guess: ...


class Network(Protocol):
    """A trained network: its raw output for noisy latents, shaped as they are."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor: ...


Combine: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From directions, weights and guidance scales to one direction; see `combine`."""


def denoiser(network: Network, schedule: Schedule) -> Denoiser:
    """A network, read as a denoiser."""

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        return Guess(schedule.clean(x_t, network(x_t, t, condition).float(), t))

    return denoise


def guided(inner: Denoiser, schedule: Schedule) -> Denoiser:
    r"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598).

    :math:`\hat x_0 = u + g (c - u)` with :math:`c` the guess for the prompt and :math:`u` the one
    for the negative prompt. Both come from one batch of the network. The formula is usually
    written in :math:`\epsilon`; at a fixed :math:`x_t` the two are the same, since
    :math:`x_0` is affine in :math:`\epsilon`.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        negative = condition.negative
        if negative is None:
            return inner(x_t, t, condition)
        alone = dataclasses.replace(condition, negative=None)
        against = alone.asked_for(negative)
        both = inner(torch.cat([x_t, x_t]), torch.cat([t, t]), Condition.cat([alone, against])).x_0
        c, u = both.chunk(2)
        guess = u + condition.guidance.view(-1, 1, 1, 1) * (c - u)
        return Guess(_rescaled(guess, c, x_t, t, condition.guidance_rescale, schedule))

    return denoise


def _rescaled(
    guess: Tensor, c: Tensor, x_t: Tensor, t: Tensor, by: Tensor | None, schedule: Schedule
) -> Tensor:
    r"""Guidance without the contrast that it adds (Lin et al. 2023, arXiv 2305.08891, eq. 15-16).

    The network's output that the guided guess means is scaled towards the standard deviation of
    the one for the prompt alone, ``c``: by 0 not at all, by 1 all the way.
    """
    if by is None:
        return guess
    output, alone = schedule.output(x_t, guess, t), schedule.output(x_t, c, t)
    ratio = alone.std((1, 2, 3), keepdim=True) / output.std((1, 2, 3), keepdim=True)
    share = by.view(-1, 1, 1, 1)
    calmer = schedule.clean(x_t, output * (1 + share * (ratio - 1)), t)
    return torch.where(share > 0, calmer, guess)


def composed(inner: Denoiser, combine: Combine, schedule: Schedule) -> Denoiser:
    r"""Several prompts at once: :math:`\hat x_0 = u + g\,D(d_1, \dots, d_N)` with
    :math:`d_i = c_i - u`.

    All guesses for a step come from one batch of the network, with one unconditional guess shared
    by the prompts, so N prompts cost N + 1 rows; prompts that are inactive at a step cost nothing.
    Replaces `guided`, and equals it for a single prompt. See `combine` for :math:`D`.
    """
    single = guided(inner, schedule)

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        sub_prompts, negative = condition.sub_prompts, condition.negative
        if sub_prompts is None:
            return single(x_t, t, condition)
        weight = sub_prompts.weight_at(t)
        c, u = _all_guesses(inner, x_t, t, condition, sub_prompts, weight)
        # Without an unconditional guess a direction is the guess itself, and is not scaled.
        g = torch.ones_like(condition.guidance) if negative is None else condition.guidance
        d = torch.where((weight != 0)[:, :, None, None, None], c - u[:, None], c)
        w = weight[:, :, None, None]
        w = w if sub_prompts.area is None else w * sub_prompts.area
        taken = g.view(-1, 1, 1, 1) * combine(d, w, g)
        directions = Directions(d, w, taken)
        if negative is None:
            return Guess(u + taken, directions)
        unscaled = u + taken / g.view(-1, 1, 1, 1)
        by = condition.guidance_rescale
        return Guess(_rescaled(u + taken, unscaled, x_t, t, by, schedule), directions)

    return denoise


def _all_guesses(
    inner: Denoiser,
    x_t: Tensor,
    t: Tensor,
    condition: Condition,
    sub_prompts: SubPrompts,
    weight: Tensor,
) -> tuple[Tensor, Tensor]:
    """The guesses for the active prompts and the unconditional one, by one batch of the network.

    Args:
        sub_prompts, weight: Of the condition, and ``(B, N)`` at these times.

    Returns:
        ``(B, N, C, h, w)``, 0 for inactive prompts, and ``(B, C, h, w)``, 0 where there is no
        negative prompt.
    """
    picture, member = weight.nonzero(as_tuple=True)
    alone = dataclasses.replace(condition, sub_prompts=None, negative=None)
    active = dataclasses.replace(alone[picture], text=sub_prompts.text[picture, member])
    negative, rows = condition.negative, picture
    if negative is not None:
        active = Condition.cat([active, dataclasses.replace(alone, text=negative)])
        everyone = torch.arange(len(x_t), device=x_t.device)
        rows = torch.cat([picture, everyone])
    guess = inner(x_t[rows], t[rows], active).x_0
    c = x_t.new_zeros(*weight.shape, *x_t.shape[1:])
    c[picture, member] = guess[: len(picture)]
    u = torch.zeros_like(x_t) if negative is None else guess[len(picture) :]
    return c, u


def inpainted(inner: Denoiser, schedule: Schedule, clean_surroundings: bool = False) -> Denoiser:
    r"""Inpainting with any network: the unmasked part is given, not guessed.

    Where the mask is 0 the network is shown the image latents with the noise of the start,
    :math:`\alpha_t z + \sigma_t \epsilon`, and its guess is replaced by :math:`z`. (At the very
    first step the network sees ``x_t`` as it is, because a painting at full strength starts from
    pure noise everywhere.) This equals blending the image latents into :math:`x_t` after every
    step, as in Lugmayr et al. 2022 (RePaint, arXiv 2201.09865) without resampling.

    With ``clean_surroundings`` the network is shown :math:`z` itself there, from the first step on:
    for one that was taught to paint on from what has no noise.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        inpaint = condition.inpaint
        if inpaint is None:
            return inner(x_t, t, condition)
        if clean_surroundings:
            seen = torch.lerp(inpaint.image_latents, x_t, inpaint.mask)
        else:
            at_start = (t >= inpaint.start).view(-1, 1, 1, 1)
            given = schedule.noised(inpaint.image_latents, inpaint.noise, t)
            seen = torch.where(at_start, x_t, torch.lerp(given, x_t, inpaint.mask))
        guess = inner(seen, t, dataclasses.replace(condition, inpaint=None))
        return guess._replace(x_0=torch.lerp(inpaint.image_latents, guess.x_0, inpaint.mask))

    return denoise


def anchored(inner: Denoiser) -> Denoiser:
    r"""Keeps the low band of a parent: the range-space part of DDNM, in latents.

    :math:`\hat x_0 = x_0 + w\,U(y - A x_0)` with :math:`A` the mean over ``b x b`` boxes,
    :math:`U` a smooth enlargement and :math:`y` the parent's band (Wang et al. 2023,
    arXiv 2212.00490). So the network chooses a picture that needs little correction afterwards.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        anchor = condition.anchor
        if anchor is None:
            return inner(x_t, t, condition)
        guess = inner(x_t, t, dataclasses.replace(condition, anchor=None))
        b = anchor.band.shape[-1]
        missing = anchor.band - F.adaptive_avg_pool2d(guess.x_0, (b, b))
        smooth = F.interpolate(missing, x_t.shape[-2:], mode="bilinear", align_corners=False)
        return guess._replace(x_0=guess.x_0 + anchor.weight.view(-1, 1, 1, 1) * smooth)

    return denoise


def tiled(inner: Denoiser, side: int) -> Denoiser:
    r"""A picture of any size by a network of one: windows whose guesses are averaged at every step.

    :math:`\hat x_0 = \sum_i W_i \hat x_0^{(i)} / \sum_i W_i` over windows of ``side`` latents
    that overlap by a half or more; a weight falls off towards the edges of its window (Bar-Tal
    et al. 2023, MultiDiffusion, arXiv 2302.08113, eq. 5). The windows look at one ``x_t`` and
    agree before every step, so that no seam can grow.

    A window that holds less than `SHOWS_THE_THING` of the width or height of a picture's thing is
    asked for what the condition says of *elsewhere*: it would paint another thing.

    It wraps the network alone, inside the other wrappers: what they keep for a whole picture is not
    cut to its windows.

    Raises:
        ValueError: Of the denoiser, for a condition that another wrapper should have used up:
            several prompts, inpainting or an anchor.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
        whole = (condition.sub_prompts, condition.inpaint, condition.anchor)
        if any(part is not None for part in whole):
            raise ValueError("windows go inside composed, inpainted and anchored denoisers")
        height, width = x_t.shape[-2:]
        if max(height, width) <= side:
            return inner(x_t, t, condition)
        total, weights = torch.zeros_like(x_t), x_t.new_zeros(height, width)
        for top in window_starts(height, side):
            for left in window_starts(width, side):
                here = (..., slice(top, top + side), slice(left, left + side))
                part, channels = x_t[here], condition.extra_channels
                seen = _of_window(condition, (top / height, left / width), side, (height, width))
                if channels is not None:
                    seen = dataclasses.replace(condition, extra_channels=channels[here])
                rows, columns = part.shape[-2:]
                weight = _falloff(rows, x_t)[:, None] * _falloff(columns, x_t)
                total[here] += weight * inner(part, t, seen).x_0
                weights[here] += weight
        return Guess(total / weights)

    return denoise


def _of_window(
    condition: Condition, start: tuple[float, float], side: int, size: tuple[int, int]
) -> Condition:
    """What a window is asked for.

    Args:
        start: Its top and left, as shares of the picture.
        side: Of it, in latents.
        size: Of the picture, ``(h, w)``, in latents.
    """
    elsewhere = condition.elsewhere
    if elsewhere is None:
        return condition
    alone, thing = dataclasses.replace(condition, elsewhere=None), elsewhere.thing
    low = thing.new_tensor(start)
    high = low + side / thing.new_tensor(size)
    held = (torch.minimum(high, thing[:, 2:]) - torch.maximum(low, thing[:, :2])).clamp(min=0)
    shows = (held >= SHOWS_THE_THING * (thing[:, 2:] - thing[:, :2])).all(1)
    rows = torch.arange(len(thing), device=thing.device) + len(thing) * ~shows
    return dataclasses.replace(alone, text=Text.cat([condition.text, elsewhere.text])[rows])


def window_starts(length: int, side: int) -> list[int]:
    """Where windows begin along a side: evenly spread, half a window apart or less.

    Args:
        length: Of the side to cover, 1 or more.
        side: Of a window, 1 or more, in the same unit.

    Returns:
        From 0 up to ``length - side``, rising; ``[0]`` where one window is enough.
    """
    if length <= side:
        return [0]
    count = -(-2 * (length - side) // side)
    return [round(i * (length - side) / count) for i in range(count + 1)]


def _falloff(length: int, like: Tensor) -> Tensor:
    """Highest in the middle, ``(length,)``, nowhere 0."""
    middle = torch.arange(1, length + 1, device=like.device, dtype=like.dtype)
    return torch.minimum(middle, length + 1 - middle)
