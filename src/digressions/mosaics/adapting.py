"""Freedom where there is room for it: how freely a cell is painted over follows from its detail.

A mosaic equals its base image in the band, a few values a cell. What is finer, an eye or an edge,
strays with what is painted. So a cell that holds such detail is painted less freely than the
settings say, and one that is flat more freely.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from .mosaic_spec import CELL_SIDE, Mosaic

_COARSE = 2  # values a cell and side that the band holds, as a rule
_LEAST, _MOST = 8 / 255, 40 / 255  # of what is finer: below and above, no detail and all detail
_KEPT = 0.5  # of the strength, in a cell that is all detail


class Freedom(NamedTuple):
    """How a cell is painted over: its strength and its anchor, each 0..1."""

    strength: float
    anchor: float


def finer_than_band(cell: Tensor) -> float:
    """What of a cell a band of 2 x 2 values does not hold: root mean square, 0..1.

    Args:
        cell: ``(3, H, W)`` in 0..1, enlarged or not.
    """
    own = F.adaptive_avg_pool2d(cell[None], CELL_SIDE)
    coarse = F.adaptive_avg_pool2d(own, _COARSE)
    smooth = F.interpolate(coarse, own.shape[-2:], mode="bilinear", align_corners=False)
    return float((own - smooth).square().mean().sqrt())


def detail_of(cell: Tensor) -> float:
    """How much detail a cell has: 0 for a wall or a cheek, 1 for an eye or a hard edge.

    Args:
        cell: As of `finer_than_band`.
    """
    return min(1.0, max(0.0, (finer_than_band(cell) - _LEAST) / (_MOST - _LEAST)))


def freedom_of(mosaic: Mosaic, cell: Tensor) -> Freedom:
    """How a cell of a mosaic is painted over.

    At an ``adapt`` of 1, a flat cell gets a strength of 1 and no anchor, one that is all detail
    half of the strength and an anchor of 1; between them both go evenly, and less of it at a lower
    ``adapt``.

    Args:
        cell: ``(3, H, W)`` in 0..1.
    """
    strength, anchor = mosaic.params.strength, mosaic.anchor
    if not mosaic.adapt:
        return Freedom(strength, anchor)
    detail = detail_of(cell)
    freely = 1 + detail * (_KEPT * strength - 1)
    return Freedom(
        strength + mosaic.adapt * (freely - strength), anchor + mosaic.adapt * (detail - anchor)
    )
