"""Jobs to pictures: text-to-image, image-to-image and inpainting in one batch.

A `Job` says what one picture should be. `paint_jobs` sorts jobs into batches of one size and one
way of sampling and yields the pictures as they are finished. A batch may mix prompts, seeds,
strengths, guidance scales, start pictures and masks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..diffusion.combine import COMBINE, sample_averaged_latents, superdiff_or
from ..diffusion.noise import Noise
from ..diffusion.sample import SAMPLERS, Step, sample, with_late_starts
from ..events import Preview, Progress
from ..images.masks import membrane_blend
from ..interrupts import Holding
from ..models.base import Model
from .batching import MemorySparingPainter
from .conditioning import start_images, start_of
from .job import Job, check
from .previews import PaintPreviews


class Painted(NamedTuple):
    """A finished picture: its job's place in the list, and ``(3, H, W)`` float32 in 0..1."""

    job: int
    image: Tensor


def paint_jobs(
    model: Model,
    jobs: Sequence[Job],
    *,
    batch_size: int = 16,
    finishing: Holding = nullcontext,
    previews: PaintPreviews | None = None,
) -> Iterator[Progress | Preview | Painted]:
    """Paints all jobs; yields each picture when its batch is done, and progress in steps.

    Args:
        model: A loaded model.
        jobs: Any mixture.
        batch_size: Pictures a batch, at most.
        finishing: What the pictures of a batch are handed over in: with `interrupts_held`, Ctrl-C
            waits until the caller has kept all of them.
        previews: How the pictures look so far is shown as well, as often as this says.

    Raises:
        InputError, PromptError: A job that cannot be painted, before anything is painted.
    """
    for job in jobs:
        check(model, job)
    painter = painter_of(model, _unseen if previews is None else previews.note)
    total, done = sum(job.num_steps for job in jobs), 0
    for batch in batches(jobs, batch_size):
        own = [jobs[i] for i in batch]
        finished = done + sum(job.num_steps for job in own)
        steps = painter.painting(own)
        try:
            while True:
                done = min(done + next(steps), finished)
                yield Progress("painting", done, total)
                if previews is not None and (preview := previews.due()) is not None:
                    yield preview
        except StopIteration as end:
            images = end.value
        done = finished
        with finishing():
            yield from (Painted(i, image) for i, image in zip(batch, images, strict=True))
    yield Progress("painting", total, total)


Seen: TypeAlias = Callable[[Step], object]
"""Gets every step of the sampling to see."""


def _unseen(step: Step) -> None:
    """Nobody looks."""


def painter_of(model: Model, seen: Seen = _unseen) -> MemorySparingPainter:
    """A painter of batches that paints in parts what the device's memory does not hold."""
    return MemorySparingPainter(functools.partial(painting, model, seen=seen), model.device)


def batches(jobs: Sequence[Job], batch_size: int) -> Iterator[list[int]]:
    """Indices of jobs that can share a batch; jobs of like length come together."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for index, job in enumerate(jobs):
        # Inpainting networks take extra channels, so a batch has masks or has none.
        # A plain prompt takes the same path whatever others are in the list.
        params = job.params
        combine = params.combine if job.is_combined else None
        way = (params.sampler, params.steps, params.timestep_spacing, params.zero_snr)
        kind = (params.size, way, job.band, combine, job.mask is None, job.tiles, job.away is None)
        kinds.setdefault(kind, []).append(index)
    for members in kinds.values():
        members.sort(key=lambda i: -jobs[i].num_steps)
        for start in range(0, len(members), batch_size):
            yield members[start : start + batch_size]


def painting(
    model: Model, jobs: Sequence[Job], *, seen: Seen = _unseen
) -> Generator[int, None, Tensor]:
    """Paints one batch of jobs that `batches` put together.

    Args:
        seen: Gets every step to see.

    Yields:
        After every step, the pictures that took part in it.

    Returns:
        ``(B, 3, H, W)`` float32 in 0..1.
    """
    if len({job.loras for job in jobs}) > 1:
        return (yield from _by_loras(model, jobs, seen))
    x = None
    for step in sample_batch(model, jobs):
        x = step.x
        seen(step)
        yield int(step.active.sum())
    assert x is not None  # a grid has at least one step
    return decode_batch(model, jobs, x)


def _by_loras(model: Model, jobs: Sequence[Job], seen: Seen) -> Generator[int, None, Tensor]:
    """Paints jobs whose prompts name several LoRAs, those of one set at a time."""
    images: dict[int, Tensor] = {}
    for loras in dict.fromkeys(job.loras for job in jobs):
        places = [place for place, job in enumerate(jobs) if job.loras == loras]
        painted = yield from painting(model, [jobs[place] for place in places], seen=seen)
        images |= zip(places, painted, strict=True)
    return torch.stack([images[place] for place in range(len(jobs))])


@torch.inference_mode()
def decode_batch(model: Model, jobs: Sequence[Job], x: Tensor) -> Tensor:
    """Latents of a batch to pictures; what was painted into a mask is blended into its picture."""
    images = model.decode(x).cpu()
    if jobs[0].mask is None:
        return images
    masks = torch.stack([job.mask for job in jobs if job.mask is not None])
    return membrane_blend(images, start_images(jobs), masks, model.vae_scale_factor)


@torch.inference_mode()
def sample_batch(model: Model, jobs: Sequence[Job]) -> Iterator[Step]:
    """The sampling of one batch, step by step, in latents."""
    params = jobs[0].params
    model.use_loras(jobs[0].loras)
    model = model.with_timesteps(params.timestep_spacing, params.zero_snr)
    grid = model.times(params.sampler, params.steps)
    times = with_late_starts(grid, [job.num_steps for job in jobs]).to(model.device)
    factor = model.vae_scale_factor
    shape = (model.latent_channels, params.size.height // factor, params.size.width // factor)
    noise = Noise([job.params.seed for job in jobs], shape)
    x, condition = start_of(model, jobs, times, noise.draw().to(model.device))
    denoiser = model.denoiser(COMBINE[params.combine], tiles=jobs[0].tiles)
    arguments = SAMPLERS[params.sampler], model.schedule, x, times, condition, noise
    if params.combine == "latents":
        steps = sample_averaged_latents(denoiser, *arguments)
    else:
        or_ = params.combine == "superpose-or"
        steps = sample(denoiser, *arguments, superdiff_or(model.schedule) if or_ else None)
    for step in steps:
        if condition.inpaint is not None and step.done == len(times) - 1:
            # A schedule that ends just short of clean still hands the image back clean.
            kept = condition.inpaint
            step = step._replace(x=torch.lerp(kept.image_latents, step.x, kept.mask))
        yield step
