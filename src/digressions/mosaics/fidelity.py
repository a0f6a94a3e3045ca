"""What is taken from a mosaic while its strips pass by on their way to the pyramid: how well it
agrees with its base image, and how it looks from afar."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..geometry import Grid, Size
from .mosaic_spec import CELL_SIDE, Band


class Banded(Protocol):
    """Any mosaic, of painted cells or of others: how its cells lie, and its band."""

    @property
    def grid(self) -> Grid: ...
    @property
    def band(self) -> Band: ...


class Fidelity(NamedTuple):
    """How well a finished mosaic agrees with its base image. Errors are in grey levels of 255.

    Attributes:
        band: The band that the first two are measured in (1 if the mosaic asked for none).
        largest: Largest error of a value in the band.
        band_psnr: In dB, over all values in the band.
        fine_psnr: In dB, at 8 x 8 values a cell.
    """

    band: int
    largest: float
    band_psnr: float
    fine_psnr: float

    def json_object(self) -> dict[str, float | None]:
        """As JSON has it, which knows no infinity."""
        found = self._asdict().items()
        return {name: value if math.isfinite(value) else None for name, value in found}

    def __str__(self) -> str:
        return (
            f"at {self.band}x{self.band} values a cell: {self.band_psnr:.1f} dB, "
            f"largest error {self.largest:.2f} grey levels; "
            f"at {CELL_SIDE}x{CELL_SIDE}: {self.fine_psnr:.1f} dB"
        )


class Gauge:
    """Measures the fidelity of a mosaic while its strips pass by."""

    def __init__(self, mosaic: Banded, base: Tensor) -> None:
        """``base`` is ``(3, H, W)`` in 0..1, with 8 x 8 values a cell."""
        self._mosaic = mosaic
        self._base = base
        self._row = 0
        self._largest = 0.0
        self._squares = {"band": 0.0, "fine": 0.0}
        self._counts = {"band": 0, "fine": 0}

    def watch(self, strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Passes strips of one row of pictures on, having measured them."""
        for strip in strips:
            self._measure(strip)
            yield strip

    def _measure(self, strip: np.ndarray) -> None:
        grid, top = self._mosaic.grid, self._row * CELL_SIDE
        wanted = self._base[None, :, top : top + CELL_SIDE]
        seen = torch.from_numpy(strip).permute(2, 0, 1)[None].float() / 255
        for name, values in (("band", self._mosaic.band or 1), ("fine", CELL_SIDE)):
            size = (values, grid.columns * values)
            error = F.adaptive_avg_pool2d(seen, size) - F.adaptive_avg_pool2d(wanted, size)
            self._squares[name] += float(error.square().sum())
            self._counts[name] += error.numel()
            if name == "band":
                self._largest = max(self._largest, float(error.abs().max()) * 255)
        self._row += 1

    def fidelity(self) -> Fidelity:
        """Of what has passed."""
        band, fine = (
            psnr(self._squares[name] / max(self._counts[name], 1)) for name in ("band", "fine")
        )
        return Fidelity(self._mosaic.band or 1, self._largest, band, fine)


def psnr(mean_square: float) -> float:
    """In dB for values in 0..1, infinite for no error."""
    return -10 * math.log10(mean_square) if mean_square > 0 else math.inf


class Thumbnail:
    """A picture averaged down by a whole factor, to at most ``longest`` pixels a side."""

    def __init__(self, size: Size, longest: int) -> None:
        self._factor = math.ceil(max(size) / longest)
        self._rest = np.zeros((0, size.width, 3), np.uint8)  # rows of a box that is not yet whole
        self._done: list[np.ndarray] = []

    def watch(self, strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Passes strips of any height on, ``(h, width, 3)`` uint8, having averaged them down."""
        for strip in strips:
            self._reduce(strip)
            yield strip

    def _reduce(self, strip: np.ndarray) -> None:
        rows = np.concatenate([self._rest, strip]) if len(self._rest) else strip
        whole = len(rows) // self._factor * self._factor
        if whole:
            self._done.append(np.asarray(Image.fromarray(rows[:whole]).reduce(self._factor)))
        self._rest = rows[whole:].copy()  # a view would keep the whole strip

    def image(self) -> np.ndarray:
        """Of what has passed: ``(ceil(height / factor), ceil(width / factor), 3)`` uint8."""
        done = list(self._done)
        if len(self._rest):
            done.append(np.asarray(Image.fromarray(self._rest).reduce(self._factor)))
        return np.concatenate(done)
