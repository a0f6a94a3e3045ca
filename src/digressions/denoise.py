r"""Denoisers: ``(x_t, t, condition) -> x_0``, and the ways to wrap one into another.

A picture in the making is :math:`x_t = \alpha_t x_0 + \sigma_t \epsilon` with
:math:`\alpha_t^2 + \sigma_t^2 = 1` (variance preserving; Song et al. 2021). A network looks at
:math:`x_t` and says, one way or another, what :math:`x_0` it sees in it. Everything here is a
function from such a guess to a better one:

    guided(d)     away from the negative prompt (classifier-free guidance)
    masked(d)     the known part of a picture stays what it is (inpainting)
    anchored(d)   the coarse colours stay those of a parent picture (mosaic cells)

A denoiser keeps no state. What differs from picture to picture travels in the `Condition`, one
row a picture, so one batch may mix prompts, strengths and masks.

Shapes: ``x_t`` is ``(B, C, h, w)`` float32 latents; ``t`` is ``(B,)`` float32 training time steps,
``0..T-1``, where ``-1`` means "clean" (:math:`\alpha = 1, \sigma = 0`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "sample"]


class Denoiser(Protocol):
    """Anything that guesses the clean latents in noisy ones."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Returns the predicted :math:`x_0`, of the shape of ``x_t``."""
        ...


@dataclass(frozen=True)
class Schedule:
    r"""How much noise a training time step means.

    Attributes:
        alphas_cumprod: :math:`\bar\alpha_t = \alpha_t^2` for ``t = 0..T-1``, ``(T,)`` float32,
            falling. The last may be 0 (zero terminal SNR, Lin et al. 2023, arXiv 2305.08891).
        prediction: What the network puts out: the noise, the velocity
            :math:`v = \alpha_t \epsilon - \sigma_t x_0` (Salimans & Ho 2022), or ``x_0`` itself.
    """

    alphas_cumprod: Tensor
    prediction: Prediction = "epsilon"

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        r""":math:`\alpha_t, \sigma_t` shaped ``(..., 1, 1, 1)`` to multiply latents with."""
        table = torch.cat([self.alphas_cumprod, self.alphas_cumprod.new_ones(1)]).to(t.device)
        squared = table[t.round().long()]  # -1 reads the appended 1: clean
        squared = squared.view(*squared.shape, 1, 1, 1)
        return squared.sqrt(), (1 - squared).sqrt()

    def noised(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        r""":math:`x_t = \alpha_t x_0 + \sigma_t \epsilon`."""
        alpha, sigma = self.alpha_sigma(t)
        return alpha * x_0 + sigma * noise

    def clean(self, x_t: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """The ``x_0`` that a network's output means: the one place that knows predictions."""
        alpha, sigma = self.alpha_sigma(t)
        if self.prediction == "epsilon":
            return (x_t - sigma * output) / alpha
        if self.prediction == "v_prediction":
            return alpha * x_t - sigma * output
        return output


class Rows:
    """A frozen dataclass of tensors, nested `Rows` and ``None``, all with one row a picture."""

    def __getitem__(self, rows: Tensor | slice) -> Self:
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
        guidance: ``(B,)``, guidance scales; 1 is none.
        negative: The negative prompts (empty ones included), or ``None`` without guidance.
        time_ids: ``(B, 6)``, SDXL's original size, crop and target size, or ``None``.
        channels: ``(B, K, h, w)``, extra input channels of an inpainting network: the mask and the
            latents of the picture with the hole blanked; or ``None``.
        known: For `masked`.
        anchor: For `anchored`.
    """

    text: Text
    guidance: Tensor
    negative: Text | None = None
    time_ids: Tensor | None = None
    channels: Tensor | None = None
    known: Known | None = None
    anchor: Anchor | None = None


class Network(Protocol):
    """A trained network: its raw output for noisy latents, shaped as they are."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor: ...


def denoiser(network: Network, schedule: Schedule) -> Denoiser:
    """A network, read as a denoiser."""

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return schedule.clean(x_t, network(x_t, t, condition).float(), t)

    return denoise


def guided(inner: Denoiser) -> Denoiser:
    r"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598).

    :math:`\hat x_0 = u + g (c - u)` with :math:`c` the guess for the prompt and :math:`u` the one
    for the negative prompt. Both come from one batch of the network. The formula is usually
    written in :math:`\epsilon`; at a fixed :math:`x_t` the two are the same, since
    :math:`x_0` is affine in :math:`\epsilon`.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        negative = condition.negative
        if negative is None:
            return inner(x_t, t, condition)
        alone = dataclasses.replace(condition, negative=None)
        against = dataclasses.replace(alone, text=negative)
        both = inner(torch.cat([x_t, x_t]), torch.cat([t, t]), Condition.cat([alone, against]))
        c, u = both.chunk(2)
        return u + condition.guidance.view(-1, 1, 1, 1) * (c - u)

    return denoise


def masked(inner: Denoiser, schedule: Schedule) -> Denoiser:
    r"""Inpainting with any network: the known part is given, not guessed.

    Where the mask is 0 the network is shown the known latents with the noise of the start,
    :math:`\alpha_t z + \sigma_t \epsilon`, and its guess is replaced by :math:`z`. (At the very
    first step the network sees ``x_t`` as it is, because a painting at full strength starts from
    pure noise everywhere.) This equals blending the known part into :math:`x_t` after every step,
    as in Lugmayr et al. 2022 (RePaint, arXiv 2201.09865) without resampling.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        known = condition.known
        if known is None:
            return inner(x_t, t, condition)
        at_start = (t >= known.start).view(-1, 1, 1, 1)
        given = schedule.noised(known.latents, known.noise, t)
        seen = torch.where(at_start, x_t, torch.lerp(given, x_t, known.mask))
        return torch.lerp(known.latents, inner(seen, t, condition), known.mask)

    return denoise


def anchored(inner: Denoiser) -> Denoiser:
    r"""Keeps the low band of a parent: the range-space part of DDNM, in latents.

    :math:`\hat x_0 = x_0 + w\,U(y - A x_0)` with :math:`A` the mean over ``b x b`` boxes,
    :math:`U` a smooth enlargement and :math:`y` the parent's band (Wang et al. 2023,
    arXiv 2212.00490). So the network chooses a picture that needs little correction afterwards.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        x_0 = inner(x_t, t, condition)
        anchor = condition.anchor
        if anchor is None:
            return x_0
        b = anchor.band.shape[-1]
        missing = anchor.band - F.adaptive_avg_pool2d(x_0, (b, b))
        smooth = F.interpolate(missing, x_0.shape[-2:], mode="bilinear", align_corners=False)
        return x_0 + anchor.weight.view(-1, 1, 1, 1) * smooth

    return denoise
