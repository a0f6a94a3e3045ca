"""A bounded store of pictures that can always be made again, shared by processes.

One SQLite file in WAL mode. It keeps what was used last and never more than its limit. Who is
about to make a picture claims it, so that several processes that want the same one make it once;
the claims of a process that died are taken over.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from ..files import check_file, is_running
from ..mosaics.database import DatabaseKind
from ..mosaics.store import explained

_SCHEMA = """
create table if not exists pictures (
    key text primary key, png blob not null, size integer not null, used real not null
) without rowid;
create index if not exists by_use on pictures (used, size);
create table if not exists claims (
    key text primary key, host text not null, pid integer not null, expires real not null
) without rowid;
"""
_KIND = DatabaseKind(0x64696772, 0, _SCHEMA, "a cache of pictures", "cache")  # "digr"
_FLUSH = 256  # pictures that are looked at before the file learns of it
_WAIT = 0.05  # seconds between looks at what another process is making
_ROOM = 0.9  # of the limit, what an eviction leaves, so that it does not come with every picture


def check_cache(path: Path) -> None:
    """Refuses a file that is no cache, or that cannot be written, before anything is painted.

    Raises:
        OutputError: It is a folder or something of the user's, or its folder cannot be written to.
    """
    check_file(path, "cache")
    _KIND.check(path)


class Claimed(NamedTuple):
    """What a claim came to.

    Attributes:
        found: PNGs that are there by now.
        mine: Keys that this process is to make, and then to `put` or to `release`.
    """

    found: dict[str, bytes]
    mine: list[str]


class Cache:
    """PNGs by key, at most ``limit`` bytes of them."""

    def __init__(self, path: Path, limit: int = 1_000_000_000, lease: float = 300) -> None:
        """Opens or makes a cache.

        Args:
            path: The SQLite file.
            limit: Bytes of all PNGs together.
            lease: Seconds after which a claim is void even if its process is alive; a batch of
                pictures should not take longer.

        Raises:
            OutputError: The file is something else, or cannot be written.
        """
        self.path, self.limit, self.lease = path, limit, lease
        self._me = (platform.node(), os.getpid())
        self._used: dict[str, float] = {}
        self._db = _KIND.open(path)

    def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The PNGs that are there."""
        with explained(self.path):
            found = self._find(keys)
        if len(self._used) >= _FLUSH:
            with self._transaction():
                pass
        return found

    def _find(self, keys: Iterable[str]) -> dict[str, bytes]:
        found, now = {}, time.time()
        for key in keys:
            row = self._db.execute("select png from pictures where key = ?", (key,)).fetchone()
            if row is not None:
                found[key], self._used[key] = row[0], now
        return found

    def obtain(
        self,
        keys: Iterable[str],
        make: Callable[[list[str]], Mapping[str, bytes]],
        most: int = 1,
    ) -> dict[str, bytes]:
        """Pictures, made where they are missing, here or by another process.

        Args:
            keys: Of the pictures.
            make: Makes some of them; what it raises ends this, and gives its claims back.
            most: As many at once.
        """
        keys = list(dict.fromkeys(keys))
        pictures = self.get(keys)
        while left := [key for key in keys if key not in pictures]:
            found, mine = self.claim(left, most)
            pictures |= found
            if mine:
                try:
                    made = make(mine)
                except BaseException:
                    self.release(mine)
                    raise
                self.put(made)
                pictures |= made
            elif not found:
                time.sleep(_WAIT)
        return pictures

    def claim(self, keys: Sequence[str], most: int) -> Claimed:
        """Finds pictures, or takes on the making of ``most`` of those that nobody is making.

        If nothing is found and nothing is claimed, others are at work on all of them: wait a
        little and ask again.
        """
        mine: list[str] = []
        with self._transaction():
            found = self._find(keys)
            now = time.time()
            for key in keys:
                if len(mine) == most:
                    break
                if key in found or not self._is_free(key, now):
                    continue
                self._db.execute(
                    "insert or replace into claims values (?, ?, ?, ?)",
                    (key, *self._me, now + self.lease),
                )
                mine.append(key)
        return Claimed(found, mine)

    def _is_free(self, key: str, now: float) -> bool:
        row = self._db.execute(
            "select host, pid, expires from claims where key = ?", (key,)
        ).fetchone()
        if row is None:
            return True
        host, pid, expires = row
        if not (isinstance(pid, int) and isinstance(expires, float)):
            return True  # damaged: no claim of anybody's
        # Where nobody can tell whether it runs, the lease decides.
        return expires < now or (host == self._me[0] and not is_running(pid))

    def put(self, pictures: Mapping[str, bytes]) -> None:
        """Keeps pictures, gives their claims back, and drops what was not used for longest."""
        now = time.time()
        with self._transaction():
            self._db.executemany(
                "insert or replace into pictures values (?, ?, ?, ?)",
                [(key, png, len(png), now) for key, png in pictures.items()],
            )
            self._give_back(pictures)
            self._evict()

    def release(self, keys: Iterable[str]) -> None:
        """Gives claims back whose pictures were not made."""
        with self._transaction():
            self._give_back(keys)

    def _give_back(self, keys: Iterable[str]) -> None:
        self._db.executemany(
            "delete from claims where key = ? and host = ? and pid = ?",
            [(key, *self._me) for key in keys],
        )

    def _evict(self) -> None:
        held = self.size()
        if held <= self.limit:
            return
        gone = []
        for key, size in self._db.execute("select key, size from pictures order by used"):
            gone.append((key,))
            held -= size if isinstance(size, int) else 0  # as `size` counts what is damaged
            if held <= self.limit * _ROOM:
                break
        self._db.executemany("delete from pictures where key = ?", gone)

    def size(self) -> int:
        """Bytes of all PNGs together. (The file is larger by its index and by free pages.)"""
        with explained(self.path):
            (size,) = self._db.execute(
                "select total(size) from pictures where typeof(size) = 'integer'"
            ).fetchone()
        return int(size)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A block in which no other process writes; it also says what was looked at since."""
        with explained(self.path):
            self._db.execute("begin immediate")
            try:
                used, self._used = self._used, {}
                self._db.executemany(
                    "update pictures set used = ? where key = ?",
                    [(when, key) for key, when in used.items()],
                )
                yield
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
