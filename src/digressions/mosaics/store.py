"""A mosaic on disk: finished pictures, which survive a kill, and the manifest of their folder.

`Store` is one SQLite file, one row a picture. A batch is committed in one transaction, in WAL mode
with full synchronisation: after ``kill -9`` or a power cut every picture of a committed batch is
there, and none of a torn one.

`manifest.json` says which job a folder belongs to, and what came of it. It is written before
anything else, so that no two jobs ever share a folder.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from ..errors import OutputError, verbatim
from ..files import numbered, parsed, reading_foreign, write_json

_SCHEMA = """
create table if not exists job (key text primary key, value text not null);
create table if not exists pictures (cell integer primary key, png blob not null);
"""
_MEND = "choose another `output`, or give `overwrite`"
_NO_STORE = "not a store of pictures, or a damaged one: choose another, or delete the file"


class Store:
    """Pictures of one job, keyed by cell. Any thread may use it, one at a time."""

    def __init__(self, path: Path, job: str, *, read_only: bool = False) -> None:
        """Opens or makes the store of a job.

        Args:
            path: The SQLite file.
            job: What the pictures belong to, any text; a store made for another is refused.
            read_only: Whether nothing is written, as in a folder that cannot be.

        Raises:
            OutputError: The file is not a store, belongs to another job, is locked by another
                process, or cannot be written.
        """
        self.path = path
        with explained(self.path):
            # Autocommit: transactions are opened by hand, one a batch.
            self._db = sqlite3.connect(
                _read_only(path) if read_only else path,
                timeout=5,
                isolation_level=None,
                check_same_thread=False,
                uri=read_only,
            )
            try:
                if not read_only:
                    self._db.execute("pragma journal_mode = wal")
                    self._db.execute("pragma synchronous = full")
                    self._db.executescript(_SCHEMA)
                    self._db.execute("insert or ignore into job values ('job', ?)", (job,))
                (found,) = self._db.execute("select value from job where key = 'job'").fetchone()
            except BaseException:
                self._db.close()
                raise
        if found != job:
            self._db.close()
            raise OutputError(f"{verbatim(path)} belongs to another job: choose another folder")

    def put(self, pictures: Mapping[int, bytes]) -> None:
        """Commits a batch of PNGs, all or none.

        Raises:
            OutputError: The disk is full or the store cannot be written; nothing of the batch is
                kept, everything before it is.
        """
        with explained(self.path), self._transaction():
            self._db.executemany("insert or replace into pictures values (?, ?)", pictures.items())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What the block writes is kept whole, or nothing of it."""
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    def done(self) -> set[int]:
        """The cells that are finished."""
        with explained(self.path):
            return {cell for (cell,) in self._db.execute("select cell from pictures")}

    def get(self, cells: Iterable[int]) -> Iterator[bytes]:
        """The PNGs of cells, in the order asked for.

        Raises:
            OutputError: One of them is not there.
        """
        for cell in cells:
            with explained(self.path):
                row = self._db.execute(
                    "select png from pictures where cell = ?", (cell,)
                ).fetchone()
            if row is None:
                raise OutputError(f"{verbatim(self.path)} has no picture for cell {cell} yet")
            yield row[0]

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read_only(path: Path) -> str:
    """The address of a database that is only read. Where nobody has it open, SQLite needs not even
    write the file by which readers and writers know of each other."""
    alone = not path.with_name(f"{path.name}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite raises in the block becomes one `OutputError` that says what to do."""
    with reading_foreign(lambda _: OutputError(f"{verbatim(path)}: {_NO_STORE}")):
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(f"{verbatim(path)}: {_reason(error)}") from error


def _reason(error: sqlite3.Error) -> str:
    text = " ".join(str(error).split())  # a damaged file's own words may be several lines
    if "full" in text:
        return "the disk is full; finished pictures are kept: free some space and run it again"
    if "locked" in text:
        return "another process is writing to it: wait until it ends"
    if "not a database" in text or "malformed" in text:
        return f"{_NO_STORE} ({text})"
    return text


def read_manifest(folder: Path, kind: str = "mosaic") -> dict[str, object] | None:
    """The manifest of a folder of a kind, or ``None`` where there is none.

    Raises:
        OutputError: The folder holds something else.
    """
    path = folder / "manifest.json"
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{verbatim(folder)} is not a folder: choose another `output`")
    if not path.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise OutputError(f"{verbatim(folder)} holds other files and no {kind}: {_MEND}")
        return None
    try:
        manifest: dict[str, object] = parsed(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{verbatim(path)} cannot be read: {error}") from error
    ours = isinstance(manifest, dict) and "job" in manifest
    if not ours or manifest.get("kind") != f"digressions {kind}":
        raise OutputError(f"{verbatim(path)} is not the manifest of a {kind}: {_MEND}")
    return manifest


def free_folder(usual: Path, kind: str, job: object) -> Path:
    """The first of ``usual``, ``usual-2``, ... that is new or empty, or holds a job already.

    Args:
        usual: The folder's name, if nobody says another.
        kind: Of the folder.
        job: As its manifest has it.
    """

    def serves(folder: Path) -> bool:
        try:
            found = read_manifest(folder, kind)
        except OutputError:
            return False
        return found is None or found["job"] == job

    return next(filter(serves, numbered(usual, folder=True)))


def begun(
    folder: Path, kind: str, description: Mapping[str, object], *, overwrite: bool = False
) -> dict[str, object] | None:
    """The manifest of a job that an earlier run has begun in a folder, or ``None`` where it is to
    be begun: over other files, if at all, after `files.cleared`.

    Args:
        folder: Where the job goes.
        kind: Of the folder.
        description: The job's manifest, with its ``format`` and its ``job``.
        overwrite: Whether another job's files, or somebody's of the same names, may go.

    Raises:
        OutputError: The folder belongs to another job, or holds other files.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{verbatim(folder)} is not a folder: choose another `output`")
    try:
        found = read_manifest(folder, kind)
        if found is not None and found.get("format") != description["format"]:
            raise OutputError(
                f"{verbatim(folder)} was made by another version of this program: {_MEND}"
            )
        if found is not None:
            check_same_job(folder, found, description["job"])
    except OutputError:
        if overwrite:
            return None
        raise
    return found


def write_manifest(folder: Path, manifest: dict[str, object]) -> None:
    """Writes the manifest of a folder, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    write_json(folder / "manifest.json", manifest)


def check_same_job(folder: Path, found: dict[str, object], job: object) -> None:
    """Raises `OutputError` where the manifest of a folder is of another job; says what differs."""
    if found["job"] != job:
        raise OutputError(
            f"{verbatim(folder)} belongs to another job ({_difference(found['job'], job)}): {_MEND}"
        )


def _difference(found: object, wanted: object) -> str:
    """The setting in which two jobs differ that says most to whoever gave it, in words."""
    old, new = _flat(found), _flat(wanted)
    differ = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    if not differ:
        return "it differs"
    key = min(differ, key=_rank)
    name, whose = _name(key).replace("_", " "), _OWNERS.get(key.split(".")[0], "")
    before, now = (_briefly(each.get(key)) for each in (old, new))
    if before is None:
        return f"it has no {name}{whose}, and here it is {now}"
    if now is None:
        return f"its {name}{whose} is {before}, and here there is none"
    return (
        f"the {name}{whose} is {before}, not {now}"
        if whose
        else f"its {name} is {before}, not {now}"
    )


_OWNERS = {"base_image": " of its base image", "mosaic": " of its cells", "world": " of its world"}
_FIRST = (
    *("prompt", "mix", "image", "photos", "negative", "model", "grid", "columns", "rows"),
    *("reuse", "size", "shape", "seed", "strength", "steps", "sampler", "guidance", "enlarge"),
)
"""Settings that people give, what they think of first before the others; the rest comes after."""


def _name(key: str) -> str:
    return key.split(".")[-1]


def _rank(key: str) -> int:
    return _FIRST.index(_name(key)) if _name(key) in _FIRST else len(_FIRST)


def _briefly(value: object) -> str | None:
    """A value for a message; ``None`` where there is none."""
    if value in (None, "", [], {}):
        return None
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:10]
    return verbatim(value if isinstance(value, (int, float)) else f"{str(value)!r:.60}")


_HASH = re.compile("[0-9a-f]{64}")


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat
