"""The batches that wait to be done, and those that came back from workers that died."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass
class Batch:
    """A batch, and how many workers have died over it."""

    content: Any
    falls: int = 0


class Line:
    """Batches to be done: those that came back before those that were never begun."""

    def __init__(self, contents: Iterable[Any]) -> None:
        self._source, self._front = iter(contents), deque[Batch]()

    @property
    def empty(self) -> bool:
        """Whether none is left; takes one from the source to find out."""
        if not self._front:
            self._front.extend(Batch(content) for content in itertools.islice(self._source, 1))
        return not self._front

    def take(self) -> Batch:
        """The first; there is one."""
        return self._front.popleft()

    def put_back(self, batches: list[Batch]) -> None:
        """To the front, in their order."""
        self._front.extendleft(reversed(batches))
