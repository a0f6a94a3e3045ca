"""Where batches are worked on.

An engine holds something loaded, such as a model, and maps an *opening* over batches. `Here` is
this process; `ray_engine.RayEngine` is any number of workers, each with a model of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeAlias, TypeVar

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
B = TypeVar("B")
R = TypeVar("R")

Opening: TypeAlias = Callable[[M], Callable[[B], R]]
"""From what is loaded to the function that works on a batch, called once in each worker.

The function may be called from two threads at once, so that one batch's stages overlap with the
next one's. It must not change anything that a later batch depends on: a batch may be done twice.
A worker gets the opening as a pickle: a function of a module, or `functools.partial` of one.
"""


class Engine(Protocol[M_co]):
    """Maps openings over batches."""

    @property
    def workers(self) -> int:
        """How many are at work, at least 1."""

    def map(self, opening: Opening[M_co, B, R], batches: Iterable[B]) -> Iterator[R]:
        """What becomes of each batch, as it is finished, **in any order**.

        Batches are taken as they are needed. When the caller is slow to take what is finished, no
        more are begun: a small number a worker is held, whatever the length of the stream.

        Raises:
            EngineError: There are no workers to be had, or they keep dying.
        """


class Here(Generic[M]):
    """This process, one batch after the other."""

    workers = 1

    def __init__(self, loaded: M) -> None:
        self._loaded = loaded

    def map(self, opening: Opening[M, B, R], batches: Iterable[B]) -> Iterator[R]:
        """See `Engine.map`; in order."""
        work = opening(self._loaded)
        for batch in batches:
            yield work(batch)
