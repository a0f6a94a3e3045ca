"""What stands in for a network in tests and rehearsals, and worlds made with it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from digressions.events import completed
from digressions.generate.job import Job
from digressions.worlds.bank import Bank, growing_bank
from digressions.worlds.world import World


def paint_noise(jobs: Sequence[Job]) -> Tensor:
    """Coarse coloured noise of each job's seed over its start picture, as much as the
    strength says."""
    painted = []
    for job in jobs:
        generator = torch.Generator().manual_seed(job.params.seed)
        noise = torch.rand(1, 3, 8, 8, generator=generator)
        size = job.params.size.height, job.params.size.width
        picture = F.interpolate(noise, size, mode="bicubic").clamp(0, 1)[0]
        painted.append(
            picture if job.image is None else job.image.lerp(picture, job.params.strength)
        )
    return torch.stack(painted)


def grow_bank(world: World, count: int) -> Bank:
    """As `growing_bank`, all at once."""
    return completed(growing_bank(world, count))
