"""Two hundred viewers at once, over real sockets: bounded, fair, and nobody is forgotten."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from digressions.worlds.page import Facts
from digressions.worlds.serve import listening, world_app
from digressions.worlds.studio import Studio
from digressions.worlds.turns import FullError

from .test_serve import Gate, a_studio, opener

VIEWERS, MOST = 200, 64
FACTS = Facts("a crowd", 4, 16, 32)


@contextmanager
def served(folder: Path, gate: Gate, most: int = MOST) -> Iterator[tuple[int, Studio]]:
    """A server on a port of its own."""
    studio = Studio(opener(folder, gate), most=most)  # closed with the application
    app = world_app(studio, FACTS)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1], studio
        finally:
            gate.open.set()
            server.should_exit = True
            thread.join(30)


async def ask(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own: status, headers, body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


async def view(port: int, viewer: int, seen: Counter[int]) -> float:
    """Asks for one picture until it comes, and again when it is told to; returns the seconds."""
    begun = time.monotonic()
    path = f"/canvas/{viewer % 16}/{viewer // 16}?page=v{viewer}"
    while True:
        status, headers, body = await ask(port, path)
        seen[status] += 1
        if status == 200:
            assert body.startswith(b"\x89PNG")
            return time.monotonic() - begun
        assert status == 503
        await asyncio.sleep(float(headers["retry-after"]))


def running(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 120))


def test_two_hundred_viewers_all_get_their_picture_in_the_end(tmp_path: Path) -> None:
    gate = Gate()
    gate.open.clear()
    seen: Counter[int] = Counter()
    with served(tmp_path, gate) as (port, studio):

        async def crowd() -> None:
            views = [asyncio.create_task(view(port, n, seen)) for n in range(VIEWERS)]
            while seen[503] < VIEWERS - MOST - 1:  # one is at the easel
                assert studio.waiting() <= MOST
                await asyncio.sleep(0.01)
            gate.open.set()
            for done in asyncio.as_completed(views):
                await done
                assert studio.waiting() <= MOST

        running(crowd)
        assert studio.waiting() == 0
    assert seen[200] == VIEWERS
    assert set(seen) == {200, 503}


def test_who_wants_much_does_not_keep_two_hundred_others_waiting(tmp_path: Path) -> None:
    gate = Gate()
    order: list[str] = []
    with a_studio(tmp_path, gate, most=400) as studio:
        gate.open.clear()

        def ordered(client: str, cell: int) -> None:
            path = (cell % 16, cell // 16 % 16)
            done = studio.order(client, "picture", [path]).png
            done.add_done_callback(lambda _: order.append(client))

        for cell in range(13):  # the first is at the easel
            while studio.waiting() > 11:
                time.sleep(0.01)
            ordered("greedy", cell)
        with pytest.raises(FullError):
            ordered("greedy", 13)
        for viewer in range(VIEWERS):
            ordered(f"viewer {viewer}", 20 + viewer)
        gate.open.set()
        end = time.monotonic() + 60
        while len(order) < VIEWERS + 13:
            assert time.monotonic() < end
            time.sleep(0.01)
    # A picture whose canvas is missing takes two turns; nobody gets a third before all have two.
    assert order[:VIEWERS].count("greedy") <= 3


def test_a_crowd_that_leaves_leaves_no_work_behind(tmp_path: Path) -> None:
    gate = Gate()
    gate.open.clear()
    with served(tmp_path, gate, most=VIEWERS + 8) as (port, studio):

        async def come_and_go() -> None:
            asked = [
                asyncio.create_task(ask(port, f"/canvas/{n % 16}/{n // 16}?page=v{n}"))
                for n in range(VIEWERS)
            ]
            while studio.waiting() < VIEWERS - 1:
                await asyncio.sleep(0.01)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            while studio.waiting():
                await asyncio.sleep(0.01)
            gate.open.set()
            status, _, _ = await ask(port, "/canvas/3")
            assert status == 200

        running(come_and_go)
    assert gate.painted <= 3  # what was at the easel, and the last one's
