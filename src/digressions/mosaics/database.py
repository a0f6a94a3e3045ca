"""SQLite files that hold what can be made again, shared by processes: opened or made, and never
somebody else's."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from ..errors import OutputError, verbatim
from ..files import writing
from .store import explained

_SQLITE = b"SQLite format 3\x00"  # the first bytes of every file of its
_PATIENCE = 30  # seconds to wait for another process that is writing
_WAIT = 0.05  # seconds between looks at what another process is making


class DatabaseKind(NamedTuple):
    """A kind of file of ours.

    Attributes:
        number: Says in the file's header whose it is (SQLite's ``application_id``).
        version: Of its tables (SQLite's ``user_version``).
        schema: Makes the tables that are not there.
        name: In words, such as "a cache of pictures".
        option: The parameter that names such a file.
    """

    number: int
    version: int
    schema: str
    name: str
    option: str

    def check(self, path: Path) -> None:
        """Refuses a file that no database is in. Makes nothing: others may be making it.

        Raises:
            OutputError: It is something else, or cannot be read.
        """
        with writing(path):
            head = _head(path)
        if head and head != _SQLITE:
            raise self._refusal(path)

    def open(self, path: Path) -> sqlite3.Connection:
        """Opens or makes a file, in autocommit and WAL mode. A power cut may take the last that was
        written, since it can be made again; a kill takes nothing.

        Raises:
            OutputError: The file is something else, or cannot be written.
        """
        self.check(path)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with explained(path):
            db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
            try:
                self._claim(path, db)
            except BaseException:
                db.close()
                raise
        return db

    def _claim(self, path: Path, db: sqlite3.Connection) -> None:
        # In this order: whoever makes the file at this moment writes the kind before the tables.
        (tables,) = db.execute("select count(*) from sqlite_master").fetchone()
        (number,) = db.execute("pragma application_id").fetchone()
        (version,) = db.execute("pragma user_version").fetchone()
        if tables and (number, version) != (self.number, self.version):
            raise self._refusal(path)
        _write_ahead(db)
        db.execute("pragma synchronous = normal")
        db.execute(f"pragma user_version = {self.version}")
        db.execute(f"pragma application_id = {self.number}")
        db.executescript(self.schema)

    def _refusal(self, path: Path) -> OutputError:
        return OutputError(
            f"{verbatim(path)} is not {self.name}: choose another `{self.option}`",
            field=self.option,
        )


def _head(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        return file.read(len(_SQLITE))


def _write_ahead(db: sqlite3.Connection) -> None:
    """WAL mode. SQLite does not wait by itself here while another makes the same file."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_WAIT)
        else:
            return
