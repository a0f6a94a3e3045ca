"""Use case: a finite world as a folder that zooms without end in a browser: files, no program.

The page is the one that `serve` shows. Its pictures come from the bank, and the browser does what
`bank.FiniteWorld` does: it bends each to the colours of its place (``web/world/finite.js``).

    index.html, screensaver.html   the page, twice under two names
    page/                          its scripts and styles
    world.json                     what the page knows of its world
    bank/12.webp                   the canvas of a picture of the bank
    bank/12.map                    for each of its cells the picture there, in 1 or 2 bytes each
    bank/sheet-0.webp              64 pictures, 8 by 8; none where pictures are as large as canvases
    manifest.json                  whose folder it is
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import __version__
from ..errors import InputError
from ..events import completed
from ..files import check_folder, workshop, writing
from ..images.image_files import to_webp
from ..images.xmp import XMP, SourceType, marked
from ..mosaics.store import begun, write_manifest
from .bank import Bank
from .manifest import Manifest
from .page import WorldInfo, page_files
from .world import World

KIND = "finite world"
FORMAT = 1  # of the folder
PARTS = frozenset({"index.html", "screensaver.html", "page", "world.json", "bank", "manifest.json"})
"""What is in the folder of a site."""
QUALITIES = (95, 90, 80, 70, 60, 50)  # of WebP, the best first
ACROSS = 8  # pictures across and down a sheet
MARGIN = 8  # pixels around each, its own edge drawn out: a lossy file smears what lies side by side
PER_REQUEST = 64  # pictures that the page asks its thread for at once
_LEAST = 0.004  # bytes a pixel that hardly any picture is less than


class Written(NamedTuple):
    """What a folder came to: bytes of all its files, and the quality of its pictures."""

    size: int
    quality: int


def job_of_site(manifest: Manifest, title: str, count: int, most_bytes: int) -> dict[str, object]:
    """What a site's folder is for; see `Site`."""
    world = manifest.json_object() | {"reuse": count}
    return {"world": world, "title": title, "most_bytes": most_bytes}


class Site:
    """The folder of a finite world. Opening it checks what can be checked, and writes nothing."""

    def __init__(
        self,
        folder: Path,
        title: str,
        manifest: Manifest,
        count: int,
        most_bytes: int,
        *,
        kind: SourceType | None = SourceType.TRAINED,
        overwrite: bool = False,
    ) -> None:
        """``kind`` says what made its pictures, if AI did; ``overwrite`` is as of `store.begun`.

        Raises:
        InputError: So many pictures cannot fit.
        OutputError: The folder is another job's, or holds other files.
        """
        self.folder, self.title, self.manifest = folder, title, manifest
        self.count, self.most_bytes = count, most_bytes
        self._mark = {} if kind is None else marked({}, kind)
        self._job = job_of_site(manifest, title, count, most_bytes)
        check_folder(folder)
        begun(folder, KIND, self._description(), overwrite=overwrite)
        if self._fixed() + self._pixels() * _LEAST > most_bytes:
            raise InputError(self._too_large())

    def expected(self, world: World) -> int:
        """The folder's size in bytes, at most ``most_bytes``, if every picture compressed like the
        root.

        Raises:
            InputError: It will not fit, not even if they turn out half as large.
        """
        forms = [world.canvas(()), *([world.picture(())] if self._has_sheets else [])]
        best, worst = (
            self._fixed() + self.count * sum(len(to_webp(form, q)) for form in forms)
            for q in (QUALITIES[0], QUALITIES[-1])
        )
        if worst > 2 * self.most_bytes:
            raise InputError(self._too_large())
        return min(self.most_bytes, best)

    def _too_large(self) -> str:
        return (
            f"`reuse` {self.count}: so many pictures do not fit in {self.most_bytes / 1e6:g} "
            "MB: lower it, or raise `max_mb`"
        )

    def _pixels(self) -> int:
        cell = self.manifest.cells.cell
        return self.count * (
            self.manifest.canvas_side**2 + (cell.pixels if self._has_sheets else 0)
        )

    @property
    def _has_sheets(self) -> bool:
        """Whether pictures are other files than their canvases."""
        side = self.manifest.canvas_side
        return self.manifest.cells.cell != (side, side)

    def _fixed(self) -> int:
        page = sum(path.stat().st_size for path in page_files().values())
        files = self.count + math.ceil(self.count / ACROSS**2)
        return self._maps_size() + page + files * len(self._mark.get(XMP, ""))

    def _maps_size(self) -> int:
        return self.count * self.manifest.cells.grid.cells * _dtype(self.count).itemsize

    def writing(self, bank: Bank) -> Generator[int, None, Written]:
        """Writes the folder, whole or not at all, in the best quality that fits.

        Args:
            bank: Of ``count`` pictures, or fewer.

        Yields:
            How many files of pictures are encoded, of `files_of`, after each; where they take too
            much room, it begins again at 1 in a lower quality.

        Raises:
            InputError: It does not fit.
            OutputError: A place that cannot be written.
        """
        target = self.folder.resolve()  # through a link
        with workshop(target.parent, target) as work, writing(self.folder):
            new = work / "new"
            (new / "bank").mkdir(parents=True)
            self._write_page(new, bank)
            self._write_maps(new / "bank", bank)
            write_manifest(new, self._description())
            quality = yield from self._write_pictures(new, bank)
            size = _size_of(new)
            if target.exists():
                target.rename(work / "old")
                for path in (work / "old").iterdir():
                    if path.name not in PARTS:  # what somebody else has put there stays
                        path.rename(new / path.name)
            new.rename(target)
        return Written(size, quality)

    def write(self, bank: Bank) -> Written:
        """As `writing`, all at once."""
        return completed(self.writing(bank))

    def _description(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "kind": f"digressions {KIND}",
            "version": __version__,
            "job": self._job,
        }

    def _write_page(self, folder: Path, bank: Bank) -> None:
        (folder / "page").mkdir()
        for name, path in page_files().items():
            if name == "index.html":
                shutil.copyfile(path, folder / name)
                shutil.copyfile(path, folder / "screensaver.html")
            else:
                shutil.copyfile(path, folder / "page" / name)
        cells, canvas_side = self.manifest.cells, self.manifest.canvas_side
        info = WorldInfo(self.title, cells.grid.columns, *cells.cell, canvas_side, PER_REQUEST)
        across = ACROSS if self._has_sheets else 0
        wide = _dtype(len(bank.next)).itemsize > 1
        layout = {"across": across, "margin": MARGIN, "band": cells.band, "wide": wide}
        about = asdict(info) | {"bank": layout}
        (folder / "world.json").write_text(json.dumps(about) + "\n", "utf-8")

    def _write_maps(self, folder: Path, bank: Bank) -> None:
        for index, leads in enumerate(bank.next):
            (folder / f"{index}.map").write_bytes(leads.astype(_dtype(len(bank.next))).tobytes())

    def _write_pictures(self, folder: Path, bank: Bank) -> Generator[int, None, int]:
        room = self.most_bytes - _size_of(folder)
        for quality in QUALITIES:
            left = room
            for encoded, (name, picture) in enumerate(self._pictures(bank), 1):
                webp = to_webp(picture, quality, self._mark)
                left -= len(webp)
                if left < 0:
                    break
                (folder / "bank" / name).write_bytes(webp)
                yield encoded
            else:
                return quality
        raise InputError(self._too_large())

    def files_of(self, bank: Bank) -> int:
        """How many files of pictures a bank makes."""
        count = len(bank.next)
        return count + (math.ceil(count / ACROSS**2) if self._has_sheets else 0)

    def _pictures(self, bank: Bank) -> Iterator[tuple[str, np.ndarray]]:
        if self._has_sheets:
            for first in range(0, len(bank.next), ACROSS**2):
                shown = bank.pictures[first : first + ACROSS**2]
                yield f"sheet-{first // ACROSS**2}.webp", _sheet(np.stack(shown))
        for index, canvas in enumerate(bank.canvases):
            yield f"{index}.webp", canvas


def _dtype(count: int) -> np.dtype:
    """Of an entry of a map."""
    return np.dtype("u1" if count <= 256 else "<u2")


def _sheet(pictures: np.ndarray) -> np.ndarray:
    """Pictures in reading order, `ACROSS` in a row; what is left of the last row is black."""
    around = ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    padded = np.pad(pictures, around, mode="edge")
    rows, (high, wide) = math.ceil(len(pictures) / ACROSS), padded.shape[1:3]
    sheet = np.zeros((rows * ACROSS, high, wide, 3), np.uint8)
    sheet[: len(pictures)] = padded
    return sheet.reshape(rows, ACROSS, high, wide, 3).swapaxes(1, 2).reshape(rows * high, -1, 3)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
