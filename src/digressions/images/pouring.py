"""Pictures too large for memory, poured into libvips from the top to the bottom.

    strips (h, width, channels) uint8  ->  stored PNG stream  ->  libvips  ->  any file

Strips are taken one at a time in the caller's thread (so they may come from a SQLite cursor) and
handed to libvips, which works in another thread, as a PNG stream stored without compression: the
lossless sequential format that every build of libvips reads from a stream. Memory stays at a few
rows of tiles, however high the picture.
"""

from __future__ import annotations

import logging
import queue
import struct
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyvips

from ..errors import ImageError, OutputError, verbatim

logging.getLogger("pyvips").addHandler(logging.NullHandler())  # else it speaks on stderr
Strips: TypeAlias = Iterable[np.ndarray]
"""Rows of a picture from the top: ``(h, width, channels)`` uint8 each."""


def pour(
    strips: Strips,
    width: int,
    height: int,
    target: Path,
    save: Callable[[pyvips.Image], object],
    *,
    channels: int = 3,
) -> Generator[int, None, None]:
    """Runs ``save`` in a second thread on an image that reads ``strips`` from this one.

    Args:
        strips: ``(h, width, channels)`` uint8, top to bottom; any heights that add up.
        width, height: Of the whole, in pixels.
        target: What is written, for messages.
        save: Writes the image, which it can read once, from top to bottom.
        channels: 3, or 4 of whatever meaning.

    Yields:
        How many rows it was given.

    Raises:
        ImageError: The strips do not add up to ``width`` x ``height``.
        OutputError: It cannot be written, or the disk is full.
        Exception: Whatever iterating over ``strips`` raises, as it is.
    """
    chunks: queue.Queue[bytes] = queue.Queue(maxsize=4)
    rest = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal rest
        if not rest:
            rest = memoryview(chunks.get())
        if not rest:
            chunks.put(b"")  # the end stays the end
        taken, rest = rest[:size], rest[size:]
        return bytes(taken)

    def work() -> str:
        """What went wrong; the error itself would keep the file open until it is collected."""
        try:
            source = pyvips.SourceCustom()
            source.on_read(read)
            save(pyvips.Image.new_from_source(source, "", access="sequential", fail_on="error"))
        except pyvips.Error as error:
            return str(error)
        return ""

    def hand_over(chunk: bytes) -> None:
        while not saving.done():
            with suppress(queue.Full):
                chunks.put(chunk, timeout=0.1)
                break

    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(work)
        try:
            for done, chunk in _png(strips, width, height, channels):
                hand_over(chunk)
                if saving.done() and saving.result():
                    break
                yield done
        finally:  # after an exception too, or libvips would wait for ever
            hand_over(b"")
    if failure := saving.result():
        lines = [line.strip() for line in failure.splitlines()]
        system = [line for line in lines if line.startswith("system error: ") and "-1" not in line]
        reason = (system or lines[1:] or lines)[0].removeprefix("system error: ")
        raise OutputError(f"{verbatim(target)}: cannot be written: {reason}")


def _png(strips: Strips, width: int, height: int, channels: int) -> Iterator[tuple[int, bytes]]:
    """The strips as one uncompressed PNG, in pieces of at most 64 rows; with each, how many rows
    there are up to it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(body, zlib.crc32(kind))
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    if min(width, height) < 1:
        raise ImageError(f"a picture of {width} x {height} px has no pixels")
    yield 0, b"\x89PNG\r\n\x1a\n"
    kind = {3: 2, 4: 6}[channels]  # RGB, RGBA
    yield 0, chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    deflate = zlib.compressobj(level=0)
    done = 0
    for strip in strips:
        if strip.dtype != np.uint8 or strip.ndim != 3 or strip.shape[1:] != (width, channels):
            got = f"{strip.dtype} {strip.shape}"
            raise ImageError(
                f"the strip at row {done} is {got}, not uint8 (h, {width}, {channels})"
            )
        if done + len(strip) > height:
            least = done + len(strip)
            raise ImageError(f"the strips have at least {least} rows, the picture has {height}")
        for part in np.split(strip, range(64, len(strip), 64)):
            rows = np.zeros(
                (len(part), 1 + channels * width), np.uint8
            )  # PNG filter 0 leads each row
            rows[:, 1:] = part.reshape(len(part), channels * width)
            done += len(part)
            yield done, chunk(b"IDAT", deflate.compress(rows.data))
    if done < height:
        raise ImageError(f"the strips have {done} rows, the picture has {height}")
    yield done, chunk(b"IDAT", deflate.flush()) + chunk(b"IEND", b"")
