"""Finished pictures on disk: what is committed survives a kill.

One SQLite file, one row a picture. A batch is committed in one transaction, in WAL mode with full
synchronisation: after ``kill -9`` or a power cut every picture of a committed batch is there, and
none of a torn one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import OutputError

_SCHEMA = """
create table if not exists job (key text primary key, value text not null);
create table if not exists pictures (cell integer primary key, png blob not null);
"""
_NO_STORE = "not a store of pictures, or a damaged one: choose another, or delete the file"


class Store:
    """Pictures of one job, keyed by cell. Any thread may use it, one at a time."""

    def __init__(self, path: Path, job: str) -> None:
        """Opens or makes the store of a job.

        Args:
            path: The SQLite file.
            job: What the pictures belong to, any text; a store made for another is refused.

        Raises:
            OutputError: The file is no store, belongs to another job, is locked by another
                process, or cannot be written.
        """
        self.path = path
        with explained(self.path):
            # Autocommit: transactions are opened by hand, one a batch.
            self._db = sqlite3.connect(
                path, timeout=5, isolation_level=None, check_same_thread=False
            )
            try:
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
            raise OutputError(f"{path} belongs to another job: choose another folder")

    def put(self, pictures: Mapping[int, bytes]) -> None:
        """Commits a batch of PNGs, all or none.

        Raises:
            OutputError: The disk is full or the store cannot be written; nothing of the batch is
                kept, everything before it is.
        """
        with explained(self.path):
            self._db.execute("begin immediate")
            try:
                self._db.executemany(
                    "insert or replace into pictures values (?, ?)", pictures.items()
                )
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
                raise OutputError(f"{self.path} has no picture for cell {cell} yet")
            yield row[0]

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite raises in the block becomes one `OutputError` that says what to do."""
    try:
        yield
    except UnicodeDecodeError as error:  # a damaged file's own words, in SQLite's message
        raise OutputError(f"{path}: {_NO_STORE}") from error
    except sqlite3.Error as error:
        raise OutputError(f"{path}: {_reason(error)}") from error


def _reason(error: sqlite3.Error) -> str:
    text = " ".join(str(error).split())  # a damaged file's own words may be several lines
    if "full" in text:
        return "the disk is full; finished pictures are kept: free some space and run it again"
    if "locked" in text:
        return "another process is writing to it: wait for that to end"
    if "not a database" in text or "malformed" in text:
        return f"{_NO_STORE} ({text})"
    return text
