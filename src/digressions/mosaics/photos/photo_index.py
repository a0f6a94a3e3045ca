"""What photos look like, remembered: one SQLite file for any number of folders and mosaics.

A photo is read once. Kept are a small preview and what it looks like in 8 x 8 values for each way
of cropping that was asked for, so the next mosaic begins at once. A file is read again when its
size or its time changes. Photos are committed a few at a time: a killed run goes on.
"""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from PIL import Image

from ...errors import ImageError, MissingExtraError, OutputError
from ...events import Progress
from ...files import check_folder
from ...geometry import Box, Size
from ..database import DatabaseKind
from ..store import explained
from .cores import on_all_cores
from .cropping import coarse, crop_box, cut, scaled
from .photo_files import read_small, shrunk
from .photo_spec import Crop

PREVIEW_SIDE = 160  # pixels of a preview's shorter side
LEAST_SIDE = 32  # pixels: what is smaller is an icon
_QUALITY = 90
_COMMIT = 32  # photos that a kill can cost
_SCHEMA = """
create table if not exists files (
    path blob primary key, size integer, time integer, photo text, problem text not null);
create index if not exists files_by_photo on files (photo);
create table if not exists photos (
    photo text primary key, width integer, height integer, preview blob not null);
create table if not exists crops (
    photo text, aspect text, crop text, box text not null, coarse blob not null,
    primary key (photo, aspect, crop)) without rowid;
"""
_NAME = "an index of photos of this version"
_KIND = DatabaseKind(0x64697068, 1, _SCHEMA, _NAME, "index")  # "diph"
TINY = "tiny"
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class IndexedPhoto(NamedTuple):
    """A photo as the index knows it.

    Attributes:
        sha256: Of its file.
        path: Where it was found.
        size: Of the whole photo, upright.
        coarse: Its crop in 8 x 8 values, ``(8, 8, 3)`` uint8.
    """

    sha256: str
    path: Path
    size: Size
    coarse: np.ndarray


class PhotoPreview(NamedTuple):
    """A photo at a small size, and its crop in the pixels of that.

    Attributes:
        sha256: Of its file.
        content: A JPEG.
        box: Of the crop.
        paths: The files that hold it, as far as they were seen.
    """

    sha256: str
    content: bytes
    box: Box
    paths: list[Path]

    @property
    def pixels(self) -> np.ndarray:
        """``(h, w, 3)`` uint8."""
        return _pixels(self.content)

    def cropped(self, size: Size) -> Cropped:
        """Its crop at a size: of the preview where that has the pixels, else of its file."""
        small = self.pixels
        missing = max(size.width / self.box.size.width, size.height / self.box.size.height)
        if missing <= 1:
            return Cropped(cut(small, self.box, size), True)
        least = round(min(small.shape[:2]) * missing)
        for path in self.paths:
            try:
                found = read_small(path, least)
            except ImageError:
                continue  # gone, or damaged by now
            if found.sha256 == self.sha256:
                old, new = (Size(each.shape[1], each.shape[0]) for each in (small, found.pixels))
                return Cropped(cut(found.pixels, scaled(self.box, old, new), size), True)
        return Cropped(cut(small, self.box, size), False)


class Cropped(NamedTuple):
    """A photo's crop at a size, ``(h, w, 3)`` uint8; and whether it is of the whole file, which may
    be gone: then it is of the preview, enlarged."""

    pixels: np.ndarray
    whole: bool


class PhotoFile(NamedTuple):
    """A file that was read: its stamp, and either a photo or what is wrong with it.

    Attributes:
        cropped: The box of the crop in the preview, and its 8 x 8 values.
    """

    path: Path
    stamp: tuple[int, int] | None
    photo: str | None
    problem: str
    size: Size
    preview: bytes
    cropped: tuple[str, bytes]

    @property
    def shown(self) -> PhotoPreview | None:
        """The photo at a small size; ``None`` where it is none."""
        if self.photo is None:
            return None
        return PhotoPreview(self.photo, self.preview, _box(self.cropped[0]), [self.path])


class PhotoIndex:
    """The index in its file; one process at a time writes."""

    def __init__(self, path: Path, aspect: str, crop: Crop) -> None:
        """Opens or makes it.

        Args:
            path: The SQLite file.
            aspect, crop: How photos are cropped, see `cropping.crop_box`.

        Raises:
            OutputError: The file is something else, or cannot be written.
        """
        self.path, self._aspect, self._crop = path, aspect, crop
        check_folder(path.parent)
        if path.is_dir():
            raise OutputError(f"`index` {path} is a folder: choose another file", field="index")
        self._db = _KIND.open(path)

    def take(self, paths: Sequence[Path]) -> Generator[Progress, None, None]:
        """Reads the photos that are new or have changed, on all cores, and crops those that were
        never cropped in this way.

        Raises:
            OutputError: The index cannot be written; what was committed before is kept.
        """
        new = self.unread(paths)
        yield from self._worked("indexing photos", self._looked_at, new, self._put_files)
        lacking = self._uncropped()
        yield from self._worked("cropping photos", self._cropped, lacking, self._put_crops)

    def unread(self, paths: Sequence[Path]) -> list[Path]:
        """The files that are new or have changed, and those that cannot be seen any more."""
        known = self._known()
        stamps = ((path, _stamp(path)) for path in paths)
        return [p for p, stamp in stamps if stamp is None or known.get(os.fsencode(p)) != stamp]

    def _looked_at(self, path: Path) -> PhotoFile:
        return looked_at(path, self._aspect, self._crop)

    def _worked(
        self,
        task: str,
        work: Callable[[_In], _Out],
        items: Sequence[_In],
        keep: Callable[[Sequence[_Out]], None],
    ) -> Generator[Progress, None, None]:
        done = 0
        results = on_all_cores(work, items)
        while some := list(islice(results, _COMMIT)):
            with explained(self.path):
                self._db.execute("begin immediate")
                try:
                    keep(some)
                    self._db.execute("commit")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("rollback")
                    raise
            done += len(some)
            yield Progress(task, done, len(items))

    def _known(self) -> dict[bytes, tuple[int, int]]:
        """The stamps of the files that need not be read again."""
        with explained(self.path):
            rows = self._db.execute("select path, size, time from files where size is not null")
            return {path: (size, time) for path, size, time in rows}

    def _put_files(self, found: Iterable[PhotoFile]) -> None:
        for each in found:
            stamp = each.stamp or (None, None)
            row = (os.fsencode(each.path), *stamp, each.photo, each.problem)
            self._db.execute("insert or replace into files values (?, ?, ?, ?, ?)", row)
            if each.photo is None:
                continue
            photo = (each.photo, *each.size, each.preview)
            self._db.execute("insert or ignore into photos values (?, ?, ?, ?)", photo)
            self._put_crops([(each.photo, each.cropped)])

    def _uncropped(self) -> list[str]:
        with explained(self.path):
            rows = self._db.execute(
                "select photo from photos where photo not in "
                "(select photo from crops where aspect = ? and crop = ?)",
                (self._aspect, self._crop),
            )
            return [photo for (photo,) in rows]

    def _cropped(self, photo: str) -> tuple[str, tuple[str, bytes]]:
        with sqlite3.connect(self.path, timeout=30) as db:  # one a thread
            (preview,) = db.execute(
                "select preview from photos where photo = ?", (photo,)
            ).fetchone()
        db.close()
        return photo, _crop_of(preview, self._aspect, self._crop)

    def _put_crops(self, found: Iterable[tuple[str, tuple[str, bytes]]]) -> None:
        for photo, (box, small) in found:
            row = (photo, self._aspect, self._crop, box, small)
            self._db.execute("insert or replace into crops values (?, ?, ?, ?, ?)", row)

    def photos(self, paths: Iterable[Path]) -> tuple[list[IndexedPhoto], list[tuple[Path, str]]]:
        """Those of the files that are photos, in their order, and the others with what is wrong."""
        with explained(self.path):
            rows = self._db.execute(
                "select path, problem, files.photo, width, height, coarse from files "
                "left join photos on photos.photo = files.photo "
                "left join crops on crops.photo = files.photo and aspect = ? and crop = ?",
                (self._aspect, self._crop),
            )
            found = {row[0]: row[1:] for row in rows}
        good, bad = [], []
        for path in paths:
            problem, photo, width, height, small = found[os.fsencode(path)]
            if photo is None:
                bad.append((path, problem))
                continue
            values = np.frombuffer(small, np.uint8).reshape(8, 8, 3)
            good.append(IndexedPhoto(photo, path, Size(width, height), values))
        return good, bad

    def preview(self, photo: str) -> PhotoPreview | None:
        """A photo by the SHA-256 of its file; ``None`` where the index does not know it."""
        with explained(self.path):
            row: Any = self._db.execute(
                "select preview, box from photos join crops using (photo) "
                "where photo = ? and aspect = ? and crop = ?",
                (photo, self._aspect, self._crop),
            ).fetchone()
            where = self._db.execute("select path from files where photo = ?", (photo,))
            paths = [Path(os.fsdecode(path)) for (path,) in where]
        if row is None:
            return None
        return PhotoPreview(photo, row[0], _box(row[1]), paths)

    def coarse(self, photo: str) -> np.ndarray:
        """A photo's crop in 8 x 8 values: ``(8, 8, 3)`` uint8; for one that it knows."""
        with explained(self.path):
            (small,) = self._db.execute(
                "select coarse from crops where photo = ? and aspect = ? and crop = ?",
                (photo, self._aspect, self._crop),
            ).fetchone()
        return np.frombuffer(small, np.uint8).reshape(8, 8, 3)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def looked_at(path: Path, aspect: str, crop: Crop) -> PhotoFile:
    """What a file looks like as a photo, cropped in a way; see `cropping.crop_box`."""
    stamp = _stamp(path)  # before it is read: a change meanwhile shows the next time
    nothing = (Size(0, 0), b"", ("", b""))
    try:
        found = read_small(path, PREVIEW_SIDE)
    except ImageError as error:
        seen = stamp if _is_of_the_file(error) else None  # else it is looked at again
        return PhotoFile(path, seen, None, error.message, *nothing)
    if min(found.pixels.shape[:2]) < LEAST_SIDE:
        return PhotoFile(path, stamp, None, TINY, *nothing)
    content = io.BytesIO()
    small = Image.fromarray(shrunk(found.pixels, PREVIEW_SIDE))
    small.save(content, "JPEG", quality=_QUALITY, subsampling=0)
    cropped = _crop_of(content.getvalue(), aspect, crop)
    size = Size(found.width, found.height)
    return PhotoFile(path, stamp, found.sha256, "", size, content.getvalue(), cropped)


def _is_of_the_file(error: ImageError) -> bool:
    """Whether what is wrong is in the file, and not with the disk, the rights or what is installed,
    which change while the file stays."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return cause.errno is None  # a decoder's, not the system's
    return not isinstance(cause, (MissingExtraError, MemoryError))


def _crop_of(preview: bytes, aspect: str, crop: Crop) -> tuple[str, bytes]:
    pixels = _pixels(preview)
    box = crop_box(pixels, aspect, crop)
    return " ".join(map(str, box)), coarse(pixels, box).tobytes()


def _box(text: str) -> Box:
    return Box(*map(int, text.split()))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file; ``None`` where it is gone, so that it is looked at again."""
    with suppress(OSError):
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    return None


def _pixels(preview: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(preview), formats=("JPEG",)).convert("RGB"))
