"""The hypermosaic: a picture, and a picture painted over each of its cells.

    primary  ->  cells, enlarged  ->  painted over  ->  band corrected  ->  store   (`factory`)
    store  ->  rows of pictures  ->  pyramid, preview, one big file, fidelity

The level is never held in memory: pictures go to the store batch by batch, and come back as rows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..batching import Painter
from ..errors import InputError
from ..geometry import Grid, Size
from ..job import MAX_SEED, Job, check
from ..models import Model
from ..pictures.images import from_png
from ..upscale import check_upscaler
from .band import band_of, correct_band, to_bytes
from .store import Store

CELL_SIDE = 8  # pixels of the primary in a cell, as in a 512 px picture of 64 x 64 cells
BANDS = (0, 1, 2, 4, 8)
MOST_CELLS = 256
MOST_ENLARGED = 8
MOST_SIDE = 4096


@dataclass(frozen=True)
class Mosaic:
    """What a hypermosaic is, but for its primary picture. The same settings and the same model
    make the same picture.

    Attributes:
        prompt: Of the cells.
        grid: Cells across and down.
        side: The pictures' width and height in pixels, as they are painted.
        strength, steps, guidance, sampler, negative: As in `paint.Job`.
        seed: The root seed; each cell's own comes from it and the cell's place.
        band: Values a cell and side in which the mosaic equals the primary exactly; 0 for none.
        how: As in `paint.Job`.
        anchor: Weight 0..1 that pulls each step's guess to the cell's colours.
        enlarge: How many times each picture is enlarged after it is painted.
        upscaler: What enlarges it, a name of `upscale.UPSCALERS`.
    """

    prompt: str
    grid: Grid
    side: int
    strength: float
    steps: int
    guidance: float
    sampler: str
    seed: int
    negative: str = ""
    band: int = 2
    anchor: float = 0.3
    enlarge: int = 1
    upscaler: str = "lanczos"
    how: str = "mean"

    @property
    def size(self) -> Size:
        """Of the whole, in pixels."""
        return self.grid.size(self.side * self.enlarge)

    @property
    def primary_size(self) -> Size:
        """Of the primary that its cells are cut from."""
        return self.grid.size(CELL_SIDE)

    def job(self) -> str:
        """The settings as one line of JSON: what a store is stamped with."""
        return json.dumps(asdict(self) | {"grid": str(self.grid)}, sort_keys=True)

    def seeds(self) -> list[int]:
        """Every cell's seed, in reading order."""
        return [cell_seed(self.seed, cell) for cell in range(self.grid.cells)]

    def check(self) -> None:
        """Raises `InputError` for settings that cannot be."""
        if self.band not in BANDS:
            raise InputError(f"--band {self.band} is not one of {', '.join(map(str, BANDS))}")
        if max(self.grid) > MOST_CELLS:
            raise InputError(f"--grid {self.grid} does not fit: at most {MOST_CELLS} cells a side")
        if not 1 <= self.side <= MOST_SIDE:
            raise InputError(
                f"the size {self.side:.8g} of a cell's picture is out of range: 1 to {MOST_SIDE}"
            )
        if not 1 <= self.enlarge <= MOST_ENLARGED:
            raise InputError(f"--enlarge {self.enlarge} is out of range: 1 to {MOST_ENLARGED}")
        check_upscaler(self.upscaler)
        if self.band and self.side % self.band:
            raise InputError(f"--size {self.side} is not a multiple of --band {self.band}")


_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("prompt", "sampler", "negative", "upscaler", "how", "grid"), (str,)),
    **dict.fromkeys(("side", "steps", "seed", "band", "enlarge"), (int,)),
    **dict.fromkeys(("strength", "guidance", "anchor"), (int, float)),
}


def mosaic_from(found: object) -> Mosaic:
    """The settings that `Mosaic.job` wrote, from its JSON. `Mosaic.check` asks whether they can be.

    Raises:
        KeyError, TypeError, ValueError: They are damaged.
    """
    if not isinstance(found, Mapping):
        raise TypeError(f"{found!r:.80} is no group of settings")
    for name, value in found.items():
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            raise TypeError(f"{name} is {value!r:.80}")
    return Mosaic(**{**found, "grid": Grid.parse(found["grid"])})


def cell_seed(root: int, *path: int) -> int:
    """A cell's own seed: a hash of the root seed and the path of cells that leads to it."""
    text = ":".join(str(number) for number in (root, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") & MAX_SEED


def cells_of(primary: Tensor, mosaic: Mosaic, cells: Sequence[int]) -> Tensor:
    """Cells of a primary, each enlarged to a full picture.

    Bicubic, over the whole neighbourhood, so that a cell's gradient runs on into the next cell's.

    Args:
        primary: ``(3, H, W)`` float32 in 0..1, of ``mosaic.primary_size``.
        cells: Indices into the grid.

    Returns:
        ``(len(cells), 3, side, side)`` float32 in 0..1.
    """
    margin = 3  # what the bicubic kernel reaches
    padded = F.pad(primary[None], (margin,) * 4, mode="replicate")[0]
    patch = CELL_SIDE + 2 * margin
    cut = []
    for cell in cells:
        box = mosaic.grid.box(cell, CELL_SIDE)
        cut.append(padded[:, box.top : box.top + patch, box.left : box.left + patch])
    scale = mosaic.side / CELL_SIDE
    full = math.ceil(patch * scale)
    enlarged = F.interpolate(
        torch.stack(cut), (full, full), mode="bicubic", align_corners=False
    ).clamp(0, 1)
    inset = round(margin * scale)
    return enlarged[..., inset : inset + mosaic.side, inset : inset + mosaic.side]


def exact_cells(primary: Tensor, mosaic: Mosaic, cells: Sequence[int]) -> Tensor:
    """The primary's own pixels in each cell: ``(len(cells), 3, CELL_SIDE, CELL_SIDE)``."""
    boxes = [mosaic.grid.box(cell, CELL_SIDE) for cell in cells]
    return torch.stack([primary[:, b.top : b.bottom, b.left : b.right] for b in boxes])


def cell_job(mosaic: Mosaic, seed: int, image: Tensor) -> Job:
    """The job of one cell: its seed, and the cell enlarged, ``(3, side, side)`` in 0..1."""
    return Job(
        mosaic.prompt,
        seed=seed,
        width=mosaic.side,
        height=mosaic.side,
        steps=mosaic.steps,
        guidance=mosaic.guidance,
        sampler=mosaic.sampler,
        negative=mosaic.negative,
        image=image,
        strength=mosaic.strength,
        anchor=mosaic.anchor,
        band=mosaic.band or 1,
        how=mosaic.how,
    )


def paint_cells(painter: Painter, mosaic: Mosaic, primary: Tensor, cells: Sequence[int]) -> Tensor:
    """Paints one batch of a primary's cells: ``(len(cells), 3, side, side)`` uint8."""
    seeds = [cell_seed(mosaic.seed, cell) for cell in cells]
    starts, exact = cells_of(primary, mosaic, cells), exact_cells(primary, mosaic, cells)
    return paint_over(painter, mosaic, seeds, starts, exact)


def paint_over(
    painter: Painter, mosaic: Mosaic, seeds: Sequence[int], starts: Tensor, exact: Tensor
) -> Tensor:
    """Paints over enlarged cells, of one parent or of several, and makes them exact in the band.

    Args:
        painter: Paints a batch.
        seeds: One a cell.
        starts: The cells enlarged, as `cells_of` gives them.
        exact: Their own pixels, as `exact_cells` gives them.

    Returns:
        ``(len(seeds), 3, side, side)`` uint8.
    """
    images = painter(
        [cell_job(mosaic, seed, start) for seed, start in zip(seeds, starts, strict=True)]
    )
    if mosaic.band:
        images = correct_band(images, band_of(exact, mosaic.band)).images
    return to_bytes(images)


def check_cells(model: Model, mosaic: Mosaic) -> None:
    """Raises what painting the cells would raise, without painting."""
    mosaic.check()
    check(model, cell_job(mosaic, mosaic.seed, torch.zeros(3, mosaic.side, mosaic.side)))


def strips(store: Store, mosaic: Mosaic) -> Iterator[np.ndarray]:
    """The mosaic, a row of pictures at a time: ``(side, columns * side, 3)`` uint8."""
    for row in range(mosaic.grid.rows):
        pngs = store.get(mosaic.grid.row(row))
        yield np.concatenate([from_png(png, store.path) for png in pngs], axis=1)
