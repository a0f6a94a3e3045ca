"""A picture repainted at a size that a model cannot paint at once: image-to-image, in windows of
the model's size that agree at every step."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
import torch

from ..diffusion.denoise import window_starts
from ..events import Progress
from ..geometry import Box, Size
from ..images.composing import detail
from ..images.image_files import to_array, to_tensor
from ..images.upscale import Upscaler, enlarge
from ..models.base import FEW_PIXELS, Model
from .job import Away, Job
from .paint import Painted, paint_jobs
from .params import ResolvedParams

REPAINTED = 0.5  # the strength where one window shows the whole picture
_LESS = 0.75  # the power of a window's share that the strength falls by


def window_share(side: int, size: Size) -> float:
    """0..1, how much of a picture's longer side a window of a side shows; both in pixels."""
    return min(1.0, side / max(size))


def strength_for(side: int, size: Size) -> float:
    """How freely windows of a side may repaint a picture of a size.

    The less of the picture a window shows, the less the model knows of what it is a part of, and
    the more of it must be there already: 0.5 for one window, 0.3 for half of a side, 0.18 for a
    quarter.
    """
    return round(REPAINTED * window_share(side, size) ** _LESS, 2)


def window_holds_the_thing(model: Model, size: Size) -> bool:
    """Whether one window shows the whole thing in a picture that is composed to a size; in the
    others there is only ground."""
    return model.size >= min(size)


def windows_serve(model: Model, size: Size) -> bool:
    """Whether repainting in windows makes a picture of a size better.

    What a window of few pixels shows is a part of the thing, and a model of few pixels knows whole
    things only: it would paint one into each window.
    """
    return model.size >= FEW_PIXELS or max(size) <= model.size


def windows_in(model: Model, size: Size) -> int:
    """How many times a step asks the network for a picture of a size in pixels."""
    factor = model.vae_scale_factor
    canvas = _canvas(size, model.size, factor)
    return math.prod(len(window_starts(s // factor, model.size // factor)) for s in canvas)


def window_job(
    model: Model, picture: np.ndarray, params: ResolvedParams, elsewhere: str | None = None
) -> tuple[Job, Box]:
    """The job that repaints a picture, and where the picture lies on its canvas.

    The picture is padded to the model's size, mirrored as far as it reaches. What is larger is
    painted in windows of the model's size that agree at every step.

    Args:
        picture: ``(h, w, 3)`` uint8, already of the wanted size.
        params: By which; the size is that of the canvas, whatever they say.
        elsewhere: The prompt of windows that cannot show the picture's thing; that of ``params``
            if not given.
    """
    height, width = picture.shape[:2]
    canvas = _canvas(Size(width, height), model.size, model.vae_scale_factor)
    left, top = (canvas.width - width) // 2, (canvas.height - height) // 2
    around = ((top, canvas.height - height - top), (left, canvas.width - width - left), (0, 0))
    padded = np.pad(picture, around, mode="symmetric")
    # An inpainting network is told that all of it is to be painted.
    everywhere = torch.ones(1, canvas.height, canvas.width) if model.inpainting else None
    box = thing_in(picture)
    thing = (
        (top + box.top) / canvas.height,
        (left + box.left) / canvas.width,
        (top + box.bottom) / canvas.height,
        (left + box.right) / canvas.width,
    )
    away = None if elsewhere is None else Away(elsewhere, thing)
    job = Job(params.but(size=canvas), to_tensor(padded), everywhere, tiles=True, away=away)
    return job, Box(left, top, left + width, top + height)


def thing_in(picture: np.ndarray) -> Box:
    """Where the thing in a picture ``(H, W, 3)`` uint8 is: the square of its shorter side with most
    of its detail, since a thing fills the square that it was painted on and ground is smooth."""
    height, width = picture.shape[:2]
    side = min(height, width)
    along = detail(picture, side).sum(0 if width > height else 1)
    held = np.convolve(along, np.ones(side), "valid")
    start = int(np.flatnonzero(held >= (1 - 1e-6) * held.max()).mean())  # the middle of equals
    return (
        Box(start, 0, start + side, side) if width > height else Box(0, start, side, start + side)
    )


def repainted(
    model: Model,
    picture: np.ndarray,
    params: ResolvedParams,
    upscaler: Upscaler,
    task: str = "repainting",
    elsewhere: str | None = None,
) -> Generator[Progress, None, np.ndarray]:
    """Enlarges a picture ``(h, w, 3)`` uint8 to ``params.size`` and repaints it.

    Args:
        params: By which.
        upscaler: Enlarges it before it is painted over.
        task: What the progress is called.
        elsewhere: As of `window_job`.

    Yields:
        Progress in steps.

    Returns:
        The picture at ``params.size``.
    """
    job, box = window_job(model, enlarge(picture, *params.size, upscaler), params, elsewhere)
    painted = yield from painted_alone(model, job, task)
    return painted[box.top : box.bottom, box.left : box.right]


def painted_alone(
    model: Model, job: Job, task: str = "painting"
) -> Generator[Progress, None, np.ndarray]:
    """Paints one job. Yields progress in steps, and returns ``(H, W, 3)`` uint8."""
    image: np.ndarray | None = None
    for found in paint_jobs(model, [job]):
        if isinstance(found, Painted):
            image = to_array(found.image)
        elif isinstance(found, Progress):
            yield Progress(task, found.done, found.total)
    assert image is not None  # a job gives a picture
    return image


def _canvas(size: Size, side: int, factor: int) -> Size:
    return Size(*(max(side, -(-length // factor) * factor) for length in size))
