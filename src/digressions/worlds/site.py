"""A finite world as a folder that zooms without end in a browser: files and no program.

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
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import __version__
from ..errors import InputError, OutputError
from ..mosaics.manifest import difference, read_manifest, write_manifest
from ..output import workshop, writing
from ..pictures.images import to_webp
from .bank import Bank
from .manifest import Manifest
from .page import Facts, page_files
from .world import World

KIND = "finite world"
QUALITIES = (95, 90, 80, 70, 60, 50)  # of WebP, the best first
ACROSS = 8  # pictures across and down a sheet
MARGIN = 8  # pixels around each, its own edge drawn out: a lossy file smears what lies side by side
TOGETHER = 64  # pictures that the page asks its thread for at once
_LEAST = 0.004  # bytes a pixel that hardly any picture is less than


class Written(NamedTuple):
    """What a folder came to: bytes of all its files, and the quality of its pictures."""

    size: int
    quality: int


class Site:
    """The folder of a finite world. Opening it checks what can be checked, and writes nothing."""

    def __init__(
        self, folder: Path, title: str, manifest: Manifest, count: int, most_bytes: int
    ) -> None:
        """Raises:
        InputError: So many pictures cannot fit.
        OutputError: The folder is another job's, or holds other files.
        """
        self.folder, self.title, self.manifest = folder, title, manifest
        self.count, self.most_bytes = count, most_bytes
        world = json.loads(manifest.to_json()) | {"reuse": count}
        self._job = {"world": world, "title": title, "most_bytes": most_bytes}
        found = read_manifest(folder, KIND)
        if found is not None and found["job"] != self._job:
            raise OutputError(
                f"{folder} belongs to another job ({difference(found, {'job': self._job})}): "
                "choose another -o, or delete it"
            )
        if self._fixed() + self._pixels() * _LEAST > most_bytes:
            raise InputError(self._too_large())

    def expected(self, world: World) -> int:
        """Bytes that the folder may come to, at most ``most_bytes``: as if all were as the root.

        Raises:
            InputError: It will not fit, not even if they turn out half as large.
        """
        forms = {
            self.manifest.cells.side: world.picture(()),
            self.manifest.canvas_side: world.canvas(()),
        }
        best, worst = (
            self._fixed() + self.count * sum(len(to_webp(form, q)) for form in forms.values())
            for q in (QUALITIES[0], QUALITIES[-1])
        )
        if worst > 2 * self.most_bytes:
            raise InputError(self._too_large())
        return min(self.most_bytes, best)

    def _too_large(self) -> str:
        return (
            f"--reuse {self.count}: so many pictures do not fit {self.most_bytes / 1e6:g} MB: "
            "give fewer, or a larger --max-mb"
        )

    def _pixels(self) -> int:
        sides = {self.manifest.cells.side, self.manifest.canvas_side}
        return self.count * sum(side**2 for side in sides)

    def _fixed(self) -> int:
        page = sum(path.stat().st_size for path in page_files().values())
        return self._maps_size() + page

    def _maps_size(self) -> int:
        return self.count * self.manifest.cells.grid.cells * _dtype(self.count).itemsize

    def write(
        self, world: World, bank: Bank, on_encoded: Callable[[int], object] = lambda _: None
    ) -> Written:
        """Writes the folder, whole or not at all, in the best quality that fits.

        Args:
            world: The endless one that the bank is of.
            bank: Of ``count`` pictures, or fewer.
            on_encoded: Called with 1 after each file of pictures.

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
            quality = self._write_pictures(new, world, bank, on_encoded)
            size = _size_of(new)
            if target.exists():  # empty, or this job's from another time
                target.rename(work / "old")
            new.rename(target)
        return Written(size, quality)

    def _description(self) -> dict[str, object]:
        return {
            "format": 1,
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
        facts = Facts(self.title, cells.grid.columns, cells.side, canvas_side, TOGETHER)
        across = 0 if cells.side == canvas_side else ACROSS
        wide = _dtype(len(bank.paths)).itemsize > 1
        how = {"across": across, "margin": MARGIN, "band": cells.band, "wide": wide}
        about = asdict(facts) | {"bank": how}
        (folder / "world.json").write_text(json.dumps(about) + "\n", "utf-8")

    def _write_maps(self, folder: Path, bank: Bank) -> None:
        for index, leads in enumerate(bank.next):
            (folder / f"{index}.map").write_bytes(leads.astype(_dtype(len(bank.paths))).tobytes())

    def _write_pictures(
        self, folder: Path, world: World, bank: Bank, on_encoded: Callable[[int], object]
    ) -> int:
        room = self.most_bytes - _size_of(folder)
        for quality in QUALITIES:
            left = room
            for name, picture in self._pictures(world, bank):
                webp = to_webp(picture, quality)
                left -= len(webp)
                if left < 0:
                    break
                (folder / "bank" / name).write_bytes(webp)
                on_encoded(1)
            else:
                return quality
        raise InputError(self._too_large())

    def _pictures(self, world: World, bank: Bank) -> Iterator[tuple[str, np.ndarray]]:
        if self.manifest.cells.side != self.manifest.canvas_side:
            for first in range(0, len(bank.paths), ACROSS**2):
                yield f"sheet-{first // ACROSS**2}.webp", _sheet(bank.pictures[first:][: ACROSS**2])
        for index, path in enumerate(bank.paths):
            yield f"{index}.webp", world.canvas(path)


def _dtype(count: int) -> np.dtype:
    """Of an entry of a map."""
    return np.dtype("u1" if count <= 256 else "<u2")


def _sheet(pictures: np.ndarray) -> np.ndarray:
    """Pictures in reading order, `ACROSS` in a row; what is left of the last row is black."""
    around = ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    padded = np.pad(pictures, around, mode="edge")
    rows, side = math.ceil(len(pictures) / ACROSS), padded.shape[1]
    sheet = np.zeros((rows * ACROSS, side, side, 3), np.uint8)
    sheet[: len(pictures)] = padded
    return sheet.reshape(rows, ACROSS, side, side, 3).swapaxes(1, 2).reshape(rows * side, -1, 3)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
