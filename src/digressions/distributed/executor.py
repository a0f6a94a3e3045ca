"""Where batches are worked on: in this process, or by many.

An executor holds something loaded, such as a model, and maps a *setup* over batches.
`LocalExecutor` is this process; `ray_executor.RayExecutor` is any number of workers, each with a
model of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from ..events import Event, Note

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
B = TypeVar("B")
R = TypeVar("R")

Setup: TypeAlias = Callable[[M], Callable[[B], R]]
"""From what is loaded to the function that works on a batch, called once in each worker.

The function may be called from two threads at once, so that one batch's stages overlap with the
next one's. It must not change anything that a later batch depends on: a batch may be done twice.
A worker gets the setup as a pickle: a function of a module, or `functools.partial` of one.
"""


class Executor(Protocol[M_co]):
    """Maps setups over batches. Its text says who works, such as "2 workers on 1 machine"."""

    @property
    def workers(self) -> int:
        """How many are at work, at least 1."""

    @property
    def wanted(self) -> int:
        """How many are called for, at least 1; some of them may yet have to start."""

    def begin(self, setup: Setup[M_co, Any, Any]) -> None:
        """Waits for the first worker to be ready, so that what is timed after it is work.

        Raises:
            ExecutorError: As `map`.
        """

    def map(self, setup: Setup[M_co, B, R], batches: Iterable[B]) -> Generator[R, None, None]:
        """The result of each batch, as it is finished, **in any order**.

        Batches are taken as they are needed. When the caller is slow to take what is finished, no
        more are begun: a small number a worker is held, whatever the length of the stream. Closing
        it gives up what is on its way.

        Raises:
            ExecutorError: There are no workers to be had, or they keep dying.
        """

    def notes(self) -> list[Note]:
        """What has happened since this was asked last, such as the loss of a worker."""


class LocalExecutor(Generic[M]):
    """This process, one batch after the other, in order."""

    workers = wanted = 1

    def __init__(self, loaded: M) -> None:
        """``loaded`` is what setups work with."""
        self.loaded = loaded

    def __str__(self) -> str:
        return "this process"

    def begin(self, setup: Setup[M, Any, Any]) -> None:
        """See `Executor.begin`: nothing to wait for."""

    def map(self, setup: Setup[M, B, R], batches: Iterable[B]) -> Generator[R, None, None]:
        """See `Executor.map`."""
        work = setup(self.loaded)
        for batch in batches:
            yield work(batch)

    def notes(self) -> list[Note]:
        """See `Executor.notes`: nothing happens."""
        return []


def with_notes(executor: Executor[Any], found: Generator[Event, None, None]) -> Iterator[Event]:
    """The events of a use case that an executor works for, and the executor's notes among them."""
    with closing(found):
        for event in found:
            yield from executor.notes()
            yield event
    yield from executor.notes()
