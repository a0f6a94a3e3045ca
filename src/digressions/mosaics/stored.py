"""A finished mosaic as one picture of any size, straight from its store: no more than a few rows of
its pictures are ever in memory."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Self

import numpy as np

from ..errors import ImageError, verbatim
from ..geometry import Grid, Size
from ..images.image_files import from_png
from ..images.pyramid import is_mosaic
from ..images.rows import Rows
from .assembly import store_path
from .store import Store, read_manifest

_HELD = 3  # rows of pictures that are kept decoded


class StoredMosaic:
    """The pictures of a mosaic's folder, side by side.

    Attributes:
        path: The folder.
        grid: Of its pictures.
        cell: Size of each of them in pixels.
        rows: All of them as one picture.
    """

    def __init__(self, folder: Path) -> None:
        """Opens the store; nothing in it changes.

        Raises:
            OutputError, ImageError: The folder is of something else, or damaged.
        """
        found = read_manifest(folder) or {}
        try:
            self.grid = Grid(*(_number(found[name]) for name in ("columns", "rows")))
            whole = Size(*(_number(found[name]) for name in ("width", "height")))
            job = json.dumps(found["job"], sort_keys=True)
        except (KeyError, TypeError, ValueError) as error:
            raise ImageError(f"{verbatim(folder)} is a damaged mosaic ({error!r:.80})") from error
        if whole.width % self.grid.columns or whole.height % self.grid.rows:
            raise ImageError(f"{verbatim(folder)} is a damaged mosaic: {whole} in {self.grid}")
        self.path = folder
        self.cell = Size(whole.width // self.grid.columns, whole.height // self.grid.rows)
        self._store = Store(store_path(folder), job, read_only=True)
        self._strip = functools.lru_cache(_HELD)(self._decoded)
        self.rows = Rows(whole, 3, self._rows)

    @functools.cached_property
    def origin(self) -> dict[str, str]:
        """Where it is and the SHA-256 of its pixels; see `SourceImage.origin`."""
        size = self.rows.size
        found = hashlib.sha256(f"{(size.height, size.width, 3)}".encode())
        for row in range(self.grid.rows):
            found.update(np.ascontiguousarray(self._strip(row)).data)
        return {"path": str(self.path), "sha256": found.hexdigest()}

    def picture(self, cell: int) -> np.ndarray:
        """The picture of a cell: ``(H, W, 3)`` uint8."""
        (png,) = self._store.get([cell])
        return from_png(png, self._store.path)

    def _decoded(self, row: int) -> np.ndarray:
        pngs = self._store.get(self.grid.row(row))
        strip = np.concatenate([from_png(png, self._store.path) for png in pngs], axis=1)
        if strip.shape != (self.cell.height, self.rows.size.width, 3):
            raise ImageError(f"{verbatim(self._store.path)} has pictures of other sizes")
        return strip

    def _rows(self, top: int, bottom: int) -> np.ndarray:
        high = self.cell.height
        first, last = top // high, -(-bottom // high)
        strips = [
            self._strip(row)[max(0, top - row * high) : bottom - row * high]
            for row in range(first, last)
        ]
        return strips[0] if len(strips) == 1 else np.concatenate(strips)

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_stored(folder: Path) -> bool:
    """Whether a folder is that of a finished mosaic whose store is there."""
    return is_mosaic(folder) and store_path(folder).is_file()


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is no number of pixels")
    return value
