"""Where a cell's picture is painted, which need not be where it is shown: things stand off their
middle, differ in size and look either way, all by the cell's seed. Otherwise a mosaic repeats from
cell to cell like a waffle.

A picture is painted over the place of its cell, moved and larger; of the painting, the cell shows
what lies in it.
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
    """How far to the right of its cell, and below it, a picture is painted, in its pixels; and how
    many times as large as the cell."""

    right: int
    down: int
    scale: float = 1.0

    def covers(self, size: Size) -> Size:
        """What of a mosaic a painting of a size covers, in the mosaic's pixels."""
        return Size(*(round(side * self.scale) for side in size))


def place_of(mosaic: Mosaic, seed: int) -> Place:
    """Where the picture of the cell with a seed is painted."""
    chance = random.Random(f"{seed}:place")
    right, down = (int(chance.random() * (2 * most + 1)) - most for most in _farthest(mosaic))
    scale = 1.0
    if mosaic.size_jitter:
        scale += random.Random(f"{seed}:size").random() * mosaic.size_jitter
    return Place(right, down, scale)


def reach(mosaic: Mosaic) -> float:
    """How far beyond its cell a picture may be painted, in cells."""
    return mosaic.jitter + mosaic.size_jitter / 2


def _farthest(mosaic: Mosaic) -> tuple[int, int]:
    wide, high = mosaic.cell
    return int(mosaic.jitter * wide), int(mosaic.jitter * high)


def starts_in(
    images: Tensor, inset: tuple[int, int], places: Sequence[Place], size: Size
) -> Tensor:
    """What pictures are painted over: of each image the part in its place, at a size.

    Args:
        images: ``(B, 3, H, W)``; each shows its cell and what is around it.
        inset: Of the cell from the left and the top, in pixels.
        places: One an image.
        size: Of a cell.
    """
    found = []
    for image, place in zip(images, places, strict=True):
        seen = place.covers(size)
        left = inset[0] + place.right - (seen.width - size.width) // 2
        top = inset[1] + place.down - (seen.height - size.height) // 2
        part = image[:, top : top + seen.height, left : left + seen.width]
        found.append(_resized(part, size))
    return torch.stack(found)


def shown_in(paintings: Tensor, places: Sequence[Place], size: Size) -> Tensor:
    """What cells show of their paintings; what these lack at a side is reflected.

    Args:
        paintings: ``(B, 3, H, W)`` of a cell's size.
        places: Where each was painted.
        size: Of a cell.
    """
    found = []
    for painting, place in zip(paintings, places, strict=True):
        seen = place.covers(size)
        left = (seen.width - size.width) // 2 - place.right
        top = (seen.height - size.height) // 2 - place.down
        right, down = seen.width - size.width - left, seen.height - size.height - top
        lacking = [max(0, -each) for each in (left, right, top, down)]
        whole = _resized(painting, seen)
        if any(lacking):
            whole = F.pad(whole[None], lacking, mode="reflect")[0]
        left, top = max(0, left), max(0, top)
        found.append(whole[:, top : top + size.height, left : left + size.width])
    return torch.stack(found)


def _resized(image: Tensor, size: Size) -> Tensor:
    if (image.shape[2], image.shape[1]) == size:
        return image
    wanted = (size.height, size.width)
    found = F.interpolate(image[None], wanted, mode="bicubic", align_corners=False, antialias=True)
    return found[0].clamp(0, 1)
