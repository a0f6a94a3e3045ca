r"""Denoisers: ``(x_t, t, condition) -> x_0``, and the ways to wrap one into another.

A picture in the making is :math:`x_t = \alpha_t x_0 + \sigma_t \epsilon` with
:math:`\alpha_t^2 + \sigma_t^2 = 1` (variance preserving; Song et al. 2021). A network looks at
:math:`x_t` and says, one way or another, what :math:`x_0` it sees in it. Everything here is a
function from such a guess to a better one:

    guided(d)     away from the negative prompt (classifier-free guidance)
    ensembled(d)  towards several prompts at once
    masked(d)     the known part of a picture stays what it is (inpainting)
    anchored(d)   the coarse colours stay those of a parent picture (mosaic cells)
    tiled(d)      a picture larger than the network was trained for, in windows that agree

A denoiser keeps no state. What differs from picture to picture travels in the `Condition`, one
row a picture, so one batch may mix prompts, strengths and masks.

Shapes: ``x_t`` is ``(B, C, h, w)`` float32 latents; ``t`` is ``(B,)`` float32 training time steps,
``0..T-1``, where ``-1`` means "clean" (:math:`\alpha = 1, \sigma = 0`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .combine import Combine, mean
from .condition import Condition

Prediction = Literal["epsilon", "v_prediction", "sample"]


class Denoiser(Protocol):
    """Anything that guesses the clean latents in noisy ones."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Returns the predicted :math:`x_0`, of the shape of ``x_t``."""
        ...


@dataclass(frozen=True)
class Schedule:
    r"""How much noise a training time step means.

    Attributes:
        alphas_cumprod: :math:`\bar\alpha_t = \alpha_t^2` for ``t = 0..T-1``, ``(T,)`` float32,
            falling. The last may be 0 (zero terminal SNR, Lin et al. 2023, arXiv 2305.08891).
        prediction: What the network puts out: the noise, the velocity
            :math:`v = \alpha_t \epsilon - \sigma_t x_0` (Salimans & Ho 2022), or ``x_0`` itself.
    """

    alphas_cumprod: Tensor
    prediction: Prediction = "epsilon"

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        r""":math:`\alpha_t, \sigma_t` shaped ``(..., 1, 1, 1)`` to multiply latents with."""
        table = torch.cat([self.alphas_cumprod, self.alphas_cumprod.new_ones(1)]).to(t.device)
        squared = table[t.round().long()]  # -1 reads the appended 1: clean
        squared = squared.view(*squared.shape, 1, 1, 1)
        return squared.sqrt(), (1 - squared).sqrt()

    def zero_terminal_snr(self) -> Schedule:
        """Shifted and scaled so that the last step is noise alone (arXiv 2305.08891, alg. 1)."""
        root = self.alphas_cumprod.sqrt()
        ended = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
        return dataclasses.replace(self, alphas_cumprod=ended)

    def noised(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        r""":math:`x_t = \alpha_t x_0 + \sigma_t \epsilon`."""
        alpha, sigma = self.alpha_sigma(t)
        return alpha * x_0 + sigma * noise

    def clean(self, x_t: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """The ``x_0`` that a network's output means: the one place that knows predictions."""
        alpha, sigma = self.alpha_sigma(t)
        if self.prediction == "epsilon":
            return (x_t - sigma * output) / alpha
        if self.prediction == "v_prediction":
            return alpha * x_t - sigma * output
        return output

    def output(self, x_t: Tensor, x_0: Tensor, t: Tensor) -> Tensor:
        """What a network puts out that means ``x_0``: the way back from `clean`."""
        alpha, sigma = self.alpha_sigma(t)
        if self.prediction == "epsilon":
            return (x_t - alpha * x_0) / sigma
        if self.prediction == "v_prediction":
            return (alpha * x_t - x_0) / sigma
        return x_0


class Network(Protocol):
    """A trained network: its raw output for noisy latents, shaped as they are."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor: ...


def denoiser(network: Network, schedule: Schedule) -> Denoiser:
    """A network, read as a denoiser."""

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return schedule.clean(x_t, network(x_t, t, condition).float(), t)

    return denoise


def guided(inner: Denoiser, schedule: Schedule | None = None) -> Denoiser:
    r"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598).

    :math:`\hat x_0 = u + g (c - u)` with :math:`c` the guess for the prompt and :math:`u` the one
    for the negative prompt. Both come from one batch of the network. The formula is usually
    written in :math:`\epsilon`; at a fixed :math:`x_t` the two are the same, since
    :math:`x_0` is affine in :math:`\epsilon`. The schedule is needed where a condition asks for
    `rescaled` guidance.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        negative = condition.negative
        if negative is None:
            return inner(x_t, t, condition)
        alone = dataclasses.replace(condition, negative=None)
        against = dataclasses.replace(alone, text=negative)
        both = inner(torch.cat([x_t, x_t]), torch.cat([t, t]), Condition.cat([alone, against]))
        c, u = both.chunk(2)
        guess = u + condition.guidance.view(-1, 1, 1, 1) * (c - u)
        return _rescaled(guess, c, x_t, t, condition.rescale, schedule)

    return denoise


def _rescaled(
    guess: Tensor, c: Tensor, x_t: Tensor, t: Tensor, by: Tensor | None, schedule: Schedule | None
) -> Tensor:
    r"""Guidance without the contrast that it adds (Lin et al. 2023, arXiv 2305.08891, eq. 15-16).

    The network's output that the guided guess means is scaled towards the standard deviation of
    the one for the prompt alone, ``c``: by 0 not at all, by 1 all the way.
    """
    if by is None:
        return guess
    if schedule is None:
        raise ValueError("rescaled guidance needs the schedule")
    output, alone = schedule.output(x_t, guess, t), schedule.output(x_t, c, t)
    ratio = alone.std((1, 2, 3), keepdim=True) / output.std((1, 2, 3), keepdim=True)
    share = by.view(-1, 1, 1, 1)
    calmer = schedule.clean(x_t, output * (1 + share * (ratio - 1)), t)
    return torch.where(share > 0, calmer, guess)


class Directions(NamedTuple):
    """What the prompts of a batch asked for in one step.

    Attributes:
        d: ``(B, N, C, h, w)``, each prompt's direction; see `combine`.
        w: ``(B, N, h, w)`` or ``(B, N, 1, 1)``, their weights, 0 for a prompt that is silent.
        taken: ``(B, C, h, w)``, where the guess went, :math:`g D`.
    """

    d: Tensor
    w: Tensor
    taken: Tensor


def ensembled(
    inner: Denoiser,
    combine: Combine = mean,
    watch: Callable[[Directions], None] | None = None,
    schedule: Schedule | None = None,
) -> Denoiser:
    r"""Several prompts at once: :math:`\hat x_0 = u + g\,D(d_1, \dots, d_N)` with
    :math:`d_i = c_i - u`.

    All guesses for a step come from one batch of the network, with one unconditional guess shared
    by the prompts, so N prompts cost N + 1 rows; prompts that are silent at a step cost nothing.
    Takes `guided`'s place, and is it where there is one prompt. See `combine` for :math:`D`.
    ``watch`` is shown what was asked for, whenever there are several prompts. The schedule is for
    `guided`.
    """
    single = guided(inner, schedule)

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        terms, negative = condition.terms, condition.negative
        if terms is None:
            return single(x_t, t, condition)
        weight = terms.weight_at(t)
        picture, term = weight.nonzero(as_tuple=True)
        alone = dataclasses.replace(condition, terms=None, negative=None)
        asked = dataclasses.replace(alone[picture], text=terms.text[picture, term])
        if negative is not None:
            asked = Condition.cat([asked, dataclasses.replace(alone, text=negative)])
            everyone = torch.arange(len(x_t), device=x_t.device)
            rows = torch.cat([picture, everyone])
        else:
            rows = picture
        guess = inner(x_t[rows], t[rows], asked)
        c = x_t.new_zeros(*weight.shape, *x_t.shape[1:])
        c[picture, term] = guess[: len(picture)]
        u = torch.zeros_like(x_t) if negative is None else guess[len(picture) :]
        # Without an unconditional guess a direction is the guess itself, and is not scaled.
        g = torch.ones_like(condition.guidance) if negative is None else condition.guidance
        d = torch.where((weight != 0)[:, :, None, None, None], c - u[:, None], c)
        w = weight[:, :, None, None]
        w = w if terms.area is None else w * terms.area
        taken = g.view(-1, 1, 1, 1) * combine(d, w, g)
        if watch is not None:
            watch(Directions(d, w, taken))
        if negative is None:
            return u + taken
        alone_at_1 = u + taken / g.view(-1, 1, 1, 1)
        return _rescaled(u + taken, alone_at_1, x_t, t, condition.rescale, schedule)

    return denoise


def masked(inner: Denoiser, schedule: Schedule) -> Denoiser:
    r"""Inpainting with any network: the known part is given, not guessed.

    Where the mask is 0 the network is shown the known latents with the noise of the start,
    :math:`\alpha_t z + \sigma_t \epsilon`, and its guess is replaced by :math:`z`. (At the very
    first step the network sees ``x_t`` as it is, because a painting at full strength starts from
    pure noise everywhere.) This equals blending the known part into :math:`x_t` after every step,
    as in Lugmayr et al. 2022 (RePaint, arXiv 2201.09865) without resampling.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        known = condition.known
        if known is None:
            return inner(x_t, t, condition)
        at_start = (t >= known.start).view(-1, 1, 1, 1)
        given = schedule.noised(known.latents, known.noise, t)
        seen = torch.where(at_start, x_t, torch.lerp(given, x_t, known.mask))
        return torch.lerp(known.latents, inner(seen, t, condition), known.mask)

    return denoise


def anchored(inner: Denoiser) -> Denoiser:
    r"""Keeps the low band of a parent: the range-space part of DDNM, in latents.

    :math:`\hat x_0 = x_0 + w\,U(y - A x_0)` with :math:`A` the mean over ``b x b`` boxes,
    :math:`U` a smooth enlargement and :math:`y` the parent's band (Wang et al. 2023,
    arXiv 2212.00490). So the network chooses a picture that needs little correction afterwards.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        x_0 = inner(x_t, t, condition)
        anchor = condition.anchor
        if anchor is None:
            return x_0
        b = anchor.band.shape[-1]
        missing = anchor.band - F.adaptive_avg_pool2d(x_0, (b, b))
        smooth = F.interpolate(missing, x_0.shape[-2:], mode="bilinear", align_corners=False)
        return x_0 + anchor.weight.view(-1, 1, 1, 1) * smooth

    return denoise


def tiled(inner: Denoiser, side: int) -> Denoiser:
    r"""A picture of any size by a network of one: windows whose guesses are averaged at every step.

    :math:`\hat x_0 = \sum_i W_i \hat x_0^{(i)} / \sum_i W_i` over windows of ``side`` latents
    that overlap by a half or more; a weight falls off towards the edges of its window (Bar-Tal
    et al. 2023, MultiDiffusion, arXiv 2302.08113, eq. 5). The windows look at one ``x_t`` and
    agree before every step, so that no seam can grow.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        height, width = x_t.shape[-2:]
        if max(height, width) <= side:
            return inner(x_t, t, condition)
        total, weights = torch.zeros_like(x_t), x_t.new_zeros(height, width)
        for top in window_starts(height, side):
            for left in window_starts(width, side):
                here = (..., slice(top, top + side), slice(left, left + side))
                part, channels = x_t[here], condition.channels
                seen = condition
                if channels is not None:
                    seen = dataclasses.replace(condition, channels=channels[here])
                rows, columns = part.shape[-2:]
                weight = _falloff(rows, x_t)[:, None] * _falloff(columns, x_t)
                total[here] += weight * inner(part, t, seen)
                weights[here] += weight
        return total / weights

    return denoise


def window_starts(length: int, side: int) -> list[int]:
    """Where windows of ``side`` begin along ``length``: evenly, half a window apart or less."""
    if length <= side:
        return [0]
    count = -(-2 * (length - side) // side)
    return [round(i * (length - side) / count) for i in range(count + 1)]


def _falloff(length: int, like: Tensor) -> Tensor:
    """Highest in the middle, ``(length,)``, nowhere 0."""
    middle = torch.arange(1, length + 1, device=like.device, dtype=like.dtype)
    return torch.minimum(middle, length + 1 - middle)
