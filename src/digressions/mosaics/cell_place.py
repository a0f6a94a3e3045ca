"""Where a cell's picture is painted, which need not be where it is shown: things stand off their
middle and look either way, by the cell's seed. Otherwise a mosaic repeats from cell to cell like a
waffle.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import Size
from .mosaic_spec import Mosaic


def is_mirrored(mosaic: Mosaic, seed: int) -> bool:
    """Whether the cell with a seed is painted mirrored."""
    return random.Random(f"{seed}:mirror").random() < mosaic.mirror


def flipped(images: Tensor, mirrored: Tensor) -> Tensor:
    """Pictures of which some are mirrored left to right."""
    return torch.where(mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(-1), images)


class Place(NamedTuple):
    """How far to the right of its cell, and below it, a picture is painted, in its pixels."""

    right: int
    down: int


def place_of(mosaic: Mosaic, seed: int) -> Place:
    """Where the picture of the cell with a seed is painted."""
    chance = random.Random(f"{seed}:place")
    return Place(*(int(chance.random() * (2 * most + 1)) - most for most in _farthest(mosaic)))


def _farthest(mosaic: Mosaic) -> Place:
    return Place(*(int(mosaic.jitter * side) for side in mosaic.cell))


def windows(images: Tensor, inset: Place, places: Sequence[Place], size: Size) -> Tensor:
    """Of each picture the part of a size that lies off the inset by its place."""
    cut = []
    for image, place in zip(images, places, strict=True):
        top, left = inset.down + place.down, inset.right + place.right
        cut.append(image[:, top : top + size.height, left : left + size.width])
    return torch.stack(cut)


def shown_in_place(paintings: Tensor, mosaic: Mosaic, seeds: Sequence[int]) -> Tensor:
    """Paintings of cells as these show them; what they lack at two of their sides is reflected.

    Args:
        paintings: ``(len(seeds), 3, h, w)`` of ``mosaic.cell``, each painted in its place.
        mosaic: How cells are painted.
        seeds: One a cell.
    """
    most = _farthest(mosaic)
    if not any(most):
        return paintings
    back = [Place(-right, -down) for right, down in (place_of(mosaic, seed) for seed in seeds)]
    right, down = most
    reflected = F.pad(paintings, (right, right, down, down), mode="reflect")
    return windows(reflected, most, back, mosaic.cell)
