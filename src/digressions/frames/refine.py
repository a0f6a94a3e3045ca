"""An upright picture repainted with another prompt, as large as is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..denoise import window_starts
from ..errors import InputError
from ..geometry import Box, Size
from ..job import Job
from ..models import Model
from ..paint import paint
from ..pictures.images import to_array, to_tensor
from ..upscale import Upscaler, enlarge

MOST = 4.0


@dataclass(frozen=True)
class Refinement:
    """How a picture is repainted.

    Attributes:
        prompt: What it shall show, as of any job.
        strength: 0..1: how freely it is painted over.
        scale: The longer side of the result, in sides of the model, 1..4. Above 1 it is painted in
            windows of the model's size that agree at every step.
    """

    prompt: str
    strength: float = 0.5
    scale: float = 2.0

    def __post_init__(self) -> None:
        """Raises:
        InputError: A strength or scale that is out of range.
        """
        if not 0 <= self.strength <= 1:
            raise InputError(f"--refine-strength {self.strength:g} is out of range: 0 to 1")
        if not 1 <= self.scale <= MOST:
            raise InputError(
                f"--refine-scale {self.scale:g} is out of range: 1 to {MOST:g} times the model's "
                "size"
            )


def refined_size(aspect: float, scale: float, side: int) -> Size:
    """Of the result for a picture of an aspect, in pixels."""
    longest = scale * side
    return Size(
        max(1, round(longest * min(1.0, aspect))), max(1, round(longest * min(1.0, 1 / aspect)))
    )


def windows(size: Size, side: int, factor: int) -> int:
    """How many times a step asks the network for a picture of a size."""
    canvas = _canvas(size, side, factor)
    sides = (len(window_starts(s // factor, side // factor)) for s in canvas)
    return math.prod(sides)


def refine_job(
    model: Model,
    picture: np.ndarray,
    plan: Refinement,
    *,
    seed: int,
    steps: int,
    guidance: float,
    sampler: str,
    negative: str = "",
    how: str = "mean",
) -> tuple[Job, Box]:
    """The job that repaints a picture, and where the picture lies on its canvas.

    The picture is padded to the model's size, mirrored as far as it reaches.

    Args:
        picture: ``(h, w, 3)`` uint8, already of the wanted size (see `refined_size`).
    """
    height, width = picture.shape[:2]
    canvas = _canvas(Size(width, height), model.size, model.factor)
    left, top = (canvas.width - width) // 2, (canvas.height - height) // 2
    around = ((top, canvas.height - height - top), (left, canvas.width - width - left), (0, 0))
    padded = np.pad(picture, around, mode="symmetric")
    # An inpainting network is told that all of it is to be painted.
    everywhere = torch.ones(1, canvas.height, canvas.width) if model.inpainting else None
    job = Job(
        plan.prompt,
        seed=seed,
        width=canvas.width,
        height=canvas.height,
        steps=steps,
        guidance=guidance,
        sampler=sampler,
        negative=negative,
        image=to_tensor(padded),
        strength=plan.strength,
        mask=everywhere,
        how=how,
        tiles=True,
    )
    return job, Box(left, top, left + width, top + height)


def refined(
    model: Model,
    picture: np.ndarray,
    plan: Refinement,
    upscaler: Upscaler,
    on_step: Callable[[int], None] | None = None,
    **settings: Any,
) -> np.ndarray:
    """A picture ``(h, w, 3)`` uint8 repainted, at `refined_size`.

    Args:
        upscaler: Enlarges it before it is painted over.
        settings: As of `refine_job`.
    """
    wanted = refined_size(picture.shape[1] / picture.shape[0], plan.scale, model.size)
    large = enlarge(picture, *wanted, upscaler)
    job, box = refine_job(model, large, plan, **settings)
    (painted,) = paint(model, [job], on_step=on_step)
    return to_array(painted.image)[box.top : box.bottom, box.left : box.right]


def _canvas(size: Size, side: int, factor: int) -> Size:
    return Size(*(max(side, -(-length // factor) * factor) for length in size))
