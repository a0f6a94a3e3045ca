r"""Time grids, seeded noise, and one generator function per sampler.

A sampler walks ``x_t`` down a grid of time steps, asks a denoiser for ``x_0`` at each, and yields
after every step: a progress bar, a preview and a test all consume that. All samplers are written
for variance-preserving latents, :math:`x_t = \alpha_t x_0 + \sigma_t \epsilon`.

A grid has a column for each picture: ``times`` is ``(n + 1, B)`` float32, falling, the last entry
-1 (clean) or 0. A picture that takes fewer steps joins late: its column repeats its first time,
and nothing happens to it until then. So one batch may mix strengths.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .condition import Condition
from .denoise import Denoiser, Schedule
from .errors import InputError

Spacing = Literal["leading", "trailing", "linspace"]
CLEAN = -1.0


class Step(NamedTuple):
    """What a sampler yields.

    Attributes:
        done: Steps done, ``1..n``.
        x: ``(B, C, h, w)``, the latents after this step. The sampler goes on from this very
            tensor: what is written into it counts.
        x_0: ``(B, C, h, w)``, the denoiser's guess in this step.
    """

    done: int
    x: Tensor
    x_0: Tensor


class Noise:
    """One random generator a picture, so that its noise does not depend on its batch.

    Drawn on the CPU whatever the device, so that a seed means the same picture everywhere.
    """

    def __init__(self, seeds: Sequence[int], shape: tuple[int, int, int]) -> None:
        """Seeds are ``0 .. 2**63 - 1``, one a picture; ``shape`` is ``(C, h, w)``."""
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._shape = shape

    def draw(self, rows: Tensor | None = None) -> Tensor:
        """The next normal noise of the chosen rows (a ``(B,)`` mask): ``(rows, C, h, w)``."""
        chosen = range(len(self._generators)) if rows is None else rows.nonzero()[:, 0].tolist()
        return torch.stack(
            [torch.randn(self._shape, generator=self._generators[i]) for i in chosen]
        )

    def apart(self, picture: Sequence[int], member: Sequence[int]) -> Noise:
        """Noise for rows that are members of pictures, each with a stream of its own.

        Member 0 goes on with its picture's stream.
        """
        noise = Noise([], self._shape)
        for i, number in zip(picture, member, strict=True):
            own = self._generators[i]
            text = f"{own.initial_seed()}:member {number}".encode()
            seed = int.from_bytes(hashlib.sha256(text).digest()[:7], "big")
            noise._generators.append(torch.Generator().manual_seed(seed) if number else own)
        return noise


Sampler = Callable[[Denoiser, Schedule, Tensor, Tensor, Condition, Noise], Iterator[Step]]


def ddim(
    denoiser: Denoiser,
    schedule: Schedule,
    x: Tensor,
    times: Tensor,
    condition: Condition,
    noise: Noise,
) -> Iterator[Step]:
    r"""DDIM, deterministic (Song et al. 2021, arXiv 2010.02502, eq. 12 with :math:`\eta = 0`).

    :math:`x_s = \alpha_s x_0 + \sigma_s \epsilon` with
    :math:`\epsilon = (x_t - \alpha_t x_0) / \sigma_t`.
    """
    for index, t, s, live in _steps(times):
        x_0 = _predict(denoiser, x, t, condition, live)
        (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule.alpha_sigma(t), schedule.alpha_sigma(s)
        x = _where(live, alpha_s * x_0 + sigma_s * (x - alpha_t * x_0) / sigma_t, x)
        yield Step(index, x, x_0)


def euler_ancestral(
    denoiser: Denoiser,
    schedule: Schedule,
    x: Tensor,
    times: Tensor,
    condition: Condition,
    noise: Noise,
) -> Iterator[Step]:
    r"""Ancestral sampling with Euler steps (Karras et al. 2022; k-diffusion's ``euler_ancestral``).

    In noise levels :math:`\bar\sigma = \sigma / \alpha` a step goes down to
    :math:`\bar\sigma_{down} = \bar\sigma_s^2 / \bar\sigma_t` and adds fresh noise of
    :math:`\bar\sigma_{up}^2 = \bar\sigma_s^2 - \bar\sigma_{down}^2`. With
    :math:`k = \bar\sigma_s / \bar\sigma_t` this is
    :math:`x_s = \alpha_s x_0 + \sigma_s (k \epsilon + \sqrt{1 - k^2}\, z)`, which also holds at
    zero SNR, where :math:`\bar\sigma_t` is infinite.
    """
    for index, t, s, live in _steps(times):
        x_0 = _predict(denoiser, x, t, condition, live)
        (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule.alpha_sigma(t), schedule.alpha_sigma(s)
        k = sigma_s * alpha_t / (alpha_s * sigma_t)
        epsilon = (x - alpha_t * x_0) / sigma_t
        fresh = _draw(noise, live, x)
        stepped = alpha_s * x_0 + sigma_s * (k * epsilon + (1 - k**2).clamp(min=0).sqrt() * fresh)
        x = _where(live, stepped, x)
        yield Step(index, x, x_0)


def dpmpp_2m(
    denoiser: Denoiser,
    schedule: Schedule,
    x: Tensor,
    times: Tensor,
    condition: Condition,
    noise: Noise,
) -> Iterator[Step]:
    r"""DPM-Solver++(2M), midpoint (Lu et al. 2022, arXiv 2211.01095, algorithm 2).

    :math:`x_s = \frac{\sigma_s}{\sigma_t} x_t + \alpha_s (1 - e^{-h}) D` with
    :math:`h = \lambda_s - \lambda_t`, :math:`\lambda = \log(\alpha / \sigma)`, and :math:`D` the
    guess extrapolated from the last two. The first and the last step of a picture are of first
    order.
    """
    before = torch.zeros_like(x)
    h_before = x.new_full((len(x), 1, 1, 1), float("nan"))
    for index, t, s, live in _steps(times):
        x_0 = _predict(denoiser, x, t, condition, live)
        (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule.alpha_sigma(t), schedule.alpha_sigma(s)
        h = _log_snr(alpha_s, sigma_s) - _log_snr(alpha_t, sigma_t)
        second = torch.isfinite(h_before) & (s >= 0).view(-1, 1, 1, 1)
        slope = torch.where(second, 0.5 * h / h_before, torch.zeros_like(h))
        guess = x_0 + slope * (x_0 - before)
        decay = sigma_s * alpha_t / (alpha_s * sigma_t)  # e^-h, also where h is infinite
        x = _where(live, sigma_s / sigma_t * x + alpha_s * (1 - decay) * guess, x)
        before, h_before = _where(live, x_0, before), _where(live, h, h_before)
        yield Step(index, x, x_0)


def lcm(
    denoiser: Denoiser,
    schedule: Schedule,
    x: Tensor,
    times: Tensor,
    condition: Condition,
    noise: Noise,
) -> Iterator[Step]:
    r"""Multistep consistency sampling (Luo et al. 2023, arXiv 2310.04378, algorithm 3).

    :math:`x_s = \alpha_s x_0 + \sigma_s z` with fresh noise. (The paper's skip term
    :math:`c_{skip}(t)` is below :math:`10^{-5}` at every time step that a grid visits.)
    """
    for index, t, s, live in _steps(times):
        x_0 = _predict(denoiser, x, t, condition, live)
        alpha_s, sigma_s = schedule.alpha_sigma(s)
        last = index == len(times) - 1
        stepped = x_0 if last else alpha_s * x_0 + sigma_s * _draw(noise, live, x)
        x = _where(live, stepped, x)
        yield Step(index, x, x_0)


SAMPLERS: dict[str, Sampler] = {
    "ddim": ddim,
    "euler_ancestral": euler_ancestral,
    "dpmpp_2m": dpmpp_2m,
    "lcm": lcm,
}


def time_grid(
    schedule: Schedule,
    sampler: str,
    steps: int,
    *,
    spacing: Spacing = "trailing",
    offset: int = 0,
    to_zero: bool = True,
    distilled_steps: int = 50,
) -> Tensor:
    r"""The time steps that a sampler visits, noisiest first, and the time it ends at.

    One grid serves to add noise and to take it away, at any number of steps. (The first public
    inpainting code took two different ones where the steps did not divide the training steps.)

    Args:
        schedule: The training schedule of ``T`` steps.
        sampler: A name in `SAMPLERS`.
        steps: How many times the network is asked, ``1..T``.
        spacing: As in Lin et al. 2023 (arXiv 2305.08891), table 2: ``trailing`` starts at the
            noisiest step and is right for few steps and zero terminal SNR; ``leading`` is what
            Stable Diffusion 1 and XL were published with; ``linspace`` includes both ends.
        offset: Added to ``leading`` times (Stable Diffusion: 1).
        to_zero: End clean; otherwise DDIM ends at time step 0, as Stable Diffusion's config says.
        distilled_steps: Steps of the solver that an LCM was distilled with.

    Returns:
        ``(steps + 1,)`` float32, falling.

    Raises:
        InputError: Unknown sampler or spacing, or a number of steps outside ``1..T``.
    """
    total = len(schedule)
    if sampler not in SAMPLERS:
        raise InputError(f"unknown sampler {sampler!r}: choose one of {', '.join(SAMPLERS)}")
    if not 1 <= steps <= total:
        raise InputError(f"--steps {steps} is out of range: 1 to {total}")
    if sampler == "lcm":
        if steps > distilled_steps:
            raise InputError(f"--steps {steps}: the lcm sampler takes at most {distilled_steps}")
        visited = np.arange(1, distilled_steps + 1) * (total // distilled_steps) - 1
        chosen = np.floor(np.linspace(0, distilled_steps, steps, endpoint=False)).astype(int)
        times = visited[::-1][chosen]
    elif spacing == "trailing":
        times = np.round(np.arange(steps, 0, -1) * (total / steps)) - 1
    elif spacing == "leading":
        # DPM-Solver's own convention leaves room for one more step below the noisiest.
        ratio = total // (steps + 1 if sampler == "dpmpp_2m" else steps)
        first = 1 if sampler == "dpmpp_2m" else 0
        times = np.arange(first, first + steps)[::-1] * max(ratio, 1) + offset
    elif spacing == "linspace":
        points = steps + 1 if sampler == "dpmpp_2m" else steps
        times = np.linspace(0, total - 1, points).round()[::-1][:steps]
    else:
        raise InputError(f"unknown time step spacing {spacing!r}")
    end = CLEAN if to_zero or sampler != "ddim" else 0.0
    times = np.clip(times, 0, total - 1)
    return torch.tensor([*times.tolist(), end], dtype=torch.float32)


def steps_to_run(steps: int, strength: float) -> int:
    """How many of ``steps`` a strength asks for: ``int(steps * strength)``, at least one.

    The rounding is diffusers' own; "at least one" keeps few-step models usable at any strength.

    Raises:
        InputError: The strength is not in ``0..1``.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"--strength {strength} is out of range: 0 to 1")
    return max(1, min(int(steps * strength), steps))


def join_late(grid: Tensor, runs: Sequence[int]) -> Tensor:
    """A grid for a batch: picture ``i`` takes the last ``runs[i]`` steps of ``grid``.

    Returns:
        ``(max(runs) + 1, B)``; shorter columns repeat their first time at the top.
    """
    columns = []
    for run in runs:
        column = grid[-run - 1 :]
        columns.append(torch.cat([column[:1].expand(max(runs) - run), column]))
    return torch.stack(columns, dim=1)


def _steps(times: Tensor) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """Each step's number, its time, the next time, and which pictures take part in it."""
    for index in range(len(times) - 1):
        t, s = times[index], times[index + 1]
        yield index + 1, t, s, t != s


def _predict(
    denoiser: Denoiser, x: Tensor, t: Tensor, condition: Condition, live: Tensor
) -> Tensor:
    if bool(live.all()):
        return denoiser(x, t, condition)
    x_0 = x.clone()
    x_0[live] = denoiser(x[live], t[live], condition[live])
    return x_0


def _draw(noise: Noise, live: Tensor, like: Tensor) -> Tensor:
    drawn = torch.zeros(like.shape)
    drawn[live.cpu()] = noise.draw(live)
    return drawn.to(like)


def _where(live: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(live.view(-1, 1, 1, 1), new, old)


def _log_snr(alpha: Tensor, sigma: Tensor) -> Tensor:
    # 2^-12 is the floor that diffusers gives a zero-SNR schedule, so that h stays finite there.
    return alpha.clamp(min=2**-12).log() - sigma.log()
