"""Photomosaic tools of others, fed with pictures that are there already.

Each takes a base image and a folder of pictures, one for each cell, and puts one in each cell.
Only those that are installed are run (the ``bench`` extra; phomo by itself, see the README).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digressions.geometry import Grid
from digressions.images.image_files import read_image, resample


class Placed(NamedTuple):
    """A mosaic ``(H, W, 3)`` uint8, and how to get the pictures that its cells were made from.

    ``source`` gives the chosen pictures as they were before the tool changed them, put together in
    the same way; it is a call, so that it does not count in the tool's time. ``None`` where a tool
    pastes pictures as they are.
    """

    mosaic: np.ndarray
    source: Callable[[], np.ndarray] | None = None


@dataclass(frozen=True)
class Peer:
    """A tool: its package on PyPI, the module to import, its licence, how it is used, and a call.

    ``place`` takes the base image's file, the folder of pictures, the grid and a picture's side.
    """

    package: str
    module: str
    licence: str
    settings: str
    place: Callable[[Path, Path, Grid, int], Placed]


def mosaicraft(preset: str) -> Callable[[Path, Path, Grid, int], Placed]:
    """mosaicraft with one of its presets and otherwise its defaults."""

    def place(base_image: Path, tiles: Path, grid: Grid, side: int) -> Placed:
        from mosaicraft import MosaicGenerator
        from mosaicraft.tiles import augment_tiles, load_tiles

        made = MosaicGenerator(tiles, preset=preset).generate(
            base_image, target_tiles=grid.cells, tile_size=side
        )
        if (made.grid_cols, made.grid_rows) != tuple(grid):
            raise ValueError(f"mosaicraft made {made.grid_cols}x{made.grid_rows}, not {grid}")
        assert made.placement is not None  # only a feature cache has none
        chosen = made.placement.ravel()

        def source() -> np.ndarray:
            # It chooses among flipped, brighter and darker copies too.
            pool = augment_tiles(load_tiles(tiles, side), side).tiles
            return _rgb(whole([pool[index] for index in chosen], grid))

        return Placed(_rgb(made.image), source)

    return place


def phomo(base_image: Path, tiles: Path, grid: Grid, side: int) -> Placed:
    """phomo's optimal assignment, each picture once."""
    from phomo import Master, Mosaic, Pool

    master = Master(resample(read_image(base_image), *grid.size(side)))
    mosaic = Mosaic(master, Pool.from_files(sorted(tiles.glob("*.png"))))
    return Placed(np.asarray(mosaic.build(mosaic.d_matrix())))


def photomosaic(base_image: Path, tiles: Path, grid: Grid, side: int) -> Placed:
    """photomosaic's steps of ``basic_mosaic``, but for cutting and pasting.

    Those two do not run with NumPy 2; at sizes that need no scaling they only slice.
    """
    import photomosaic as tool

    pool = tool.make_pool(str(tiles / "*.png"), sample_size=None)
    seen = tool.adapt_to_pool(tool.perceptual(read_image(base_image) / 255), pool)
    match = tool.simple_matcher(pool)
    cell = seen.shape[1] // grid.columns
    boxes = (grid.box(index, cell) for index in range(grid.cells))
    colours = [seen[b.top : b.bottom, b.left : b.right].reshape(-1, 3).mean(0) for b in boxes]
    return Placed(whole([read_image(*match(colour)) for colour in colours], grid))


PEERS = {
    "mosaicraft-vivid": Peer(
        "mosaicraft", "mosaicraft", "MIT", "defaults (preset vivid)", mosaicraft("vivid")
    ),
    "mosaicraft-ultra": Peer(
        "mosaicraft", "mosaicraft", "MIT", "preset ultra, its highest quality", mosaicraft("ultra")
    ),
    "phomo": Peer(
        "phomo", "phomo", "MIT", "defaults: metric norm, optimal assignment, each once", phomo
    ),
    "photomosaic": Peer(
        "photomosaic",
        "photomosaic",
        "BSD-3-Clause",
        "defaults, mean colour over all pixels; pictures may repeat",
        photomosaic,
    ),
}


def whole(pictures: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    """One picture ``(side, side, 3)`` a cell, in reading order, to one of ``(H, W, 3)``."""
    rows = (pictures[i : i + grid.columns] for i in range(0, grid.cells, grid.columns))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _rgb(bgr: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(bgr[..., ::-1])
