r"""What it costs to show a photo in a cell, once the photo has been bent to be exact there.

After the band correction (see `mosaics.cells`) a photo's coarse colours are the cell's own,
whatever they were. So what counts is not how far they are off, but how far they must be bent. A
tone curve :math:`x^\gamma` takes a mean :math:`p` to :math:`t` with
:math:`\log\gamma = \log(-\ln t) - \log(-\ln p)`: a difference of coordinates. What is finer than
the band stays, and counts as it is seen: in OKLab over 8 x 8 values, and by its edges. Together
they are coordinates of a space in which the cost is a distance squared, so the costs of thousands
of cells and photos are one product of matrices.
"""

from __future__ import annotations

import numpy as np

from ...images.colour import oklab
from ..mosaic_spec import CELL_SIDE
from .cropping import turned
from .photo_spec import PhotoMosaic

BENDING = 0.15
"""Price of a bending by a factor e of the exponent, in OKLab. See `docs/photos.md`."""
EDGES = 0.7
"""Weight of differences between neighbouring values of lightness."""
_DARKEST = 1 / 512  # as of `cells.correct_band`


class Prices:
    """Costs of photos in cells; no more than what is asked for is ever in memory."""

    def __init__(
        self, mosaic: PhotoMosaic, cells: np.ndarray, photos: np.ndarray, turns: list[int]
    ) -> None:
        """
        Args:
            mosaic: Its band, and how much of the correction is applied.
            cells: ``(cells, 8, 8, 3)`` uint8, of the picture.
            photos: ``(photos, 8, 8, 3)`` uint8.
            turns: The turns that photos are tried in.
        """
        self.cells, self.photos, self.turns = len(cells), len(photos), turns
        self._cells = coordinates(mosaic, cells)
        self._cell_squares = np.square(self._cells).sum(1)[:, None]
        self._photos = [coordinates(mosaic, turned(photos, turn)) for turn in turns]
        self._squares = [np.square(points).sum(1) for points in self._photos]

    def costs(
        self, cells: np.ndarray | slice, photos: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """``(len(cells), photos)`` float32, each photo in its best turn."""
        best = self._cost(0, cells, photos)
        for turn in range(1, len(self.turns)):
            np.minimum(best, self._cost(turn, cells, photos), out=best)
        return best

    def kept(self, photos: np.ndarray) -> np.ndarray:
        """What each cell's own photo costs there: ``(cells,)``."""
        return np.min([np.square(self._cells - of[photos]).sum(1) for of in self._photos], 0)

    def best_turns(self, photos: np.ndarray) -> np.ndarray:
        """The turn in which each cell's photo fits it best: ``(cells,)``."""
        costs = [np.square(self._cells - points[photos]).sum(1) for points in self._photos]
        return np.array(self.turns)[np.argmin(costs, 0)]

    def _cost(self, turn: int, cells: np.ndarray | slice, photos: np.ndarray | slice) -> np.ndarray:
        product = self._cells[cells] @ self._photos[turn][photos].T
        product *= -2
        product += self._squares[turn][photos]
        product += self._cell_squares[cells]
        return np.maximum(product, 0, out=product)


def coordinates(mosaic: PhotoMosaic, pictures: np.ndarray) -> np.ndarray:
    """Pictures ``(N, 8, 8, 3)`` uint8 as points ``(N, D)`` float32, see above."""
    pictures = np.ascontiguousarray(pictures)
    lab, count = oklab(pictures), len(pictures)
    band = mosaic.band if mosaic.bend else 0
    rows, columns = np.diff(lab[..., 0], axis=1), np.diff(lab[..., 0], axis=2)
    if band:
        means, fine = _split(lab, band)
        left = (1 - mosaic.bend) * means / band  # what is not corrected is seen
        needed = _split(pictures / np.float32(255), band)[0].clip(_DARKEST, 1 - _DARKEST)
        curve = np.log(-np.log(needed)) * mosaic.bend * BENDING / (band * 3**0.5)
        parts = [fine / CELL_SIDE, left, curve]
    else:
        parts = [lab / CELL_SIDE]
    parts += [EDGES * rows / CELL_SIDE, EDGES * columns / CELL_SIDE]
    return np.concatenate([part.reshape(count, -1) for part in parts], 1).astype(np.float32)


def _split(values: np.ndarray, band: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over ``band x band`` boxes, and what is left without them."""
    box = CELL_SIDE // band
    means = values.reshape(-1, band, box, band, box, 3).mean((2, 4))
    return means, values - means.repeat(box, 1).repeat(box, 2)
