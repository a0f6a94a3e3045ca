"""Parameters and jobs of tests: a small picture, with what a test cares about said by name."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from digressions.generate.job import Job
from digressions.generate.params import ResolvedParams
from digressions.mosaics.mosaic_spec import Mosaic

SIDE = 64
PROMPT = "photo of a frog"


def resolved(prompt: str = PROMPT, **changes: Any) -> ResolvedParams:
    """Six steps of DDIM without guidance, and changes by name."""
    usual = {"seed": 1, "size": SIDE, "steps": 6, "sampler": "ddim", "guidance": 1.0}
    return ResolvedParams(prompt=prompt, **usual | {"strength": 1.0} | changes)


def plain_mosaic(params: ResolvedParams, grid: Any) -> Mosaic:
    """A mosaic of plain cells."""
    return Mosaic(
        params=params,
        grid=grid,
        band=2,
        anchor=0.3,
        mirror=0.5,
        jitter=0.125,
        enlarge=1,
        upscaler="lanczos",
    )


def job(
    prompt: str = PROMPT,
    *,
    image: Tensor | None = None,
    mask: Tensor | None = None,
    regions: Tensor | None = None,
    anchor: float = 0.0,
    band: int = 2,
    tiles: bool = False,
    **changes: Any,
) -> Job:
    """A job of `resolved` parameters."""
    return Job(resolved(prompt, **changes), image, mask, regions, anchor, band, tiles)
