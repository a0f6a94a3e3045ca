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
from torch import Tensor


class Rows:
    """A frozen dataclass of tensors, nested `Rows` and ``None``, all with one row a picture."""

    def __getitem__(self, rows: Tensor | slice | tuple[Tensor, ...]) -> Self:
        """The same for a choice of rows: a mask, indices or a slice."""
        return self._map(lambda value: value[rows])

    def to(self, device: torch.device | str) -> Self:
        return self._map(lambda value: value.to(device))

    def _map(self, change: Callable[[Any], Any]) -> Self:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        changed = {
            name: value._map(change) if isinstance(value, Rows) else change(value)
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
    """Encoded prompts.

    Attributes:
        tokens: ``(B, L, D)``, what the network's cross attention looks at.
        pooled: ``(B, P)``, one vector a prompt (SDXL), or ``None``.
    """

    tokens: Tensor
    pooled: Tensor | None = None


@dataclass(frozen=True)
class Terms(Rows):
    """Several prompts for each picture (see `ensembled`).

    Attributes:
        text: ``tokens`` are ``(B, N, L, D)`` and ``pooled`` ``(B, N, P)``: N prompts a picture.
            A picture with fewer is filled up with any, at weight 0.
        weight: ``(B, N, T)``, of each prompt at each training time step; 0 where it is silent.
            Negative: away from it.
        area: ``(B, N, h, w)``, where in the picture each prompt counts, 0..1; or ``None``.
    """

    text: Text
    weight: Tensor
    area: Tensor | None = None

    def weight_at(self, t: Tensor) -> Tensor:
        """Weights ``(B, N)`` at the time steps ``(B,)`` of the pictures."""
        rows = torch.arange(len(t), device=t.device)
        return self.weight[rows, :, t.round().long()]


@dataclass(frozen=True)
class Known(Rows):
    """The part of a picture that inpainting must keep.

    Attributes:
        latents: ``(B, C, h, w)``, the whole picture, clean.
        noise: ``(B, C, h, w)``, the noise that the picture started from.
        mask: ``(B, 1, h, w)``, 1 where to paint, 0 where to keep, values between to blend.
        start: ``(B,)``, the time step that the picture started from.
    """

    latents: Tensor
    noise: Tensor
    mask: Tensor
    start: Tensor


@dataclass(frozen=True)
class Anchor(Rows):
    """The coarse colours that a picture must keep.

    Attributes:
        band: ``(B, C, b, b)``, box means of the parent's latents.
        weight: ``(B,)``, 0 leaves the guess alone, 1 puts its band exactly there.
    """

    band: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Condition(Rows):
    """What each picture of a batch is asked for.

    Attributes:
        text: The prompts.
        terms: Several prompts each instead, or ``None``.
        guidance: ``(B,)``, guidance scales; 1 is none.
        rescale: ``(B,)`` in 0..1, how much of the contrast that guidance adds is taken back; or
            ``None`` for none of it.
        negative: The negative prompts (empty ones included), or ``None`` without guidance.
        time_ids: ``(B, 6)``, SDXL's original size, crop and target size, or ``None``.
        channels: ``(B, K, h, w)``, extra input channels of an inpainting network: the mask and the
            latents of the picture with the hole blanked; or ``None``.
        known: For `masked`.
        anchor: For `anchored`.
    """

    text: Text
    guidance: Tensor
    terms: Terms | None = None
    negative: Text | None = None
    time_ids: Tensor | None = None
    channels: Tensor | None = None
    known: Known | None = None
    anchor: Anchor | None = None
    rescale: Tensor | None = None
