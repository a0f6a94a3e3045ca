"""The cache: bounded, least recently used goes first, made once by several processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from digressions.errors import OutputError
from digressions.worlds.cache import Cache

# Makes pictures slowly; leaves a line in a log for each that it begins.
WORKER = """
import sys, time
from pathlib import Path
from digressions.worlds.cache import Cache
path, log, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def make(keys):
    for key in keys:
        with log.open("a") as file:
            file.write(key + "\\n")
        time.sleep(pause)
    return {key: key.encode() for key in keys}
with Cache(path) as cache:
    keys = [f"k{i}" for i in range(12)]
    assert cache.obtain(keys, make, most=3) == {key: key.encode() for key in keys}
"""


def worker(tmp_path: Path, pause: float) -> subprocess.Popen[bytes]:
    arguments = [str(tmp_path / "c.sqlite"), str(tmp_path / "log"), str(pause)]
    return subprocess.Popen([sys.executable, "-c", WORKER, *arguments])


def logged(tmp_path: Path) -> list[str]:
    path = tmp_path / "log"
    return path.read_text("utf-8").split() if path.exists() else []


def test_what_is_put_is_found_after_reopening(tmp_path: Path) -> None:
    with Cache(tmp_path / "deep" / "c.sqlite") as cache:
        cache.put({"a": b"1", "b": b"22"})
    with Cache(tmp_path / "deep" / "c.sqlite") as cache:
        assert cache.get(["a", "b", "c"]) == {"a": b"1", "b": b"22"}
        assert cache.size() == 3


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.sqlite", limit=100) as cache:
        for name in "abcd":
            cache.put({name: bytes(20)})
            time.sleep(0.002)
        assert cache.get("a").keys() == {"a"}
        cache.put({"e": bytes(40)})
        assert cache.size() <= 100
        kept = cache.get("abcde").keys()
        assert {"a", "e"} <= kept
        assert "b" not in kept


@pytest.mark.parametrize("limit", [0, 10])
def test_the_limit_holds_whatever_comes(tmp_path: Path, limit: int) -> None:
    with Cache(tmp_path / "c.sqlite", limit=limit) as cache:
        for i in range(20):
            cache.put({str(i): bytes(i)})
            assert cache.size() <= limit


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with Cache(path, limit=200_000) as cache:
        for i in range(200):
            cache.put({str(i): os.urandom(10_000)})
    assert path.stat().st_size < 2 * 200_000


def test_a_claim_is_given_once_and_again_after_release(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with Cache(path) as one, Cache(path) as other:
        assert one.claim(["a", "b"], most=1) == ({}, ["a"])
        assert other.claim(["a", "b"], most=5) == ({}, ["b"])
        assert other.claim(["a"], most=5) == ({}, [])
        one.release(["a"])
        assert other.claim(["a"], most=5) == ({}, ["a"])
        other.put({"a": b"1"})
        assert one.claim(["a"], most=5) == ({"a": b"1"}, [])


def test_what_cannot_be_made_is_claimed_by_nobody(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with Cache(path) as one, Cache(path) as other:
        with pytest.raises(ZeroDivisionError):
            one.obtain(["a", "b"], lambda keys: {"a": bytes(1 // 0)}, most=2)
        assert other.claim(["a", "b"], most=5).mine == ["a", "b"]


def test_pictures_are_made_even_where_nothing_can_be_kept(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.sqlite", limit=0) as cache:
        for _ in range(2):
            made = cache.obtain("abc", lambda keys: dict.fromkeys(keys, b"1"), most=2)
            assert made == {"a": b"1", "b": b"1", "c": b"1"}


def test_a_claim_is_void_after_its_lease(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with Cache(path, lease=0.01) as one, Cache(path) as other:
        assert one.claim(["a"], most=1).mine == ["a"]
        time.sleep(0.02)
        assert other.claim(["a"], most=1).mine == ["a"]


def test_several_processes_make_every_picture_once(tmp_path: Path) -> None:
    workers = [worker(tmp_path, 0.02) for _ in range(4)]
    assert [process.wait(60) for process in workers] == [0] * 4
    assert sorted(logged(tmp_path)) == sorted(f"k{i}" for i in range(12))


def test_the_claims_of_a_killed_process_are_taken_over(tmp_path: Path) -> None:
    killed = worker(tmp_path, 30)
    while not logged(tmp_path):
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    begun = time.monotonic()
    assert worker(tmp_path, 0).wait(60) == 0
    assert time.monotonic() - begun < 20  # and not the five minutes of the lease
    with Cache(tmp_path / "c.sqlite") as cache:
        assert len(cache.get(f"k{i}" for i in range(12))) == 12


@pytest.mark.parametrize("kind", ["text", "database"])
def test_another_file_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "c.sqlite"
    if kind == "text":
        path.write_bytes(b"dear diary " * 100)
    else:
        with sqlite3.connect(path) as db:
            db.execute("create table diary (day text)")
    before = path.read_bytes()
    with pytest.raises(OutputError, match=str(path)):
        Cache(path)
    assert path.read_bytes() == before


def test_many_may_make_the_same_file_at_once(tmp_path: Path) -> None:
    def opened(turn: int) -> None:
        Cache(tmp_path / f"{turn // 8}" / "worlds.sqlite").close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(opened, range(8 * 40)))


@pytest.mark.parametrize("command", ["zoom", "serve", "screensaver", "export-site"])
def test_a_cache_that_is_something_else_is_one_line_before_the_model_loads(
    refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    import digressions.models.loading

    monkeypatch.setattr(digressions.models.loading, "load", None)
    (tmp_path / "folder").mkdir()
    (tmp_path / "me.png").write_bytes(b"\x89PNG and more")
    line = refused(command, "a frog", "--cache", "folder")
    assert "folder is a folder: give a file as --cache" in line
    line = refused(command, "a frog", "--cache", "me.png")
    assert "me.png is not a cache of pictures: choose another --cache" in line
    assert "me.png is not a folder" in refused(command, "a frog", "--cache", "me.png/a.sqlite")
