"""Photomosaic tools of others, fed with pictures that are there already.

Each takes a base image and a folder of pictures, one for each cell, and puts one in each cell.
Only those that are installed are run (the ``bench`` extra; phomo by itself, see the README).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
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


FAITHFUL = {
    "reinhard_l": 1.0,
    "reinhard_ab": 1.0,
    "skin_protection": 0.0,
    "color_harmony": 0.0,
    "gamma": 1.0,
    "shadow_lift": 0,
    "saturation_boost": 1.0,
    "vibrance": 0.0,
    "contrast_boost": 1.0,
    "sharpness": 0.0,
    "local_contrast_clip": 0.01,  # CLAHE takes 0 for no limit
}
"""What of a preset of mosaicraft takes its pictures' colours all the way to the base image's, and
makes nothing more vivid than that is."""


def mosaicraft(
    preset: str, changed: Mapping[str, float] = MappingProxyType({})
) -> Callable[[Path, Path, Grid, int], Placed]:
    """mosaicraft with one of its presets, some of it changed, and otherwise its defaults."""

    def place(base_image: Path, tiles: Path, grid: Grid, side: int) -> Placed:
        from mosaicraft import MosaicGenerator
        from mosaicraft.presets import get_preset
        from mosaicraft.tiles import augment_tiles, load_tiles

        wanted = get_preset(preset) | dict(changed) if changed else preset
        made = MosaicGenerator(tiles, preset=wanted).generate(
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


def phomo(times: int) -> Callable[[Path, Path, Grid, int], Placed]:
    """phomo's optimal assignment, each picture so many times."""

    def place(base_image: Path, tiles: Path, grid: Grid, side: int) -> Placed:
        from phomo import Master, Mosaic, Pool

        master = Master(resample(read_image(base_image), *grid.size(side)))
        pool = Pool.from_files(sorted(tiles.glob("*.png")))
        mosaic = Mosaic(master, pool, n_appearances=times)
        return Placed(np.asarray(mosaic.build(mosaic.d_matrix())))

    return place


def photomosaic(base_image: Path, tiles: Path, grid: Grid, side: int) -> Placed:
    """photomosaic's steps of ``basic_mosaic``, but for cutting and pasting.

    Those two do not run with NumPy 2; at sizes that need no scaling they only slice.
    """
    import photomosaic as tool

    pool = tool.make_pool(str(tiles / "*.png"), sample_size=None)
    seen = tool.adapt_to_pool(tool.perceptual(read_image(base_image) / 255), pool)
    match = tool.simple_matcher(pool)
    colours = (cell.reshape(-1, 3).mean(0) for cell in _cells(seen, grid))
    return Placed(whole([read_image(*match(colour)) for colour in colours], grid))


def photomosaic_by_parts(base_image: Path, tiles: Path, grid: Grid, side: int) -> Placed:
    """photomosaic with an analyser that sees 8 x 8 colours of a picture instead of one, and without
    adapting the base image to the pictures' colours."""
    import photomosaic as tool

    def parts(pixels: np.ndarray) -> np.ndarray:
        square = math.isqrt(len(pixels))
        image = pixels.reshape(8, square // 8, 8, square // 8, 3)
        return np.asarray(image.mean((1, 3)).ravel())

    pool = tool.make_pool(str(tiles / "*.png"), sample_size=None, analyzer=parts)
    seen = tool.perceptual(read_image(base_image) / 255)
    match = tool.simple_matcher(pool)
    cells = (parts(cell.reshape(-1, 3)) for cell in _cells(seen, grid))
    return Placed(whole([read_image(*match(cell)) for cell in cells], grid))


def _cells(image: np.ndarray, grid: Grid) -> Iterator[np.ndarray]:
    """The cells of a picture, in reading order."""
    side = image.shape[1] // grid.columns
    for index in range(grid.cells):
        box = grid.box(index, side)
        yield image[box.top : box.bottom, box.left : box.right]


PEERS = {
    "mosaicraft-vivid": Peer(
        "mosaicraft", "mosaicraft", "MIT", "defaults (preset vivid)", mosaicraft("vivid")
    ),
    "mosaicraft-ultra": Peer(
        "mosaicraft", "mosaicraft", "MIT", "preset ultra, its highest quality", mosaicraft("ultra")
    ),
    "mosaicraft-best": Peer(
        "mosaicraft",
        "mosaicraft",
        "MIT",
        "at its best: ultra, colours taken all the way, nothing made more vivid",
        mosaicraft("ultra", FAITHFUL),
    ),
    "phomo": Peer(
        "phomo", "phomo", "MIT", "defaults: metric norm, optimal assignment, each once", phomo(1)
    ),
    "phomo-best": Peer("phomo", "phomo", "MIT", "at its best: each up to four times", phomo(4)),
    "photomosaic": Peer(
        "photomosaic",
        "photomosaic",
        "BSD-3-Clause",
        "defaults, mean colour over all pixels; pictures may repeat",
        photomosaic,
    ),
    "photomosaic-best": Peer(
        "photomosaic",
        "photomosaic",
        "BSD-3-Clause",
        "at its best: chosen by 8 x 8 colours, base image as it is; pictures may repeat",
        photomosaic_by_parts,
    ),
}


def whole(pictures: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    """One picture ``(side, side, 3)`` a cell, in reading order, to one of ``(H, W, 3)``."""
    rows = (pictures[i : i + grid.columns] for i in range(0, grid.cells, grid.columns))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _rgb(bgr: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(bgr[..., ::-1])
