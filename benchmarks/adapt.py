"""Cells that follow the detail of the base image: what it costs and what it gains.

    python -m benchmarks.adapt PORTRAIT --out out/adapt --sheet docs/images/adapt.jpg

Paints the same part of a picture at several values of ``--adapt``. Fidelity is the PSNR at 8 x 8
values a cell, of all cells and of the tenth with most detail; recognition is the share of the noise
that the prompt explains in a cell (`ensembles.balance`, the model's own judgement), of the finest
and the flattest tenths and of cells evenly spread.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.fidelity import Study, paint_whole
from benchmarks.machine import cpu_name, dtype_name
from benchmarks.measure import errors
from benchmarks.page import write_jpeg
from benchmarks.subject import default_mosaic
from digressions.ensembles.balance import balances
from digressions.geometry import Box, Grid
from digressions.images.contact_sheet import contact_sheet
from digressions.images.image_files import read_image, resample, to_array, to_tensor
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.mosaics.adapting import finer_than_band
from digressions.mosaics.cells import exact_cells
from digressions.mosaics.mosaic_spec import CELL_SIDE, Mosaic

ADAPTS = (0.0, 0.5, 1.0)
TRIALS = 4  # noise levels that a cell is judged at
SHOWN = 384  # pixels of a mosaic on the sheet


def part(picture: np.ndarray, box: Box | None, grid: Grid) -> Tensor:
    """A part of a picture as a base image ``(3, H, W)`` in 0..1."""
    if box is not None:
        picture = picture[box.top : box.bottom, box.left : box.right]
    return to_tensor(resample(picture, *grid.size(CELL_SIDE)))


def cells_in(picture: np.ndarray, mosaic: Mosaic, cells: Sequence[int]) -> np.ndarray:
    """Cells of a whole mosaic, ``(N, height, width, 3)`` uint8."""
    rows = picture.reshape(mosaic.grid.rows, mosaic.cell.height, -1, mosaic.cell.width, 3)
    return rows.swapaxes(1, 2).reshape(-1, *rows.shape[1::2], 3)[list(cells)]


def fidelity(picture: np.ndarray, base: np.ndarray, mosaic: Mosaic, cells: Sequence[int]) -> float:
    """PSNR of cells at 8 x 8 values each."""
    own = cells_in(picture, mosaic, cells)
    boxes = [mosaic.grid.box(cell, CELL_SIDE) for cell in cells]
    wanted = np.stack([base[b.top : b.bottom, b.left : b.right] for b in boxes])
    return errors(np.hstack(own), np.hstack(wanted), Grid(len(cells), 1), CELL_SIDE).psnr


def recognition(model: Model, picture: np.ndarray, mosaic: Mosaic, cells: Sequence[int]) -> float:
    """Mean share of the noise that the prompt explains in cells."""
    images = torch.stack([to_tensor(each) for each in cells_in(picture, mosaic, cells)])
    found = balances(model, images, [mosaic.params.prompt], trials=TRIALS)
    return float(np.mean([each.least for each in found]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Paints what is missing, prints the table and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--box", type=int, nargs=4, metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"))
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the mosaics")
    parser.add_argument("--sheet", type=Path, required=True, help="where to write the sheet")
    parser.add_argument("--grid", type=int, default=24, help="cells across and down")
    parser.add_argument("--judged", type=int, default=24, help="cells of each kind")
    asked = parser.parse_args(arguments)
    model, grid = load("bundled", "cpu"), Grid(asked.grid, asked.grid)
    usual = default_mosaic(model, grid)
    base = part(read_image(asked.picture), Box(*asked.box) if asked.box else None, grid)
    stands = {
        "model": model.hash,
        "dtype": dtype_name(model.dtype),
        "batch": 16,
        "cpu": cpu_name(),
        "threads": torch.get_num_threads(),
    }
    study = Study(asked.out, usual, base, stands)
    finer = [finer_than_band(cell) for cell in exact_cells(base, usual, range(grid.cells))]
    order = np.argsort(finer, kind="stable").tolist()
    tenth = max(1, grid.cells // 10)
    spread = [order[i * grid.cells // asked.judged] for i in range(asked.judged)]
    flat, fine = order[:tenth][: asked.judged], order[-tenth:][-asked.judged :]
    heads = "adapt | 8×8: dB | finest tenth | prompt explains | finest tenth | flattest tenth | s"
    print(f"| {heads} |\n| ---: |" + " ---: |" * heads.count("|"), flush=True)
    shown = [resample(to_array(base), SHOWN, SHOWN)]
    for adapt in ADAPTS:
        mosaic, name = usual.but(adapt=adapt), f"adapt-{adapt:g}"
        study.make(name, functools.partial(paint_whole, model, mosaic, study.base_image, 16))
        picture = study.picture(name)
        shown.append(resample(picture, SHOWN, SHOWN))
        values = [
            f"{fidelity(picture, study.image, mosaic, range(grid.cells)):.1f}",
            f"{fidelity(picture, study.image, mosaic, order[-tenth:]):.1f}",
            *(f"{recognition(model, picture, mosaic, c):.2%}" for c in (spread, fine, flat)),
            f"{study.seconds(name):.0f}",
        ]
        print(f"| {adapt:g} | " + " | ".join(values) + " |", flush=True)
    labels = ["the base image", *(f"adapt {adapt:g}" for adapt in ADAPTS)]
    write_jpeg(asked.sheet, contact_sheet(shown, columns=len(shown), labels=labels))
    print(asked.sheet)


if __name__ == "__main__":
    main()
