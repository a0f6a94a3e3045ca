"""Large pictures through an autoencoder: tiles that overlap and fade over, so that memory is that
of one tile."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LARGE = 1536 * 1536  # pixels of a picture: more go in tiles unasked
SIDE, SMALL_SIDE = 1024, 512  # of a tile in pixels: unasked, and where memory is to be saved
_LEAST = 1e-3  # weight: at the edge of a picture no other tile is there


def side_for(height: int, width: int, tiles: str | None) -> int | None:
    """The side of the tiles, in pixels, that a picture of a size goes in; ``None`` for the whole.

    Norms and attention of an autoencoder look at a tile where they looked at the picture, so that
    larger tiles are nearer to it.

    Args:
        tiles: ``"on"`` or ``"off"``; ``None`` for pictures of more than `LARGE` pixels.
    """
    if tiles is None:
        return SIDE if height * width > LARGE else None
    return SMALL_SIDE if tiles == "on" and max(height, width) > SMALL_SIDE else None


def in_tiles(
    run: Callable[[Tensor], Tensor], values: Tensor, before: int, after: int, side: int
) -> Tensor:
    r"""What ``run`` makes of a batch, picture by picture and tile by tile.

    Tiles are all of one size and spread evenly, so that none is a sliver whose statistics would be
    its own. A value is :math:`\sum_i W_i v_i / \sum_i W_i` over the tiles that have it; weights
    fall off towards the edges of a tile.

    Args:
        run: ``(1, C, h * before, w * before)`` to ``(1, D, h * after, w * after)``.
        values: ``(B, C, H * before, W * before)``.
        before, after: Values a latent, along a side: 1 and 8 to decode, where a latent is 8 x 8
            pixels.
        side: Of a tile, in latents. A quarter of it overlaps.
    """
    return torch.cat([_one(run, each, before, after, side) for each in values.split(1)])


def _one(
    run: Callable[[Tensor], Tensor], values: Tensor, before: int, after: int, side: int
) -> Tensor:
    height, width = (length // before for length in values.shape[-2:])
    overlap = side // 4
    total = weights = values.new_zeros(())
    for top in starts(height, side, overlap):
        for left in starts(width, side, overlap):
            part = run(_at(values, top, left, side, before))
            if not weights.ndim:
                total = part.new_zeros(1, part.shape[1], height * after, width * after)
                weights = torch.zeros_like(total[:, :1])
            rows, columns = (_rising(length, overlap * after, part) for length in part.shape[-2:])
            weight = rows[:, None] * columns
            _at(total, top, left, side, after).add_(weight * part)
            _at(weights, top, left, side, after).add_(weight)
    return total / weights


def _at(values: Tensor, top: int, left: int, side: int, factor: int) -> Tensor:
    """The part of a tile, given in latents, of values that are ``factor`` a latent."""
    rows = slice(top * factor, (top + side) * factor)
    return values[..., rows, left * factor : (left + side) * factor]


def starts(length: int, side: int, overlap: int) -> list[int]:
    """Where tiles of a side start along a length, evenly, overlapping by ``overlap`` or more."""
    if length <= side:
        return [0]
    count = -(-(length - overlap) // (side - overlap))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _rising(length: int, overlap: int, like: Tensor) -> Tensor:
    """Weights along a tile: next to none in the outer quarter of the overlap, where a convolution
    lacks its surroundings, then rising to 1, and falling likewise at the end."""
    up = torch.arange(length, device=like.device, dtype=like.dtype) + 0.5
    inwards = torch.minimum(up, up.flip(0)) / overlap
    return (2 * inwards - 0.5).clamp(_LEAST, 1)
