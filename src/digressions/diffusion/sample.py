r"""Samplers: one loop, and a step function for each.

`sample` walks ``x_t`` down a grid of times, asks a denoiser for ``x_0`` at each, has a sampler take
the step, and yields: a progress bar, a preview and a test all consume that. A step function, of
`steps`, is

    ddim(step: StepInput, history) -> (x at the next time, history)

What is special about a
sampler's grid or noise is an attribute of its `Sampler`.

A grid has a column for each picture: ``times`` is ``(n + 1, B)`` float32, falling. A picture that
takes fewer steps starts late: its column repeats its first time, and nothing happens to it until
then. So one batch may mix strengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from .condition import Condition
from .denoise import Denoiser, Directions
from .names import SpacingName
from .noise import Noise
from .schedule import Schedule, TableSchedule
from .steps import (
    StepFunction,
    StepInput,
    ddim,
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_sde,
    euler_ancestral,
    heun,
    lcm,
    unipc,
)


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


_RHO = 7  # of Karras et al.

SAMPLERS = {
    "ddim": Sampler(ddim, may_end_at_step_0=True),
    "euler_ancestral": Sampler(euler_ancestral, starts_at_sigma=True),
    "euler": Sampler(ddim, starts_at_sigma=True),
    "heun": Sampler(heun, starts_at_sigma=True),
    "dpmpp_2m": Sampler(dpmpp_2m, extra_grid_step=True),
    "dpmpp_2m_sde": Sampler(dpmpp_2m_sde, extra_grid_step=True),
    "dpmpp_sde": Sampler(dpmpp_sde, starts_at_sigma=True),
    "unipc": Sampler(unipc, extra_grid_step=True),
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

        def ask(
            x: Tensor, t: Tensor, condition: Condition = condition, active: Tensor = active
        ) -> Tensor:
            return _guess(denoiser, x, t, condition, active)[0]

        taken = StepInput(x, x_0, t, s, active, schedule, noise, ask)
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
            ``karras`` (Karras et al. 2022, eq. 5, with rho 7) and ``exponential`` spread the noise
            levels between the schedule's highest and lowest, ``simple`` counts as ComfyUI does.
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
    elif spacing in ("karras", "exponential"):
        times = schedule.time_of(_noise_levels(schedule, steps, spacing)).numpy()
    elif spacing == "simple":
        times = total - 1 - np.floor(np.arange(steps) * (total / steps))
    elif spacing == "leading":
        ratio = total // (steps + spare)
        times = np.arange(spare, spare + steps)[::-1] * max(ratio, 1) + offset
    else:
        times = np.linspace(0, total - 1, steps + spare).round()[::-1][:steps]
    end = schedule.clean_time if to_clean or not sampler.may_end_at_step_0 else 0.0
    times = np.clip(times, 0, total - 1)
    return torch.tensor([*times.tolist(), end], dtype=torch.float32)


def _noise_levels(schedule: TableSchedule, steps: int, spacing: SpacingName) -> Tensor:
    """Noise levels sigma / alpha, ``(steps,)``, falling."""
    alpha, sigma = schedule.alpha_sigma(torch.tensor([len(schedule) - 1.0, 0.0]))
    high, low = (sigma / alpha.clamp(min=2**-12)).view(-1).double()
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    if spacing == "exponential":
        return (high.log() + ramp * (low.log() - high.log())).exp()
    root = 1 / _RHO
    return (high**root + ramp * (low**root - high**root)) ** _RHO


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
