"""How a cell shows its picture: things stand off the middle and look either way, by the seed.
Otherwise a mosaic repeats from cell to cell like a waffle.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .mosaic_spec import Mosaic


def is_mirrored(mosaic: Mosaic, seed: int) -> bool:
    """Whether the cell with a seed is painted mirrored."""
    return random.Random(f"{seed}:mirror").random() < mosaic.mirror


def flipped(images: Tensor, mirrored: Tensor) -> Tensor:
    """Pictures of which some are mirrored left to right."""
    return torch.where(mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(-1), images)


class Place(NamedTuple):
    """How far to the right of its cell's middle, and below it, the middle of a picture is shown, in
    cells; less than 0.5 either way."""

    right: float
    down: float

    @property
    def back(self) -> Place:
        """What brings a picture that was moved there back."""
        return Place(-self.right, -self.down)


def place_of(mosaic: Mosaic, seed: int) -> Place:
    """Where the cell with a seed shows the middle of its picture."""
    chance = random.Random(f"{seed}:place")
    return Place(*(mosaic.jitter * (2 * chance.random() - 1) for _ in Place._fields))


def moved(images: Tensor, places: Sequence[Place]) -> Tensor:
    r"""Pictures whose middles are moved while their edges stay, so that nothing is cut off.

    Across and down each goes through the projective map of the unit interval that keeps 0 and 1 and
    takes the middle to its place,

    .. math:: w(p) = \frac{a p}{1 + (a - 1) p}, \qquad a = \frac{1 + 2d}{1 - 2d}.

    What is there is stretched :math:`a` times at one edge and as much narrower at the other, as if
    it were seen aslant; the map for :math:`-d` undoes it.

    Args:
        images: ``(B, 3, h, w)`` float32 in 0..1.
        places: One a picture.

    Returns:
        The same, resampled bicubically; pictures that stay where they are come back as they were.
    """
    if not any(any(place) for place in places):
        return images
    grids = []
    for place in places:
        across, down = (
            2 * _projected((torch.arange(side) + 0.5) / side, -far) - 1
            for side, far in zip((images.shape[-1], images.shape[-2]), place, strict=True)
        )
        grids.append(torch.stack(torch.meshgrid(across, down, indexing="xy"), -1))
    resampled = F.grid_sample(
        *(images, torch.stack(grids).to(images.device)),
        mode="bicubic",
        padding_mode="border",
        align_corners=False,
    )
    return resampled.clamp(0, 1)


def _projected(along: Tensor, far: float) -> Tensor:
    """Where the map that takes 0.5 to ``0.5 + far`` takes points of the unit interval."""
    stretch = (1 + 2 * far) / (1 - 2 * far)
    return stretch * along / (1 + (stretch - 1) * along)
