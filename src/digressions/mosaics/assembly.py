"""What is made of a mosaic's pictures once all are there: the pyramid, a preview, one big image."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import numpy as np

from ..events import Progress, tracked
from ..geometry import Size
from ..images.image_files import write_image
from ..images.xmp import XMP, bare_mark, xmp_packet
from .deep_zoom import write_deep_zoom, write_single
from .fidelity import Fidelity, Gauge, Thumbnail

PREVIEW_SIDE = 2048
_STORE = "pictures.sqlite"
PARTS = (
    *(_STORE, f"{_STORE}-wal", f"{_STORE}-shm", "base.png", "preview.jpg", "index.html", "viewer"),
    *("mosaic.dzi", "mosaic_files", "mosaic.jpg", "mosaic.tif"),
)
"""What is in the folder of a mosaic, beside its manifest."""


def write_whole(
    strips: Callable[[], Iterator[np.ndarray]],
    size: Size,
    gauge: Gauge,
    folder: Path,
    text: Mapping[str, str],
    single: str | None,
) -> Generator[Progress, None, Fidelity]:
    """Writes the pyramid, ``preview.jpg`` and, if asked, one big image; measures the fidelity.

    Args:
        strips: Gives the mosaic a row of pictures at a time, see `cells.strips`; called once for
            each file that it is streamed into.
        size: Of the whole.
        gauge: Measures it.
        folder: Where to.
        text: What the files remember.
        single: ``"jpg"`` or ``"tif"``, or ``None`` for no big image.
    """
    small = Thumbnail(size, PREVIEW_SIDE)
    # One pass over the store: what measures and what averages down look on.
    passing = small.watch(gauge.watch(strips()))
    mark = bare_mark(text).get(XMP, "").encode()
    pyramid = write_deep_zoom(passing, *size, folder, quality=95, xmp=mark)
    yield from tracked("writing the pyramid", pyramid, size.height)
    if single is not None:
        # Another pass: libvips pulls each file's strips at its own pace, so one pass for both
        # would take a thread more, or the whole mosaic in a temporary file.
        path = single_path(folder, single)
        one = write_single(strips(), *size, path, xmp=xmp_packet(text))
        yield from tracked(f"writing {path.name}", one, size.height)
    write_image(preview_path(folder), small.image(), text)
    return gauge.fidelity()


class MosaicFiles:
    """Where the files of a mosaic's folder are, of whatever its cells are made.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def page_path(self) -> Path:
        """The page to look at the mosaic with."""
        return self.path / "index.html"

    @property
    def preview_path(self) -> Path:
        """The mosaic as it looks from afar."""
        return preview_path(self.path)

    @property
    def _base_path(self) -> Path:
        return self.path / "base.png"

    @property
    def _store_path(self) -> Path:
        return store_path(self.path)


def store_path(folder: Path) -> Path:
    """The store of a mosaic's pictures in its folder."""
    return folder / _STORE


def single_path(folder: Path, single: str) -> Path:
    """Where the one big image of a mosaic's folder is."""
    return folder / f"mosaic.{single}"


def preview_path(folder: Path) -> Path:
    """The mosaic of a folder as it looks from afar."""
    return folder / "preview.jpg"
