"""The store: what is committed survives anything, what is torn leaves no trace."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from digressions.errors import OutputError
from digressions.mosaics.store import Store

WRITER = """
import sys, itertools, pathlib
from digressions.mosaics.store import Store
store = Store(pathlib.Path(sys.argv[1]), "job")
for batch in itertools.count():
    cells = range(batch * 8, batch * 8 + 8)
    store.put({cell: bytes([cell % 256]) * 20_000 for cell in cells})
    print(batch, flush=True)
"""


def one_line(error: pytest.ExceptionInfo[OutputError], path: Path) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_pictures_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    with Store(tmp_path / "s", "job") as store:
        assert store.done() == set()
        store.put({3: b"three", 1: b"one"})
        store.put({7: b"seven", 1: b"one again"})
        assert store.done() == {1, 3, 7}
        assert list(store.get([7, 1, 3, 1])) == [b"seven", b"one again", b"three", b"one again"]


def test_a_closed_store_opens_with_everything_in_it(tmp_path: Path) -> None:
    with Store(tmp_path / "s", "job") as store:
        store.put({0: b"picture"})
    with Store(tmp_path / "s", "job") as store:
        assert list(store.get([0])) == [b"picture"]


def test_a_missing_picture_is_an_error_that_names_it(tmp_path: Path) -> None:
    with Store(tmp_path / "s", "job") as store:
        store.put({0: b"picture"})
        pictures = store.get([0, 5])
        assert next(pictures) == b"picture"
        with pytest.raises(OutputError, match="no picture for cell 5"):
            next(pictures)


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path / "s", "job") as store:
        store.put({0: b"kept"})
        with pytest.raises(OutputError):
            store.put({1: b"lost with the next", 2: None})  # type: ignore[dict-item]
        assert store.done() == {0}
        store.put({1: b"goes on"})
        assert store.done() == {0, 1}


def test_an_interrupt_inside_a_batch_rolls_it_back(tmp_path: Path) -> None:
    class Interrupting(dict[int, bytes]):
        def items(self) -> Iterator[tuple[int, bytes]]:  # type: ignore[override]
            yield 1, b"begun"
            raise KeyboardInterrupt

    with Store(tmp_path / "s", "job") as store:
        store.put({0: b"kept"})
        with pytest.raises(KeyboardInterrupt):
            store.put(Interrupting())
        assert store.done() == {0}
        store.put({1: b"goes on"})
    with Store(tmp_path / "s", "job") as store:
        assert store.done() == {0, 1}


@pytest.mark.parametrize("batches", [1, 9, 30])
def test_kill_9_loses_no_committed_batch(tmp_path: Path, batches: int) -> None:
    path = tmp_path / "s"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = -1
    for line in writer.stdout:
        told = int(line)
        if told + 1 >= batches:
            break
    time.sleep(0.003 * batches)  # into the middle of one of the next
    writer.kill()
    told = max([told, *(int(line) for line in writer.stdout)])
    assert writer.wait() == -signal.SIGKILL
    with Store(path, "job") as store:
        done = store.done()
        assert set(range((told + 1) * 8)) <= done
        assert len(done) % 8 == 0  # no torn batch
        for cell, png in zip(sorted(done), store.get(sorted(done)), strict=True):
            assert png == bytes([cell % 256]) * 20_000
        store.put({-1: b"goes on"})


def test_another_jobs_store_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Store(path, "mine") as store:
        store.put({0: b"mine"})
    with pytest.raises(OutputError) as refused:
        Store(path, "yours")
    assert "belongs to another job" in one_line(refused, path)
    with Store(path, "mine") as store:
        assert list(store.get([0])) == [b"mine"]


@pytest.mark.parametrize("content", [b"garbage " * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_store_is_refused_and_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s"
    path.write_bytes(content)
    with pytest.raises(OutputError) as refused:
        Store(path, "job")
    assert "choose another, or delete the file" in one_line(refused, path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "s"):
        with pytest.raises(OutputError) as refused:
            Store(path, "job")
        one_line(refused, path)


def test_a_store_that_another_process_writes_to_says_so(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Store(path, "job") as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("begin immediate")
        store._db.execute("pragma busy_timeout = 50")
        with pytest.raises(OutputError) as refused:
            store.put({0: b"picture"})
        assert "another process" in one_line(refused, path)
        other.execute("rollback")
        other.close()
        store.put({0: b"picture"})
        assert store.done() == {0}


def test_a_full_disk_keeps_earlier_pictures_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Store(path, "job") as store:
        store.put({0: b"kept"})
        (pages,) = store._db.execute("pragma page_count").fetchone()
        store._db.execute(f"pragma max_page_count = {pages + 2}")
        with pytest.raises(OutputError) as refused:
            store.put({cell: bytes(5000) for cell in range(1, 9)})
        assert "the disk is full" in one_line(refused, path)
        assert "free some space" in str(refused.value)
        assert store.done() == {0}
        store._db.execute("pragma max_page_count = 100000")  # space was made
        store.put({1: b"goes on"})
    with Store(path, "job") as store:
        assert list(store.get([0, 1])) == [b"kept", b"goes on"]
