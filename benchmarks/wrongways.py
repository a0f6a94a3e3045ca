"""Ways to inpaint that make pictures grey or tinted, each as it was or is done elsewhere.

They are written here and not offered by the package. All take jobs of one size with a mask, as
`Subject.job` makes them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from digressions.condition import Condition
from digressions.denoise import Schedule
from digressions.job import Job
from digressions.models import Model
from digressions.paint import paint_batch
from digressions.sample import Noise

Way = Callable[[Model, Sequence[Job]], Tensor]
"""A model and jobs to pictures ``(B, 3, H, W)`` in 0..1."""


def rescaled_never(model: Model) -> Model:
    """The model with Stable Diffusion's own schedule, which ends short of pure noise."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, len(model.schedule)) ** 2
    schedule = Schedule(torch.cumprod(1 - betas, 0), model.schedule.prediction)
    return dataclasses.replace(model, schedule=schedule)


def leading(model: Model) -> Model:
    """The model with Stable Diffusion's time grid, which does not begin at the noisiest step."""
    return dataclasses.replace(model, spacing="leading", offset=1)


def first_public_indices(steps: int, strength: float, total: int = 1000) -> tuple[int, list[int]]:
    """The time step that noise was added for, and those that were then visited.

    As diffusers 0.3.0 counted them (September 2022) for a DDIM scheduler with an offset of 1: one
    index counts from the end of the grid and the other from its beginning, as if it had ``steps``
    entries, which it has only where they divide ``total``.
    """
    grid = (np.arange(0, total, total // steps)[::-1] + 1).clip(0, total - 1)
    counted = min(int(steps * strength) + 1, steps)
    begin = max(steps - counted + 1, 0)
    return int(grid[-counted]), [int(t) for t in grid[begin:]]


def first_public(steps: int, strength: float, *, one_index: bool, on_time: bool) -> Way:
    """The first public inpainting loop.

    Args:
        one_index: Noise is added for the first step that is visited, as it should have been.
        on_time: The room gets the noise of the level that a step arrives at, as it should have,
            and not of the one that it leaves.
    """

    @torch.inference_mode()
    def way(model: Model, jobs: Sequence[Job]) -> Tensor:
        noised_for, visited = first_public_indices(steps, strength, len(model.schedule))
        images = torch.stack([job.image for job in jobs if job.image is not None])
        latents = model.encode(images)
        masks = torch.stack([job.mask for job in jobs if job.mask is not None])
        small = F.interpolate(masks, latents.shape[-2:])
        noise = Noise([job.seed for job in jobs], tuple(latents.shape[1:])).draw()
        condition = Condition(
            text=model.encode_prompts([job.prompt for job in jobs]),
            guidance=torch.tensor([job.guidance for job in jobs]),
            negative=model.encode_prompts([""] * len(jobs)),
        )
        denoise, schedule = model.denoiser(), model.schedule

        def at(t: int) -> Tensor:
            return torch.full((len(jobs),), float(t))

        x = schedule.noised(latents, noise, at(visited[0] if one_index else noised_for))
        for t in visited:
            s = max(t - len(schedule) // steps, -1)
            x_0 = denoise(x, at(t), condition)
            alpha_t, sigma_t = schedule.alpha_sigma(at(t))
            alpha_s, sigma_s = schedule.alpha_sigma(at(s))
            x = alpha_s * x_0 + sigma_s * (x - alpha_t * x_0) / sigma_t
            x = torch.lerp(schedule.noised(latents, noise, at(s if on_time else t)), x, small)
        return model.decode(x)

    return way


def with_model(change: Callable[[Model], Model]) -> Way:
    """The package's own painting with a model that is set up otherwise."""
    return lambda model, jobs: paint_batch(change(model), jobs)


WAYS: dict[str, tuple[str, str, float, Way]] = {
    "from noise, leading time steps": ("noise", "closed", 1.0, with_model(leading)),
    "from noise, non-zero SNR": ("noise", "closed", 1.0, with_model(rescaled_never)),
    "from the blank, strength 1, both wrong": (
        *("picture", "photo", 1.0),
        with_model(lambda model: leading(rescaled_never(model))),
    ),
    "2022 loop, 10 steps, one index": (
        *("picture", "photo", 0.8),
        first_public(10, 0.8, one_index=True, on_time=True),
    ),
    "2022 loop, 10 steps, as it was": (
        *("picture", "photo", 0.8),
        first_public(10, 0.8, one_index=False, on_time=False),
    ),
}
"""Name: what the hole starts from and holds, the strength, and the way."""
