"""Pictures larger, wider or taller than a model paints whole: painted small, composed to their
aspect, enlarged, and repainted in windows where that makes them better."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import nullcontext

import numpy as np

from ..diffusion.denoise import SHOWS_THE_THING
from ..errors import verbatim
from ..events import Note, Progress, counted
from ..geometry import Size
from ..images import ComposeName
from ..images.composing import composed
from ..images.upscale import Upscaler, enlarge
from ..interrupts import Holding
from ..models.base import Model
from .job import Job
from .metadata import Hires, Record
from .params import ResolvedParams
from .start import Inputs, start_job
from .windows import (
    repainted,
    strength_for,
    window_share,
    windows_in,
    windows_serve,
)


def with_hires(model: Model, record: Record, inputs: Inputs, upscaler: str) -> Record:
    """A record of a picture that is painted small first, if its model cannot paint all of it.

    A masked area is painted at the size that is asked for, into the picture around it. What starts
    from a picture, or has regions, is painted in its own aspect, which that says how to fill.

    Args:
        upscaler: What enlarges it.
    """
    size = record.params.size
    guided = inputs.image is not None or inputs.regions is not None
    fits = model.holds(size) if guided else model.paints_whole(size)
    if fits or inputs.mask is not None:
        return record
    wide = max(size) / min(size) > model.widest_aspect
    compose: ComposeName = "auto" if wide and not guided else "stretch"
    painted = Size(model.size, model.size) if compose == "auto" else _small(model, size)
    strength = strength_for(model.size, size) if windows_serve(model, size) else None
    hires = Hires(painted=painted, compose=compose, strength=strength)
    return record.but(hires=hires, upscaler=upscaler)


def _small(model: Model, size: Size) -> Size:
    """The size of an aspect that has as many pixels as a model is used to, in whole latents."""
    factor = model.vae_scale_factor
    scale = math.sqrt(model.size**2 / size.pixels)
    return Size(*(max(1, round(scale * side / factor)) * factor for side in size))


def first_params(record: Record) -> ResolvedParams:
    """What is painted at once: all of the picture, or the small one that it begins with."""
    return record.params if record.hires is None else record.params.but(size=record.hires.painted)


def first_job(record: Record, inputs: Inputs) -> Job:
    """The job of what is painted at once."""
    return start_job(first_params(record), inputs)


def is_repainted(record: Record) -> bool:
    """Whether a picture is repainted in windows after it was painted small."""
    return record.hires is not None and record.hires.strength is not None


def holding(record: Record, finishing: Holding) -> Holding:
    """What the pictures of a batch are handed over in: ``finishing``, as of `paint.paint_jobs`; but
    Ctrl-C does not wait for repainting, which takes longer than what it would keep."""
    return nullcontext if is_repainted(record) else finishing


def notes_on_hires(model: Model, record: Record, inputs: Inputs) -> Iterator[Note]:
    """Says how a picture is painted that is too large, wide or tall for its model."""
    size, hires = record.params.size, record.hires
    if hires is None:
        if inputs.mask is not None and not model.paints_whole(size):
            yield Note(
                f"the masked area is painted at {size}, where {model.shown} knows {model.size} px: "
                "it may paint its thing twice; `size` says otherwise",
                "note",
            )
        return
    told = f"{model.shown} cannot paint {size} at once: it paints {hires.painted}"
    if hires.compose != "stretch":
        told += ", whose ground is carried on, or a part of it taken"
    told += f", and that is enlarged with {verbatim(record.upscaler)}"
    if hires.strength is not None:
        count = windows_in(model, size)
        told += f" and repainted in {counted(count, 'window')} at strength {hires.strength:g}"
    yield Note(told)


def made_large(
    model: Model, picture: np.ndarray, record: Record, upscaler: Upscaler
) -> Generator[Progress | Note, None, np.ndarray]:
    """A picture ``(h, w, 3)`` uint8 that was painted by `first_job`, at the size of its record.

    Windows that show a part of the thing get no prompt: it would be painted into each of them.

    Yields:
        How it is composed, and progress of the repainting.

    Returns:
        ``(H, W, 3)`` uint8, of ``record.params.size``.
    """
    params, hires = record.params, record.hires
    if hires is None:
        return picture
    aspect = params.size.width / params.size.height
    made = composed(picture, aspect, hires.compose)
    if told := made.told(hires.compose):
        yield Note(f"seed {params.seed}: {told}")
    picture = made.pixels
    if hires.strength is None:
        return enlarge(picture, *params.size, upscaler)
    parts = window_share(model.size, params.size) < SHOWS_THE_THING
    own = params.but(strength=hires.strength, **({"prompt": ""} if parts else {}))
    return (yield from repainted(model, picture, own, upscaler))
