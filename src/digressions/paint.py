"""Jobs to pictures: text-to-image, image-to-image and inpainting in one batch.

A `Job` says what one picture should be. `paint` sorts jobs into batches of one size and one way of
sampling and yields the pictures as they are finished. A batch may mix prompts, seeds, strengths,
guidance scales, start pictures and masks.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .combine import COMBINE, mean
from .condition import Anchor, Condition, Known
from .denoise import Directions
from .ensemble import REGIONAL, Voice, encoded, is_plain, voices
from .errors import InputError, PromptError
from .models import Model
from .prompts import parse
from .sample import SAMPLERS, Noise, Step, join_late, steps_to_run
from .terms import Ensemble, Plain, Segment
from .together import Evidence, apart

MAX_SEED = 2**63 - 1
OF_DIRECTIONS = ("sum", "perp", "max", "superpose", "superpose-or")
"""Ways of combining that are about what each prompt adds to the unconditional guess."""

_parsed = functools.lru_cache(maxsize=256)(parse)


@dataclass(frozen=True)
class Job:
    """One picture to paint.

    Attributes:
        prompt: What it shows, in the language of `prompts.parse`: one prompt or several.
        seed: Of its noise, ``0 .. 2**63 - 1``. The same job with the same seed and model is the
            same picture, in any batch.
        width, height: In pixels, multiples of the model's ``factor``.
        steps: Of the whole time grid; image-to-image runs ``steps * strength`` of them.
        guidance: Scale; 1 or less is none.
        sampler: A name in `SAMPLERS`.
        negative: What not to show: one prompt that stays the same, attention weights included.
        image: Start picture ``(3, height, width)``, float32 in 0..1, or ``None`` to start from
            noise alone.
        strength: How much of the start picture is noised away, 0..1. Without a mask the noise at
            strength 1 still holds a trace of the picture, unless the model has zero terminal SNR.
        mask: ``(1, height, width)`` in 0..1: 1 where to paint, 0 where to keep; needs an image.
            At strength 1 the masked part starts from pure noise.
        anchor: Weight 0..1 with which every step's guess is pulled to the coarse colours of the
            start picture; 0 for not at all.
        band: Boxes along a side that the anchor compares.
        how: A name in `HOW`: how several prompts become one picture.
        regions: ``(prompts, height, width)`` in 0..1: where in the picture each prompt counts; or
            ``None`` for everywhere.
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
    how: str = "mean"
    regions: Tensor | None = None

    @property
    def ensemble(self) -> Ensemble:
        """The prompt, parsed.

        Raises:
            PromptError: It cannot be read.
        """
        return _parsed(self.prompt)

    @property
    def several(self) -> bool:
        """Whether there is anything to combine: several prompts, or one that changes."""
        return not is_plain(self.ensemble)

    @property
    def run(self) -> int:
        """How many times the network is asked."""
        return self.steps if self.image is None else steps_to_run(self.steps, self.strength)


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
        # A plain prompt takes the same path whatever others are in the list.
        how = job.how if job.several else None
        kind = (job.width, job.height, job.sampler, job.steps, job.mask is None, job.band, how)
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
    model.encode_prompts([unchanging(job.negative)])
    _check_prompts(model, job)


def unchanging(prompt: str) -> Plain:
    """A prompt that must be one text at all steps, such as a negative one.

    Raises:
        PromptError: It cannot be read, or is more than that.
    """
    found = _parsed(prompt)
    if not is_plain(found):
        raise PromptError(
            f"the negative prompt {prompt!r} must be one text at its usual weight: AND, switches "
            "and ranges are for the prompt"
        )
    return _text_of(found)


def _check_prompts(model: Model, job: Job) -> None:
    ensemble = job.ensemble
    asked = voices(ensemble, job.how, job.run)
    model.encode_prompts([text for voice in asked for text, _ in voice.mix])
    if job.regions is not None:
        if job.how not in REGIONAL:
            raise InputError(f"--how {job.how} knows no regions: choose {', '.join(REGIONAL)}")
        wanted = (len(ensemble.terms), job.height, job.width)
        if tuple(job.regions.shape) != wanted:
            raise InputError(
                f"the regions are {' x '.join(map(str, job.regions.shape))} where the prompts and "
                f"the picture want {' x '.join(map(str, wanted))}"
            )
    if model.guidance_in_network and job.several and _needs_unguided(job, asked):
        raise InputError(
            f"{model.name} has its guidance inside and cannot tell a prompt's own direction: "
            "choose --how mean, lerp, slerp, alternate, switch or latents, without regions"
        )


def _needs_unguided(job: Job, asked: Sequence[Voice]) -> bool:
    """Whether the combination means nothing without the unconditional guess, at any guidance."""
    silent = any(sum(weights) <= 0 for weights in zip(*(v.weight for v in asked), strict=True))
    return job.how in OF_DIRECTIONS or job.regions is not None or silent


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
    denoise = model.denoiser(COMBINE.get(first.how, mean), seen.append)
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
    pure = [job.image is None or (job.mask is not None and job.strength == 1) for job in jobs]
    x = torch.where(torch.tensor(pure, device=x.device).view(-1, 1, 1, 1), from_noise, x)
    weights = torch.tensor([job.anchor for job in jobs], device=x.device)
    if weights.any():
        band = F.adaptive_avg_pool2d(latents, (jobs[0].band, jobs[0].band))
        condition = dataclasses.replace(condition, anchor=Anchor(band, weights))
    if jobs[0].mask is not None:
        condition = _with_mask(model, jobs, condition, Known(latents, noise, noise[:, :1], start))
    return x, condition


def _texts(model: Model, jobs: Sequence[Job], times: Tensor, size: tuple[int, int]) -> Condition:
    guidance = torch.tensor([float(job.guidance) for job in jobs], device=model.device)
    wanted = bool((guidance > 1).any()) and not model.guidance_in_network
    if not jobs[0].several:
        terms, text = None, model.encode_prompts([_text_of(job.ensemble) for job in jobs])
    else:
        asked = [voices(job.ensemble, job.how, job.run) for job in jobs]
        regions = [job.regions for job in jobs]
        terms = encoded(model, asked, times, regions, size, jobs[0].how == "slerp")
        text = terms.text._map(lambda value: value[:, 0])
        wanted |= any(_needs_unguided(job, own) for job, own in zip(jobs, asked, strict=True))
    negative = [unchanging(job.negative) for job in jobs]
    return Condition(
        text=text,
        terms=terms,
        # A scale of 1 is the prompt alone; below 1 would be towards the negative.
        guidance=guidance if model.guidance_in_network else guidance.clamp(min=1),
        negative=model.encode_prompts(negative) if wanted else None,
        time_ids=model.time_ids(jobs[0].width, jobs[0].height, len(jobs)),
    )


def _text_of(plain: Ensemble) -> Plain:
    """The text of an ensemble that `is_plain`; an empty one is an empty text."""
    return plain.at(0, 1)[0].text or (Segment("", 1.0),)


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
