"""What of SQLite `fuzz.py` feeds: stores of mosaics, caches of worlds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from .fuzz_damage import Reader, damaged_database
from .fuzz_media import picture, saved


def _read_store(path: Path) -> None:
    from digressions.images.image_files import from_png
    from digressions.mosaics.store import Store

    with Store(path, "job") as store:
        cells = store.done()
        store.put({3: b"another"})
        for png in store.get(sorted(cells)[:4]):
            from_png(png)


def _read_cache(path: Path) -> None:
    from digressions.images.image_files import from_png
    from digressions.worlds.cache import Cache

    with Cache(path, 2_000) as cache:
        found = cache.get(["a", "b"])
        cache.claim(["a", "b", "c"], 2)
        cache.put({"c": bytes(900), "d": bytes(1200)})
        cache.release(["c"])
        for png in found.values():
            from_png(png)


def _databases(folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    from digressions.mosaics.store import Store
    from digressions.worlds.cache import Cache

    png = saved(picture(), "PNG")
    with Store(folder / "store.sqlite", "job") as store:
        store.put({0: png, 1: png})
    with Cache(folder / "cache.sqlite") as cache:
        cache.put({"a": png, "b": png})
        cache.claim(["z"], 1)
    made = []
    for name in ("store.sqlite", "cache.sqlite"):
        base = sqlite3.connect(folder / name)
        base.execute("pragma journal_mode = delete")
        base.close()
        made.append({name: (folder / name).read_bytes()})
    return made[0], made[1]


def _store(folder: Path) -> Reader:
    return Reader(_databases(folder)[0], _read_store, damaged_database)


def _cache(folder: Path) -> Reader:
    return Reader(_databases(folder)[1], _read_cache, damaged_database)


DATABASES: dict[str, Callable[[Path], Reader]] = {"store": _store, "cache": _cache}
"""Readers by name; made in a folder of their own."""
