"""Jobs to pictures: text-to-image, image-to-image and inpainting in one batch.

A `Job` says what one picture should be. `paint` sorts jobs into batches of one size and one way of
sampling and yields the pictures as they are finished. A batch may mix prompts, seeds, strengths,
guidance scales, start pictures and masks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .condition import Anchor, Condition, Known
from .errors import InputError
from .images import to_tensor
from .metadata import Settings
from .models import Model
from .sample import SAMPLERS, Noise, Step, join_late, steps_to_run

MAX_SEED = 2**63 - 1

Painter = Callable[[Sequence["Job"]], Tensor]
"""Jobs of one size to pictures ``(B, 3, H, W)`` float32 in 0..1: `paint_batch` with its model."""


@dataclass(frozen=True)
class Job:
    """One picture to paint.

    Attributes:
        prompt: What it shows.
        seed: Of its noise, ``0 .. 2**63 - 1``. The same job with the same seed and model is the
            same picture, in any batch.
        width, height: In pixels, multiples of the model's ``factor``.
        steps: Of the whole time grid; image-to-image runs ``steps * strength`` of them.
        guidance: Scale; 1 or less is none.
        sampler: A name in `SAMPLERS`.
        image: Start picture ``(3, height, width)``, float32 in 0..1, or ``None`` to start from
            noise alone.
        strength: How much of the start picture is noised away, 0..1. Without a mask the noise at
            strength 1 still holds a trace of the picture, unless the model has zero terminal SNR.
        mask: ``(1, height, width)`` in 0..1: 1 where to paint, 0 where to keep; needs an image.
            At strength 1 the masked part starts from pure noise.
        anchor: Weight 0..1 with which every step's guess is pulled to the coarse colours of the
            start picture; 0 for not at all.
        band: Boxes along a side that the anchor compares.
    """

    prompt: str
    seed: int
    width: int
    height: int
    steps: int
    guidance: float
    sampler: str
    negative: str = ""
    image: Tensor | None = None
    strength: float = 1.0
    mask: Tensor | None = None
    anchor: float = 0.0
    band: int = 2

    @property
    def run(self) -> int:
        """How many times the network is asked."""
        return self.steps if self.image is None else steps_to_run(self.steps, self.strength)


def job_of(
    settings: Settings, image: np.ndarray | None = None, mask: np.ndarray | None = None
) -> Job:
    """The job of some settings, with start picture ``(H, W, 3)`` and mask ``(H, W)``, uint8."""
    return Job(
        settings.prompt,
        seed=settings.seed,
        width=settings.width,
        height=settings.height,
        steps=settings.steps,
        guidance=settings.guidance,
        sampler=settings.sampler,
        negative=settings.negative,
        image=None if image is None else to_tensor(image),
        mask=None if mask is None else torch.from_numpy(mask / np.float32(255))[None],
        strength=1.0 if settings.strength is None else settings.strength,
    )


class Painted(NamedTuple):
    """A finished picture: its job's place in the list, and ``(3, H, W)`` float32 in 0..1."""

    job: int
    image: Tensor


def paint(
    model: Model,
    jobs: Sequence[Job],
    *,
    batch_size: int = 16,
    on_step: Callable[[int], None] | None = None,
) -> Iterator[Painted]:
    """Paints all jobs and yields each picture when its batch is done.

    Args:
        model: A loaded model.
        jobs: Any mixture.
        batch_size: Pictures a batch, at most.
        on_step: Called after every step with the number of pictures that it took part in.

    Raises:
        InputError, PromptError: A job that cannot be painted, before anything is painted.
    """
    for job in jobs:
        check(model, job)
    for batch in batches(jobs, batch_size):
        images = paint_batch(model, [jobs[i] for i in batch], on_step=on_step)
        yield from (Painted(i, image) for i, image in zip(batch, images, strict=True))


def batches(jobs: Sequence[Job], batch_size: int) -> Iterator[list[int]]:
    """Indices of jobs that can share a batch; jobs of like length come together."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for index, job in enumerate(jobs):
        # Inpainting networks take extra channels, so a batch has masks or has none.
        kind = (job.width, job.height, job.sampler, job.steps, job.mask is None, job.band)
        kinds.setdefault(kind, []).append(index)
    for members in kinds.values():
        members.sort(key=lambda i: -jobs[i].run)
        for start in range(0, len(members), batch_size):
            yield members[start : start + batch_size]


def check(model: Model, job: Job) -> None:
    """Raises what `paint` would raise for this job, without painting."""
    for name, side in (("width", job.width), ("height", job.height)):
        if side < model.factor or side % model.factor:
            raise InputError(f"{name} {side} is not a positive multiple of {model.factor}")
    if not 0 <= job.seed <= MAX_SEED:
        raise InputError(f"--seed {job.seed} is out of range: 0 to {MAX_SEED}")
    if not math.isfinite(job.guidance):
        raise InputError(f"--guidance {job.guidance} is not a finite number")
    if not 0 <= job.anchor <= 1:
        raise InputError(f"the anchor's weight {job.anchor} is out of range: 0 to 1")
    steps_to_run(job.steps, job.strength)
    model.times(job.sampler, job.steps)
    for name, value, channels in (("image", job.image, 3), ("mask", job.mask, 1)):
        if value is not None and tuple(value.shape) != (channels, job.height, job.width):
            wanted = f"{channels} x {job.height} x {job.width}"
            raise InputError(f"the {name} is {tuple(value.shape)} where the job wants {wanted}")
    if job.mask is not None and job.image is None:
        raise InputError("a mask needs an image to keep the rest of")
    if model.inpainting and job.mask is None:
        raise InputError(f"{model.name} is an inpainting model: it needs an image and a mask")
    if job.anchor and job.image is None:
        raise InputError("an anchor needs a start picture to take the colours of")
    model.encode_prompts([job.prompt, job.negative])


@torch.inference_mode()
def paint_batch(
    model: Model, jobs: Sequence[Job], on_step: Callable[[int], None] | None = None
) -> Tensor:
    """Paints one batch of jobs that `batches` put together: ``(B, 3, H, W)`` float32 in 0..1."""
    x = None
    for step in sample(model, jobs):
        x = step.x
        if on_step is not None:
            on_step(len(jobs))
    assert x is not None  # a grid has at least one step
    return model.decode(x).cpu()


def paint_noise(jobs: Sequence[Job]) -> Tensor:
    """A painter without a network, for tests and rehearsals: coarse coloured noise of each job's
    seed over its start picture, as much of it as the strength says."""
    painted = []
    for job in jobs:
        generator = torch.Generator().manual_seed(job.seed)
        noise = torch.rand(1, 3, 8, 8, generator=generator)
        picture = F.interpolate(noise, (job.height, job.width), mode="bicubic").clamp(0, 1)[0]
        painted.append(picture if job.image is None else job.image.lerp(picture, job.strength))
    return torch.stack(painted)


@torch.inference_mode()
def sample(model: Model, jobs: Sequence[Job]) -> Iterator[Step]:
    """The sampling of one batch, step by step, in latents."""
    first = jobs[0]
    runs = [job.run for job in jobs]
    times = join_late(model.times(first.sampler, first.steps), runs).to(model.device)
    shape = (model.channels, first.height // model.factor, first.width // model.factor)
    noise = Noise([job.seed for job in jobs], shape)
    x, condition = _start(model, jobs, times[0], noise.draw().to(model.device))
    sampler = SAMPLERS[first.sampler]
    for step in sampler(model.denoiser(), model.schedule, x, times, condition, noise):
        if condition.known is not None and step.done == len(times) - 1:
            # A schedule that ends just short of clean still hands the known part back clean.
            known = condition.known
            step = step._replace(x=torch.lerp(known.latents, step.x, known.mask))
        yield step


def _start(
    model: Model, jobs: Sequence[Job], start: Tensor, noise: Tensor
) -> tuple[Tensor, Condition]:
    """The noisy latents to begin with, and what every picture is asked for."""
    condition = _texts(model, jobs)
    from_noise = noise * model.start_scale(jobs[0].sampler, start)
    if all(job.image is None for job in jobs):
        return from_noise, condition
    latents = _encode_starts(model, jobs, noise)
    x = model.schedule.noised(latents, noise, start)
    pure = [job.image is None or (job.mask is not None and job.strength == 1) for job in jobs]
    x = torch.where(torch.tensor(pure, device=x.device).view(-1, 1, 1, 1), from_noise, x)
    weights = torch.tensor([job.anchor for job in jobs], device=x.device)
    if weights.any():
        band = F.adaptive_avg_pool2d(latents, (jobs[0].band, jobs[0].band))
        condition = dataclasses.replace(condition, anchor=Anchor(band, weights))
    if jobs[0].mask is not None:
        condition = _with_mask(model, jobs, condition, Known(latents, noise, noise[:, :1], start))
    return x, condition


def _texts(model: Model, jobs: Sequence[Job]) -> Condition:
    guidance = torch.tensor([float(job.guidance) for job in jobs], device=model.device)
    wanted = bool((guidance > 1).any()) and not model.guidance_in_network
    return Condition(
        text=model.encode_prompts([job.prompt for job in jobs]),
        # A scale of 1 is the prompt alone; below 1 would be towards the negative.
        guidance=guidance if model.guidance_in_network else guidance.clamp(min=1),
        negative=model.encode_prompts([job.negative for job in jobs]) if wanted else None,
        time_ids=model.time_ids(jobs[0].width, jobs[0].height, len(jobs)),
    )


def _encode_starts(model: Model, jobs: Sequence[Job], like: Tensor) -> Tensor:
    latents = torch.zeros_like(like)
    rows = [i for i, job in enumerate(jobs) if job.image is not None]
    latents[rows] = model.encode(torch.stack([_image(jobs[i]) for i in rows])).to(like)
    return latents


def _image(job: Job) -> Tensor:
    assert job.image is not None
    return job.image


def _with_mask(model: Model, jobs: Sequence[Job], condition: Condition, known: Known) -> Condition:
    masks = torch.stack([job.mask for job in jobs if job.mask is not None]).to(model.device)
    small = F.interpolate(masks, known.latents.shape[-2:])
    if not model.inpainting:
        return dataclasses.replace(condition, known=dataclasses.replace(known, mask=small))
    blanked = torch.stack([_image(job) for job in jobs]).to(model.device)
    grey = torch.where(masks < 0.5, blanked, torch.full_like(blanked, 0.5))
    channels = torch.cat([small, model.encode(grey)], dim=1)
    return dataclasses.replace(condition, channels=channels)
