"""How a picture looks while it is painted: approximate colours from its latents, without decoding.

A latent stands for a square of pixels, and the colour of that square is close to a linear function
of the latent's channels. The function is fitted once for each model, from one picture of known
colours that is encoded, so that it serves any autoencoder.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..diffusion.sample import Step
from ..events import Preview
from ..models.base import Model
from .preview_pace import PreviewPace

_SIDE = 256  # pixels of the picture that is encoded, at most
_PATCHES = 12  # colours along a side of it
_RIDGE = 1e-3
_ACROSS = 4  # pictures of a batch side by side, at most


@dataclass(frozen=True, eq=False)
class LatentColours:
    """The colours that a model's latents stand for, approximately.

    Attributes:
        weights: ``(C + 1, 3)`` float32, the last row for a constant.
    """

    weights: Tensor

    @classmethod
    @torch.inference_mode()
    def of(cls, model: Model) -> LatentColours:
        """Fits them by least squares, from one picture that the model encodes."""
        factor = model.vae_scale_factor
        side = max(_PATCHES, min(_SIDE, model.size) // factor) * factor
        colours = torch.rand(1, 3, _PATCHES, _PATCHES, generator=torch.Generator().manual_seed(0))
        picture = interpolate(colours, (side, side), mode="bilinear")
        latents = model.encode(picture).cpu().float()
        known = _rows(latents)
        wanted = avg_pool2d(picture, factor).flatten(2)[0].T
        square = known.T @ known + _RIDGE * len(known) * torch.eye(known.shape[1])
        return cls(torch.linalg.solve(square, known.T @ wanted))

    def __call__(self, latents: Tensor) -> np.ndarray:
        """Pictures ``(B, h, w, 3)`` uint8 of latents ``(B, C, h, w)``."""
        count, _, height, width = latents.shape
        rows = _rows(latents.detach().cpu().float())
        levels = (rows @ self.weights).clamp(0, 1) * 255
        return levels.round().byte().reshape(count, height, width, 3).numpy()


def _rows(latents: Tensor) -> Tensor:
    """Latents ``(B, C, h, w)`` as ``(B * h * w, C + 1)``, with a column of ones."""
    rows = latents.movedim(1, -1).flatten(0, 2)
    return torch.cat([rows, torch.ones(len(rows), 1)], 1)


@dataclass
class PaintPreviews:
    """What painting shows after a step, at most so often.

    Attributes:
        colours: Of the model that paints.
        every: Seconds between two previews, at least.
        share: Of the time that previews may take, 0..1; see `PreviewPace`.
        clock: Tells the time in seconds.
    """

    colours: LatentColours
    every: float = 0.4
    share: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _latest: Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._pace = self.pace()

    def pace(self) -> PreviewPace:
        """A pace as this one's, for previews of another kind."""
        return PreviewPace(self.every, self.share, self.clock)

    def note(self, step: Step) -> None:
        """Takes in a step; costs nothing."""
        self._latest = step.x_0

    def due(self) -> Preview | None:
        """The pictures of the latest step's batch as they seem to become, side by side; ``None``
        where there is no new one, or the last is too young."""
        if not self._pace.is_due() or self._latest is None:
            return None
        with self._pace.making():
            latents, self._latest = self._latest, None
            return Preview(_side_by_side(self.colours(latents)), "so far")


def _side_by_side(pictures: np.ndarray) -> np.ndarray:
    """Pictures ``(B, h, w, 3)`` as one, in rows."""
    count, height, width = pictures.shape[:3]
    across = min(count, _ACROSS)
    down = -(-count // across)
    sheet = np.zeros((down * across, height, width, 3), np.uint8)
    sheet[:count] = pictures
    rows = sheet.reshape(down, across, height, width, 3).swapaxes(1, 2)
    return np.ascontiguousarray(rows.reshape(down * height, across * width, 3))
