"""The factory: a mosaic's missing pictures, painted and stored, with no stage waiting for another.

    main thread      cut -> encode -> denoise -> decode
    finishers             enlarge -> correct -> PNG        one batch each, in threads
    committer                                  SQLite      one transaction a batch, in order

What is finished is committed before anything else is done with it; what is on its way when the
process is killed, a few batches at most, is painted again by the next run. The few also bound the
memory, however slow the disk is.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..batching import BatchSize, Sparing
from ..models import Model
from ..paint import painter_of
from ..pictures.images import to_array, to_png, to_tensor
from ..stopwatch import Stopwatch
from ..upscale import Upscaler, enlarge, load_upscaler
from .band import band_of, correct_band, to_bytes
from .mosaic import Mosaic, cell_job, cell_seed, cells_of, exact_cells
from .sharing import Piece
from .store import Store

ON_THE_WAY = 2  # batches that may wait to be finished, beside one for each finisher
TOGETHER = 2_000_000  # pixels that are corrected at once, at 100 bytes each
MAIN_STAGES = ("cut", "encode", "denoise", "decode", "wait")
SIDE_STAGES = ("enlarge", "correct", "png", "store")


@dataclass
class Tally:
    """What a run of the factory came to.

    Attributes:
        placed: Cells that got their picture.
        painted: Pictures that the network painted.
        own, shared: How much the band correction changed each picture, mean of 0..1: where it was
            painted for its cell, and where it was painted for another.
    """

    placed: int = 0
    painted: int = 0
    own: list[float] = field(default_factory=list)
    shared: list[float] = field(default_factory=list)

    def take(self, finished: Finished) -> None:
        """Adds a batch."""
        self.placed += len(finished.pngs)
        self.own += finished.own
        self.shared += finished.shared

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.placed + other.placed,
            self.painted + other.painted,
            self.own + other.own,
            self.shared + other.shared,
        )


@dataclass
class Finished:
    """A batch ready to be stored: PNGs by cell, and as in `Tally`."""

    pngs: dict[int, bytes]
    own: list[float]
    shared: list[float]


class Painting:
    """The two halves of what makes a batch of pieces: where the network works, and the rest.

    They know nothing of threads, so that they can run on any machine.
    """

    def __init__(self, model: Model, mosaic: Mosaic, primary: Tensor) -> None:
        """Loads the upscaler where there is one to use.

        Args:
            primary: ``(3, H, W)`` float32 in 0..1, of ``mosaic.primary_size``.
        """
        self._mosaic, self._primary = mosaic, primary
        # A GPU cuts and enlarges hundreds of cells in the time that a CPU takes for one.
        self._cut_from = primary.to(model.device) if model.device.type == "cuda" else primary
        self.clock: Stopwatch = model.clock
        self.painter: Sparing = painter_of(model)
        self._upscaler: Upscaler | None = None
        if mosaic.enlarge > 1:
            self._upscaler = load_upscaler(mosaic.upscaler)

    @property
    def finishers(self) -> int:
        """How many threads may finish at once: upscalers are for one alone."""
        cores = os.cpu_count() or 1
        gpu = torch.cuda.is_available()
        return min(4, cores) if gpu and self._upscaler is None else 1

    def paint(self, pieces: Sequence[Piece]) -> Tensor:
        """Paints one batch: ``(len(pieces), 3, side, side)`` float32 in 0..1, not corrected."""
        cells = [piece.cell for piece in pieces]
        with self.clock.timing("cut"):
            starts = cells_of(self._cut_from, self._mosaic, cells)
            seeds = [cell_seed(self._mosaic.seed, cell) for cell in cells]
            jobs = [
                cell_job(self._mosaic, s, start) for s, start in zip(seeds, starts, strict=True)
            ]
        return self.painter(jobs)

    def finish(self, pieces: Sequence[Piece], images: Tensor) -> Finished:
        """Enlarges painted pictures, and makes them exact in the band in each of their places."""
        if self._upscaler is not None:
            with self.clock.timing("enlarge"):
                images = self._enlarged(images, self._upscaler)
        placed = [(row, cell) for row, piece in enumerate(pieces) for cell in piece.places]
        finished = Finished({}, [], [])
        some = max(1, TOGETHER // images[0, 0].numel())
        for start in range(0, len(placed), some):
            rows, cells = zip(*placed[start : start + some], strict=True)
            with self.clock.timing("correct"):
                bent, change = self._corrected(images[list(rows)], cells)
            with self.clock.timing("png"):
                pictures = bent.permute(0, 2, 3, 1).numpy()
                pngs = [to_png(np.ascontiguousarray(picture)) for picture in pictures]
            finished.pngs |= dict(zip(cells, pngs, strict=True))
            for row, cell, by in zip(rows, cells, change, strict=True):
                (finished.own if pieces[row].cell == cell else finished.shared).append(by)
        return finished

    def _corrected(self, images: Tensor, cells: Sequence[int]) -> tuple[Tensor, list[float]]:
        band = self._mosaic.band
        if not band:
            return to_bytes(images), [0.0] * len(cells)
        exact = exact_cells(self._primary, self._mosaic, cells)
        corrected = correct_band(images, band_of(exact, band))
        return to_bytes(corrected.images), corrected.change.tolist()

    def _enlarged(self, images: Tensor, upscaler: Upscaler) -> Tensor:
        side = self._mosaic.side * self._mosaic.enlarge
        large = [enlarge(to_array(image), side, side, upscaler) for image in images]
        return torch.stack([to_tensor(picture) for picture in large])


def fill(
    store: Store,
    model: Model,
    mosaic: Mosaic,
    primary: Tensor,
    pieces: Sequence[Piece],
    *,
    sizes: BatchSize | None = None,
    enough: Callable[[int], bool] = lambda _: False,
    on_batch: Callable[[int], None] | None = None,
) -> Tally:
    """Paints pieces and stores them in their places, a batch at a time.

    Args:
        primary: ``(3, H, W)`` float32 in 0..1, of ``mosaic.primary_size``.
        pieces: What is missing.
        sizes: How many to paint at once; searches for it if not given.
        enough: Asked before each batch, with the pictures painted so far, whether to stop.
        on_batch: Called with the number of pictures after each commit, in another thread.

    Raises:
        OutputError: The store cannot be written; what was committed before is kept.
        ModelError: The model's files have changed since it was loaded.
    """
    painting = Painting(model, mosaic, primary)
    sizes = sizes or BatchSize(model.device)
    tally = Tally()

    def commit(finished: Finished) -> None:
        with painting.clock.timing("store"):
            store.put(finished.pngs)
        tally.take(finished)
        if on_batch is not None:
            on_batch(len(finished.pngs))

    at = 0
    with _line(painting, commit) as send:
        while at < len(pieces) and not enough(tally.painted):
            model.check_unchanged()
            batch = pieces[at : at + sizes.now]
            begun = time.perf_counter()
            images = painting.paint(batch)
            sizes.note(len(batch), time.perf_counter() - begun)
            if painting.painter.most is not None:
                sizes.shrink(painting.painter.most)
            send(batch, images)
            at += len(batch)
            tally.painted += len(batch)
    return tally


@contextmanager
def _line(
    painting: Painting, commit: Callable[[Finished], None]
) -> Iterator[Callable[[Sequence[Piece], Tensor], None]]:
    """Gives what takes painted batches to be finished and committed, in order, in threads.

    It waits where too many are on their way. When the block ends, by an error or Ctrl-C too, all
    that are on their way are committed; the first error of theirs is raised.
    """
    finishers = ThreadPoolExecutor(painting.finishers, "finish")
    committer = ThreadPoolExecutor(1, "commit")
    sent: deque[Future[None]] = deque()

    def send(batch: Sequence[Piece], images: Tensor) -> None:
        finished = finishers.submit(painting.finish, batch, images)
        sent.append(committer.submit(lambda: commit(finished.result())))
        with painting.clock.timing("wait"):
            while sent and (sent[0].done() or len(sent) > painting.finishers + ON_THE_WAY):
                sent.popleft().result()

    with finishers, committer:  # each waits for what it was given, after an error too
        yield send
    for future in sent:
        future.result()
