"""Over HTTP: the world's own pictures, in fair turns, for this page and nobody else's."""

from __future__ import annotations

import asyncio
import io
import re
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from torch import Tensor

from digressions.errors import InputError
from digressions.events import Note
from digressions.generate.batching import Painter
from digressions.generate.job import Job
from digressions.geometry import CellPath
from digressions.images.upscale import Lanczos
from digressions.models.base import Model
from digressions.worlds.cache import Cache
from digressions.worlds.local_server import listening
from digressions.worlds.page import WorldInfo
from digressions.worlds.picture_service import FairQueue, Opener, PictureService, QueueFullError
from digressions.worlds.server import DEEPEST, world_app
from digressions.worlds.serving import serve_world
from digressions.worlds.world import World
from digressions.worlds.world_spec import ServeSpec

from .painters import paint_noise
from .test_world import MANIFEST

INFO = WorldInfo("a frog <script>", 4, 16, 16, 32)
HOME = "http://localhost:8064"


def a_world(folder: Path, painter: Painter = paint_noise, limit: int = 10**9) -> World:
    root = np.random.default_rng(0).integers(60, 200, (4, 4, 3)).astype(np.uint8)
    root = np.asarray(Image.fromarray(root).resize((32, 32)))
    cache = Cache(folder / "worlds.sqlite", limit)
    return World(MANIFEST.but(root="noise"), root, painter, Lanczos(), cache)


class Gate:
    """A painter that waits to be let, and notes how many pictures it painted."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.painted = 0

    def __call__(self, jobs: Sequence[Job]) -> Tensor:
        assert self.open.wait(20)
        self.painted += len(jobs)
        return paint_noise(jobs)


def opener(folder: Path, painter: Painter = paint_noise) -> Opener:
    """What a service opens its world with."""

    @contextmanager
    def opened() -> Iterator[World]:
        world = a_world(folder, painter)
        yield world
        world.cache.close()

    return opened


@contextmanager
def a_service(
    folder: Path, painter: Painter = paint_noise, **limits: int
) -> Iterator[PictureService]:
    service = PictureService(opener(folder, painter), **limits)
    yield service
    service.close()


@contextmanager
def a_client(folder: Path, painter: Painter = paint_noise, **limits: int) -> Iterator[TestClient]:
    with a_service(folder, painter, **limits) as service:
        yield TestClient(world_app(service, INFO, ["gallery.lan"]), base_url=HOME)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with a_client(tmp_path) as client:
        yield client


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


# --- pictures --------------------------------------------------------------------------------


def test_pictures_and_canvases_are_the_worlds_own(client: TestClient, tmp_path: Path) -> None:
    paths: list[CellPath] = [(5, 2, 9), (5, 2, 0), (5, 2, 15)]
    for _ in range(2):  # painted, then from the cache
        column = client.get("/pictures/5/2?cells=9,0,15")
        canvas = client.get("/canvas/5/2/9")
        root = client.get("/canvas/")
    elsewhere = a_world(tmp_path / "elsewhere")
    expected = np.concatenate(list(elsewhere.pictures(paths).values()))
    assert column.headers["content-type"] == "image/png"
    assert np.array_equal(pixels(column.content), expected)
    assert np.array_equal(pixels(canvas.content), elsewhere.canvas((5, 2, 9)))
    assert np.array_equal(pixels(root.content), elsewhere.canvas(()))


def test_a_place_fifty_pictures_deep(client: TestClient) -> None:
    path = "/".join(str(depth * 7 % 16) for depth in range(50))
    assert pixels(client.get(f"/canvas/{path}").content).shape == (32, 32, 3)


@pytest.mark.parametrize(
    "url",
    [
        "/canvas/16",
        "/canvas/-1",
        "/canvas/1//2",
        "/canvas/1/",
        "/canvas/٣",  # a digit, but no cell
        "/canvas/1.5",
        "/canvas/..%2f..%2fetc%2fpasswd",
        "/canvas/" + "9" * 4000,
        "/canvas/" + "1/" * DEEPEST + "1",
        "/pictures/1",
        "/pictures/1?cells=",
        "/pictures/1?cells=3,3",
        "/pictures/1?cells=16",
        "/pictures/99?cells=1",
        "/pictures/1?cells=" + ",".join(map(str, range(16))) + ",0",
        "/canvas/1?page=" + "a" * 17,
        "/canvas/1?page=a b",
    ],
    ids=lambda url: url[:30],
)
def test_bad_places_are_said_to_be_bad(client: TestClient, url: str) -> None:
    answer = client.get(url)
    assert answer.status_code == 400
    assert len(answer.text.splitlines()) == 1


# --- the page, and nobody else's ---------------------------------------------------------------


def test_the_page_and_its_files(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/screensaver").text == page.text
    for name in ("page.js", "viewer.css", "world.css", "icon.svg"):
        assert client.get(f"/page/{name}").status_code == 200, name
    assert client.get("/world.json").json()["title"] == "a frog <script>"


@pytest.mark.parametrize(
    "url",
    ["/page/none.js", "/page/../serve.py", "/page/..%2f..%2fserve.py", "/page/%2fetc%2fpasswd"],
)
def test_no_other_file_is_served(client: TestClient, url: str) -> None:
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("url", ["/", "/world.json", "/canvas/1", "/none", "/canvas/99"])
def test_every_answer_keeps_other_sites_out(client: TestClient, url: str) -> None:
    headers = client.get(url).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *[("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1:8064", 200), ("[::1]:80", 200)],
        *[("192.168.1.7", 200), ("gallery.lan", 200), ("evil.example", 421), ("", 421)],
        *[("localhost.evil.example", 421), ("localhost@evil", 421), ("127.0.0.1.evil", 421)],
    ],
)
def test_only_known_host_names_are_answered(client: TestClient, host: str, status: int) -> None:
    answer = client.get("/world.json", headers={"host": host})
    assert answer.status_code == status
    assert ("can allow it by `name`" in answer.text) == (status == 421)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_do_not_set_the_painter_to_work(client: TestClient, site: str) -> None:
    headers = {"sec-fetch-site": site}
    assert client.get("/canvas/1", headers=headers).status_code == 403
    assert client.get("/", headers=headers).status_code == 200  # a link is no work


# --- turns -------------------------------------------------------------------------------------


def test_clients_take_turns_however_much_one_wants() -> None:
    queue: FairQueue[int] = FairQueue(99, 99)
    for item in range(5):
        queue.put("greedy", item)
    queue.put("modest", 100)
    queue.put("late", 200)
    taken = [queue.take() for _ in range(4)]
    assert taken == [("greedy", 0), ("modest", 100), ("late", 200), ("greedy", 1)]
    queue.put_back("greedy", 1)
    assert queue.take() == ("greedy", 1)
    queue.drop("greedy", 3)
    queue.drop("greedy", 3)
    assert [queue.take(), queue.take()] == [("greedy", 2), ("greedy", 4)]
    assert len(queue) == 0


def test_queues_are_bounded_and_a_closed_queue_takes_nothing() -> None:
    queue: FairQueue[int] = FairQueue(3, 2)
    queue.put("a", 1)
    queue.put("a", 2)
    with pytest.raises(QueueFullError):
        queue.put("a", 3)
    queue.put("b", 3)
    with pytest.raises(QueueFullError):
        queue.put("c", 4)
    assert queue.close() == [1, 2, 3]
    with pytest.raises(QueueFullError):
        queue.put("d", 5)
    assert queue.take() is None


def test_a_full_queue_is_a_503_that_says_when_to_come_again(tmp_path: Path) -> None:
    gate = Gate()
    with a_client(tmp_path, gate, most=2) as client:
        answers: list[int] = []

        def ask(cell: int) -> None:
            answers.append(client.get(f"/canvas/{cell}").status_code)

        asking = [threading.Thread(target=ask, args=(cell,)) for cell in range(3)]
        for thread in asking:
            thread.start()
            time.sleep(0.15)  # the first is taken, two wait
        refused = client.get("/canvas/9")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert client.get("/canvas/").status_code == 200  # what is there is not waited for
        gate.open.set()
        for thread in asking:
            thread.join()
        assert answers == [200, 200, 200]


def test_what_nobody_waits_for_is_not_painted(tmp_path: Path) -> None:
    gate = Gate()
    with a_service(tmp_path, gate) as service:
        first = service.request("a", "picture", [(1,)])
        while service.waiting():
            time.sleep(0.01)
        given_up = service.request("a", "picture", [(2,), (3,)])
        given_up.png.cancel()
        assert service.waiting() == 0
        gate.open.set()
        first.png.result(20)
    assert gate.painted == 1


def test_a_client_that_goes_away_gives_its_picture_up(tmp_path: Path) -> None:
    gate = Gate()
    with a_service(tmp_path, gate) as service:
        app = world_app(service, INFO)
        busy = service.request("other", "picture", [(1,)])
        while service.waiting():
            time.sleep(0.01)

        async def visit() -> None:
            gone = asyncio.Event()

            async def receive() -> dict[str, object]:
                await gone.wait()
                return {"type": "http.disconnect"}

            async def send(_: object) -> None:
                pass

            scope = {
                "type": "http",
                "method": "GET",
                "path": "/canvas/2",
                "query_string": b"",
                "headers": [(b"host", b"localhost")],
                "client": ("127.0.0.1", 1),
                "http_version": "1.1",
                "scheme": "http",
                "root_path": "",
            }
            asking = asyncio.ensure_future(app(scope, receive, send))
            while not service.waiting():
                await asyncio.sleep(0.01)
            gone.set()
            await asyncio.wait_for(asking, 10)

        asyncio.run(visit())
        assert service.waiting() == 0
        gate.open.set()
        busy.png.result(20)
    assert gate.painted == 1


def test_a_deep_place_does_not_keep_others_waiting(tmp_path: Path) -> None:
    with a_service(tmp_path) as service:
        deep = service.request("a", "canvas", [(1,) * 200])
        near = service.request("b", "picture", [(2,)])
        near.png.result(20)
        assert not deep.png.done()
        deep.png.cancel()


def test_a_picture_that_fails_fails_alone(tmp_path: Path) -> None:
    def fails_once(jobs: Sequence[Job]) -> Tensor:
        if not (tmp_path / "failed").exists():
            (tmp_path / "failed").touch()
            raise MemoryError
        return paint_noise(jobs)

    with a_service(tmp_path, fails_once) as service:
        with pytest.raises(MemoryError):
            service.request("a", "picture", [(1,)]).png.result(20)
        service.request("a", "picture", [(1,)]).png.result(20)


def test_an_address_that_cannot_be_listened_on() -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}: "):
            listening("127.0.0.1", port)
    with pytest.raises(InputError, match="no-such-host"):
        listening("no-such-host.invalid", 0)


def test_a_world_is_ready_when_its_address_is_said_and_closing_it_frees_the_port(
    bundled: Model, tmp_path: Path
) -> None:
    given = {"grid": 4, "size": 16, "steps": 1, "upscaler": "lanczos", "reuse": 3, "port": 0}
    spec = ServeSpec.of(prompt="frog", cache=tmp_path / "w.sqlite", **given)
    serving = serve_world(bundled, spec)
    assert isinstance(serving, Generator)
    texts = []
    for event in serving:
        if isinstance(event, Note):
            texts.append(event.text)
        if texts and (found := re.match(r"http://127\.0\.0\.1:(\d+)/ ", texts[-1])):
            break
    assert found
    assert texts[-2].startswith("3 pictures cover ")
    with pytest.raises(InputError):
        listening("127.0.0.1", int(found[1]))
    serving.close()
    listening("127.0.0.1", int(found[1])).close()
    assert not [thread for thread in threading.enumerate() if thread.name == "painter"]
