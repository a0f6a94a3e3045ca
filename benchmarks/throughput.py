"""What the plan for whole levels is computed from, measured on this machine.

How quickly one core paints, one disk commits, and one driver takes pictures from its workers.
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.subject import default_mosaic, paint_cells, painted_base_image
from digressions.distributed.ray_executor import RayExecutor
from digressions.generate.paint import painter_of
from digressions.geometry import Grid
from digressions.images.image_files import to_png
from digressions.images.upscale import enlarge, load_upscaler
from digressions.models.loading import load
from digressions.mosaics.sharing import CellTask
from digressions.mosaics.store import Store

BATCH = 32
LARGE = 512  # pixels of a side of the pictures of Stable Diffusion 1.5


@dataclass(frozen=True)
class Measured:
    """What was measured on one machine, with the bundled model.

    Attributes:
        machine: See `machine`.
        side: Pixels of a side of the bundled model's pictures.
        painted: Pictures that one core paints a second: cut, painted, bent and compressed.
        png: Bytes of such a picture in the store.
        committed: Bytes a second that the store takes in batches of 32 pictures, each flushed to
            disk: such pictures, and as many bytes as pictures of 512 px would have.
        brought: Bytes that one driver takes from Ray's workers and commits, for each second of its
            own computing, likewise.
        remembered: Bytes of the driver's memory for each picture of its level.
        canvas: Core seconds to enlarge a picture to 512 px, what its cells are cut from.
    """

    machine: dict[str, object]
    side: int
    painted: float
    png: float
    committed: tuple[float, float]
    brought: tuple[float, float]
    remembered: float
    canvas: float

    @property
    def large_png(self) -> float:
        """Bytes of a picture of `LARGE` pixels, if each pixel takes as many."""
        return self.png * (LARGE / self.side) ** 2


def least(work: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    """The least seconds of some repeats, after one that does not count: what else the machine does
    can only add to them."""
    work()
    taken = []
    for _ in range(repeats):
        begun = clock()
        work()
        taken.append(clock() - begun)
    return min(taken)


def canned(pngs: dict[int, bytes], loaded: None) -> Callable[[int], dict[int, bytes]]:
    """A worker that has its pictures ready: what is left is the way to the driver."""

    def work(batch: int) -> dict[int, bytes]:
        return {batch * len(pngs) + at: png for at, png in pngs.items()}

    return work


def nothing() -> None:
    return None


def committed(pngs: dict[int, bytes], store: Store, repeats: int) -> float:
    """Bytes a second, see `Measured`."""
    taken = least(lambda: store.put(pngs), repeats, time.perf_counter)
    return sum(map(len, pngs.values())) / taken


def brought(pngs: dict[int, bytes], store: Store, batches: int) -> float:
    """Bytes a second (see `Measured`) from two workers here, which have their pictures ready."""
    with RayExecutor(nothing, workers=2) as executor:
        setup = functools.partial(canned, pngs)
        for found in executor.map(setup, range(4)):  # until both have started
            store.put(found)
        begun = time.process_time()
        for found in executor.map(setup, range(batches)):
            store.put(found)
        return batches * sum(map(len, pngs.values())) / (time.process_time() - begun)


def remembered(count: int = 200_000) -> float:
    """Bytes a picture: the set of what is done, the list of what is missing, its tasks."""
    lists = [set(range(count)), list(range(count)), [CellTask(n, (n,)) for n in range(count)]]
    found = sum(sys.getsizeof(held) for held in lists)
    found += count * (sys.getsizeof(2**30) + sys.getsizeof(CellTask(0, (0,))) + sys.getsizeof((0,)))
    return found / count


def measure(repeats: int) -> Measured:
    """Measures everything; about a minute on an idle machine."""
    model = load("bundled", "cpu")
    mosaic = default_mosaic(model, Grid(8, 8))
    base_image, cells = painted_base_image(model, mosaic), list(range(BATCH))
    painter = painter_of(model)

    def paint() -> list[bytes]:
        images = paint_cells(painter, mosaic, base_image, cells).permute(0, 2, 3, 1).numpy()
        return [to_png(image) for image in images]

    pngs = dict(enumerate(paint()))
    picture = paint_cells(painter, mosaic, base_image, [0])[0].permute(1, 2, 0).numpy()
    side = len(picture)
    large = {at: os.urandom((LARGE // side) ** 2 * len(png)) for at, png in pngs.items()}
    upscaler = load_upscaler("realesrgan-animevideo")
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite", "plan") as store:
        return Measured(
            machine=machine(("ray",)),
            side=side,
            painted=BATCH / least(paint, repeats, time.process_time),
            png=statistics.mean(map(len, pngs.values())),
            committed=(committed(pngs, store, 4 * repeats), committed(large, store, repeats)),
            brought=(brought(pngs, store, 40 * repeats), brought(large, store, 8 * repeats)),
            remembered=remembered(),
            canvas=least(
                lambda: enlarge(picture, LARGE, LARGE, upscaler), repeats, time.process_time
            ),
        )
