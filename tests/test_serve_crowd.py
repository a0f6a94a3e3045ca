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

from digressions.worlds.local_server import listening
from digressions.worlds.page import WorldInfo
from digressions.worlds.picture_service import PictureService, QueueFullError
from digressions.worlds.server import world_app

from .test_serve import Gate, a_service, opener

VIEWERS, MOST = 200, 64
INFO = WorldInfo("a crowd", 4, 16, 16, 32)


@contextmanager
def served(folder: Path, gate: Gate, most: int = MOST) -> Iterator[tuple[int, PictureService]]:
    """A server on a port of its own."""
    service = PictureService(opener(folder, gate), most=most)  # closed with the application
    app = world_app(service, INFO)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1], service
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
    with served(tmp_path, gate) as (port, service):

        async def crowd() -> None:
            views = [asyncio.create_task(view(port, n, seen)) for n in range(VIEWERS)]
            while seen[503] < VIEWERS - MOST - 1:  # one is being painted
                assert service.waiting() <= MOST
                await asyncio.sleep(0.01)
            gate.open.set()
            for done in asyncio.as_completed(views):
                await done
                assert service.waiting() <= MOST

        running(crowd)
        assert service.waiting() == 0
    assert seen[200] == VIEWERS
    assert set(seen) == {200, 503}


def test_who_wants_much_does_not_keep_two_hundred_others_waiting(tmp_path: Path) -> None:
    gate = Gate()
    order: list[str] = []
    with a_service(tmp_path, gate, most=400) as service:
        gate.open.clear()

        def ordered(client: str, cell: int) -> None:
            path = (cell % 16, cell // 16 % 16)
            done = service.request(client, "picture", [path]).png
            done.add_done_callback(lambda _: order.append(client))

        for cell in range(13):  # the first is being painted
            while service.waiting() > 11:
                time.sleep(0.01)
            ordered("greedy", cell)
        with pytest.raises(QueueFullError):
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
    with served(tmp_path, gate, most=VIEWERS + 8) as (port, service):

        async def come_and_go() -> None:
            asked = [
                asyncio.create_task(ask(port, f"/canvas/{n % 16}/{n // 16}?page=v{n}"))
                for n in range(VIEWERS)
            ]
            while service.waiting() < VIEWERS - 1:
                await asyncio.sleep(0.01)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            while service.waiting():
                await asyncio.sleep(0.01)
            gate.open.set()
            status, _, _ = await ask(port, "/canvas/3")
            assert status == 200

        running(come_and_go)
    assert gate.painted <= 3  # what was being painted, and the last one's
