r"""How much noise a time means, and what a network's output says about the clean picture.

A picture in the making is :math:`x_t = \alpha_t x_0 + \sigma_t \epsilon`. A schedule gives
:math:`\alpha_t, \sigma_t` for **continuous** times ``t``:

    TableSchedule     Stable Diffusion: training time steps 0..T-1, interpolated between
    FlowSchedule      flow matching (Stable Diffusion 3, FLUX, ...): (1 - t, t), t in 0..1
    TrigFlowSchedule  consistency models (sCM): (cos t, sin t), t in 0..pi/2

Times fall while a picture is sampled. Every schedule has a `clean_time`, where
:math:`\alpha = 1, \sigma = 0`.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "sample", "flow"]


@dataclass(frozen=True)
class Schedule(ABC):
    r"""The noise levels of a family of models.

    Attributes:
        prediction: What the network puts out: the noise ``epsilon``; the velocity
            :math:`v = \alpha_t \epsilon - \sigma_t x_0` (Salimans & Ho 2022, arXiv 2202.00512);
            the clean ``sample``; or the ``flow`` :math:`\epsilon - x_0` (Lipman et al. 2023,
            arXiv 2210.02747).
        clean_time: The time of a picture without noise.
    """

    prediction: Prediction
    clean_time: ClassVar[float] = 0.0

    @abstractmethod
    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        r""":math:`\alpha_t, \sigma_t` shaped ``(..., 1, 1, 1)`` to multiply latents with.

        Args:
            t: Times of any shape, float32.
        """

    @abstractmethod
    def time_of(self, noise_level: Tensor) -> Tensor:
        r"""The times of noise levels :math:`\sigma_t / \alpha_t`: the way back from `alpha_sigma`.

        Args:
            noise_level: ``(N,)``, within the schedule.
        """

    @abstractmethod
    def levels(self, count: int) -> Tensor:
        """Times spread evenly over the whole schedule, from little noise to much: ``(count,)``."""

    def noised(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        r""":math:`x_t = \alpha_t x_0 + \sigma_t \epsilon`."""
        alpha, sigma = self.alpha_sigma(t)
        return alpha * x_0 + sigma * noise

    def clean(self, x_t: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """The ``x_0`` that a network's output means: the one place that knows predictions."""
        alpha, sigma = self.alpha_sigma(t)
        match self.prediction:
            case "epsilon":
                return (x_t - sigma * output) / alpha
            case "v_prediction":
                return alpha * x_t - sigma * output
            case "flow":  # x_t = alpha x_0 + sigma (output + x_0)
                return (x_t - sigma * output) / (alpha + sigma)
            case "sample":
                return output

    def output(self, x_t: Tensor, x_0: Tensor, t: Tensor) -> Tensor:
        """What a network puts out that means ``x_0``: the way back from `clean`."""
        alpha, sigma = self.alpha_sigma(t)
        match self.prediction:
            case "epsilon":
                return (x_t - alpha * x_0) / sigma
            case "v_prediction":
                return (alpha * x_t - x_0) / sigma
            case "flow":
                return (x_t - (alpha + sigma) * x_0) / sigma
            case "sample":
                return x_0


@dataclass(frozen=True)
class TableSchedule(Schedule):
    r"""A table of training time steps; variance preserving, :math:`\alpha^2 + \sigma^2 = 1`.

    Times are ``-1`` (clean) to ``T - 1``; between two steps :math:`\alpha_t^2` is interpolated.

    Attributes:
        alphas_cumprod: :math:`\bar\alpha_t = \alpha_t^2` for ``t = 0..T-1``, ``(T,)`` float32,
            falling. The last may be 0 (zero terminal SNR, Lin et al. 2023, arXiv 2305.08891).
    """

    prediction: Prediction = "epsilon"
    alphas_cumprod: Tensor = dataclasses.field(kw_only=True)
    clean_time: ClassVar[float] = -1.0

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        one = self.alphas_cumprod.new_ones(1)
        table = torch.cat([one, self.alphas_cumprod]).to(t.device)  # [0] is clean, t = -1
        place = (t + 1).clamp(0, len(self))
        below = place.floor().long()
        above = (below + 1).clamp(max=len(self))
        squared = torch.lerp(table[below], table[above], (place - below).to(table.dtype))
        squared = squared.view(*squared.shape, 1, 1, 1)
        return squared.sqrt(), (1 - squared).sqrt()

    def time_of(self, noise_level: Tensor) -> Tensor:
        squared = 1 / (1 + noise_level.double() ** 2)
        one = self.alphas_cumprod.new_ones(1)
        table = torch.cat([one, self.alphas_cumprod]).to(noise_level.device).double()
        above = torch.searchsorted(-table, -squared).clamp(1, len(self))
        high, low = table[above - 1], table[above]
        part = ((high - squared) / (high - low)).clamp(0, 1)
        return (above - 2 + part).float()

    def levels(self, count: int) -> Tensor:
        return ((torch.arange(count) + 0.5) * len(self) / count).floor()

    def zero_terminal_snr(self) -> TableSchedule:
        """Shifted and scaled so that the last step is noise alone (arXiv 2305.08891, alg. 1)."""
        root = self.alphas_cumprod.sqrt()
        ended = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
        return dataclasses.replace(self, alphas_cumprod=ended)


@dataclass(frozen=True)
class FlowSchedule(Schedule):
    r"""Straight paths from data to noise: :math:`x_t = (1 - t) x_0 + t \epsilon`, ``t`` in 0..1.

    Attributes:
        shift: Times are moved towards noise, :math:`t \mapsto s t / (1 + (s - 1) t)` (Esser et al.
            2024, arXiv 2403.03206, eq. 23); 1 for none.
    """

    prediction: Prediction = "flow"
    shift: float = 1.0

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        t = t.view(*t.shape, 1, 1, 1)
        return 1 - t, t

    def time_of(self, noise_level: Tensor) -> Tensor:
        return noise_level / (1 + noise_level)

    def levels(self, count: int) -> Tensor:
        return (torch.arange(count) + 0.5) / count

    def grid(self, steps: int) -> Tensor:
        """The times of a run, ``(steps + 1,)`` float32: evenly spread, then shifted, to 0."""
        even = torch.linspace(1, 0, steps + 1)
        return self.shift * even / (1 + (self.shift - 1) * even)


@dataclass(frozen=True)
class TrigFlowSchedule(Schedule):
    r"""The quarter circle: :math:`x_t = \cos(t) x_0 + \sin(t) \epsilon`, ``t`` in 0..pi/2.

    Lu & Song 2024 (arXiv 2410.11081). Their network's output is the velocity of `v_prediction`.
    """

    prediction: Prediction = "v_prediction"

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        t = t.view(*t.shape, 1, 1, 1)
        return t.cos(), t.sin()

    def time_of(self, noise_level: Tensor) -> Tensor:
        return noise_level.atan()

    def levels(self, count: int) -> Tensor:
        return (torch.arange(count) + 0.5) / count * (torch.pi / 2)
