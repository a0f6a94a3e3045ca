"""A world's pictures on demand: what is there at once, the rest painted in fair turns.

Two threads of their own do the work, so that nothing ever waits for a picture that is there
already: one looks into the cache, one paints. Each has a `World` and a connection to the cache.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

import numpy as np

from ..geometry import CellPath
from ..pictures.images import to_png
from .turns import FullError, Turns
from .world import Form, World

MOST = 512  # orders that wait at once
MOST_EACH = 12  # of one client
Opener = Callable[[], AbstractContextManager[World]]


@dataclass(eq=False)
class Order:
    """Pictures that somebody waits for.

    Attributes:
        client: Who.
        form: Pictures or canvases.
        paths: Their places, all of one parent.
        png: Will hold them, one below the other. To cancel it is to give the order up.
        known: Depth down to which the canvases above them are there; ``None`` before it was asked.
    """

    client: str
    form: Form
    paths: Sequence[CellPath]
    png: Future[bytes] = field(default_factory=Future)
    known: int | None = None


class Studio:
    """Takes orders for pictures of one world."""

    def __init__(self, opener: Opener, most: int = MOST, most_each: int = MOST_EACH) -> None:
        """Starts to work.

        Args:
            opener: Opens the world, with a cache of its own; called once in each thread.
            most, most_each: Orders that may wait, in all and of one client; as many in all may
                wait to be looked for.
        """
        self._opener = opener
        self._turns: Turns[Order] = Turns(most, most_each)
        self._looks = threading.BoundedSemaphore(most)
        self._open_in_reader = ExitStack()
        self._reader = ThreadPoolExecutor(1, "reader", self._open_reader)
        self._painter = threading.Thread(target=self._work, name="painter", daemon=True)
        self._painter.start()

    def look(self, form: Form, paths: Sequence[CellPath]) -> Future[bytes | None]:
        """Pictures, one below the other as one PNG, if all are there; else ``None``.

        Raises:
            FullError: Too many look already.
        """
        if not self._looks.acquire(blocking=False):
            raise FullError
        looking = self._reader.submit(self._look, form, paths)
        looking.add_done_callback(lambda _: self._looks.release())
        return looking

    def order(self, client: str, form: Form, paths: Sequence[CellPath]) -> Order:
        """Orders pictures that are not there.

        Raises:
            FullError: Too many wait already.
        """
        order = Order(client, form, paths)
        self._turns.put(client, order)
        order.png.add_done_callback(lambda _: self._turns.drop(client, order))
        return order

    def waiting(self) -> int:
        """Orders that wait for their turn."""
        return len(self._turns)

    def close(self) -> None:
        """Gives all orders up, and waits for the pictures at hand."""
        for order in self._turns.close():
            order.png.cancel()
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
            while (turn := self._turns.take()) is not None:
                client, order = turn
                try:
                    finished = _step(world, order)
                except Exception as error:
                    order.png.set_exception(error)
                else:
                    if not finished:
                        self._turns.again(client, order)


def _step(world: World, order: Order) -> bool:
    """Does a turn's work on an order; returns whether it is finished.

    One picture on the way down is a turn, so that who asks for a place a thousand levels deep does
    not keep others waiting.
    """
    if order.png.cancelled():
        return True
    parent = order.paths[0][:-1]
    if order.known is None:
        order.known = _depth_known(world, parent)
    if order.known < len(parent):
        order.known += 1
        world.canvas(parent[: order.known])
        return False
    if order.png.set_running_or_notify_cancel():
        order.png.set_result(_column(world, order.form, order.paths))
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
