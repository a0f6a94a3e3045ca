"""From a batch of jobs to what the network is shown: encoded prompts, noisy starts, masks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..diffusion.condition import Anchor, Condition, Elsewhere, Inpaint, SubPrompts, Text
from ..models.base import Model
from ..prompts.scheduling import Mix, SubPrompt, parsed, text_of
from .job import Job, needs_unconditional


class Start(NamedTuple):
    """What the sampling of a batch begins with.

    Attributes:
        x: ``(B, C, h, w)``, noisy latents.
        condition: What the pictures are asked for.
    """

    x: Tensor
    condition: Condition


def start_of(model: Model, jobs: Sequence[Job], times: Tensor, noise: Tensor) -> Start:
    """The noisy latents to begin with, and what every picture is asked for.

    Args:
        jobs: Of one size and one way of sampling.
        times: ``(n + 1, B)``, the time grid of the batch.
        noise: ``(B, C, h, w)``, unit noise.
    """
    first = times[0]
    condition = _prompted(model, jobs, times, (noise.shape[2], noise.shape[3]))
    from_noise = noise * model.init_noise_sigma(jobs[0].params.sampler, first)
    if all(job.image is None for job in jobs):
        return Start(from_noise, condition)
    latents = _encoded_images(model, jobs, noise)
    x = model.schedule.noised(latents, noise, first)
    whole = [job.image is None or (job.params.strength == 1 and job.from_noise) for job in jobs]
    x = torch.where(torch.tensor(whole, device=x.device).view(-1, 1, 1, 1), from_noise, x)
    weights = torch.tensor([job.anchor for job in jobs], device=x.device)
    if weights.any():
        band = F.adaptive_avg_pool2d(latents, (jobs[0].band, jobs[0].band))
        condition = dataclasses.replace(condition, anchor=Anchor(band, weights))
    if jobs[0].mask is not None:
        masks = torch.stack([job.mask for job in jobs if job.mask is not None]).to(model.device)
        small = F.interpolate(masks, noise.shape[-2:])
        fresh = torch.tensor([job.from_noise for job in jobs], device=x.device)
        x = torch.lerp(x, from_noise, small * fresh.view(-1, 1, 1, 1))
        if model.inpainting:
            images = start_images(jobs).to(model.device)
            channels = model.inpainting_channels(images, masks, small)
            condition = dataclasses.replace(condition, extra_channels=channels)
        else:
            inpaint = Inpaint(latents, noise, small, first)
            condition = dataclasses.replace(condition, inpaint=inpaint)
    return Start(x, condition)


def start_images(jobs: Sequence[Job]) -> Tensor:
    """The start pictures of jobs that all have one: ``(B, 3, H, W)``."""
    return torch.stack([job.image for job in jobs if job.image is not None])


def _prompted(model: Model, jobs: Sequence[Job], times: Tensor, size: tuple[int, int]) -> Condition:
    guidance = torch.tensor([float(job.params.guidance) for job in jobs], device=model.device)
    wanted = bool((guidance > 1).any()) and not model.guidance_embedded
    pixels = jobs[0].params.size
    if not jobs[0].is_combined:
        several = None
        text = model.encode_text([text_of(job.ensemble) for job in jobs], *pixels)
    else:
        several = encode_sub_prompts(model, jobs, times, size)
        text = several.text.map(lambda value: value[:, 0])
        wanted |= any(needs_unconditional(job, job.sub_prompts) for job in jobs)
    elsewhere = None
    if several is None and (away := [job.away for job in jobs if job.away is not None]):
        texts = model.encode_text([text_of(parsed(each.prompt)) for each in away], *pixels)
        things = torch.tensor([each.thing for each in away], device=model.device)
        elsewhere = Elsewhere(texts, things)
    negative = [job.negative for job in jobs]
    rescale = [float(job.params.guidance_rescale) for job in jobs]
    return Condition(
        text=text,
        sub_prompts=several,
        # A scale of 1 is the prompt alone; below 1 would be towards the negative.
        guidance=guidance if model.guidance_embedded else guidance.clamp(min=1),
        guidance_rescale=torch.tensor(rescale, device=model.device) if any(rescale) else None,
        negative=model.encode_text(negative, *pixels) if wanted else None,
        elsewhere=elsewhere,
    )


def _encoded_images(model: Model, jobs: Sequence[Job], like: Tensor) -> Tensor:
    latents = torch.zeros_like(like)
    rows = [i for i, job in enumerate(jobs) if job.image is not None]
    latents[rows] = model.encode(start_images(jobs)).to(like)
    return latents


def encode_sub_prompts(
    model: Model, jobs: Sequence[Job], times: Tensor, size: tuple[int, int]
) -> SubPrompts:
    """The sub-prompts of a batch, encoded.

    Args:
        times: ``(n + 1, B)``, the time grid of the batch.
        size: ``(h, w)`` of the latents.
    """
    asked = [job.sub_prompts for job in jobs]
    spherical = jobs[0].params.combine == "slerp"
    count, steps = max(map(len, asked)), len(times) - 1
    weight = torch.zeros(len(jobs), count, steps, device=model.device)
    texts = []
    for picture, own in enumerate(asked):
        for number, sub_prompt in enumerate(own):
            run = torch.tensor(sub_prompt.weight, device=model.device)
            weight[picture, number, steps - len(run) :] = run
            texts.append(mixed(model, sub_prompt.mix, spherical, jobs[picture]))
        texts += [texts[-1]] * (count - len(own))
    text = Text.cat(texts).map(lambda value: value.unflatten(0, (len(jobs), count)))
    area = _areas(jobs, asked, size, count, model.device)
    return SubPrompts(text, times[:-1].T, weight, area)


def _areas(
    jobs: Sequence[Job],
    asked: Sequence[Sequence[SubPrompt]],
    size: tuple[int, int],
    count: int,
    device: torch.device,
) -> Tensor | None:
    if all(job.regions is None for job in jobs):
        return None
    area = torch.ones(len(jobs), count, *size)
    for picture, (job, own) in enumerate(zip(jobs, asked, strict=True)):
        if job.regions is not None:
            small = F.adaptive_avg_pool2d(job.regions[None], size)[0]
            for number, sub_prompt in enumerate(own):
                area[picture, number] = small[sub_prompt.term]
    return area.to(device)


def mixed(model: Model, mix: Mix, spherical: bool, job: Job) -> Text:
    """A mixture of encoded texts, one row; a single one is what it is, bit for bit.

    Args:
        spherical: Mix by `slerp`, not linearly.
        job: Whose picture it is for.
    """
    texts = _as_long([model.encode_text([text], *job.params.size) for text, _ in mix], model, job)
    shares = [share for _, share in mix]

    def join(values: Sequence[Tensor]) -> Tensor:
        if len(values) == 1:
            return values[0]
        if not spherical:
            weighted = [value * share for value, share in zip(values, shares, strict=True)]
            return torch.stack(weighted).sum(0)
        joined, held = values[0], shares[0]
        for value, share in zip(values[1:], shares[1:], strict=True):
            held += share
            joined = slerp(joined, value, share / held)
        return joined

    pooled = [text.pooled for text in texts if text.pooled is not None]
    return dataclasses.replace(
        texts[0],
        tokens=join([text.tokens for text in texts]),
        pooled=join(pooled) if pooled else None,
    )


def _as_long(texts: list[Text], model: Model, job: Job) -> list[Text]:
    """Encoded texts, the shorter ones followed by empty ones, so that they can be mixed."""
    longest = max(text.tokens.shape[1] for text in texts)
    if all(text.tokens.shape[1] == longest for text in texts):
        return texts
    empty = model.encode_text([""], *job.params.size).tokens
    found = []
    for text in texts:
        missing = (longest - text.tokens.shape[1]) // empty.shape[1]
        tokens = torch.cat([text.tokens, *[empty] * missing], dim=1)
        found.append(dataclasses.replace(text, tokens=tokens))
    return found


def slerp(a: Tensor, b: Tensor, along: float) -> Tensor:
    r"""From ``a`` to ``b`` along the arc between them, vectors in the last dimension.

    :math:`\frac{\sin((1 - s)\theta)}{\sin\theta} a + \frac{\sin(s\theta)}{\sin\theta} b`
    (Shoemake 1985) with :math:`\theta` their angle; a straight line where there is hardly any, or
    where they are opposite and every arc is as good.
    """
    wide = torch.promote_types(a.dtype, torch.float32)
    x, y = a.to(wide), b.to(wide)
    cosine = F.cosine_similarity(x, y, dim=-1, eps=1e-12)[..., None].clamp(-1, 1)
    theta = cosine.acos()
    sine = theta.sin()
    arc = (((1 - along) * theta).sin() * x + (along * theta).sin() * y) / sine.clamp(min=1e-6)
    return torch.where(sine > 1e-4, arc, x.lerp(y, along)).to(a.dtype)
