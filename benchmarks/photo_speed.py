"""How long photos take: indexing 300 of 12 Mpx, and 4,096 cells from 10,000 indexed ones.

    python -m benchmarks.photo_speed out/photo-set out/sources/skimage/data/astronaut.png \
        --out out/photo-speed

The large photos are ten of the set (see `photo_set.py`) enlarged, with noise, so that their files
are as large as a camera's, each thirty times with a few bytes of its own. The 10,000 are the set
and made-up ones. What counts is processor time, which other programs on the machine do not change:
work on all cores takes it divided by their number.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import cpu_name
from digressions.events import Progress, completed, counted
from digressions.mosaics.photos.photo_build import build_photos
from digressions.mosaics.photos.photo_files import photo_paths
from digressions.mosaics.photos.photo_index import PhotoIndex
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec

LARGE = (4000, 3000)
COPIES = 30
ON_ALL_CORES = ("indexing photos", "placing photos")


def large_photos(photos: Path, folder: Path, count: int) -> None:
    """Fills a folder with photos as large as a camera's."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = sorted(photos.glob("*.jpg"))
    for number in range(-(-count // COPIES)):
        with Image.open(sources[number * 97 % len(sources)]) as image:
            pixels = np.asarray(image.convert("RGB").resize(LARGE), np.int16)
        chance = np.random.default_rng(number)
        noisy = pixels + chance.integers(-14, 15, (*pixels.shape[:2], 1), dtype=np.int16)
        content = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=90)
        for copy in range(number * COPIES, min(count, (number + 1) * COPIES)):
            (folder / f"{copy:05d}.jpg").write_bytes(content.getvalue() + b"%05d" % copy)


def made_up_photos(folder: Path, count: int) -> None:
    """Fills a folder with colours, gradients and blobs, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path, chance = folder / f"{number:05d}.jpg", np.random.default_rng(number)
        if path.exists():
            continue
        small = Image.fromarray(chance.integers(0, 256, (3, 4, 3), dtype=np.uint8))
        pixels = np.asarray(small.resize((240, 180), Image.Resampling.BICUBIC), np.int16)
        blobs = Image.fromarray(chance.integers(0, 256, (9, 12), dtype=np.uint8))
        fine = np.asarray(blobs.resize((240, 180), Image.Resampling.BICUBIC), np.int16)
        shown = (pixels + (fine[..., None] - 128) // 3).clip(0, 255).astype(np.uint8)
        Image.fromarray(shown).save(path, quality=90)


def indexing(folder: Path, index: Path) -> tuple[float, float]:
    """Processor and wall seconds to index a folder from nothing."""
    for path in index.parent.glob(f"{index.name}*"):
        path.unlink()
    used, begun = time.process_time(), time.perf_counter()
    with PhotoIndex(index, "1:1", "attention") as opened:
        completed(opened.take(photo_paths([str(folder)])))
    return time.process_time() - used, time.perf_counter() - begun


def count_cores() -> str:
    """The cores that this process may use, in words."""
    return counted(len(os.sched_getaffinity(0)), "core")


def mosaic_seconds(spec: PhotoMosaicSpec, folder: Path) -> dict[str, float]:
    """Processor seconds of each phase of a mosaic of photos that are indexed."""
    shutil.rmtree(folder, ignore_errors=True)
    phase, spent, last = "reading", dict[str, float](), time.process_time()
    for event in build_photos(spec, folder):
        now = time.process_time()
        spent[phase] = spent.get(phase, 0.0) + now - last
        last = now
        phase = event.task if isinstance(event, Progress) else phase
    return spent


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, and prints what it finds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("image", type=Path, help="the picture to show")
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    parser.add_argument("--large", type=int, default=300, help="photos of 12 Mpx")
    parser.add_argument("--count", type=int, default=10_000, help="photos to choose from")
    parser.add_argument("--grid", default="64")
    asked = parser.parse_args(arguments)
    work = asked.out
    print(cpu_name())
    large_photos(asked.photos, work / "large", asked.large)
    used, wall = indexing(work / "large", work / "large.sqlite")
    shutil.rmtree(work / "large")
    print(
        f"indexing {asked.large:,} photos of 12 Mpx: {used:.1f} s of processor time, "
        f"{used / 2:.1f} s on two idle cores; {wall:.0f} s beside what else ran",
        flush=True,
    )
    own = len(photo_paths([str(asked.photos)]))
    made_up_photos(work / "made-up", asked.count - own)
    spec = PhotoMosaicSpec.of(
        image=str(asked.image),
        tiles=[str(asked.photos), str(work / "made-up")],
        grid=asked.grid,
        index=work / "photos.sqlite",
    )
    with PhotoIndex(spec.photos.index, "1:1", "attention") as index:
        completed(index.take(photo_paths(spec.photos.tiles)))
    begun = time.perf_counter()
    spent = mosaic_seconds(spec, work / "mosaic")
    wall = time.perf_counter() - begun
    for phase, seconds in spent.items():
        print(f"  {phase}: {seconds:.1f} s")
    shared = sum(seconds for phase, seconds in spent.items() if phase in ON_ALL_CORES)
    total = sum(spent.values())
    print(
        f"a mosaic of {asked.grid} x {asked.grid} cells from {asked.count:,} indexed photos: "
        f"{total:.1f} s of processor time, {total - shared / 2:.1f} s on two idle cores; "
        f"{wall:.1f} s by the clock on {count_cores()}"
    )


if __name__ == "__main__":
    main()
