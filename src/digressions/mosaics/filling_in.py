"""A mosaic as it fills in: how it looks while its pictures are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..events import Preview
from ..generate.preview_pace import PreviewPace
from ..geometry import Grid, Size
from ..images.image_files import from_png, resample
from .cells import to_bytes
from .store import Store

SIDE = 768  # pixels of the longer side, unless a mosaic has more cells
_DIM = 0.3  # how bright the base image is where no picture is yet


def small_cell(grid: Grid, cell: Size) -> Size:
    """How large a cell is while its mosaic fills in.

    Args:
        grid: Of the mosaic.
        cell: Size of its pictures in pixels.
    """
    scale = min(1.0, SIDE / max(grid.over(cell)))
    return Size(*(max(1, round(side * scale)) for side in cell))


def small_pictures(images: Tensor, size: Size) -> np.ndarray:
    """Pictures ``(B, 3, H, W)`` uint8, averaged down: ``(B, height, width, 3)`` uint8."""
    small = torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, (size.height, size.width))
    return to_bytes(small).permute(0, 2, 3, 1).numpy()


class FillingIn:
    """The base image, dark, with the finished pictures in their cells.

    Pictures may be put in from another thread than that which looks.

    Args:
        base: ``(H, W, 3)`` uint8, of any size.
        grid: Of the mosaic.
        cell: Size of its pictures in pixels.
        pace: When it is shown.
    """

    def __init__(self, base: np.ndarray, grid: Grid, cell: Size, pace: PreviewPace) -> None:
        self._grid, self._pace = grid, pace
        self.cell = small_cell(grid, cell)
        dark = resample(base, *grid.over(self.cell)) * _DIM
        self._canvas = dark.round().astype(np.uint8)
        self._changed = True

    def put(self, pictures: Mapping[int, np.ndarray]) -> None:
        """Puts in finished pictures, ``(height, width, 3)`` uint8 as `small_pictures` makes them,
        by cell."""
        width, height = self.cell
        for cell, picture in pictures.items():
            row, column = self._grid.place(cell)
            y, x = row * height, column * width
            self._canvas[y : y + height, x : x + width] = picture
        self._changed = self._changed or bool(pictures)

    def put_stored(self, store: Store, cells: Sequence[int]) -> None:
        """Puts in what an earlier run has finished."""
        for cell, png in zip(cells, store.get(cells), strict=True):
            self.put({cell: resample(from_png(png, store.path), *self.cell)})

    def due(self) -> Preview | None:
        """How the mosaic looks by now; ``None`` where nothing is new, or the last is too young."""
        if not self._changed or not self._pace.is_due():
            return None
        with self._pace.making():
            self._changed = False
            return Preview(self._canvas.copy(), "as it fills in")
