"""What lives in a worker's process: something loaded once, and a function over batches."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..errors import DigressionsError, EngineError
from .engine import Opening


class Place(NamedTuple):
    """Where a worker is."""

    host: str
    process: int


class Worker:
    """Loads once, then works on batches. Called from several threads."""

    def __init__(self, gpus: float) -> None:
        """``gpus`` is its share: Ray shows it these alone, but all if there is no share."""
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self._beginning = threading.Lock()
        self._loaded: list[Any] = []  # one thing, or none yet
        self._work: Callable[[Any], Any] | None = None
        self._number = 0

    def begin(self, load: Callable[[], Any], opening: Opening[Any, Any, Any], number: int) -> Place:
        """Gets ready for batches of an opening.

        Args:
            load: Gives what the opening works with; called once in a worker's life.
            opening: Takes the place of the one before.
            number: Of the opening, counted up. One that comes late is passed over.

        Raises:
            EngineError: What was to be loaded or opened cannot be; it names the machine.
        """
        with self._beginning, place_named():
            if not self._loaded:
                self._loaded.append(load())
            if number > self._number:
                self._work, self._number = opening(self._loaded[0]), number
        return Place(socket.gethostname(), os.getpid())

    def work(self, batch: Any) -> Any:
        """What becomes of a batch.

        Raises:
            EngineError: For a `DigressionsError`; it names the machine.
        """
        assert self._work is not None  # `begin` has returned
        with place_named():
            return self._work(batch)


@contextmanager
def place_named() -> Iterator[None]:
    """Errors raised on purpose in the block become one `EngineError` that names the machine.

    One kind, because the others' constructors take what a pickle does not keep.
    """
    try:
        yield
    except DigressionsError as error:
        raise EngineError(f"a worker on {socket.gethostname()}: {error}") from error
