"""Pictures too large for memory: strips in, a Deep Zoom pyramid or one big file out.

    strips (h, width, 3) uint8  ->  stored PNG stream  ->  libvips  ->  tiles | JPEG | TIFF | PNG

Strips are taken one at a time in the caller's thread (so they may come from a SQLite cursor) and
handed to libvips, which works in another thread, as a PNG stream stored without compression: the
lossless sequential format that every build of libvips reads from a stream. Memory stays at a few
rows of tiles, however high the picture. Closing one of the generators leaves nothing behind.

Deep Zoom: https://learn.microsoft.com/previous-versions/windows/silverlight/dotnet-windows-silverlight/cc645077(v=vs.95)
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

import numpy as np
import pyvips

from ..errors import ImageError, OutputError, verbatim
from ..files import workshop, writing
from ..images.image_files import MAX_JPEG_SIDE

PNG_MAX_PIXELS = 2**29  # a larger PNG opens nowhere: it has no tiles and no smaller sizes
logging.getLogger("pyvips").addHandler(logging.NullHandler())  # else it speaks on stderr
Strips = Iterable[np.ndarray]


def write_deep_zoom(
    strips: Strips,
    width: int,
    height: int,
    folder: str | Path,
    *,
    name: str = "mosaic",
    tile_size: int = 512,
    quality: int = 90,
    xmp: bytes | None = None,
) -> Generator[int, None, Path]:
    """Writes ``folder/name.dzi`` and ``folder/name_files/<level>/<column>_<row>.jpg``.

    Each level is the 2x2 box average of the next deeper one (halves round up, an odd last row or
    column counts twice), down to 1x1; tiles do not overlap. The pyramid is built beside its
    place, then renamed into it, over an older one of the same name.

    Args:
        strips: sRGB, ``(h, width, 3)``, uint8, top to bottom; any heights that add up.
        quality: Of the JPEGs, 1..100; from 90 on colour is not subsampled.
        xmp: An XMP packet to store in every tile.

    Yields:
        How many rows are on their way.

    Returns:
        The path of the ``.dzi``.

    Raises:
        ImageError: The strips do not add up to ``width`` x ``height``.
        OutputError: The folder cannot be written, or the disk is full.
        Exception: Whatever iterating over ``strips`` raises, as it is.
    """
    folder = Path(folder)
    dzi, tiles = folder / f"{name}.dzi", folder / f"{name}_files"
    if dzi.parent != folder or not name.strip("."):
        raise OutputError(f"{name!r} cannot name a pyramid: use letters and digits")
    options = {"layout": "dz", "container": "fs", "tile_size": tile_size, "overlap": 0}
    options |= {"suffix": f".jpg[Q={quality}]", "region_shrink": "mean", "keep": "xmp"}

    def save(image: pyvips.Image) -> None:
        _with_xmp(image, xmp).dzsave(str(work / "new"), **options)

    with workshop(folder, dzi) as work:
        yield from _pour(strips, width, height, dzi, save)
        new, old = work / "new_files", work / "old_files"
        with writing(dzi):
            (new / "vips-properties.xml").unlink(missing_ok=True)
            if tiles.exists():
                tiles.rename(old)
            try:
                new.rename(tiles)
                (work / "new.dzi").replace(dzi)
            except OSError:
                if old.exists() and not tiles.exists():
                    old.rename(tiles)
                raise
    return dzi


def write_single(
    strips: Strips,
    width: int,
    height: int,
    path: str | Path,
    *,
    quality: int = 92,
    xmp: bytes | None = None,
) -> Generator[int, None, Path]:
    """Writes one picture file, tagged sRGB; the suffix of ``path`` picks the format.

    - ``.jpg``, ``.jpeg``: baseline JPEG, colour not subsampled from quality 90 on.
    - ``.tif``, ``.tiff``: BigTIFF in tiles of 256 px, every smaller size (a pyramid) inside;
      lossless: deflate with horizontal differencing.
    - ``.png``: lossless; up to 2**29 pixels.

    Args:
        strips: sRGB, ``(h, width, 3)``, uint8, top to bottom; any heights that add up.
        quality: Of a JPEG, 1..100.
        xmp: An XMP packet to store in the file; in a JPEG up to 65,000 bytes.

    Yields, returns:
        As `write_deep_zoom`; the path of the file.

    Raises:
        ImageError: The strips do not add up to ``width`` x ``height``.
        OutputError: As `check_single`, or a place that cannot be written.
        Exception: Whatever iterating over ``strips`` raises, as it is.
    """
    path = Path(path)
    check_single(path, width, height)
    options: dict[str, object] = {"profile": "srgb"}
    match path.suffix.lower():
        case ".jpg" | ".jpeg":
            operation, options["Q"] = "jpegsave", quality
            if xmp and len(xmp) > 65_000:
                raise OutputError(
                    f"{verbatim(path)}: a JPEG has no room for {len(xmp):,} bytes of XMP"
                )
        case ".png":
            operation = "pngsave"
        case _:
            operation = "tiffsave"
            options |= {"compression": "deflate", "predictor": "horizontal", "bigtiff": True}
            options |= {"tile": True, "tile_width": 256, "tile_height": 256}
            options |= {"pyramid": True, "region_shrink": "mean"}

    def save(image: pyvips.Image) -> None:
        getattr(_with_xmp(image, xmp), operation)(str(work / path.name), **options)

    with workshop(path.parent, path) as work:
        yield from _pour(strips, width, height, path, save)
        with writing(path):
            (work / path.name).replace(path)
    return path


def check_single(path: Path, width: int, height: int) -> None:
    """Raises `OutputError` for a suffix that is not known, or a picture too large for it."""
    match path.suffix.lower():
        case ".jpg" | ".jpeg":
            fits = max(width, height) <= MAX_JPEG_SIDE
        case ".png":
            fits = width * height <= PNG_MAX_PIXELS
        case ".tif" | ".tiff":
            fits = True
        case suffix:
            raise OutputError(
                f"{verbatim(path)}: cannot write {suffix or 'no suffix'!r}: .jpg, .tif or .png"
            )
    if not fits:
        big = f"{width:,} x {height:,} px"
        raise OutputError(f"{verbatim(path)}: {big} is too large for {path.suffix}: use .tif")


def _with_xmp(image: pyvips.Image, xmp: bytes | None) -> pyvips.Image:
    if xmp:
        image = image.copy()
        image.set_type(pyvips.GValue.blob_type, "xmp-data", xmp)
    return image


def _pour(
    strips: Strips, width: int, height: int, target: Path, save: Callable[[pyvips.Image], object]
) -> Generator[int, None, None]:
    """Runs ``save`` in a second thread on an image that reads ``strips`` from this one; yields how
    many rows it was given."""
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
            for done, chunk in _png(strips, width, height):
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


def _png(strips: Strips, width: int, height: int) -> Iterator[tuple[int, bytes]]:
    """The strips as one uncompressed PNG, in pieces of at most 64 rows; with each, how many rows
    there are up to it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(body, zlib.crc32(kind))
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    if min(width, height) < 1:
        raise ImageError(f"a picture of {width} x {height} px has no pixels")
    yield 0, b"\x89PNG\r\n\x1a\n"
    yield 0, chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))  # 8 bits, RGB
    deflate = zlib.compressobj(level=0)
    done = 0
    for strip in strips:
        if strip.dtype != np.uint8 or strip.ndim != 3 or strip.shape[1:] != (width, 3):
            got = f"{strip.dtype} {strip.shape}"
            raise ImageError(f"the strip at row {done} is {got}, not uint8 (h, {width}, 3)")
        if done + len(strip) > height:
            least = done + len(strip)
            raise ImageError(f"the strips have at least {least} rows, the picture has {height}")
        for part in np.split(strip, range(64, len(strip), 64)):
            rows = np.zeros((len(part), 1 + 3 * width), np.uint8)  # PNG filter 0 leads each row
            rows[:, 1:] = part.reshape(len(part), 3 * width)
            done += len(part)
            yield done, chunk(b"IDAT", deflate.compress(rows.data))
    if done < height:
        raise ImageError(f"the strips have {done} rows, the picture has {height}")
    yield done, chunk(b"IDAT", deflate.flush()) + chunk(b"IEND", b"")
