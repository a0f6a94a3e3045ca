"""Mosaics of photos: how faithful, how much of each photo is kept, and how quickly, beside others.

    python -m benchmarks.photos out/photo-set out/sources/skimage/data/astronaut.png \
        --out out/photos-study --update docs/photos.md

Every program gets the same picture and the same photos (see `photo_set.py`), cut square in the same
way, since not all cut for themselves. Each runs in a process of its own, so that its peak memory is
its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fidelity import show
from benchmarks.machine import cpu_name, version_of
from benchmarks.measure import box_means, different, errors, kept
from benchmarks.page import update, write_jpeg
from benchmarks.peers import PEERS, Placed, whole
from digressions.events import completed
from digressions.generate.results import finish
from digressions.geometry import Grid, Size
from digressions.images.contact_sheet import contact_sheet
from digressions.images.image_files import cover, from_png, read_image, write_image
from digressions.images.source_image import source_image
from digressions.mosaics.photos.cropping import cut, turned
from digressions.mosaics.photos.photo_build import build_photos
from digressions.mosaics.photos.photo_files import photo_paths
from digressions.mosaics.photos.photo_folder import settings
from digressions.mosaics.photos.photo_index import PhotoIndex
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec
from digressions.mosaics.photos.placing import PhotoStore

SIDE = 64  # pixels of a cell
OWN: dict[str, tuple[str, dict[str, Any]]] = {
    "digressions": ("defaults", {}),
    "digressions-once": ("`--repeat 1`", {"repeat": 1}),
    "digressions-turned": ("`--mirrored --rotated`", {"mirrored": True, "rotated": True}),
    "digressions-equal": (
        "`--mirrored --rotated --bend 0.8`",
        {"mirrored": True, "rotated": True, "bend": 0.8},
    ),
    "digressions-means": (
        "`--mirrored --rotated --band 1`",
        {"mirrored": True, "rotated": True, "band": 1},
    ),
    "digressions-half": ("`--bend 0.5`", {"bend": 0.5}),
    "digressions-unbent": ("`--band 0`: nothing is bent", {"band": 0}),
    "digressions-free": (
        "`--band 0 --mirrored --rotated --repeat 400 --apart 0`",
        {"band": 0, "mirrored": True, "rotated": True, "repeat": 400, "apart": 0},
    ),
}


def own(name: str, image: Path, photos: Path, grid: Grid, work: Path) -> Placed:
    """A mosaic of this package."""
    spec = PhotoMosaicSpec.of(
        image=str(image),
        tiles=[str(photos)],
        grid=str(grid),
        size=SIDE,
        index=work / "index.sqlite",
        **OWN[name][1],
    )
    folder = work / name
    finish(build_photos(spec, folder))
    job = {"image": source_image(str(image)).origin["sha256"], **settings(spec)}
    with PhotoStore(folder / "pictures.sqlite", json.dumps(job, sort_keys=True)) as store:
        cells = [from_png(png) for png in store.get(range(grid.cells))]
        choice = store.choice()

    def source() -> np.ndarray:
        with PhotoIndex(work / "index.sqlite", "1:1", "attention") as index:
            found = {photo: index.preview(photo) for photo in set(choice.photos)}
        shown = []
        for photo, turn in zip(choice.photos, choice.turns, strict=True):
            preview = found[photo]
            assert preview is not None
            shown.append(turned(cut(preview.pixels, preview.box, spec.cell), turn))
        return whole(shown, grid)

    return Placed(whole(cells, grid), source)


def tiles_for_others(photos: Path, folder: Path, index: Path) -> Path:
    """The photos cut square as this package cuts them, as PNGs of the size of a cell."""
    paths = photo_paths([str(photos)])
    if folder.exists() and len(list(folder.glob("*.png"))) == len(paths):
        return folder
    with PhotoIndex(index, "1:1", "attention") as known:
        completed(known.take(paths))
        found, _ = known.photos(paths)
        for photo in found:
            preview = known.preview(photo.sha256)
            assert preview is not None
            tile = cut(preview.pixels, preview.box, Size(SIDE, SIDE))
            write_image(folder / f"{photo.path.stem}.png", tile)
    return folder


def run_one(name: str, image: Path, photos: Path, grid: Grid, work: Path) -> None:
    """Makes one mosaic in this process and writes it and what it took."""
    tiles = work / "tiles"
    if name in PEERS:
        importlib.import_module(PEERS[name].module)  # here, so that it does not count
    begun = time.process_time()  # which other programs on the machine do not change
    if name in PEERS:
        made = PEERS[name].place(image, tiles, grid, SIDE)
    else:
        made = own(name, image, photos, grid, work)
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    write_image(work / f"{name}.png", made.mosaic)
    write_image(work / f"{name}-source.png", made.source() if made.source else made.mosaic)
    note = {"seconds": seconds, "peak": peak}
    (work / f"{name}.json").write_text(json.dumps(note) + "\n", "utf-8")


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of two pictures ``(H, W, 3)`` in 0..255, means over 8 x 8 windows of
    luminance (Wang et al. 2004, with uniform windows)."""
    grey = [image.astype(np.float64) @ (0.299, 0.587, 0.114) for image in (one, other)]
    windows = [
        np.lib.stride_tricks.sliding_window_view(each, (8, 8)).reshape(-1, 64) for each in grey
    ]
    a, b = (each.mean(1) for each in windows)
    both = (windows[0] * windows[1]).mean(1) - a * b
    first, second = (each.var(1) for each in windows)
    c, d = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * a * b + c) * (2 * both + d) / ((a**2 + b**2 + c) * (first + second + d))
    return float(found.mean())


def measured(name: str, settings: str, base: np.ndarray, grid: Grid, work: Path) -> dict[str, Any]:
    """A finished mosaic, against its picture and against the photos that it was made from."""
    mosaic, source = read_image(work / f"{name}.png"), read_image(work / f"{name}-source.png")
    note = json.loads((work / f"{name}.json").read_text("utf-8"))
    small = box_means(mosaic, grid.columns * 8, grid.rows * 8)
    return {
        "name": name,
        "settings": settings,
        **{f"psnr_{values}": errors(mosaic, base, grid, values).psnr for values in (1, 2, 8)},
        "largest_2": errors(mosaic, base, grid, 2).largest,
        "ssim": ssim(small, base),
        "kept": kept(mosaic, source, grid),
        "different": different(source, grid),
        **note,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        "| mosaic | 1×1: dB | 2×2: dB | largest error | 8×8: dB | SSIM | kept | different photos "
        "| processor seconds | peak memory |",
        "| --- " + "| ---: " * 9 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row['settings']} | {row['psnr_1']:.1f} | {row['psnr_2']:.1f} | "
            f"{row['largest_2']:.1f} | {row['psnr_8']:.1f} | {row['ssim']:.2f} | "
            f"{row['kept']:.2f} | {row['different']:,} | {row['seconds']:.1f} | "
            f"{row['peak'] / 1e6:,.0f} MB |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Runs the study; writes ``FOLDER/photos.json`` and, if asked, the page. Returns the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("image", type=Path, help="the picture to show")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the study")
    parser.add_argument("--grid", type=int, default=30, help="cells across and down")
    parser.add_argument("--update", type=Path, help="page whose generated section to write")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    work, grid = asked.out, Grid(asked.grid, asked.grid)
    base_path = work / "base.png"
    if asked.one:
        run_one(asked.one, base_path, asked.photos, grid, work)
        return []
    work.mkdir(parents=True, exist_ok=True)
    if not base_path.exists():
        write_image(base_path, cover(read_image(asked.image), *grid.size(8)))
    base = read_image(base_path)
    tiles_for_others(asked.photos, work / "tiles", work / "index.sqlite")
    rows = []
    words = {name: f"digressions: {text}" for name, (text, _) in OWN.items()}
    words |= {
        name: f"{peer.package} {version_of(peer.package)}: {peer.settings}"
        for name, peer in PEERS.items()
        if importlib.util.find_spec(peer.module)
    }
    for name, text in words.items():
        if not (work / f"{name}.json").exists():
            command = [sys.executable, "-m", "benchmarks.photos", str(asked.photos)]
            command += [str(asked.image), "--out", str(work), "--grid", str(asked.grid)]
            subprocess.run([*command, "--one", name], check=True)
        rows.append(measured(name, text, base, grid, work))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    (work / "photos.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    if asked.update:
        count = len(photo_paths([str(asked.photos)]))
        head = f"{count:,} photos, {grid} cells of {SIDE} px; on {cpu_name()}.\n\n"
        images = asked.update.parent / "images"
        shown = [name for name in ("digressions", *PEERS) if name in words]
        sheets = [show(read_image(work / f"{name}.png"), name, grid) for name in shown]
        sheet = contact_sheet(sheets, columns=2, labels=[words[name] for name in shown])
        write_jpeg(images / "photos-beside.jpg", sheet)
        picture = "\n\n![Mosaics of the same photos](images/photos-beside.jpg)\n"
        update(asked.update, head + table(rows) + picture)
    return rows


if __name__ == "__main__":
    main()
