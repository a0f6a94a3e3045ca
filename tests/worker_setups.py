"""What the workers of `test_executor` do. On its own, so that a worker imports nothing large."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from digressions.errors import InputError, ModelError

Made = tuple[int, int]
"""What becomes of a batch here: seven times the batch, and the process that it was made in."""


def load_seven() -> int:
    return 7


def load_nothing() -> int:
    raise ModelError("the model is another one there")


def load_and_die() -> int:
    os._exit(1)


def slow(seconds: float, loaded: int) -> Callable[[int], Made]:
    """Takes its time over a batch."""

    def work(batch: int) -> Made:
        time.sleep(seconds)
        return loaded * batch, os.getpid()

    return work


def deadly(batch_of_death: int, loaded: int) -> Callable[[int], int]:
    """Kills its worker over one batch, every time."""

    def work(batch: int) -> int:
        if batch == batch_of_death:
            time.sleep(0.5)  # so that what came before is on its way home
            os._exit(1)
        return batch

    return work


def failing(loaded: int) -> Callable[[int], int]:
    def work(batch: int) -> int:
        raise InputError("this picture cannot be")

    return work


def together(loaded: int) -> Callable[[int], int]:
    """Gives how many batches the worker has been at, at once, when this one is done."""
    now, most, lock = 0, 0, threading.Lock()

    def work(batch: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.3)
        with lock:
            now -= 1
            return most

    return work
