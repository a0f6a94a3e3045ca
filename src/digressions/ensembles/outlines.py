"""Where a model sees a thing before it paints one: the outline of its mean picture.

What a model says of noise alone, at the first step of a run, is the mean of all pictures that a
prompt may become. Things whose means fill the same part of a picture are drawn on one another by an
ensemble; others get in each other's way.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..diffusion.combine import mean
from ..diffusion.condition import Condition
from ..diffusion.noise import Noise
from ..errors import InputError
from ..images.colour import oklab
from ..models.base import Model

NOISES = 2
"""Guesses that a mean picture is taken from: some models' depend a little on the noise."""
SIDE = 32  # of an outline
FAINT = 0.15  # in OKLab; what differs less from its ground has no outline to speak of
_IN, _OUT = 0.65, 0.15  # parts of the usual contrast from which on it is the thing, or the ground


def rows_for(prompts: int) -> int:
    """Network rows that the mean pictures of so many prompts cost."""
    return NOISES * (prompts + 1)


@torch.inference_mode()
def mean_pictures(
    model: Model, prompts: Sequence[str], *, batch_size: int = 16
) -> Generator[Tensor, None, None]:
    """The mean picture of each prompt, guided as the model's pictures usually are.

    Args:
        batch_size: Prompts at once.

    Yields:
        Those of the next prompts: ``(B, 3, H, W)`` float32 in 0..1.

    Raises:
        InputError: An inpainting model, which paints no whole pictures.
        PromptError: A prompt is too long.
    """
    if model.inpainting:
        raise InputError(f"{model.shown} is an inpainting model: it paints no whole pictures")
    side = model.size // model.vae_scale_factor
    usual = model.defaults
    denoise = model.denoiser(mean)
    t = model.times(usual.sampler, usual.steps)[0]
    drawn = Noise(list(range(NOISES)), (model.latent_channels, side, side)).draw()
    noise = drawn.to(model.device)

    def guesses(texts: Sequence[str]) -> Tensor:
        text = model.encode_text(texts, model.size, model.size)
        count = len(texts) * NOISES
        rows = torch.arange(count, device=model.device)
        ones, times = noise.new_ones(count), t.to(model.device).expand(count)
        x_t = model.schedule.noised(torch.zeros_like(noise), noise, times[:NOISES])
        condition = Condition(text=text[rows // NOISES], guidance=ones)
        x_0 = denoise(x_t.repeat(len(texts), 1, 1, 1), times, condition).x_0
        return x_0.unflatten(0, (len(texts), NOISES)).mean(1)

    empty = guesses([""])
    for start in range(0, len(prompts), batch_size):
        texts = prompts[start : start + batch_size]
        guided = empty + usual.guidance * (guesses(texts) - empty)
        yield model.decode(guided).cpu()


def outlines(pictures: Tensor) -> Tensor:
    """What of each picture is not its ground: ``(B, SIDE, SIDE)`` float32, 0..1.

    The ground is the median colour of the edges. A place counts by how far it is from that in
    OKLab, beside what is usual for the thing in the same picture.

    Args:
        pictures: ``(B, 3, H, W)`` float32 in 0..1.
    """
    seen = (picture.permute(1, 2, 0).numpy() * 255 for picture in pictures.float())
    lab = torch.from_numpy(np.stack([oklab(each) for each in seen])).permute(0, 3, 1, 2).float()
    lab = F.adaptive_avg_pool2d(lab, SIDE)
    edges = torch.cat([lab[:, :, 0], lab[:, :, -1], lab[..., 0], lab[..., -1]], -1)
    ground = edges.median(-1).values[:, :, None, None]
    far = (lab - ground).square().sum(1).sqrt()
    usual = far.flatten(1).quantile(0.9, dim=1).clamp(min=FAINT)[:, None, None]
    return ((far / usual - _OUT) / (_IN - _OUT)).clamp(0, 1)


def likeness(one: Tensor, others: Tensor) -> Tensor:
    """How much of two outlines is common to both, 0..1: the intersection over the union.

    Args:
        one: ``(h, w)``.
        others: ``(B, h, w)``.

    Returns:
        ``(B,)``.
    """
    both, either = torch.minimum(one, others), torch.maximum(one, others)
    return both.sum((1, 2)) / either.sum((1, 2)).clamp(min=1e-6)
