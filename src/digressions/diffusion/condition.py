"""What the pictures of a batch are asked for: prompts, guidance, what to keep.

Everything here is a frozen dataclass of tensors with one row a picture, so one batch may mix
prompts, guidance scales and masks, and a choice of rows is again a batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_LOG_RATIO = -60.0  # lower is as good as never, and must not become exactly inactive


class Rows:
    """A frozen dataclass of tensors, nested `Rows` and ``None``, all with one row a picture."""

    def __getitem__(self, rows: Tensor | slice | tuple[Tensor, ...]) -> Self:
        """The same for a choice of rows: a mask, indices or a slice."""
        return self.map(lambda value: value[rows])

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same with every tensor changed."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        changed = {
            name: value.map(change) if isinstance(value, Rows) else change(value)
            for name, value in fields.items()
            if value is not None
        }
        return dataclasses.replace(self, **changed)  # type: ignore[type-var]

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """Rows of several, one after the other. A field is ``None`` in all of them or in none."""
        joined: dict[str, Any] = {}
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]
            values = [getattr(part, field.name) for part in parts]
            if values[0] is None:
                joined[field.name] = None
            elif isinstance(values[0], Rows):
                joined[field.name] = type(values[0]).cat(values)
            else:
                joined[field.name] = torch.cat(values)
        return cls(**joined)


@dataclass(frozen=True)
class Text(Rows):
    """Encoded prompts, and whatever else a family tells its network beside them.

    Attributes:
        tokens: ``(B, L, D)``, what the network's cross attention looks at.
        pooled: ``(B, P)``, one vector a prompt, or ``None``.
        time_ids: ``(B, K)``, sizes that the network is told (SDXL's original size, crop and target
            size), or ``None``.
        mask: ``(B, L)`` bool, which tokens are there: prompts of one batch may be of several
            lengths, and a picture must not depend on the others. ``None`` for all.
    """

    tokens: Tensor
    pooled: Tensor | None = None
    time_ids: Tensor | None = None
    mask: Tensor | None = None

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """Rows of several; the shorter ones are filled up with tokens that are not there."""
        lengths = {part.tokens.shape[-2] for part in parts}
        if len(lengths) > 1 or any(part.mask is not None for part in parts):
            parts = [part._filled(max(lengths)) for part in parts]
        return super().cat(parts)

    def _filled(self, length: int) -> Self:
        extra = length - self.tokens.shape[-2]
        mask = self.mask
        if mask is None:
            mask = torch.ones(self.tokens.shape[:-1], dtype=torch.bool, device=self.tokens.device)
        return dataclasses.replace(
            self, tokens=F.pad(self.tokens, (0, 0, 0, extra)), mask=F.pad(mask, (0, extra))
        )


@dataclass(frozen=True)
class SubPrompts(Rows):
    """Several prompts for each picture (see `denoise.composed`), at every step of its run.

    Attributes:
        text: ``tokens`` are ``(B, N, L, D)`` and ``pooled`` ``(B, N, P)``: N prompts a picture.
            A picture with fewer is filled up with any, at weight 0.
        times: ``(B, S)``, the times of each picture's steps, falling.
        weight: ``(B, N, S)``, of each prompt at each of these times; 0 where it is inactive.
            Negative: away from it.
        area: ``(B, N, h, w)``, where in the picture each prompt counts, 0..1; or ``None``.
        log_likelihood: ``(B, N)``, how well each prompt has foreseen the picture so far, up to what
            all share; weights are multiplied with the ratio to the best. ``None`` for not at all.
    """

    text: Text
    times: Tensor
    weight: Tensor
    area: Tensor | None = None
    log_likelihood: Tensor | None = None

    def weight_at(self, t: Tensor) -> Tensor:
        """Weights ``(B, N)`` at times ``(B,)`` that are among `times`."""
        rows = torch.arange(len(t), device=t.device)
        step = (self.times >= t[:, None]).sum(1) - 1  # of equal times the last one
        weight = self.weight[rows, :, step]
        if self.log_likelihood is None:
            return weight
        ratio = self.log_likelihood - self.log_likelihood.amax(1, keepdim=True)
        return weight * ratio.clamp(min=LEAST_LOG_RATIO).exp()


@dataclass(frozen=True)
class Inpaint(Rows):
    """The part of a picture that inpainting keeps.

    Attributes:
        image_latents: ``(B, C, h, w)``, the whole picture, clean.
        noise: ``(B, C, h, w)``, the noise that the picture started from.
        mask: ``(B, 1, h, w)``, 1 where to paint, 0 where to keep, values between to blend.
        start: ``(B,)``, the time that the picture started from.
    """

    image_latents: Tensor
    noise: Tensor
    mask: Tensor
    start: Tensor


@dataclass(frozen=True)
class Anchor(Rows):
    """The coarse colours that a picture keeps.

    Attributes:
        band: ``(B, C, b, b)``, box means of the parent's latents.
        weight: ``(B,)``, 0 leaves the guess alone, 1 moves its band there as far as a smooth
            change can.
    """

    band: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Elsewhere(Rows):
    """What windows are asked for that cannot show a picture's thing; see `denoise.tiled`.

    Attributes:
        text: Instead of the prompt.
        thing: ``(B, 4)``, where the thing is: top, left, bottom and right as shares of the picture.
    """

    text: Text
    thing: Tensor


@dataclass(frozen=True)
class Condition(Rows):
    """What each picture of a batch is asked for.

    Attributes:
        text: The prompts.
        guidance: ``(B,)``, guidance scales; 1 is none. At least 1, except for networks that take
            the scale as an input.
        sub_prompts: Several prompts each instead, or ``None``.
        negative: The negative prompts (empty ones included), or ``None`` without guidance.
        extra_channels: ``(B, K, h, w)``, what an inpainting network sees beside the latents: the
            mask and the latents of the picture with the masked area blanked; or ``None``.
        inpaint: For `denoise.inpainted`.
        anchor: For `denoise.anchored`.
        guidance_rescale: ``(B,)`` in 0..1, how much of the contrast that guidance adds is taken
            back; or ``None`` for none of it.
        elsewhere: For `denoise.tiled`, or ``None`` where all windows get the prompt.
    """

    text: Text
    guidance: Tensor
    sub_prompts: SubPrompts | None = None
    negative: Text | None = None
    extra_channels: Tensor | None = None
    inpaint: Inpaint | None = None
    anchor: Anchor | None = None
    guidance_rescale: Tensor | None = None
    elsewhere: Elsewhere | None = None

    def asked_for(self, text: Text) -> Self:
        """The same for another text, the same everywhere in the picture."""
        elsewhere = self.elsewhere
        if elsewhere is not None:
            elsewhere = dataclasses.replace(elsewhere, text=text)
        return dataclasses.replace(self, text=text, elsewhere=elsewhere)
