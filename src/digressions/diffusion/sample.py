r"""Samplers: one loop, and a step function for each.

`sample` walks ``x_t`` down a grid of times, asks a denoiser for ``x_0`` at each, has a sampler take
the step, and yields: a progress bar, a preview and a test all consume that. A step function is

    ddim(step: StepInput, history) -> (x at the next time, history)

and is written for any :math:`x_t = \alpha_t x_0 + \sigma_t \epsilon`. What is special about a
sampler's grid or noise is an attribute of its `Sampler`.

A grid has a column for each picture: ``times`` is ``(n + 1, B)`` float32, falling. A picture that
takes fewer steps starts late: its column repeats its first time, and nothing happens to it until
then. So one batch may mix strengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from .condition import Condition
from .denoise import Denoiser, Directions
from .names import SpacingName
from .noise import Noise
from .schedule import Schedule, TableSchedule


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
    """

    x_t: Tensor
    x_0: Tensor
    t: Tensor
    s: Tensor
    active: Tensor
    schedule: Schedule
    noise: Noise

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


@dataclass(frozen=True)
class Sampler:
    """A sampler: its step function, and what is special about it.

    Attributes:
        step: Takes one step.
        extra_grid_step: Whether its ``leading`` and ``linspace`` grids leave room for one more step
            (DPM-Solver's convention).
        may_end_at_step_0: Whether it may end at time step 0, short of clean, where the model's
            scheduler says so.
        distilled_steps: Steps of the solver that its models were distilled with, whose grid it
            keeps to; ``None`` for samplers of any model.
        starts_at_sigma: Whether it starts from :math:`\\sigma_t` times the noise, rather than from
            unit noise, where the spacing is not ``leading``.
    """

    step: StepFunction
    extra_grid_step: bool = False
    may_end_at_step_0: bool = False
    distilled_steps: int | None = None
    starts_at_sigma: bool = False


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
    if history is None:
        history = torch.zeros_like(step.x_t), torch.full_like(step.x_t[:, :1, :1, :1], torch.nan)
    before, h_before = history
    (alpha_t, sigma_t), (alpha_s, sigma_s) = step.alpha_sigma_t, step.alpha_sigma_s
    h = _log_snr(alpha_s, sigma_s) - _log_snr(alpha_t, sigma_t)
    second = torch.isfinite(h_before) & (sigma_s > 0)
    slope = torch.where(second, 0.5 * h / h_before, torch.zeros_like(h))
    guess = step.x_0 + slope * (step.x_0 - before)
    decay = sigma_s * alpha_t / (alpha_s * sigma_t)  # e^-h, also where h is infinite
    x = sigma_s / sigma_t * step.x_t + alpha_s * (1 - decay) * guess
    return x, (_where(step.active, step.x_0, before), _where(step.active, h, h_before))


def lcm(step: StepInput, history: None) -> tuple[Tensor, None]:
    r"""Multistep consistency sampling (Luo et al. 2023, arXiv 2310.04378, algorithm 3).

    :math:`x_s = \alpha_s x_0 + \sigma_s z` with fresh noise. (The paper's skip term
    :math:`c_{skip}(t)` is below :math:`10^{-5}` at every time step that a grid visits.)
    """
    alpha_s, sigma_s = step.alpha_sigma_s
    if not bool(sigma_s.any()):
        return step.x_0, None
    return alpha_s * step.x_0 + sigma_s * step.draw(), None


SAMPLERS = {
    "ddim": Sampler(ddim, may_end_at_step_0=True),
    "euler_ancestral": Sampler(euler_ancestral, starts_at_sigma=True),
    "dpmpp_2m": Sampler(dpmpp_2m, extra_grid_step=True),
    "lcm": Sampler(lcm, distilled_steps=50),
}


class Step(NamedTuple):
    """What the loop yields.

    Attributes:
        done: Steps done, ``1..n``.
        t, s: ``(B,)``, the time that the step was taken from, and to.
        active: ``(B,)``, the pictures that took part.
        x: ``(B, C, h, w)``, the latents after this step.
        x_0: ``(B, C, h, w)``, the denoiser's guess in this step.
        directions: Where each of several prompts pulled, of the active pictures alone; ``None``
            where there were none.
    """

    done: int
    t: Tensor
    s: Tensor
    active: Tensor
    x: Tensor
    x_0: Tensor
    directions: Directions | None


AfterStep: TypeAlias = Callable[[Step, Condition], tuple[Tensor, Condition]]
"""From a step and its condition to the latents and the condition to go on with."""


def sample(
    denoiser: Denoiser,
    sampler: Sampler,
    schedule: Schedule,
    x: Tensor,
    times: Tensor,
    condition: Condition,
    noise: Noise,
    after_step: AfterStep | None = None,
) -> Iterator[Step]:
    """Samples a batch, step by step.

    Args:
        denoiser: Guesses the clean latents.
        sampler: Takes the steps.
        schedule: From the times to alpha and sigma.
        x: ``(B, C, h, w)`` float32, noisy latents to begin with.
        times: ``(n + 1, B)`` float32, the grid, in the schedule's times.
        condition: What the pictures are asked for, a row each.
        noise: Of ``B`` pictures, for samplers that add some.
        after_step: What ways of combining change between two steps.
    """
    history = None
    for index in range(len(times) - 1):
        t, s = times[index], times[index + 1]
        active = t != s
        x_0, directions = _guess(denoiser, x, t, condition, active)
        taken = StepInput(x, x_0, t, s, active, schedule, noise)
        stepped, history = sampler.step(taken, history)
        x = _where(active, stepped, x)
        step = Step(index + 1, t, s, active, x, x_0, directions)
        if after_step is not None:
            x, condition = after_step(step, condition)
            step = step._replace(x=x)
        yield step


def time_grid(
    schedule: TableSchedule,
    sampler: Sampler,
    steps: int,
    *,
    spacing: SpacingName = "trailing",
    offset: int = 0,
    to_clean: bool = True,
) -> Tensor:
    r"""The time steps of a table that a sampler visits, noisiest first, and the one it ends at.

    One grid serves to add noise and to take it away, at any number of steps. (The first public
    inpainting code took two different ones where the steps did not divide the training steps.)

    Args:
        schedule: The training schedule of ``T`` steps.
        sampler: One of `SAMPLERS`.
        steps: How many times the network is asked, ``1..T``; ``1..sampler.distilled_steps`` for a
            sampler that has those.
        spacing: As in Lin et al. 2023 (arXiv 2305.08891), table 2: ``trailing`` starts at the
            noisiest step and is right for few steps and zero terminal SNR; ``leading`` is what
            Stable Diffusion 1 and XL were published with; ``linspace`` includes both ends.
        offset: Added to ``leading`` times (Stable Diffusion: 1).
        to_clean: End clean; otherwise a sampler that `may_end_at_step_0` ends at time step 0.

    Returns:
        ``(steps + 1,)`` float32, falling.
    """
    total, spare = len(schedule), int(sampler.extra_grid_step)
    if sampler.distilled_steps is not None:
        solver = sampler.distilled_steps
        visited = np.arange(1, solver + 1) * (total // solver) - 1
        chosen = np.floor(np.linspace(0, solver, steps, endpoint=False)).astype(int)
        times = visited[::-1][chosen]
    elif spacing == "trailing":
        times = np.round(np.arange(steps, 0, -1) * (total / steps)) - 1
    elif spacing == "leading":
        ratio = total // (steps + spare)
        times = np.arange(spare, spare + steps)[::-1] * max(ratio, 1) + offset
    else:
        times = np.linspace(0, total - 1, steps + spare).round()[::-1][:steps]
    end = schedule.clean_time if to_clean or not sampler.may_end_at_step_0 else 0.0
    times = np.clip(times, 0, total - 1)
    return torch.tensor([*times.tolist(), end], dtype=torch.float32)


def steps_to_run(steps: int, strength: float) -> int:
    """How many of ``steps`` a strength in 0..1 asks for: ``int(steps * strength)``, at least one.

    The rounding is diffusers' own; "at least one" keeps few-step models usable at any strength.
    """
    return max(1, min(int(steps * strength), steps))


def with_late_starts(grid: Tensor, num_steps: Sequence[int]) -> Tensor:
    """A grid for a batch: picture ``i`` takes the last ``num_steps[i]`` steps of ``grid``.

    Args:
        grid: ``(n + 1,)``, falling times of a whole run.
        num_steps: One per picture, each ``1..n``.

    Returns:
        ``(max(num_steps) + 1, B)``; shorter columns repeat their first time at the top.
    """
    columns = []
    for count in num_steps:
        column = grid[-count - 1 :]
        columns.append(torch.cat([column[:1].expand(max(num_steps) - count), column]))
    return torch.stack(columns, dim=1)


def _guess(
    denoiser: Denoiser, x: Tensor, t: Tensor, condition: Condition, active: Tensor
) -> tuple[Tensor, Directions | None]:
    """The denoiser's guess; ``x`` itself where a picture does not take part."""
    if bool(active.all()):
        return denoiser(x, t, condition)
    guess = denoiser(x[active], t[active], condition[active])
    x_0 = x.clone()
    x_0[active] = guess.x_0
    return x_0, guess.directions


def _where(active: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(active.view(-1, 1, 1, 1), new, old)


def _log_snr(alpha: Tensor, sigma: Tensor) -> Tensor:
    # 2^-12 is the floor that diffusers gives a zero-SNR schedule, so that h stays finite there.
    return alpha.clamp(min=2**-12).log() - sigma.log()
