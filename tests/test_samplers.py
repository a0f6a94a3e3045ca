"""Samplers and grids that people name: each is the formula of diffusers or k-diffusion."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

import digressions as dg
from digressions.diffusion.condition import Condition, Text
from digressions.diffusion.denoise import Guess
from digressions.diffusion.noise import Noise
from digressions.diffusion.sample import SAMPLERS, sample, time_grid, with_late_starts
from digressions.diffusion.schedule import FlowSchedule, TableSchedule, TrigFlowSchedule

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
TABLE = TableSchedule(alphas_cumprod=torch.cumprod(1 - BETAS, 0))
SHAPE = (4, 6, 6)
TOLERANCE = 1e-3  # of latents of about unit size
NAMES = ("euler", "heun", "dpmpp_2m_sde", "dpmpp_sde", "unipc")
COMMON = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def guess(x_t: Tensor, level: Tensor) -> Tensor:
    """A denoiser that says something else at every place and noise level, in x_0."""
    return torch.tanh(x_t + 0.3 * level.clamp(max=3).view(-1, 1, 1, 1))


def levels(t: Tensor) -> Tensor:
    alpha, sigma = TABLE.alpha_sigma(t)
    return (sigma / alpha).view(-1)


def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Guess:
    return Guess(guess(x_t, levels(t)))


def condition(count: int) -> Condition:
    return Condition(Text(torch.zeros(count, 1, 1)), torch.ones(count))


def start(count: int = 2) -> Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(5))


def ours(sampler: str, grid: Tensor, x: Tensor) -> Tensor:
    times = grid[:, None].expand(-1, len(x))
    noise = Noise(list(range(len(x))), SHAPE)
    *_, last = sample(denoise, SAMPLERS[sampler], TABLE, x, times, condition(len(x)), noise)
    return last.x


def theirs(scheduler: Any, steps: int, x: Tensor) -> Tensor:
    """diffusers' scheduler over the same denoiser, which it asks for the noise."""
    scheduler.set_timesteps(steps)
    noise = Noise(list(range(len(x))), SHAPE)
    for t in scheduler.timesteps:
        times = t.float().expand(len(x))
        alpha, sigma = TABLE.alpha_sigma(times)
        epsilon = (x - alpha * guess(x, levels(times))) / sigma
        last = t == scheduler.timesteps[-1]
        drawn = {} if last or not draws(scheduler) else {"variance_noise": noise.draw()}
        x = scheduler.step(epsilon, t, x, **drawn).prev_sample
    return x


def draws(scheduler: Any) -> bool:
    return getattr(scheduler.config, "algorithm_type", "").startswith("sde")


@pytest.mark.parametrize("steps", [4, 10, 25])
@pytest.mark.parametrize(
    ("sampler", "kind", "more"),
    [
        ("dpmpp_2m_sde", DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
        ("unipc", UniPCMultistepScheduler, {"solver_type": "bh2"}),
    ],
)
def test_a_sampler_is_diffusers(sampler: str, kind: type, more: dict[str, str], steps: int) -> None:
    if kind is UniPCMultistepScheduler:
        more = more | {"final_sigmas_type": "zero"}
    scheduler = kind(**COMMON, timestep_spacing="trailing", **more)
    grid = time_grid(TABLE, SAMPLERS[sampler], steps, spacing="trailing")
    found, wanted = ours(sampler, grid, start()), theirs(scheduler, steps, start())
    assert float((found - wanted).abs().max()) < TOLERANCE


@pytest.mark.parametrize("steps", [4, 25])
def test_euler_is_diffusers(steps: int) -> None:
    """Which works in noise levels: x there is ours over alpha."""
    scheduler = EulerDiscreteScheduler(**COMMON, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    grid = time_grid(TABLE, SAMPLERS["euler"], steps, spacing="trailing")
    alpha, _ = TABLE.alpha_sigma(grid[:1])
    x = start() / alpha
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)
        level = scheduler.sigmas[scheduler.step_index].float()
        epsilon = (x - guess(scaled, level.expand(len(x)))) / level
        x = scheduler.step(epsilon, t, x).prev_sample
    assert float((ours("euler", grid, start()) - x).abs().max()) < TOLERANCE


def k_diffusion(grid: Tensor) -> tuple[list[float], Callable[[Tensor, float], Tensor]]:
    """The noise levels of a grid, and k-diffusion's denoiser in them."""
    sigmas = [float(levels(t[None])) for t in grid[:-1]] + [0.0]

    def model(x: Tensor, sigma: float) -> Tensor:
        return guess(x / math.sqrt(1 + sigma**2), torch.full((len(x),), sigma))

    return sigmas, model


def heun(x: Tensor, grid: Tensor, noise: Iterator[Tensor]) -> Tensor:
    """k-diffusion's ``sample_heun`` without churn."""
    sigmas, model = k_diffusion(grid)
    for a, b in itertools.pairwise(sigmas):
        d = (x - model(x, a)) / a
        if b == 0:
            x = x + d * (b - a)
            continue
        there = x + d * (b - a)
        x = x + (d + (there - model(there, b)) / b) / 2 * (b - a)
    return x


def dpmpp_sde(x: Tensor, grid: Tensor, noise: Iterator[Tensor]) -> Tensor:
    """k-diffusion's ``sample_dpmpp_sde`` with eta 1 and r 1/2, with independent noise."""
    sigmas, model = k_diffusion(grid)

    def ancestral(a: float, b: float) -> tuple[float, float]:
        up = min(b, math.sqrt(b**2 * (a**2 - b**2) / a**2))
        return math.sqrt(b**2 - up**2), up

    for a, b in itertools.pairwise(sigmas):
        denoised = model(x, a)
        if b == 0:
            x = x + (x - denoised) / a * (b - a)
            continue
        t, t_next = -math.log(a), -math.log(b)
        s = t + (t_next - t) / 2
        down, up = ancestral(a, math.exp(-s))
        there = (down / a) * x - math.expm1(t + math.log(down)) * denoised + next(noise) * up
        second = model(there, math.exp(-s))
        down, up = ancestral(a, b)
        x = (down / a) * x - math.expm1(t + math.log(down)) * second + next(noise) * up
    return x


@pytest.mark.parametrize("spacing", ["trailing", "karras"])
@pytest.mark.parametrize("steps", [4, 25])
@pytest.mark.parametrize("reference", [heun, dpmpp_sde])
def test_a_sampler_is_k_diffusions(reference: Any, steps: int, spacing: Any) -> None:
    name = reference.__name__
    grid = time_grid(TABLE, SAMPLERS[name], steps, spacing=spacing)
    alpha, _ = TABLE.alpha_sigma(grid[:1])
    noise = Noise([0, 1], SHAPE)
    wanted = reference(start() / alpha, grid, iter(noise.draw, None))
    assert float((ours(name, grid, start()) - wanted).abs().max()) < TOLERANCE


@pytest.mark.parametrize("name", ["karras", "exponential"])
def test_noise_levels_are_diffusers(name: str) -> None:
    option = {f"use_{name}_sigmas": True}
    if name == "exponential":
        pytest.importorskip("scipy")
    scheduler = DPMSolverMultistepScheduler(**COMMON, **option)
    scheduler.set_timesteps(12)
    grid = time_grid(TABLE, SAMPLERS["dpmpp_2m"], 12, spacing=name)
    found = levels(grid[:-1])
    np.testing.assert_allclose(found, scheduler.sigmas[:-1].float(), rtol=2e-3)


def test_simple_noise_levels_are_comfyuis() -> None:
    """``sigmas[-(1 + int(i * len(sigmas) / steps))]``, counted from the end."""
    grid = time_grid(TABLE, SAMPLERS["euler"], 7, spacing="simple")
    wanted = [1000 - (1 + int(i * 1000 / 7)) for i in range(7)]
    assert grid.tolist() == [*wanted, -1]


@pytest.mark.parametrize("schedule", [TABLE, FlowSchedule(), TrigFlowSchedule()])
def test_times_of_noise_levels_are_the_way_back(schedule: Any) -> None:
    times = schedule.levels(9) + (0.3 if schedule is TABLE else 0.0)
    alpha, sigma = schedule.alpha_sigma(times)
    found = schedule.time_of((sigma / alpha).view(-1))
    torch.testing.assert_close(found, times, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("sampler", NAMES)
def test_a_picture_does_not_depend_on_those_that_start_earlier(sampler: str) -> None:
    grid = time_grid(TABLE, SAMPLERS[sampler], 8)
    x = start()
    noise = Noise([0, 1], SHAPE)
    *_, both = sample(
        denoise, SAMPLERS[sampler], TABLE, x, with_late_starts(grid, [8, 5]), condition(2), noise
    )
    alone = Noise([1], SHAPE)
    *_, last = sample(
        denoise, SAMPLERS[sampler], TABLE, x[1:], grid[-6:, None], condition(1), alone
    )
    assert torch.allclose(both.x[1:], last.x, atol=1e-5)


@pytest.mark.parametrize("sampler", NAMES)
@pytest.mark.parametrize("spacing", ["trailing", "karras"])
def test_zero_snr_gives_numbers(sampler: str, spacing: Any) -> None:
    schedule = TABLE.zero_terminal_snr()
    grid = time_grid(schedule, SAMPLERS[sampler], 5, spacing=spacing)
    noise = Noise([0, 1], SHAPE)
    times = grid[:, None].expand(-1, 2)
    *_, last = sample(denoise, SAMPLERS[sampler], schedule, start(), times, condition(2), noise)
    assert bool(last.x.isfinite().all())
    assert float(last.x.abs().max()) < 10


@pytest.mark.parametrize("name", NAMES)
def test_from_noise_alone_every_sampler_paints_a_picture_of_natural_colours(
    bundled: Any, name: str
) -> None:
    """The bundled model's schedule leaves no signal at the start, and so no slope to take."""
    usual, found = (
        dg.paint(bundled, "photo of a fox", sampler=each, seed=3, steps=12, enlarge=1).array
        for each in ("ddim", name)
    )
    extreme = ((found < 3) | (found > 252)).mean()
    assert extreme < ((usual < 3) | (usual > 252)).mean() + 0.05
