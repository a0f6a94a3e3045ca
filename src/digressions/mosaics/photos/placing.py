"""Chosen photos become cells: cut, turned, bent until they are exact, stored.

The choice and the pictures are in one file, `pictures.sqlite`, so that neither can be lost without
the other. A killed run goes on with the photos that were chosen at first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...events import Estimate, Preview, Progress
from ...generate.batching import BatchSize
from ...images.image_files import to_png
from ...pace import Pace
from ..cells import band_of, correct_band, exact_cells, to_bytes
from ..filling_in import FillingIn, small_cell, small_pictures
from ..store import Store, explained
from .cores import on_all_cores
from .cropping import turned
from .photo_index import PhotoIndex, PhotoPreview
from .photo_spec import PhotoMosaic

AT_ONCE = 400_000  # pixels of a batch
_SCHEMA = """
create table if not exists chosen_from (digest text not null);
create table if not exists choice (
    cell integer primary key, photo text not null, turn integer not null, bent real);
"""


class Choice(NamedTuple):
    """What each cell shows: the SHA-256 of a photo's file, and how it is turned."""

    photos: list[str]
    turns: list[int]


class PhotoStore(Store):
    """The pictures of a mosaic of photos, and which photos they are."""

    def __init__(self, path: Path, job: str) -> None:
        super().__init__(path, job)
        with explained(path):
            self._db.executescript(_SCHEMA)

    def digest(self) -> str | None:
        """Of the photos that the choice was made from; ``None`` where none was made."""
        with explained(self.path):
            row = self._db.execute("select digest from chosen_from").fetchone()
        return None if row is None else str(row[0])

    def choose(self, digest: str, choice: Choice) -> None:
        """Keeps a choice, whole or not at all."""
        rows = zip(range(len(choice.photos)), choice.photos, choice.turns, strict=True)
        with explained(self.path), self._transaction():
            self._db.executemany("insert into choice values (?, ?, ?, null)", rows)
            self._db.execute("insert into chosen_from values (?)", (digest,))

    def choice(self) -> Choice:
        """What was chosen, cell by cell."""
        with explained(self.path):
            rows = self._db.execute("select photo, turn from choice order by cell").fetchall()
        return Choice([photo for photo, _ in rows], [turn for _, turn in rows])

    def put_filled(self, pictures: Mapping[int, bytes], bent: Mapping[int, float]) -> None:
        """Commits cells' pictures and how far their photos were bent, all or none; see `put`."""
        with explained(self.path), self._transaction():
            self._db.executemany(
                "update choice set bent = ? where cell = ?",
                [(change, cell) for cell, change in bent.items()],
            )
            self._db.executemany("insert or replace into pictures values (?, ?)", pictures.items())

    def bent(self) -> np.ndarray:
        """How far the photo of each cell was bent: mean absolute change of a value, 0..1."""
        with explained(self.path):
            rows = self._db.execute("select bent from choice order by cell").fetchall()
        return np.array([bent for (bent,) in rows], float)


class PhotoBatch(NamedTuple):
    """Cells to fill at once, and what each of them shows."""

    cells: list[int]
    photos: list[PhotoPreview]
    turns: list[int]


@dataclass(frozen=True, eq=False)
class CutBatch:
    """A batch whose photos are cut and turned.

    Attributes:
        cells: Indices into the grid.
        photos: As they are: ``(B, 3, H, W)`` float32 in 0..1.
        images: What is shown of them, not exact yet; as ``photos``, or painted over.
        exact: The picture's own values in these cells: ``(B, 3, 8, 8)`` in 0..1.
        lost: Photos whose files were gone.
    """

    cells: list[int]
    photos: Tensor
    images: Tensor
    exact: Tensor
    lost: set[str]


class _Filled(NamedTuple):
    """A batch that is ready to be stored, and the photos whose files were gone."""

    pngs: dict[int, bytes]
    small: dict[int, np.ndarray]
    bent: dict[int, float]
    lost: set[str]


class Filler:
    """Makes batches of cells, in any thread."""

    def __init__(self, mosaic: PhotoMosaic, base: Tensor) -> None:
        """``base`` is ``(3, H, W)`` float32 in 0..1, of ``mosaic.base_size``."""
        self._mosaic, self._base = mosaic, base

    def cut(self, batch: PhotoBatch) -> CutBatch:
        """Cuts and turns."""
        lost: set[str] = set()
        cropped: dict[str, np.ndarray] = {}
        for photo in batch.photos:
            if photo.sha256 in cropped:
                continue
            cropped[photo.sha256], found = photo.cropped(self._mosaic.cell)
            if not found:
                lost.add(photo.sha256)
        pictures = np.stack(
            [
                turned(cropped[photo.sha256], turn)
                for photo, turn in zip(batch.photos, batch.turns, strict=True)
            ]
        )
        photos = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        exact = exact_cells(self._base, self._mosaic, batch.cells)
        return CutBatch(batch.cells, photos, photos, exact, lost)

    def finish(self, batch: CutBatch) -> _Filled:
        """Bends until they are exact, and compresses."""
        filled = _Filled({}, {}, {}, batch.lost)
        some = max(1, AT_ONCE // self._mosaic.cell.pixels)
        for start in range(0, len(batch.cells), some):
            part = slice(start, start + some)
            images = self._bent(batch.images[part], batch.exact[part])
            changes = (images - batch.photos[part]).abs().mean((1, 2, 3)).tolist()
            pixels = to_bytes(images)
            pngs = [to_png(np.ascontiguousarray(each.permute(1, 2, 0))) for each in pixels]
            small = small_pictures(pixels, small_cell(self._mosaic.grid, self._mosaic.cell))
            filled.small.update(zip(batch.cells[part], small, strict=True))
            filled.pngs.update(zip(batch.cells[part], pngs, strict=True))
            filled.bent.update(zip(batch.cells[part], changes, strict=True))
        return filled

    def _bent(self, images: Tensor, exact: Tensor) -> Tensor:
        mosaic = self._mosaic
        if not (mosaic.band and mosaic.bend):
            return images
        own, wanted = band_of(images, mosaic.band), band_of(exact, mosaic.band)
        return correct_band(images, own + mosaic.bend * (wanted - own)).images


class Painting(Protocol):
    """What paints over photos before they are made exact; see `repainting.Repainter`."""

    sizes: BatchSize

    def painted(self, batches: Iterator[CutBatch]) -> Iterator[CutBatch]: ...


def place_photos(
    store: PhotoStore,
    index: PhotoIndex,
    mosaic: PhotoMosaic,
    base: Tensor,
    painting: Painting | None = None,
    filling: FillingIn | None = None,
) -> Generator[Progress | Estimate | Preview, None, int]:
    """Makes and stores the cells that are missing.

    Closing it keeps what is stored.

    Args:
        store: Where to, and what was chosen.
        index: Knows the photos.
        mosaic: What it is.
        base: ``(3, H, W)`` float32 in 0..1, of ``mosaic.base_size``.
        painting: What paints over them, if anything does.
        filling: Shows the mosaic, with the cells of earlier runs too.

    Returns:
        How many photos were gone by then and had to be taken from their previews, enlarged.

    Raises:
        InputError: A photo is gone, and the index does not know it any more.
        OutputError: The store cannot be written; what was stored before is kept.
    """
    choice, done = store.choice(), store.done()
    missing = [cell for cell in range(mosaic.grid.cells) if cell not in done]
    missing.sort(key=lambda cell: (choice.photos[cell], cell))  # a photo is decoded once
    filler, lost, count = Filler(mosaic, base), set[str](), len(done)
    task = "placing photos" if painting is None else "painting over photos"
    pace = Pace()

    def some() -> int:
        return max(1, AT_ONCE // mosaic.cell.pixels) if painting is None else painting.sizes.now

    yield Progress(task, count, mosaic.grid.cells)
    if filling is not None:
        filling.put_stored(store, sorted(done))
    with (
        closing(on_all_cores(filler.cut, _batches(index, choice, missing, some))) as cut,
        closing(
            on_all_cores(filler.finish, cut if painting is None else painting.painted(cut))
        ) as finished,
    ):
        for filled in finished:
            store.put_filled(filled.pngs, filled.bent)
            lost |= filled.lost
            count += len(filled.pngs)
            yield Progress(task, count, mosaic.grid.cells)
            if filling is not None:
                filling.put(filled.small)
                if (preview := filling.due()) is not None:
                    yield preview
            if painting is not None:
                pace.note(count)
                yield from pace.estimate(mosaic.grid.cells, "paint")
    return len(lost)


def _batches(
    index: PhotoIndex, choice: Choice, cells: Sequence[int], some: Callable[[], int]
) -> Iterator[PhotoBatch]:
    left = iter(cells)
    while batch := list(islice(left, some())):
        known: dict[str, PhotoPreview] = {}
        for cell in batch:
            photo = choice.photos[cell]
            if photo not in known:
                known[photo] = _known(index, photo)
        photos = [known[choice.photos[cell]] for cell in batch]
        yield PhotoBatch(batch, photos, [choice.turns[cell] for cell in batch])


def _known(index: PhotoIndex, photo: str) -> PhotoPreview:
    found = index.preview(photo)
    if found is None:
        raise InputError(
            f"a photo that was chosen is gone, and {index.path} does not know it: delete the "
            "folder of the mosaic to choose anew, or name the `index` that it was made with"
        )
    return found
