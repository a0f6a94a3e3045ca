"""Jobs to pictures: text-to-image, image-to-image and inpainting in one batch.

A `Job` says what one picture should be. `paint` sorts jobs into batches of one size and one way of
sampling and yields the pictures as they are finished. A batch may mix prompts, seeds, strengths,
guidance scales, start pictures and masks.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .batching import Sparing
from .combine import COMBINE, mean
from .condition import Anchor, Condition, Known
from .denoise import Directions
from .ensembles.ensemble import encoded, voices
from .ensembles.together import Evidence, apart
from .job import Job, check, needs_unguided, text_of, unchanging
from .models import Model
from .pictures.seam import joined
from .sample import SAMPLERS, Noise, Step, join_late


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
    painter = painter_of(model, on_step)
    for batch in batches(jobs, batch_size):
        images = painter([jobs[i] for i in batch])
        yield from (Painted(i, image) for i, image in zip(batch, images, strict=True))


def painter_of(model: Model, on_step: Callable[[int], None] | None = None) -> Sparing:
    """A painter of batches that paints in parts what the device's memory does not hold."""
    return Sparing(functools.partial(paint_batch, model, on_step=on_step), model.device)


def batches(jobs: Sequence[Job], batch_size: int) -> Iterator[list[int]]:
    """Indices of jobs that can share a batch; jobs of like length come together."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for index, job in enumerate(jobs):
        # Inpainting networks take extra channels, so a batch has masks or has none.
        # A plain prompt takes the same path whatever others are in the list.
        how = job.how if job.several else None
        size, way = (job.width, job.height), (job.sampler, job.steps, job.band, how)
        kind = (size, way, job.mask is None, job.tiles)
        kinds.setdefault(kind, []).append(index)
    for members in kinds.values():
        members.sort(key=lambda i: -jobs[i].run)
        for start in range(0, len(members), batch_size):
            yield members[start : start + batch_size]


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
    images = model.decode(x).cpu()
    if jobs[0].mask is None:
        return images
    masks = torch.stack([job.mask for job in jobs if job.mask is not None])
    return joined(images, torch.stack([_image(job) for job in jobs]), masks, model.factor)


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


class Asked(NamedTuple):
    """One step of a batch: what the sampler did, and what several prompts asked for in it.

    Attributes:
        step: See `sample.Step`.
        live: ``(B,)``, the pictures that took part.
        seen: Of these pictures; ``None`` where a batch has plain prompts, or never asks for them
            side by side (``latents``).
    """

    step: Step
    live: Tensor
    seen: Directions | None


def sample(model: Model, jobs: Sequence[Job]) -> Iterator[Step]:
    """The sampling of one batch, step by step, in latents."""
    return (asked.step for asked in watched(model, jobs))


@torch.inference_mode()
def watched(model: Model, jobs: Sequence[Job]) -> Iterator[Asked]:
    """As `sample`, with what the prompts asked for."""
    first = jobs[0]
    runs = [job.run for job in jobs]
    times = join_late(model.times(first.sampler, first.steps), runs).to(model.device)
    shape = (model.channels, first.height // model.factor, first.width // model.factor)
    noise = Noise([job.seed for job in jobs], shape)
    x, condition = _start(model, jobs, times, noise.draw().to(model.device))
    sampler = SAMPLERS[first.sampler]
    if first.how == "latents":
        sampler = apart(sampler)
    seen: list[Directions] = []
    denoise = model.denoiser(COMBINE.get(first.how, mean), seen.append, first.tiles)
    evidence = None
    if condition.terms is not None and first.how == "superpose-or":
        evidence = Evidence(model.schedule, condition.terms)
    for step in sampler(denoise, model.schedule, x, times, condition, noise):
        t, s = times[step.done - 1], times[step.done]
        if condition.known is not None and step.done == len(times) - 1:
            # A schedule that ends just short of clean still hands the known part back clean.
            known = condition.known
            step = step._replace(x=torch.lerp(known.latents, step.x, known.mask))
        directions = seen.pop() if seen else None
        if evidence is not None and directions is not None:
            evidence.update(directions, t, s, t != s)
        yield Asked(step, t != s, directions)


def _start(
    model: Model, jobs: Sequence[Job], times: Tensor, noise: Tensor
) -> tuple[Tensor, Condition]:
    """The noisy latents to begin with, and what every picture is asked for."""
    start = times[0]
    condition = _texts(model, jobs, times, (noise.shape[2], noise.shape[3]))
    from_noise = noise * model.start_scale(jobs[0].sampler, start)
    if all(job.image is None for job in jobs):
        return from_noise, condition
    latents = _encode_starts(model, jobs, noise)
    x = model.schedule.noised(latents, noise, start)
    whole = [job.image is None or (job.strength == 1 and _from_noise(job)) for job in jobs]
    x = torch.where(torch.tensor(whole, device=x.device).view(-1, 1, 1, 1), from_noise, x)
    weights = torch.tensor([job.anchor for job in jobs], device=x.device)
    if weights.any():
        band = F.adaptive_avg_pool2d(latents, (jobs[0].band, jobs[0].band))
        condition = dataclasses.replace(condition, anchor=Anchor(band, weights))
    if jobs[0].mask is not None:
        small = _small_masks(model, jobs, noise)
        fresh = torch.tensor([_from_noise(job) for job in jobs], device=x.device)
        x = torch.lerp(x, from_noise, small * fresh.view(-1, 1, 1, 1))
        condition = _with_mask(model, jobs, condition, Known(latents, noise, small, start))
    return x, condition


def _from_noise(job: Job) -> bool:
    """Whether the hole of a picture starts from noise alone."""
    if job.mask is None:
        return False
    return job.strength == 1 if job.hole is None else job.hole == "noise"


def _texts(model: Model, jobs: Sequence[Job], times: Tensor, size: tuple[int, int]) -> Condition:
    guidance = torch.tensor([float(job.guidance) for job in jobs], device=model.device)
    wanted = bool((guidance > 1).any()) and not model.guidance_in_network
    if not jobs[0].several:
        terms, text = None, model.encode_prompts([text_of(job.ensemble) for job in jobs])
    else:
        asked = [voices(job.ensemble, job.how, job.run) for job in jobs]
        regions = [job.regions for job in jobs]
        terms = encoded(model, asked, times, regions, size, jobs[0].how == "slerp")
        text = terms.text._map(lambda value: value[:, 0])
        wanted |= any(needs_unguided(job, own) for job, own in zip(jobs, asked, strict=True))
    negative = [unchanging(job.negative) for job in jobs]
    rescale = [float(job.rescale) for job in jobs]
    return Condition(
        text=text,
        terms=terms,
        # A scale of 1 is the prompt alone; below 1 would be towards the negative.
        guidance=guidance if model.guidance_in_network else guidance.clamp(min=1),
        rescale=torch.tensor(rescale, device=model.device) if any(rescale) else None,
        negative=model.encode_prompts(negative) if wanted else None,
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
    if not model.inpainting:
        return dataclasses.replace(condition, known=known)
    masks = _masks(model, jobs)
    blanked = torch.stack([_image(job) for job in jobs]).to(model.device)
    grey = torch.where(masks < 0.5, blanked, torch.full_like(blanked, 0.5))
    channels = torch.cat([known.mask, model.encode(grey)], dim=1)
    return dataclasses.replace(condition, channels=channels)


def _masks(model: Model, jobs: Sequence[Job]) -> Tensor:
    return torch.stack([job.mask for job in jobs if job.mask is not None]).to(model.device)


def _small_masks(model: Model, jobs: Sequence[Job], like: Tensor) -> Tensor:
    """The masks in latents, ``(B, 1, h, w)``."""
    return F.interpolate(_masks(model, jobs), like.shape[-2:])
