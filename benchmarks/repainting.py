"""Photos of a mosaic repainted by more and more: how near the picture, how much of them is kept.

    python -m benchmarks.repainting out/photo-set out/sources/skimage/data/astronaut.png \
        "photo of a cat" --out out/repainting --sheet docs/images/photos-repainted.jpg

The photos are the same in all of them, those that are chosen where nothing is painted.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measure import errors, kept
from benchmarks.page import write_jpeg
from digressions.generate.results import finish
from digressions.images.contact_sheet import contact_sheet
from digressions.images.image_files import read_image
from digressions.models.loading import load
from digressions.mosaics.photos.photo_build import build_photos
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec
from digressions.mosaics.stored import StoredMosaic

SHOWN = 384  # pixels of each half on the sheet
STRENGTHS = (0.0, 0.2, 0.4, 0.7)


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the mosaics, prints the table and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("image", type=Path, help="the picture to show")
    parser.add_argument("prompt", help="what photos are repainted as")
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    parser.add_argument("--grid", default="12")
    parser.add_argument("--near", type=int, nargs=2, default=(4, 1), help="cell to show from near")
    parser.add_argument("--sheet", type=Path, help="JPEG to write")
    asked = parser.parse_args(arguments)
    model, cells, labels = load("bundled", "cpu"), [], []
    unbent = None
    print("| `--paint` | 2×2: largest error | 8×8: dB | kept |\n| ---: | ---: | ---: | ---: |")
    for strength in STRENGTHS:
        more = {"paint": strength, "prompt": asked.prompt} if strength else {}
        spec = PhotoMosaicSpec.of(
            image=str(asked.image),
            tiles=[str(asked.photos)],
            grid=asked.grid,
            size=model.size,
            index=asked.out / "photos.sqlite",
            **more,
        )
        folder, painter = asked.out / f"paint-{strength:g}", model if strength else None
        shutil.rmtree(folder, ignore_errors=True)
        finish(build_photos(spec, folder, model=painter))
        base = read_image(folder / "base.png")
        with StoredMosaic(folder) as stored:
            mosaic, grid = stored.rows.whole(), stored.grid
        unbent = mosaic if unbent is None else unbent
        found, coarse = errors(mosaic, base, grid, 8), errors(mosaic, base, grid, 2)
        print(
            f"| {strength:g} | {coarse.largest:.1f} | {found.psnr:.1f} | "
            f"{kept(mosaic, unbent, grid):.2f} |",
            flush=True,
        )
        afar = Image.fromarray(mosaic).resize((SHOWN, SHOWN), Image.Resampling.BOX)
        left, top = (each * model.size for each in asked.near)
        near = mosaic[top : top + SHOWN, left : left + SHOWN]
        cells += [np.asarray(afar), near]
        label = f"paint {strength:g}" if strength else "photos alone"
        labels += [label, "from near"]
    if asked.sheet:
        order = [*range(0, len(cells), 2), *range(1, len(cells), 2)]
        sheet = contact_sheet(
            [cells[k] for k in order], columns=len(STRENGTHS), labels=[labels[k] for k in order]
        )
        write_jpeg(asked.sheet, sheet)


if __name__ == "__main__":
    main()
