"""A mosaic's missing pictures, painted and stored, with no stage waiting for another.

In this process (`fill`):

    main thread      cut -> encode -> denoise -> decode
    finishers             enlarge -> correct -> PNG        one batch each, in threads
    committer                                  SQLite      one transaction a batch, in order

By the workers of an executor (`fill_distributed`): they do all but the committing, and what they
have finished is stored here as it comes in.

What is finished is committed before anything else is done with it; what is on its way when the
process is killed, a few batches at most, is painted again by the next run. The few also bound the
memory, however slow the disk is.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ..distributed.executor import Executor
from ..distributed.remote_model import NamedHashes
from ..generate.batching import BatchSize, MemorySparingPainter
from ..generate.paint import painter_of
from ..images.image_files import to_array, to_png, to_tensor
from ..images.upscale import Upscaler, enlarge, load_upscaler
from ..models.base import Model
from ..models.runtime import Stopwatch
from .cells import band_of, cell_seed, cells_of, correct_band, exact_cells, paint_cells, to_bytes
from .filling_in import small_cell, small_pictures
from .mosaic_spec import BATCH_SIZE, Mosaic
from .sharing import CellTask
from .store import Store

ON_THE_WAY = 2  # batches that may wait to be finished, beside one for each finisher
AT_ONCE = 2_000_000  # pixels that are corrected at once, at 100 bytes each
MAIN_STAGES = ("cut", "encode", "denoise", "decode", "wait")
SIDE_STAGES = ("enlarge", "correct", "png", "store")
Seen: TypeAlias = Callable[[Mapping[int, np.ndarray]], object]
"""Gets how finished pictures look from afar, by cell; see `filling_in`."""


@dataclass
class FinishedBatch:
    """A batch that is ready to be stored.

    Attributes:
        pngs: By cell.
        small: How they look from afar, by cell; see `filling_in`.
        own_change, shared_change: How much the band correction changed each picture, mean of 0..1:
            where it was painted for its cell, and where it was painted for another.
        painted: Pictures that the network painted for it.
        network_seconds: Spent inside the model's networks, or ``None`` where that is not known.
    """

    pngs: dict[int, bytes] = field(default_factory=dict)
    small: dict[int, np.ndarray] = field(default_factory=dict)
    own_change: list[float] = field(default_factory=list)
    shared_change: list[float] = field(default_factory=list)
    painted: int = 0
    network_seconds: float | None = None


@dataclass
class PaintTotals:
    """What painting has come to so far.

    Attributes:
        placed: Cells that have got their picture.
        placed_at: When the last of them got it, by ``time.perf_counter``.
        painted: Pictures that the network painted.
        seconds: Of painting, without what the caller did in between.
        network_seconds: Spent inside the model's networks, in all workers together; ``None`` where
            that is not known.
        own_change, shared_change: As of `FinishedBatch`.
    """

    placed: int = 0
    placed_at: float = 0.0
    painted: int = 0
    seconds: float = 0.0
    network_seconds: float | None = 0.0
    own_change: list[float] = field(default_factory=list)
    shared_change: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Pictures painted a second."""
        return self.painted / self.seconds

    def take(self, batch: FinishedBatch) -> None:
        """Adds a batch that is committed."""
        self.placed += len(batch.pngs)
        self.placed_at = time.perf_counter()
        self.own_change += batch.own_change
        self.shared_change += batch.shared_change


class CellPainter:
    """The two halves of making a batch of a mosaic's pictures: what the network does, and the rest.

    They know nothing of threads, so that they can run on any machine.
    """

    def __init__(self, model: Model, mosaic: Mosaic, base: Tensor) -> None:
        """Loads the upscaler where there is one to use.

        Args:
            model: Paints.
            mosaic: What.
            base: ``(3, H, W)`` float32 in 0..1, of ``mosaic.base_size``.
        """
        self._mosaic, self._base = mosaic, base
        self._small = small_cell(mosaic.grid, mosaic.cell)
        # A GPU cuts and enlarges hundreds of cells in the time that a CPU takes for one.
        self._cut_from = base.to(model.device) if model.device.type == "cuda" else base
        self.clock: Stopwatch = model.clock
        self.painter: MemorySparingPainter = painter_of(model)
        self._upscaler: Upscaler | None = None
        if mosaic.enlarge > 1:
            self._upscaler = load_upscaler(mosaic.upscaler)

    @property
    def finishers(self) -> int:
        """How many threads may finish at once. An upscaler serves one at a time."""
        cores = os.cpu_count() or 1
        gpu = torch.cuda.is_available()
        return min(4, cores) if gpu and self._upscaler is None else 1

    def paint(self, tasks: Sequence[CellTask]) -> Tensor:
        """Paints one batch: ``(len(tasks), 3, side, side)`` float32 in 0..1, not corrected."""
        cells = [task.cell for task in tasks]
        root = self._mosaic.params.seed
        with self.clock.timing("cut"):
            seeds = [cell_seed(root, cell) for cell in cells]
            starts = cells_of(self._cut_from, self._mosaic, cells, seeds)
        return paint_cells(self.painter, self._mosaic, seeds, starts)

    def finish(self, tasks: Sequence[CellTask], images: Tensor) -> FinishedBatch:
        """Enlarges painted pictures, and makes them exact in the band wherever they are shown."""
        if self._upscaler is not None:
            with self.clock.timing("enlarge"):
                images = self._enlarged(images, self._upscaler)
        shown = [(row, cell) for row, task in enumerate(tasks) for cell in task.shown_in]
        finished = FinishedBatch()
        some = max(1, AT_ONCE // images[0, 0].numel())
        for start in range(0, len(shown), some):
            rows, cells = zip(*shown[start : start + some], strict=True)
            with self.clock.timing("correct"):
                bent, changes = self._corrected(images[list(rows)], cells)
            with self.clock.timing("png"):
                pictures = bent.permute(0, 2, 3, 1).numpy()
                pngs = [to_png(np.ascontiguousarray(picture)) for picture in pictures]
            finished.pngs |= dict(zip(cells, pngs, strict=True))
            finished.small |= dict(zip(cells, small_pictures(bent, self._small), strict=True))
            for row, cell, change in zip(rows, cells, changes, strict=True):
                own = tasks[row].cell == cell
                (finished.own_change if own else finished.shared_change).append(change)
        return finished

    def _corrected(self, images: Tensor, cells: Sequence[int]) -> tuple[Tensor, list[float]]:
        band = self._mosaic.band
        if not band:
            return to_bytes(images), [0.0] * len(cells)
        exact = exact_cells(self._base, self._mosaic, cells)
        corrected = correct_band(images, band_of(exact, band))
        return to_bytes(corrected.images), corrected.change.tolist()

    def _enlarged(self, images: Tensor, upscaler: Upscaler) -> Tensor:
        size = self._mosaic.cell.times(self._mosaic.enlarge)
        large = [enlarge(to_array(image), *size, upscaler) for image in images]
        return torch.stack([to_tensor(picture) for picture in large])


def fill(
    store: Store,
    model: Model,
    mosaic: Mosaic,
    base: Tensor,
    tasks: Sequence[CellTask],
    *,
    sizes: BatchSize | None = None,
    seen: Seen = lambda pictures: None,
) -> Generator[PaintTotals, None, PaintTotals]:
    """Paints pictures and stores them in their places, a batch at a time.

    Closing it, or an error, commits what is painted already and ends.

    Args:
        store: Where to.
        model: Paints them.
        mosaic: What they are.
        base: ``(3, H, W)`` float32 in 0..1, of ``mosaic.base_size``.
        tasks: What is missing.
        sizes: How many to paint at once; searches for it if not given.
        seen: Gets how the pictures of a batch look from afar once they are committed, in any
            thread.

    Yields:
        After every batch what it all comes to so far, always in the same object; pictures are
        counted as placed once they are committed.

    Raises:
        OutputError: The store cannot be written; what was committed before is kept.
        ModelError: The model's files have changed since it was loaded.
    """
    painter, totals = CellPainter(model, mosaic, base), PaintTotals()
    sizes = sizes or BatchSize(model.device)
    inside, begun = model.seconds, time.perf_counter()

    def commit(finished: FinishedBatch) -> None:
        with painter.clock.timing("store"):
            store.put(finished.pngs)
        totals.take(finished)
        seen(finished.small)

    at = 0
    with _finishing(painter, commit) as send:
        while at < len(tasks):
            model.check_unchanged()
            batch = tasks[at : at + sizes.now]
            started = time.perf_counter()
            images = painter.paint(batch)
            sizes.note(len(batch), time.perf_counter() - started)
            if painter.painter.most is not None:
                sizes.shrink(painter.painter.most)
            send(batch, images)
            at += len(batch)
            totals.painted += len(batch)
            totals.seconds += time.perf_counter() - begun
            yield totals
            begun = time.perf_counter()
    totals.seconds += time.perf_counter() - begun
    totals.network_seconds = model.seconds - inside if _is_timed(model) else None
    yield totals
    return totals


_Send: TypeAlias = Callable[[Sequence[CellTask], Tensor], None]


@contextmanager
def _finishing(painter: CellPainter, commit: Callable[[FinishedBatch], None]) -> Iterator[_Send]:
    """Gives what takes painted batches to be finished and committed, in order, in threads.

    It waits where too many are on their way. However the block ends, all that are on their way are
    committed; if it ends well, the first error of theirs is raised.
    """
    finishers = ThreadPoolExecutor(painter.finishers, "finish")
    committer = ThreadPoolExecutor(1, "commit")
    sent: deque[Future[None]] = deque()

    def send(tasks: Sequence[CellTask], images: Tensor) -> None:
        finished = finishers.submit(painter.finish, tasks, images)
        sent.append(committer.submit(lambda: commit(finished.result())))
        with painter.clock.timing("wait"):
            while sent and (sent[0].done() or len(sent) > painter.finishers + ON_THE_WAY):
                sent.popleft().result()

    with finishers, committer:  # each waits for what it was given, after an error too
        yield send
    for future in sent:
        future.result()


def cell_worker(
    mosaic: Mosaic, base: Tensor, named: NamedHashes, model: Model
) -> Callable[[Sequence[CellTask]], FinishedBatch]:
    """What a worker does with a batch of tasks: a `distributed.executor.Setup` without ``model``.

    While one batch is corrected and compressed the next one is painted.
    """
    named.check(model)
    painter, painting = CellPainter(model, mosaic, base), threading.Lock()
    finishing = threading.Lock()  # an upscaler serves one at a time

    def work(tasks: Sequence[CellTask]) -> FinishedBatch:
        with painting:
            model.check_unchanged()
            before = model.seconds
            images = painter.paint(tasks)
            inside = model.seconds - before if _is_timed(model) else None
        with finishing:
            finished = painter.finish(tasks, images)
        finished.painted, finished.network_seconds = len(tasks), inside
        return finished

    return work


def fill_distributed(
    store: Store,
    executor: Executor[Model],
    mosaic: Mosaic,
    base: Tensor,
    tasks: Sequence[CellTask],
    named: NamedHashes,
    *,
    batch_size: int = BATCH_SIZE,
    seen: Seen = lambda pictures: None,
) -> Generator[PaintTotals, None, PaintTotals]:
    """As `fill`, by the workers of an executor.

    A batch is committed as soon as it comes in, so whatever happens to a worker, the cluster or
    this process, no more than the batches on their way are painted again.

    Args:
        named: What the cells' prompts name, which must be the same everywhere.

    Raises:
        ExecutorError: See `Executor.map`; or what a worker raised.
        OutputError: The store cannot be written.
    """
    totals, begun = PaintTotals(), time.perf_counter()
    batches = (tasks[at : at + batch_size] for at in range(0, len(tasks), batch_size))
    setup = functools.partial(cell_worker, mosaic, base, named)
    with closing(executor.map(setup, batches)) as stream:
        for finished in stream:
            store.put(finished.pngs)
            totals.take(finished)
            seen(finished.small)
            totals.painted += finished.painted
            if finished.network_seconds is None:
                totals.network_seconds = None
            elif totals.network_seconds is not None:
                totals.network_seconds += finished.network_seconds
            totals.seconds += time.perf_counter() - begun
            yield totals
            begun = time.perf_counter()
    return totals


def _is_timed(model: Model) -> bool:
    """Whether the model's clock knows the time in its networks: a GPU is only waited for while
    somebody profiles."""
    return model.device.type == "cpu" or model.clock.profiling
