"""A mosaic on paper, straight from its store: a poster of any size in the memory of a few rows, and
what becomes of its pictures on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import verbatim
from ..events import Event, Note, Saved
from ..geometry import Grid, Size
from ..images.decoding import MAX_PIXELS
from ..images.image_files import read_image, resample
from ..images.pyramid import preview_of
from ..mosaics.cell_shape import MAX_CELLS
from ..mosaics.stored import StoredMosaic
from ..pace import paced
from .icc import Profile, out_of_gamut
from .paper import MAX_DPI
from .print_file import Proof
from .print_job import PrintJob
from .print_spec import PrintSpec
from .sizes import in_millimetres

_INCH = 25.4  # mm
_ENOUGH = 0.98  # of the DPI that are asked for
_PROOF_SIDE = 1200  # pixels
_MORE = 1.2  # times the columns, which a grid that suits the paper may have
_CLEARLY = 0.01  # of a mosaic's area
_STREAMED = (".pdf", ".tif", ".tiff")


def is_streamed(job: PrintJob, mosaic: StoredMosaic, output: Path) -> bool:
    """Whether a mosaic is printed in the memory of a few rows: as a PDF or TIFF, and unless it must
    be enlarged several times over, when it is small itself."""
    enlargement = job.placement(mosaic.rows.size).enlargement
    return output.suffix.lower() in _STREAMED and enlargement <= 4


def finest(spec: PrintSpec, picture: Size) -> PrintJob:
    """The print of a picture of a size, with as many DPI as it has, if these are more, unless the
    user says how many."""
    job = spec.job(picture.width / picture.height)
    if "dpi" in spec.model_fields_set:
        return job
    for _ in range(2):  # the second time from so many pixels that rounding them tells nothing
        most = math.floor(job.sheet.dpi * math.sqrt(MAX_PIXELS / job.sheet.media.pixels))
        dpi = min(MAX_DPI, most, round(job.effective_dpi(picture)))
        if dpi > job.sheet.dpi:
            job = spec.but(dpi=dpi).job(picture.width / picture.height)
    return job


def foretold(folder: Path, spec: PrintSpec) -> list[Note]:
    """What the print of a mosaic with all its pixels comes to, before it is made.

    Args:
        folder: Of a finished mosaic with its store.

    Raises:
        InputError, ImageError: The paper does not suit it, or the folder is damaged.
    """
    with StoredMosaic(folder) as mosaic:
        return list(poster_notes(finest(spec, mosaic.rows.size), mosaic))


def poster_notes(job: PrintJob, mosaic: StoredMosaic) -> Iterator[Note]:
    """How large each picture comes out, and what grid would suit the paper."""
    placed = job.placement(mosaic.rows.size)
    across, down = (
        cell / part * target / job.sheet.dpi * _INCH
        for cell, part, target in zip(
            mosaic.cell, placed.crop.size, placed.target.size, strict=True
        )
    )
    own = job.effective_dpi(mosaic.rows.size)
    yield Note(
        f"each of its {mosaic.grid.cells:,} pictures comes out {across:.1f} x {down:.1f} mm large, "
        f"with {own:.0f} DPI of its own ({mosaic.cell} px)"
    )
    room = job.sheet.inner(max(job.sheet.mat, 0.0)).size
    aspect = room.width / room.height * mosaic.cell.height / mosaic.cell.width
    same = _grid_of(aspect, mosaic.grid)
    words = []
    if same != mosaic.grid:
        cut = 100 * _cut(same, aspect)
        exact = "its aspect, with nothing" if cut < 1 else f"nearly its aspect, with {cut:.0f} %"
        words.append(f"`grid` {same} has {exact} cut off")
    if own < _ENOUGH * job.sheet.dpi:
        fine = Grid(*(round(side / cell) for side, cell in zip(room, mosaic.cell, strict=True)))
        whole, cell = same.over(mosaic.cell), mosaic.cell
        larger = max(room.width / whole.width, room.height / whole.height)
        side = math.ceil(min(cell) * larger / 8) * 8
        shorter = "" if cell.width == cell.height else " on their shorter side"
        words.append(
            f"for {job.sheet.dpi} DPI let its cells have {side} px{shorter}"
            + (f", or let `grid` be {fine}" if max(fine) <= MAX_CELLS else "")
        )
    if words:
        yield Note(f"what would suit {_paper(job)}: {'; '.join(words)}")


def _paper(job: PrintJob) -> str:
    return f"{' x '.join(str(in_millimetres(side)) for side in job.sheet.trim)} mm of paper"


def _grid_of(aspect: float, own: Grid) -> Grid:
    """Of the grids of about as many cells as there are, that whose columns to rows are nearest to
    an aspect; the mosaic's own where no other loses clearly less."""
    usual = math.sqrt(own.cells * aspect)
    grids = [
        Grid(columns, max(1, round(columns / aspect)))
        for columns in range(max(1, math.floor(usual / _MORE)), math.ceil(usual * _MORE) + 1)
    ]
    best = min(
        grids, key=lambda grid: (round(_cut(grid, aspect), 2), abs(math.log(grid.columns / usual)))
    )
    return best if _cut(best, aspect) < _cut(own, aspect) - _CLEARLY else own


def _cut(grid: Grid, aspect: float) -> float:
    """The share of a grid that is cut off to fill a paper of an aspect, in columns to rows."""
    ratio = grid.columns / grid.rows / aspect
    return 1 - min(ratio, 1 / ratio)


def print_mosaic(
    job: PrintJob,
    mosaic: StoredMosaic,
    output: Path,
    text: Mapping[str, str],
    *,
    proof: tuple[Path, Mapping[str, str]] | None = None,
    device: str | None = None,
) -> Iterator[Event]:
    """Writes the printer's file of a mosaic, a band of rows at a time.

    Args:
        job: For which `is_streamed`.
        mosaic: Open.
        output: A PDF or TIFF.
        text: What the file remembers.
        proof: Where a proof goes, a PNG, and what it remembers.
        device: Of an upscaler from a file: the best there is if not given.

    Raises:
        OutputError: It cannot be written there.
    """
    size = mosaic.rows.size
    if job.profile is not None:
        yield gamut_note(read_image(preview_of(mosaic.path)), job.profile)
    shown = None if proof is None else Proof(proof[0], _proof(job, mosaic), proof[1])
    placed = job.placed(mosaic.rows, device)
    height = job.sheet.media.height
    yield from paced("printing", "print", job.writing(output, placed, size, text, shown), height)
    yield Saved(output, details=job.remembered(size))
    if shown is not None:
        yield Saved(shown.path)


def gamut_note(shown: np.ndarray, profile: Profile) -> Note:
    """How much of a picture ``(H, W, 3)`` uint8 has colours that a profile cannot print."""
    share = out_of_gamut(shown, profile).mean()
    name = verbatim(profile.name)
    words = f"{100 * share:.1f} % of the picture has colours that {name} cannot print"
    return Note(f"{words}: `proof` shows where", "warning") if share >= 0.01 else Note(words)


def _proof(job: PrintJob, mosaic: StoredMosaic) -> np.ndarray:
    """How the print will look: of the mosaic's preview, on paper of as few DPI as that needs."""
    sheet = job.sheet
    dpi = max(1, round(sheet.dpi * _PROOF_SIDE / max(sheet.media)))
    small = replace(job, sheet=replace(sheet, dpi=min(dpi, sheet.dpi)))
    preview = read_image(preview_of(mosaic.path))
    size = Size(preview.shape[1], preview.shape[0])
    box, target = small.placement(size)
    part = preview[box.top : box.bottom, box.left : box.right]
    return small.proof(resample(part, *target.size), size)
