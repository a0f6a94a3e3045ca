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

from digressions.diffusion.combine import mean
from digressions.diffusion.condition import Condition
from digressions.diffusion.noise import Noise
from digressions.generate.job import Job
from digressions.generate.paint import painter_of
from digressions.models.stable_diffusion import StableDiffusion

Way = Callable[[StableDiffusion, Sequence[Job]], Tensor]
"""A model and jobs to pictures ``(B, 3, H, W)`` in 0..1."""


def rescaled_never(model: StableDiffusion) -> StableDiffusion:
    """The model with Stable Diffusion's own schedule, which ends short of pure noise."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, len(model.schedule)) ** 2
    table = dataclasses.replace(model.schedule, alphas_cumprod=torch.cumprod(1 - betas, 0))
    return dataclasses.replace(model, schedule=table)


def leading(model: StableDiffusion) -> StableDiffusion:
    """The model with Stable Diffusion's time grid, which does not begin at the noisiest step."""
    return dataclasses.replace(model, spacing="leading", steps_offset=1)


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
    def way(model: StableDiffusion, jobs: Sequence[Job]) -> Tensor:
        noised_for, visited = first_public_indices(steps, strength, len(model.schedule))
        images = torch.stack([job.image for job in jobs if job.image is not None])
        latents = model.encode(images)
        masks = torch.stack([job.mask for job in jobs if job.mask is not None])
        small = F.interpolate(masks, latents.shape[-2:])
        noise = Noise([job.params.seed for job in jobs], tuple(latents.shape[1:])).draw()
        size = jobs[0].params.size
        condition = Condition(
            text=model.encode_text([job.params.prompt for job in jobs], *size),
            guidance=torch.tensor([job.params.guidance for job in jobs]),
            negative=model.encode_text([""] * len(jobs), *size),
        )
        denoise, schedule = model.denoiser(mean), model.schedule

        def at(t: int) -> Tensor:
            return torch.full((len(jobs),), float(t))

        x = schedule.noised(latents, noise, at(visited[0] if one_index else noised_for))
        for t in visited:
            s = max(t - len(schedule) // steps, -1)
            x_0 = denoise(x, at(t), condition).x_0
            alpha_t, sigma_t = schedule.alpha_sigma(at(t))
            alpha_s, sigma_s = schedule.alpha_sigma(at(s))
            x = alpha_s * x_0 + sigma_s * (x - alpha_t * x_0) / sigma_t
            x = torch.lerp(schedule.noised(latents, noise, at(s if on_time else t)), x, small)
        return model.decode(x)

    return way


def with_model(change: Callable[[StableDiffusion], StableDiffusion]) -> Way:
    """The package's own painting with a model that is set up otherwise."""
    return lambda model, jobs: painter_of(change(model))(jobs)


WAYS: dict[str, tuple[str, str, float, Way]] = {
    "from noise, leading time steps": ("noise", "around", 1.0, with_model(leading)),
    "from noise, non-zero SNR": ("noise", "around", 1.0, with_model(rescaled_never)),
    "from the blank, strength 1, both wrong": (
        *("original", "photo", 1.0),
        with_model(lambda model: leading(rescaled_never(model))),
    ),
    "2022 loop, 10 steps, one index": (
        *("original", "photo", 0.8),
        first_public(10, 0.8, one_index=True, on_time=True),
    ),
    "2022 loop, 10 steps, as it was": (
        *("original", "photo", 0.8),
        first_public(10, 0.8, one_index=False, on_time=False),
    ),
}
"""Name: what the masked area starts from and holds, the strength, and the way."""
