"""What one picture should be, as tensors, and whether a model can paint it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..diffusion.sample import steps_to_run
from ..errors import InputError, PromptError, errors_about
from ..images.image_files import to_tensor
from ..models.base import Model
from ..prompts.choices import drawn
from ..prompts.scheduling import (
    COMBINE_HELP,
    OF_DIRECTIONS,
    REGIONAL,
    SubPrompt,
    has_idle_step,
    is_plain,
    negative_text,
    parsed,
    sub_prompts,
)
from ..prompts.terms import Ensemble, LoraTag, Plain
from .params import ResolvedParams


class Away(NamedTuple):
    """What windows get that cannot show a picture's thing.

    Attributes:
        prompt: In the place of the picture's.
        thing: Where the thing is: top, left, bottom and right, as shares of the picture.
    """

    prompt: str
    thing: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Job:
    """One picture to paint. The same job with the same model is the same picture, in any batch.

    Attributes:
        params: Its parameters. ``size`` is in multiples of the model's ``vae_scale_factor``;
            ``strength`` counts where there is an image. ``masked_content`` of ``None`` is noise at
            strength 1 and the original below, as in diffusers; ``timestep_spacing`` of ``None`` is
            the model's own.
        image: Start picture ``(3, H, W)``, float32 in 0..1, or ``None`` to start from noise alone.
        mask: ``(1, H, W)`` in 0..1: 1 where to paint, 0 where to keep; needs an image.
        regions: ``(prompts, H, W)`` in 0..1: where in the picture each prompt counts; or ``None``
            for everywhere.
        anchor: Weight 0..1 with which every step's guess is pulled to the coarse colours of the
            start picture; 0 for not at all.
        band: Boxes along a side that the anchor compares, 1 or more and at most the latents' side.
        tiles: Paint what is larger than the model's size in windows of that size that agree (see
            `denoise.tiled`), rather than all at once.
        away: What windows get that cannot show the thing, or ``None`` where all get the prompt; so
            do they where there are several prompts.
    """

    params: ResolvedParams
    image: Tensor | None = None
    mask: Tensor | None = None
    regions: Tensor | None = None
    anchor: float = 0.0
    band: int = 2
    tiles: bool = False
    away: Away | None = None

    @property
    def ensemble(self) -> Ensemble:
        """The prompt, drawn and parsed. Raises `PromptError` where it cannot be read."""
        return parsed(drawn(self.params.prompt, self.params.seed))

    @property
    def loras(self) -> tuple[LoraTag, ...]:
        """The LoRAs that the prompt names.

        Raises:
            PromptError: Several prompts do not name the same ones; or the prompt cannot be read.
        """
        first, *others = (term.loras for term in self.ensemble.terms)
        if any(each != first for each in others):
            raise PromptError(
                "several prompts of a picture share its network: name the same LoRAs in each, or "
                "give them with `lora`"
            )
        return first

    @property
    def negative(self) -> Plain:
        """The negative prompt, drawn. Raises `PromptError` where it is no single text."""
        return negative_text(drawn(self.params.negative, self.params.seed, "negative"))

    @property
    def is_combined(self) -> bool:
        """Whether there is anything to combine: several prompts, or one that changes."""
        return not is_plain(self.ensemble)

    @property
    def num_steps(self) -> int:
        """How many times the network is asked."""
        steps = self.params.steps
        return steps if self.image is None else steps_to_run(steps, self.params.strength)

    @property
    def sub_prompts(self) -> tuple[SubPrompt, ...]:
        """What is asked of the network, step by step; see `prompts.scheduling`."""
        return sub_prompts(self.ensemble, self.params.combine, self.num_steps)

    @property
    def from_noise(self) -> bool:
        """Whether the masked area starts from noise alone."""
        if self.mask is None:
            return False
        content = self.params.masked_content
        return self.params.strength == 1 if content is None else content == "noise"


def job_of(
    params: ResolvedParams,
    image: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    regions: np.ndarray | None = None,
) -> Job:
    """The job of parameters and arrays.

    Args:
        image, mask: Start picture ``(H, W, 3)`` and mask ``(H, W)``, uint8.
        regions: One a prompt, ``(prompts, H, W)`` uint8, white where it counts.
    """
    return Job(
        params,
        None if image is None else to_tensor(image),
        None if mask is None else torch.from_numpy(mask / np.float32(255))[None],
        None if regions is None else torch.from_numpy(regions / np.float32(255)),
    )


def check(model: Model, job: Job) -> None:
    """Raises what painting this job would raise, without painting.

    Parameters are in range by themselves. What is checked here is what they do not know of, the
    model and the pictures, also for callers that build a `Job` themselves.

    Raises:
        InputError, PromptError: The model cannot paint it.
    """
    params, factor = job.params, model.vae_scale_factor
    for name, side in zip(("width", "height"), params.size, strict=True):
        if side % factor:
            raise InputError(
                f"`size` {params.size}: the {name} {side} is not a positive multiple of {factor}"
            )
    if params.masked_content is not None and job.mask is None:
        raise InputError(
            f"`masked_content` {params.masked_content} needs a `mask`, the area that it is about"
        )
    if not 0 <= job.anchor <= 1:
        raise InputError(f"`anchor` {job.anchor} is out of range: 0 to 1")
    for name, value, channels in (("image", job.image, 3), ("mask", job.mask, 1)):
        wanted = (channels, params.size.height, params.size.width)
        if value is not None and tuple(value.shape) != wanted:
            raise InputError(
                f"`{name}` is {_shape(value.shape)} where the picture is {_shape(wanted)}"
            )
    if job.mask is not None and job.image is None:
        raise InputError("`mask` needs an `image`, the picture to keep the rest of")
    if model.inpainting and job.mask is None:
        raise InputError(f"{model.shown} is an inpainting model: it needs an `image` and a `mask`")
    if job.anchor and job.image is None:
        raise InputError("`anchor` needs an `image` to take the colours of")
    model.with_timesteps(params.timestep_spacing, params.zero_snr)
    model.times(params.sampler, params.steps)
    if any(term.loras for term in parsed(params.negative).terms):
        raise PromptError(
            "a LoRA counts for the whole picture: name it in the prompt", field="negative"
        )
    model.use_loras(job.loras)
    with errors_about("negative"):
        model.encode_text([job.negative], *params.size)
    _check_prompts(model, job)


def _check_prompts(model: Model, job: Job) -> None:
    params, asked = job.params, job.sub_prompts
    texts = [text for sub_prompt in asked for text, _ in sub_prompt.mix]
    model.encode_text(texts, *params.size)
    if job.regions is not None:
        if params.combine not in REGIONAL:
            raise InputError(
                f"`combine` {params.combine} knows no regions: choose one of {', '.join(REGIONAL)}"
            )
        wanted = (len(job.ensemble.terms), params.size.height, params.size.width)
        if tuple(job.regions.shape) != wanted:
            raise InputError(
                f"the regions are {_shape(job.regions.shape)} where the prompts and the picture "
                f"need {_shape(wanted)}",
                field="region",
            )
    if model.guidance_embedded and job.is_combined and needs_unconditional(job, asked):
        *others, last = (way for way in COMBINE_HELP if way not in OF_DIRECTIONS)
        raise InputError(
            f"{model.shown} has its guidance inside and cannot tell a prompt's own direction: "
            f"choose `combine` {', '.join(others)} or {last}, without regions"
        )


def needs_unconditional(job: Job, asked: Sequence[SubPrompt]) -> bool:
    """Whether the combination means nothing without the unconditional guess, at any guidance."""
    combine = job.params.combine
    return combine in OF_DIRECTIONS or job.regions is not None or has_idle_step(asked)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
