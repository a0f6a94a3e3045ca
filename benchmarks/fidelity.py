"""What strength, steering and the exact band each cost, and what other photomosaic tools reach.

    python -m benchmarks.fidelity --out out/fidelity --update docs/fidelity.md

Paints mosaics of one base image with one setting changed at a time, gives the uncorrected pictures
of the default strength to other tools, and measures all of them in the same way (`measure.py`).
A mosaic is saved when it is done; the same command goes on after a stop.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.machine import cpu_name, dtype_name, machine, version_of, versions
from benchmarks.measure import COARSE, detail, different, errors, grid_power, kept
from benchmarks.page import update, write_jpeg
from benchmarks.peers import PEERS, Placed, whole
from benchmarks.subject import default_mosaic, paint_cells, painted_base_image
from digressions.generate.paint import painter_of
from digressions.geometry import Grid
from digressions.images.contact_sheet import contact_sheet
from digressions.images.image_files import read_image, to_array, to_tensor, write_image
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.mosaics.cells import cells_of, to_bytes
from digressions.mosaics.mosaic_spec import CELL_SIDE, CellParams, Mosaic

STEPS = 7  # at the default 4, strengths 0.5 and 0.65 run the same number of steps
STRENGTHS = (0.5, 0.65, 0.8, 0.95)
ANCHORS = (0.0, 0.3, 0.6)
OTHER_BANDS = (0, 1, 4, 8)
SHOWN = 384  # pixels of each half of a picture in the docs


@dataclass(frozen=True)
class Row:
    """One mosaic, measured.

    Attributes:
        name: As its files are called.
        settings: In words.
        pictures_a_second: Painted, or placed by a tool; ``None`` where nothing is painted.
        band: Values a cell and side that it promises to be exact in; 0 for none.
        band_psnr, band_largest: In that band; dB and grey levels; ``None`` where there is none.
        coarse_psnr, coarse_largest: At 2 x 2 values a cell.
        fine_psnr: At 8 x 8 values a cell.
        kept, detail, different: See `measure`.
        repeats: How many times the base image's power at the grid's frequencies; see
            `measure.grid_power`.
    """

    name: str
    settings: str
    pictures_a_second: float | None
    band: int
    band_psnr: float | None
    band_largest: float | None
    coarse_psnr: float
    coarse_largest: float
    fine_psnr: float
    kept: float
    detail: float
    different: int
    repeats: float


def name_of(mosaic: Mosaic) -> str:
    """Such as ``strength-0.8-anchor-0.3-band-2``, and what is unusual besides."""
    name = f"strength-{mosaic.params.strength:g}-anchor-{mosaic.anchor:g}-band-{mosaic.band}"
    return f"{name}{in_words(mosaic).replace(', ', '-').replace(' ', '-')}"


def in_words(mosaic: Mosaic) -> str:
    """How its cells vary, such as ``, mirror 0, jitter 0``; nothing where it is as usual."""
    usual = CellParams()
    if (mosaic.mirror, mosaic.jitter) == (usual.mirror, usual.jitter):
        return ""
    return f", mirror {mosaic.mirror:g}, jitter {mosaic.jitter:g}"


def uncorrected(mosaic: Mosaic) -> Mosaic:
    """The same mosaic without steering and without the band: what the model paints by itself."""
    return mosaic.but(anchor=0.0, band=0)


def with_strength(mosaic: Mosaic, strength: float) -> Mosaic:
    """The same mosaic with another strength."""
    return mosaic.but(params=mosaic.params.but(strength=strength))


def varied(base: Mosaic, jitters: Sequence[float] = ()) -> list[Mosaic]:
    """From all cells alike to cells that look either way and stand off their middle; and farther
    off it, by other jitters."""
    alike = base.but(mirror=0.0, jitter=0.0)
    each = [alike, alike.but(mirror=base.mirror), base, *(base.but(jitter=far) for far in jitters)]
    return [*map(uncorrected, each), *each]


def variants(base: Mosaic) -> list[Mosaic]:
    """The mosaics of the study, each once; the uncorrected ones first, as others need them."""
    wanted = [uncorrected(with_strength(base, strength)) for strength in STRENGTHS]
    wanted += [
        with_strength(base, strength).but(anchor=anchor)
        for strength in STRENGTHS
        for anchor in ANCHORS
    ]
    wanted += [base.but(band=band) for band in OTHER_BANDS]
    wanted += varied(base)
    return list({name_of(mosaic): mosaic for mosaic in wanted}.values())


def paint_whole(model: Model, mosaic: Mosaic, base_image: Tensor, batch: int) -> Placed:
    """All cells, painted."""
    painter = painter_of(model)
    cells = range(mosaic.grid.cells)
    painted = [
        paint_cells(painter, mosaic, base_image, cells[start : start + batch])
        for start in range(0, len(cells), batch)
    ]
    return Placed(whole(torch.cat(painted).permute(0, 2, 3, 1).numpy(), mosaic.grid))


def enlarged_whole(mosaic: Mosaic, base_image: Tensor) -> Placed:
    """The cells before anything is painted over them."""
    cells = cells_of(base_image, mosaic, range(mosaic.grid.cells))
    return Placed(whole(to_bytes(cells).permute(0, 2, 3, 1).numpy(), mosaic.grid))


class Study:
    """The folder that a study is kept in, and what is done in it."""

    def __init__(
        self, folder: Path, base: Mosaic, base_image: Tensor, circumstances: dict[str, object]
    ) -> None:
        """Claims the folder for these settings in these circumstances (model, dtype, threads...).

        Raises:
            SystemExit: It holds another study.
        """
        self.folder, self.base = folder, base
        self.job = base.json_object() | circumstances
        stamp = folder / "study.json"
        folder.mkdir(parents=True, exist_ok=True)
        if stamp.exists() and json.loads(stamp.read_text("utf-8")) != self.job:
            raise SystemExit(f"{folder} holds another study: choose another --out, or delete it")
        stamp.write_text(json.dumps(self.job, indent=1) + "\n", "utf-8")
        if not (folder / "base.png").exists():
            write_image(folder / "base.png", to_array(base_image))
        self.image = read_image(folder / "base.png")
        self.base_image = to_tensor(self.image)

    def picture(self, name: str) -> np.ndarray:
        """A finished mosaic, ``(H, W, 3)`` uint8."""
        return read_image(self.folder / f"{name}.png")

    def seconds(self, name: str) -> float:
        """That a finished mosaic took."""
        return float(json.loads((self.folder / f"{name}.json").read_text("utf-8"))["seconds"])

    def make(self, name: str, maker: Callable[[], Placed]) -> None:
        """Makes and times a mosaic unless it is there."""
        note = self.folder / f"{name}.json"  # written last: with it, the mosaic is done
        if note.exists():
            return
        begun = time.perf_counter()
        made = maker()
        seconds = time.perf_counter() - begun
        write_image(self.folder / f"{name}.png", made.mosaic)
        if made.source is not None:
            write_image(self.folder / f"{name}-source.png", made.source())
        part = note.with_suffix(".part")
        part.write_text(json.dumps({"seconds": seconds}) + "\n", "utf-8")
        part.replace(note)
        print(f"{name}: {seconds:.1f} s", flush=True)

    def tiles(self) -> Path:
        """A folder of the uncorrected pictures of the default strength, one file each."""
        folder, grid, side = self.folder / "tiles", self.base.grid, self.base.cell.width
        if folder.exists() and len(list(folder.glob("*.png"))) == grid.cells:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        picture = self.picture(name_of(uncorrected(self.base)))
        for cell in range(grid.cells):
            box = grid.box(cell, side)
            write_image(
                folder / f"{cell:05d}.png", picture[box.top : box.bottom, box.left : box.right]
            )
        return folder

    def row(self, name: str, settings: str, source: np.ndarray, band: int, timed: bool) -> Row:
        """A finished mosaic measured against the pictures that it was made from."""
        picture, grid = self.picture(name), self.base.grid
        own = errors(picture, self.image, grid, band) if band else None
        coarse = errors(picture, self.image, grid, COARSE)
        return Row(
            name=name,
            settings=settings,
            pictures_a_second=grid.cells / self.seconds(name) if timed else None,
            band=band,
            band_psnr=own.psnr if own else None,
            band_largest=own.largest if own else None,
            coarse_psnr=coarse.psnr,
            coarse_largest=coarse.largest,
            fine_psnr=errors(picture, self.image, grid, CELL_SIDE).psnr,
            kept=kept(picture, source, grid),
            detail=detail(picture, grid),
            different=different(source, grid),
            repeats=grid_power(picture, grid) / grid_power(self.image, grid),
        )


def paint_variants(study: Study, model: Model, batch: int, mosaics: Sequence[Mosaic]) -> list[Row]:
    """Paints what is missing of the study's own mosaics; first row: nothing painted at all."""
    study.make("enlarged", functools.partial(enlarged_whole, study.base, study.base_image))
    rows = []
    for mosaic in mosaics:
        study.make(
            name_of(mosaic),
            functools.partial(paint_whole, model, mosaic, study.base_image, batch),
        )
        source = study.picture(name_of(uncorrected(mosaic)))
        words = f"strength {mosaic.params.strength:g}, anchor {mosaic.anchor:g}, band {mosaic.band}"
        words += in_words(mosaic)
        rows.append(study.row(name_of(mosaic), words, source, mosaic.band, timed=True))
    free = study.picture(name_of(uncorrected(study.base)))
    unpainted = study.row("enlarged", "the base image enlarged, unpainted", free, 0, timed=False)
    return [unpainted, *rows]


def place_peers(study: Study) -> list[Row]:
    """Runs other tools on the study's pictures; those not installed are left out, and said so."""
    rows = []
    grid, side = study.base.grid, study.base.cell.width
    for name, peer in PEERS.items():
        try:
            importlib.import_module(peer.module)  # here, so that it does not count in its time
        except ImportError as error:
            print(f"{name} is left out: {error} (see benchmarks/README.md)")
            continue
        study.make(
            name,
            functools.partial(peer.place, study.folder / "base.png", study.tiles(), grid, side),
        )
        changed = (study.folder / f"{name}-source.png").exists()
        source = study.picture(f"{name}-source" if changed else name)
        words = f"{peer.package} {version_of(peer.package)} ({peer.licence}): {peer.settings}"
        rows.append(study.row(name, words, source, 0, timed=True))
    return rows


def table(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    heads = (
        "mosaic | pictures/s | own band: dB | largest error | 2×2: dB | largest error | 8×8: dB "
        "| kept | detail | different | repeats"
    )
    lines = [f"| {heads} |", "| --- |" + " ---: |" * heads.count("|")]
    for row in rows:
        values = (
            _number(row.pictures_a_second, 1),
            _number(row.band_psnr, 1),
            _number(row.band_largest, 2),
            _number(row.coarse_psnr, 1),
            _number(row.coarse_largest, 2),
            _number(row.fine_psnr, 1),
            _number(row.kept, 2),
            _number(row.detail, 1),
            f"{row.different:,}",
            _number(row.repeats, 0),
        )
        lines.append(f"| {row.settings} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def show(picture: np.ndarray, label: str, grid: Grid) -> np.ndarray:
    """The whole from afar and its middle from near, side by side: ``(H, W, 3)`` uint8."""
    image = Image.fromarray(picture)
    afar = image.copy()
    afar.thumbnail((SHOWN, SHOWN), Image.Resampling.BOX)
    width, height = min(SHOWN, image.width), min(SHOWN, image.height)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    near = image.crop((left, top, left + width, top + height))
    cells = round(width * grid.columns / image.width)
    halves = [np.asarray(afar), np.asarray(near)]
    return contact_sheet(halves, columns=2, labels=[label, f"its middle, {cells} cells across"])


def illustrated(base: Mosaic) -> list[str]:
    """Names of the mosaics that the docs show: the ends of each setting, the default, the tools."""
    own = [
        uncorrected(base),
        base,
        with_strength(base, STRENGTHS[0]),
        with_strength(base, STRENGTHS[-1]),
        base.but(band=OTHER_BANDS[-1]),
    ]
    return [*(name_of(mosaic) for mosaic in own), *PEERS]


def write_pictures(study: Study, rows: Sequence[Row], folder: Path) -> list[tuple[Row, str]]:
    """Small JPEGs ``fidelity-NAME.jpg`` of the illustrated rows, and their file names."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = illustrated(study.base)
    shown = []
    for row in (row for row in rows if row.name in wanted):
        sheet = show(study.picture(row.name), row.name, study.base.grid)
        path = folder / f"fidelity-{row.name}.jpg"
        write_jpeg(path, sheet)
        shown.append((row, path.name))
    return shown


def section(study: Study, own: Sequence[Row], others: Sequence[Row], images: str) -> str:
    """The generated section in Markdown, without its marks."""
    base, job = study.base, study.job
    params = base.params
    used = ", ".join(f"{name} {number}" for name, number in versions(("diffusers",)).items())
    parts = [
        f'"{params.prompt}", {base.grid} cells of {base.cell.width} px, {params.steps} steps, '
        f"guidance {params.guidance:g}, sampler {params.sampler}, seed {params.seed}, "
        f"{job['dtype']}, batches of {job['batch']}; on {job['cpu']}, threads: {job['threads']}; "
        f"{used}.",
        table(own),
    ]
    if others:
        parts += [
            "Other tools, given the base image and the "
            f"{base.grid.cells:,} uncorrected pictures of strength {params.strength:g}:",
            table(others),
        ]
    parts.append(images)
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the study; writes ``FOLDER/fidelity.json`` and, if asked, the page. Returns the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the study")
    parser.add_argument("--update", type=Path, help="page whose generated section to write")
    parser.add_argument(
        "--variety", action="store_true", help="only how cells vary, without other tools"
    )
    parser.add_argument(
        "--jitter", type=float, nargs="*", default=[], help="others to compare, with --variety"
    )
    parser.add_argument("--grid", type=int, default=48, help="cells across and down")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--batch", type=int, default=32)
    asked = parser.parse_args(arguments)
    if min(asked.grid, asked.steps, asked.batch) < 1:
        parser.error("--grid, --steps and --batch must be at least 1")
    model = load("bundled", "cpu")
    base = default_mosaic(model, Grid(asked.grid, asked.grid))
    # What follows the detail of cells would change strength and anchor, which are compared here.
    base = base.but(params=base.params.but(steps=asked.steps), adapt=0.0)
    base.check()
    # In float32, so that the base image is the same picture on every machine.
    base_image = painted_base_image(load("bundled", "cpu", "float32"), base)
    circumstances = {
        "model": model.hash,
        "dtype": dtype_name(model.dtype),
        "batch": asked.batch,
        "cpu": cpu_name(),
        "threads": torch.get_num_threads(),
    }
    study = Study(asked.out, base, base_image, circumstances)
    own = paint_variants(
        study,
        model,
        asked.batch,
        varied(base, asked.jitter) if asked.variety else variants(base),
    )
    others = [] if asked.variety else place_peers(study)
    folder = (asked.update.parent if asked.update else asked.out) / "images"
    shown = write_pictures(study, [*own, *others], folder)
    images = "\n\n".join(f"![{row.settings}](images/{name})" for row, name in shown)
    report = {
        "machine": machine(("diffusers", *(peer.package for peer in PEERS.values()))),
        "job": study.job,
        "own": [asdict(row) for row in own],
        "others": [asdict(row) for row in others],
    }
    (asked.out / "fidelity.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    text = section(study, own, others, images)
    print(text)
    if asked.update:
        update(asked.update, text)
    return report


if __name__ == "__main__":
    main()
