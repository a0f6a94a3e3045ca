"""A world's pictures on demand: what is there at once, the rest painted in fair turns.

Two threads of their own do the work, so that nothing ever waits for a picture that is there
already: one looks into the cache, one paints. Each has a `World` and a connection to the cache. Who
is served next is up to a `FairQueue`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ..geometry import CellPath
from ..images.image_files import to_png
from .world import Form, World

T = TypeVar("T")

MAX_WAITING = 512  # requests that wait at once
MAX_WAITING_EACH = 12  # of one client
Opener = Callable[[], AbstractContextManager[World]]


class QueueFullError(Exception):
    """There is no room for more at the moment."""


class FairQueue(Generic[T]):
    """A queue of items for each client; clients take turns, however much each of them wants.

    Any thread may call anything. An item is put by one client once.
    """

    def __init__(self, most: int, most_each: int) -> None:
        """An open, empty queue.

        Args:
            most: Items of all clients together.
            most_each: Items of one client.
        """
        self.most, self.most_each = most, most_each
        self._queues: OrderedDict[str, deque[T]] = OrderedDict()
        self._changed = threading.Condition()
        self._count, self._closed = 0, False

    def __len__(self) -> int:
        return self._count

    def put(self, client: str, item: T) -> None:
        """Puts an item at the end of its client's queue.

        Raises:
            QueueFullError: The whole or the client's queue is full, or it is closed.
        """
        with self._changed:
            waiting = len(self._queues.get(client, ()))
            if self._closed or self._count >= self.most or waiting >= self.most_each:
                raise QueueFullError
            self._queue(client).append(item)
            self._added()

    def put_back(self, client: str, item: T) -> None:
        """Puts an item that was taken, but is not finished, at the head of its client's queue."""
        with self._changed:
            self._queue(client).appendleft(item)
            self._added()

    def take(self) -> tuple[str, T] | None:
        """The next client's first item; waits for one. ``None`` when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queues or self._closed)
            if self._closed:
                return None
            client, queue = self._queues.popitem(last=False)
            item = queue.popleft()
            self._count -= 1
            if queue:
                self._queues[client] = queue  # behind all others
            return client, item

    def drop(self, client: str, item: T) -> None:
        """Takes an item out that nobody wants any more, unless it was taken already."""
        with self._changed:
            queue = self._queues.get(client)
            if queue is None or item not in queue:
                return
            queue.remove(item)
            self._count -= 1
            if not queue:
                del self._queues[client]

    def close(self) -> list[T]:
        """Ends all waiting; returns what is left."""
        with self._changed:
            self._closed = True
            left = [item for queue in self._queues.values() for item in queue]
            self._queues.clear()
            self._count = 0
            self._changed.notify_all()
            return left

    def _queue(self, client: str) -> deque[T]:
        return self._queues.setdefault(client, deque())

    def _added(self) -> None:
        self._count += 1
        self._changed.notify()


@dataclass(eq=False)
class PictureRequest:
    """Pictures that somebody waits for.

    Attributes:
        client: Who.
        form: Pictures or canvases.
        paths: Their places, all of one parent.
        png: A future that will hold them, one below the other; cancelling it withdraws the
            request.
        known_depth: Down to which the canvases above them are there; ``None`` before anybody
            looked.
    """

    client: str
    form: Form
    paths: Sequence[CellPath]
    png: Future[bytes] = field(default_factory=Future)
    known_depth: int | None = None


class PictureService:
    """Takes requests for pictures of one world."""

    def __init__(
        self, opener: Opener, most: int = MAX_WAITING, most_each: int = MAX_WAITING_EACH
    ) -> None:
        """Starts to work.

        Args:
            opener: Opens the world, with a cache of its own; called once in each thread.
            most, most_each: Requests that may wait to be painted, in all and of one client; as
                many in all may wait to be looked for.
        """
        self._opener = opener
        self._requests: FairQueue[PictureRequest] = FairQueue(most, most_each)
        self._looks = threading.BoundedSemaphore(most)
        self._open_in_reader = ExitStack()
        self._reader = ThreadPoolExecutor(1, "reader", self._open_reader)
        self._painter = threading.Thread(target=self._work, name="painter", daemon=True)
        self._painter.start()

    def look(self, form: Form, paths: Sequence[CellPath]) -> Future[bytes | None]:
        """Pictures, one below the other as one PNG, if all are there; else ``None``.

        Raises:
            QueueFullError: Too many look already.
        """
        if not self._looks.acquire(blocking=False):
            raise QueueFullError
        looking = self._reader.submit(self._look, form, paths)
        looking.add_done_callback(lambda _: self._looks.release())
        return looking

    def request(self, client: str, form: Form, paths: Sequence[CellPath]) -> PictureRequest:
        """Asks for pictures that are not there.

        Raises:
            QueueFullError: Too many wait already.
        """
        request = PictureRequest(client, form, paths)
        self._requests.put(client, request)
        request.png.add_done_callback(lambda _: self._requests.drop(client, request))
        return request

    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._requests)

    def close(self) -> None:
        """Gives all requests up, and waits for the pictures at hand."""
        for request in self._requests.close():
            request.png.cancel()
        self._painter.join()
        self._reader.submit(self._open_in_reader.close).result()
        self._reader.shutdown()

    def _open_reader(self) -> None:
        self._readers_world = self._open_in_reader.enter_context(self._opener())

    def _look(self, form: Form, paths: Sequence[CellPath]) -> bytes | None:
        world = self._readers_world
        if world.missing(map(world.canonical, paths), form):
            return None
        return _column(world, form, paths)

    def _work(self) -> None:
        with self._opener() as world:
            while (turn := self._requests.take()) is not None:
                client, request = turn
                try:
                    finished = _work_on(world, request)
                except Exception as error:
                    request.png.set_exception(error)
                else:
                    if not finished:
                        self._requests.put_back(client, request)


def _work_on(world: World, request: PictureRequest) -> bool:
    """Does a turn's work on a request; returns whether it is finished.

    One picture on the way down is a turn, so that who asks for a place a thousand levels deep does
    not keep others waiting.
    """
    if request.png.cancelled():
        return True
    parent = request.paths[0][:-1]
    if request.known_depth is None:
        request.known_depth = _depth_known(world, parent)
    if request.known_depth < len(parent):
        request.known_depth += 1
        world.canvas(parent[: request.known_depth])
        return False
    if request.png.set_running_or_notify_cancel():
        request.png.set_result(_column(world, request.form, request.paths))
    return True


def _depth_known(world: World, path: CellPath) -> int:
    """Depth of an ancestor whose canvas is there: near the path the nearest, else a guess in steps
    that double, since to look at each of thousands would take long."""
    above = 0
    while above < len(path):
        depth = len(path) - above
        if not world.missing([world.canonical(path[:depth])], "canvas"):
            return depth
        above = 2 * above + 1
    return 0


def _column(world: World, form: Form, paths: Sequence[CellPath]) -> bytes:
    images = world.pictures(paths) if form == "picture" else world.canvases(paths)
    return to_png(np.concatenate([images[path] for path in paths]))
