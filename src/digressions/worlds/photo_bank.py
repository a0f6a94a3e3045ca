"""A world of photos: finite, its bank are photos, each in turn made of all of them.

Nothing of a bank is made before it is asked for: thousands of photos are a few megabytes of
previews until somebody flies into them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..geometry import CellPath, Grid, Size
from ..images.image_files import resample, to_array, to_tensor
from ..mosaics.cells import band_of, correct_band
from ..mosaics.mosaic_spec import CELL_SIDE, Band
from ..mosaics.photos.photo_index import PhotoPreview
from ..mosaics.photos.photo_spec import PhotoMosaic
from ..mosaics.photos.pricing import coordinates
from ..mosaics.sharing import varied
from .bank import CLOSE, Bank, Coverage, FiniteWorld, Lazy, cells_colours, colours_of

_CHOICE = 8  # photos that fit best, of which the first is taken that no neighbour is
_HELD = 64_000_000  # bytes of pictures that are kept decoded, of each form
_LOOKED_AT = 8  # photos whose cells tell how well a bank serves


class PhotoBank:
    """Makes the parts of a `Bank` of photos.

    Args:
        photos: What the world is made of, cropped square.
        root: The canvas of a picture to start from, ``(canvas_side, canvas_side, 3)`` uint8, which
            comes before the photos; the first of them if not given.
        grid: Of the world.
        side, canvas_side: Width of both forms of a picture in pixels.
        band: Values a cell and side that photos are bent to be exact in; 0 for none.
    """

    def __init__(
        self,
        photos: Sequence[PhotoPreview],
        root: np.ndarray | None,
        grid: Grid,
        side: int,
        canvas_side: int,
        band: Band,
    ) -> None:
        self._photos, self._root, self._grid = photos, root, grid
        self._side, self._canvas_side = side, canvas_side
        self._before = 0 if root is None else 1
        self._mosaic = PhotoMosaic(
            grid=grid,
            cell=Size(side, side),
            band=band,
            bend=1.0,
            repeat=1,
            apart=0,
            mirrored=False,
            rotated=False,
        )
        self._count = len(photos) + self._before

    def bank(self) -> Bank:
        """The bank, and how well it serves, by some of its pictures."""
        forms = ((self._picture, self._side), (self._canvas, self._canvas_side))
        pictures, canvases = (
            Lazy(self._count, make, max(4, _HELD // (3 * side**2))) for make, side in forms
        )
        small = [resample(pictures[number], CELL_SIDE, CELL_SIDE) for number in range(self._count)]
        coarse = np.stack(small)
        self._points, self._colours = coordinates(self._mosaic, coarse), colours_of(coarse)
        leads = Lazy(self._count, self._leads, None)
        return Bank([], pictures, canvases, leads, self._coverage(leads))

    def _picture(self, index: int) -> np.ndarray:
        return self._at(index, self._side)

    def _canvas(self, index: int) -> np.ndarray:
        return self._at(index, self._canvas_side)

    def _at(self, index: int, side: int) -> np.ndarray:
        if self._root is not None and index == 0:
            return resample(self._root, side, side)
        return self._photos[index - self._before].cropped(Size(side, side)).pixels

    def _sketch(self, index: int) -> np.ndarray:
        """A canvas as far as its cells' colours go, without reading the photo's file."""
        return resample(self._at(index, self._side), self._canvas_side, self._canvas_side)

    def _leads(self, index: int) -> np.ndarray:
        """For each cell of a picture one of the photos that need least bending, unlike its
        neighbours'."""
        cells = coordinates(self._mosaic, _cut(self._sketch(index), self._grid))
        squares = np.square(self._points).sum(1) - 2 * cells @ self._points.T
        choice = min(_CHOICE, self._count)
        best = np.argpartition(squares, choice - 1, axis=1)[:, :choice]
        order = np.take_along_axis(squares, best, 1).argsort(1, kind="stable")
        best = np.take_along_axis(best, order, 1)
        return best[np.arange(len(best)), varied(best, self._grid)].astype(np.int32)

    def _coverage(self, leads: Sequence[np.ndarray]) -> Coverage:
        errors = []
        for index in range(0, self._count, -(-self._count // _LOOKED_AT)):
            cells = cells_colours(self._sketch(index), self._grid)
            errors.append(np.linalg.norm(cells - self._colours[leads[index]], axis=1))
        error = np.concatenate(errors)
        looked_at = None if len(errors) == self._count else len(errors)
        close = float((error <= CLOSE).mean())
        return Coverage(self._count, close, float(error.mean()), looked_at)


def _cut(canvas: np.ndarray, grid: Grid) -> np.ndarray:
    """The cells of a canvas in reading order: ``(cells, 8, 8, 3)``."""
    cut = canvas.reshape(grid.rows, CELL_SIDE, grid.columns, CELL_SIDE, 3).swapaxes(1, 2)
    return cut.reshape(grid.cells, CELL_SIDE, CELL_SIDE, 3)


class PhotoWorld(FiniteWorld):
    """A finite world of photos. Where one is seen large, it is cut from its own file."""

    def _enlarged(self, picture: np.ndarray, path: CellPath) -> np.ndarray:
        side, band = self.manifest.canvas_side, self.manifest.cells.band
        canvas = to_tensor(self.bank.canvases[self.index(path)])[None]
        bent = to_tensor(picture)[None]
        shared = math.gcd(side, picture.shape[0])
        for finer in sorted({band, shared} - {0}):  # first as the picture was, then what is left
            canvas = correct_band(canvas, band_of(bent, finer)).images
        return to_array(canvas[0])
