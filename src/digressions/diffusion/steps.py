r"""Step functions: how each sampler goes from one time to the next.

All are written for any :math:`x_t = \alpha_t x_0 + \sigma_t \epsilon`. Those that their authors
wrote for :math:`x_0 + \bar\sigma \epsilon` (Karras et al. 2022, arXiv 2206.00364; k-diffusion) work
in noise levels :math:`\bar\sigma = \sigma / \alpha`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from .noise import Noise
from .schedule import Schedule


@dataclass(frozen=True)
class StepInput:
    """What a step function works with.

    Attributes:
        x_t: ``(B, C, h, w)``, the noisy latents.
        x_0: ``(B, C, h, w)``, the denoiser's guess.
        t, s: ``(B,)`` float32, the time, and the next one: ``s < t``, or equal where a picture does
            not take part.
        active: ``(B,)`` bool, the pictures that take part in this step.
        schedule: From these times to alpha and sigma.
        noise: Where the pictures' fresh noise comes from, in the shape of ``x_t``; see `draw`.
        ask: The denoiser again: noisy latents and times ``(B,)`` to its guess, ``(B, C, h, w)``.
    """

    x_t: Tensor
    x_0: Tensor
    t: Tensor
    s: Tensor
    active: Tensor
    schedule: Schedule
    noise: Noise
    ask: Callable[[Tensor, Tensor], Tensor]

    @property
    def alpha_sigma_t(self) -> tuple[Tensor, Tensor]:
        r""":math:`\alpha_t, \sigma_t`, each ``(B, 1, 1, 1)``."""
        return self.schedule.alpha_sigma(self.t)

    @property
    def alpha_sigma_s(self) -> tuple[Tensor, Tensor]:
        r""":math:`\alpha_s, \sigma_s`, each ``(B, 1, 1, 1)``."""
        return self.schedule.alpha_sigma(self.s)

    def draw(self) -> Tensor:
        """Fresh noise for the active pictures, 0 for the others: ``(B, C, h, w)``."""
        drawn = torch.zeros(self.x_t.shape)
        drawn[self.active.cpu()] = self.noise.draw(self.active)
        return drawn.to(self.x_t)


StepFunction: TypeAlias = Callable[[StepInput, Any], tuple[Tensor, Any]]
"""From a step and what the sampler remembers (``None`` at first) to the next of both."""


def ddim(step: StepInput, history: None) -> tuple[Tensor, None]:
    r"""DDIM, deterministic (Song et al. 2021, arXiv 2010.02502, eq. 12 with :math:`\eta = 0`).

    :math:`x_s = \alpha_s x_0 + \sigma_s \epsilon` with
    :math:`\epsilon = (x_t - \alpha_t x_0) / \sigma_t`. With a flow schedule this is Euler's method.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = step.alpha_sigma_t, step.alpha_sigma_s
    return alpha_s * step.x_0 + sigma_s * (step.x_t - alpha_t * step.x_0) / sigma_t, None


def euler_ancestral(step: StepInput, history: None) -> tuple[Tensor, None]:
    r"""Ancestral sampling with Euler steps (Karras et al. 2022; k-diffusion's ``euler_ancestral``).

    In noise levels :math:`\bar\sigma = \sigma / \alpha` a step goes down to
    :math:`\bar\sigma_{down} = \bar\sigma_s^2 / \bar\sigma_t` and adds fresh noise of
    :math:`\bar\sigma_{up}^2 = \bar\sigma_s^2 - \bar\sigma_{down}^2`. With
    :math:`k = \bar\sigma_s / \bar\sigma_t` this is
    :math:`x_s = \alpha_s x_0 + \sigma_s (k \epsilon + \sqrt{1 - k^2}\, z)`, which also holds at
    zero SNR, where :math:`\bar\sigma_t` is infinite.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = step.alpha_sigma_t, step.alpha_sigma_s
    k = sigma_s * alpha_t / (alpha_s * sigma_t)
    epsilon = (step.x_t - alpha_t * step.x_0) / sigma_t
    fresh = step.draw()
    mixed = k * epsilon + (1 - k**2).clamp(min=0).sqrt() * fresh
    return alpha_s * step.x_0 + sigma_s * mixed, None


def dpmpp_2m(
    step: StepInput, history: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    r"""DPM-Solver++(2M), midpoint (Lu et al. 2022, arXiv 2211.01095, algorithm 2).

    :math:`x_s = \frac{\sigma_s}{\sigma_t} x_t + \alpha_s (1 - e^{-h}) D` with
    :math:`h = \lambda_s - \lambda_t`, :math:`\lambda = \log(\alpha / \sigma)`, and :math:`D` the
    guess extrapolated from the last two, which are the history. The first and the last step of a
    picture are of first order.
    """
    (_, sigma_t), (alpha_s, sigma_s) = step.alpha_sigma_t, step.alpha_sigma_s
    guess, decay, history = _extrapolated(step, history)
    return sigma_s / sigma_t * step.x_t + alpha_s * (1 - decay) * guess, history


def _extrapolated(
    step: StepInput, history: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """The guess of `dpmpp_2m`, :math:`e^{-h}`, and what is remembered."""
    if history is None:
        history = torch.zeros_like(step.x_t), torch.full_like(step.x_t[:, :1, :1, :1], torch.nan)
    before, h_before = history
    (alpha_t, sigma_t), (alpha_s, sigma_s) = step.alpha_sigma_t, step.alpha_sigma_s
    h = _log_snr(alpha_s, sigma_s) - _log_snr(alpha_t, sigma_t)
    second = torch.isfinite(h_before) & (sigma_s > 0)
    slope = torch.where(second, 0.5 * h / h_before, torch.zeros_like(h))
    guess = step.x_0 + slope * (step.x_0 - before)
    decay = sigma_s * alpha_t / (alpha_s * sigma_t)  # e^-h, also where h is infinite
    return guess, decay, (_where(step.active, step.x_0, before), _where(step.active, h, h_before))


def lcm(step: StepInput, history: None) -> tuple[Tensor, None]:
    r"""Multistep consistency sampling (Luo et al. 2023, arXiv 2310.04378, algorithm 3).

    :math:`x_s = \alpha_s x_0 + \sigma_s z` with fresh noise. (The paper's skip term
    :math:`c_{skip}(t)` is below :math:`10^{-5}` at every time step that a grid visits.)
    """
    alpha_s, sigma_s = step.alpha_sigma_s
    if not bool(sigma_s.any()):
        return step.x_0, None
    return alpha_s * step.x_0 + sigma_s * step.draw(), None


def heun(step: StepInput, history: None) -> tuple[Tensor, None]:
    r"""Heun's method (Karras et al. 2022, algorithm 1 without churn): two guesses a step, one in
    the last, and in the first where the schedule leaves no signal at all."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = _floored(step.alpha_sigma_t), step.alpha_sigma_s
    epsilon = (step.x_t - alpha_t * step.x_0) / sigma_t
    there = alpha_s * step.x_0 + sigma_s * epsilon
    if not bool(sigma_s.any()):
        return there, None
    second = (there - alpha_s * step.ask(there, step.s)) / sigma_s
    mean = (epsilon + second) / 2
    two = alpha_s / alpha_t * step.x_t + mean * (sigma_s - alpha_s * sigma_t / alpha_t)
    # From noise alone the way is so long that the guesses' difference is all that would be left.
    return torch.where(step.alpha_sigma_t[0] < alpha_t, there, two), None


def dpmpp_sde(step: StepInput, history: None) -> tuple[Tensor, None]:
    r"""DPM-Solver++ (2S) as a stochastic differential equation (k-diffusion's ``dpmpp_sde`` with
    :math:`\eta = 1, r = 1/2`): two guesses a step, the second in the middle in
    :math:`\log \bar\sigma`, one in the last."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = _floored(step.alpha_sigma_t), step.alpha_sigma_s
    if not bool(sigma_s.any()):
        return step.x_0, None
    x, start, end = step.x_t / alpha_t, sigma_t / alpha_t, sigma_s / alpha_s
    middle = (start * end).sqrt()
    t = step.schedule.time_of(middle.view(-1))
    alpha_m, _ = step.schedule.alpha_sigma(t)
    there = _ancestral(x, step.x_0, start, middle, step.draw())
    guess = step.ask(alpha_m * there, t)
    return alpha_s * _ancestral(x, guess, start, end, step.draw()), None


def dpmpp_2m_sde(
    step: StepInput, history: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    r"""DPM-Solver++(2M) as a stochastic differential equation, midpoint (Lu et al. 2022, arXiv
    2211.01095; k-diffusion's ``dpmpp_2m_sde`` with :math:`\eta = 1`).

    :math:`x_s = \frac{\sigma_s}{\sigma_t} e^{-h} x_t + \alpha_s (1 - e^{-2h}) D
    + \sigma_s \sqrt{1 - e^{-2h}}\, z`, with :math:`D` and the history as in `dpmpp_2m`.
    """
    (_, sigma_t), (alpha_s, sigma_s) = step.alpha_sigma_t, step.alpha_sigma_s
    guess, decay, history = _extrapolated(step, history)
    drift = alpha_s * (1 - decay**2) * guess + sigma_s / sigma_t * decay * step.x_t
    if not bool(sigma_s.any()):
        return drift, history
    return drift + sigma_s * (1 - decay**2).clamp(min=0).sqrt() * step.draw(), history


class Correction(NamedTuple):
    """What `unipc` remembers of the step before: where it went from, the sigma there, and its last
    two guesses with their log-SNR; NaN where there was none."""

    x: Tensor
    sigma: Tensor
    guess: Tensor
    before: Tensor
    log_snr: Tensor
    log_snr_before: Tensor


def unipc(step: StepInput, history: Correction | None) -> tuple[Tensor, Correction]:
    r"""UniPC of second order with :math:`B(h) = e^h - 1` (Zhao et al. 2023, arXiv 2302.04867).

    Each guess first corrects the step that led to it, then predicts the next one. The first and the
    last prediction of a picture are of first order.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = step.alpha_sigma_t, step.alpha_sigma_s
    now, then = _log_snr(alpha_t, sigma_t), _log_snr(alpha_s, sigma_s)
    if history is None:
        none = torch.full_like(now, torch.nan)
        zeros = torch.zeros_like(step.x_t)
        history = Correction(zeros, none, zeros, zeros, none, none)
    x = torch.where(history.log_snr.isnan(), step.x_t, _corrected(step, history, now))
    h = then - now
    ratio = (history.log_snr - now) / h
    second = ~history.log_snr.isnan() & (sigma_s > 0)
    slope = torch.where(second, (history.guess - step.x_0) / ratio / 2, torch.zeros_like(x))
    decay = sigma_s * alpha_t / (alpha_s * sigma_t)  # e^-h, also where h is infinite
    found = sigma_s / sigma_t * x + alpha_s * (1 - decay) * (step.x_0 + slope)
    new = Correction(x, sigma_t, step.x_0, history.guess, now, history.log_snr)
    kept = (_where(step.active, each, old) for each, old in zip(new, history, strict=True))
    return found, Correction(*kept)


def _corrected(step: StepInput, history: Correction, now: Tensor) -> Tensor:
    """The step that led here, taken again with the guess that is known by now."""
    alpha, sigma = step.alpha_sigma_t
    h = now - history.log_snr
    decay = (-h).exp()
    ratio = (history.log_snr_before - history.log_snr) / h
    first = history.log_snr_before.isnan()
    phi = torch.expm1(-h) / -h - 1
    b_1 = phi / torch.expm1(-h)
    b_2 = (phi / -h - 0.5) * 2 / torch.expm1(-h)
    # rho_1 + rho_2 = b_1 and r rho_1 + rho_2 = b_2
    rho_1 = torch.where(first, torch.zeros_like(h), (b_1 - b_2) / (1 - ratio))
    rho_2 = torch.where(first, torch.full_like(h, 0.5), b_1 - rho_1)
    slope = torch.where(first, torch.zeros_like(step.x_t), (history.before - history.guess) / ratio)
    change = rho_1 * slope + rho_2 * (step.x_0 - history.guess)
    return sigma / history.sigma * history.x + alpha * (1 - decay) * (history.guess + change)


def _ancestral(x: Tensor, guess: Tensor, start: Tensor, end: Tensor, noise: Tensor) -> Tensor:
    """From one noise level down to another by way of a lower one and fresh noise."""
    down = end**2 / start
    up = (end**2 - down**2).clamp(min=0).sqrt()
    return guess + down / start * (x - guess) + up * noise


def _floored(alpha_sigma: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """With an alpha that can be divided by; see `_log_snr`."""
    alpha, sigma = alpha_sigma
    return alpha.clamp(min=2**-12), sigma


def _where(active: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(active.view(-1, 1, 1, 1), new, old)


def _log_snr(alpha: Tensor, sigma: Tensor) -> Tensor:
    # 2^-12 is the floor that diffusers gives a zero-SNR schedule, so that h stays finite there.
    return alpha.clamp(min=2**-12).log() - sigma.log()
