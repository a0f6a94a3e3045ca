"""Whose turn it is: a bounded queue that is fair to those who wait. Pure: no arrays."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FullError(Exception):
    """There is no room for more at the moment."""


class Turns(Generic[T]):
    """Lines of items, one for each client; clients take turns, however much each of them wants.

    Any thread may call anything. An item is put by one client once.
    """

    def __init__(self, most: int, most_each: int) -> None:
        """An open, empty queue.

        Args:
            most: Items of all clients together.
            most_each: Items of one client.
        """
        self.most, self.most_each = most, most_each
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._changed = threading.Condition()
        self._count, self._closed = 0, False

    def __len__(self) -> int:
        return self._count

    def put(self, client: str, item: T) -> None:
        """Puts an item at the end of its client's line.

        Raises:
            FullError: The queue or the line is full, or nothing is taken any more.
        """
        with self._changed:
            line = self._lines.get(client, ())
            if self._closed or self._count >= self.most or len(line) >= self.most_each:
                raise FullError
            self._line(client).append(item)
            self._added()

    def again(self, client: str, item: T) -> None:
        """Puts an item that was taken, but is not finished, at the head of its client's line."""
        with self._changed:
            self._line(client).appendleft(item)
            self._added()

    def take(self) -> tuple[str, T] | None:
        """The next client's first item; waits for one. ``None`` when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closed)
            if self._closed:
                return None
            client, line = self._lines.popitem(last=False)
            item = line.popleft()
            self._count -= 1
            if line:
                self._lines[client] = line  # behind all others
            return client, item

    def drop(self, client: str, item: T) -> None:
        """Takes an item out that nobody wants any more; one that was taken is none of these."""
        with self._changed:
            line = self._lines.get(client)
            if line is None or item not in line:
                return
            line.remove(item)
            self._count -= 1
            if not line:
                del self._lines[client]

    def close(self) -> list[T]:
        """Ends all waiting; returns what is left."""
        with self._changed:
            self._closed = True
            left = [item for line in self._lines.values() for item in line]
            self._lines.clear()
            self._count = 0
            self._changed.notify_all()
            return left

    def _line(self, client: str) -> deque[T]:
        return self._lines.setdefault(client, deque())

    def _added(self) -> None:
        self._count += 1
        self._changed.notify()
