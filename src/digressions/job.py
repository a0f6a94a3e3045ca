"""What one picture should be, and whether it can be painted."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .ensembles.ensemble import REGIONAL, Voice, is_plain, silent, voices
from .errors import InputError, PromptError
from .models import Model
from .pictures.images import to_tensor
from .pictures.metadata import Settings
from .prompts import parse
from .sample import steps_to_run
from .terms import Ensemble, Plain, Segment

MAX_SEED = 2**63 - 1
HOLES = (None, "noise", "picture")
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
        hole: What the masked part starts from: ``"noise"`` alone, or what is in the ``"picture"``
            there, with noise. ``None``: noise at strength 1, the picture below, as in diffusers.
        rescale: 0..1, how much of the contrast that guidance adds is taken back.
        anchor: Weight 0..1 with which every step's guess is pulled to the coarse colours of the
            start picture; 0 for not at all.
        band: Boxes along a side that the anchor compares.
        how: A name in `HOW`: how several prompts become one picture.
        regions: ``(prompts, height, width)`` in 0..1: where in the picture each prompt counts; or
            ``None`` for everywhere.
        tiles: Paint what is larger than the model's size in windows of that size that agree (see
            `denoise.tiled`), rather than all at once.
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
    hole: str | None = None
    rescale: float = 0.0
    tiles: bool = False

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


def job_of(
    settings: Settings,
    image: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    regions: np.ndarray | None = None,
) -> Job:
    """The job of some settings.

    Args:
        image, mask: Start picture ``(H, W, 3)`` and mask ``(H, W)``, uint8.
        regions: One a prompt, ``(prompts, H, W)`` uint8, white where it counts.
    """
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
        how=settings.how,
        hole=settings.hole,
        rescale=settings.rescale,
        regions=None if regions is None else torch.from_numpy(regions / np.float32(255)),
    )


def check(model: Model, job: Job) -> None:
    """Raises what `paint` would raise for this job, without painting."""
    for name, side in (("width", job.width), ("height", job.height)):
        if side < model.factor or side % model.factor:
            raise InputError(f"{name} {side} is not a positive multiple of {model.factor}")
    if not 0 <= job.seed <= MAX_SEED:
        raise InputError(f"--seed {job.seed} is out of range: 0 to {MAX_SEED}")
    if not math.isfinite(job.guidance):
        raise InputError(f"--guidance {job.guidance} is not a finite number")
    if not 0 <= job.rescale <= 1:
        raise InputError(f"--rescale {job.rescale} is out of range: 0 to 1")
    if job.hole not in HOLES:
        raise InputError(f"--hole {job.hole!r} is not known: choose noise or picture")
    if job.hole is not None and job.mask is None:
        raise InputError(f"--hole {job.hole} needs a mask, which says where the hole is")
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
    return text_of(found)


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
    if model.guidance_in_network and job.several and needs_unguided(job, asked):
        raise InputError(
            f"{model.name} has its guidance inside and cannot tell a prompt's own direction: "
            "choose --how mean, lerp, slerp, alternate, switch or latents, without regions"
        )


def needs_unguided(job: Job, asked: Sequence[Voice]) -> bool:
    """Whether the combination means nothing without the unconditional guess, at any guidance."""
    return job.how in OF_DIRECTIONS or job.regions is not None or silent(asked)


def text_of(plain: Ensemble) -> Plain:
    """The text of an ensemble that `is_plain`; an empty one is an empty text."""
    return plain.at(0, 1)[0].text or (Segment("", 1.0),)
