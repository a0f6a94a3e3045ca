"""Pictures too large for memory: strips in, a Deep Zoom pyramid or one big file out.

    strips (h, width, 3) uint8  ->  libvips  ->  tiles | JPEG | TIFF | PNG

Memory stays at a few rows of tiles, however high the picture (see `images.pouring`). Closing one of
the generators leaves nothing behind.

Deep Zoom: https://learn.microsoft.com/previous-versions/windows/silverlight/dotnet-windows-silverlight/cc645077(v=vs.95)
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pyvips

from ..errors import OutputError, verbatim
from ..files import workshop, writing
from ..images.image_files import MAX_JPEG_SIDE
from ..images.pouring import Strips, pour

PNG_MAX_PIXELS = 2**29  # a larger PNG opens nowhere: it has no tiles and no smaller sizes


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
        yield from pour(strips, width, height, dzi, save)
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
        yield from pour(strips, width, height, path, save)
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
