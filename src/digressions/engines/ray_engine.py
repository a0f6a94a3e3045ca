"""Batches over the machines of a Ray cluster.

The driver, which is this process, hands out batches and takes what is finished; each worker is an
actor that loads once. Ray moves bytes and tells who has died, no more: which batch is where, which
is to be done again and when to stop is decided here, so that it can be read in one place.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self

from ..errors import EngineError, InputError
from .cluster import Share, joined
from .engine import B, M, Opening, R
from .line import Batch, Line
from .worker import Place, Worker

AHEAD = 2
"""Batches a worker has at once: one that it works on, and one so that it need not wait."""
MOST_FALLS = 3
"""Workers that may die over one batch, or in a row while they start."""
LOOK_EVERY = 2.0
"""Seconds after which the cluster is looked at again, for machines that have joined."""


@dataclass(eq=False)
class _Hand:
    """A worker as the driver sees it.

    Attributes:
        actor: Ray's handle.
        begun: What its `begin` will give; ``None`` once it has.
        place: Where it is, once it has begun.
        doing: Its batches by what they will become, the oldest first.
    """

    actor: Any
    begun: Any
    place: Place | None = None
    doing: dict[Any, Batch] = field(default_factory=dict)


class RayEngine(Generic[M]):
    """Workers on a Ray cluster: see `Engine`.

    Workers stay, with what they have loaded, from one `map` to the next, until `close`. Where
    their number is not given it follows the cluster: machines that join are used. A worker that
    dies is replaced, and its batches are done again.
    """

    def __init__(
        self,
        load: Callable[[], M],
        *,
        address: str | None = None,
        workers: int | None = None,
        share: Share | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> None:
        """Joins the cluster and calls for workers; they start in the background.

        Args:
            load: Gives what openings work with; pickled, and called once in each worker.
            address: Of a cluster that is there, such as ``"10.0.0.1:6379"``, or ``"auto"`` for the
                one that this machine is part of; ``None`` starts one on this machine for as long
                as the engine is open.
            workers: How many; ``None`` for as many as the cluster has room for.
            share: What each takes.
            on_lost: Told in words when a worker has died.

        Raises:
            MissingExtraError: Ray is not installed.
            InputError: No cluster answers at the address, or it has no room for a worker.
        """
        self.share, self._wanted, self._load = share or Share(), workers, load
        self.share.check()
        if workers is not None and workers < 1:
            raise InputError(f"--workers {workers} must be at least 1")
        self._on_lost = on_lost or (lambda words: None)
        self._hands: list[_Hand] = []
        self._opening: Opening[M, Any, Any] | None = None
        self._opening_there: Any = None
        self._number = self._turn = self._seen = 0
        self._looked = -math.inf
        self._failed_starts, self._failure = 0, ""
        self._ray = joined(address)
        if workers is None and not self._room():
            self.close()
            gpus = f" and {self.share.gpus:g} GPUs" if self.share.gpus else ""
            raise InputError(
                f"no machine of the cluster has {self.share.cpus} CPUs{gpus} for a worker: make "
                "its share smaller, or give --workers to wait for machines that have"
            )

    @property
    def workers(self) -> int:
        """How many have begun to work, and 1 before any has."""
        return max(1, sum(hand.begun is None for hand in self._hands))

    @property
    def wanted(self) -> int:
        """How many are called for, at least 1."""
        return self._wanted or max(1, self._room())

    @property
    def places(self) -> list[Place]:
        """Where those are that have begun."""
        return [hand.place for hand in self._hands if hand.place is not None]

    def __str__(self) -> str:
        machines = len({place.host for place in self.places})
        return f"{_counted(len(self.places), 'worker')} on {_counted(machines, 'machine')}"

    def begin(self, opening: Opening[M, Any, Any]) -> None:
        """Waits for the first worker, so that what is timed after it is work.

        Raises:
            EngineError: As `map`.
        """
        self._use(opening)
        while not any(hand.begun is None for hand in self._hands):
            self._recruit()
            starting = [hand.begun for hand in self._hands]
            ready, _ = self._ray.wait(starting, num_returns=1, timeout=LOOK_EVERY)
            for ref in ready:
                list(self._taken(ref, Line(())))

    def map(self, opening: Opening[M, B, R], batches: Iterable[B]) -> Iterator[R]:
        """See `Engine.map`. Whoever maps again is done with the stream before.

        Raises:
            RuntimeError: A stream is gone on with after another was begun.
        """
        line = Line(batches)
        self._use(opening)
        self._turn = turn = self._turn + 1
        self._forget()
        try:
            while True:
                if turn != self._turn:
                    raise RuntimeError("the workers are at another stream by now")
                self._recruit()
                self._hand_out(line)
                if line.empty and not any(hand.doing for hand in self._hands):
                    return
                waiting = [ref for hand in self._hands for ref in hand.doing]
                waiting += [hand.begun for hand in self._hands if hand.begun is not None]
                ready, _ = self._ray.wait(waiting, num_returns=1, timeout=LOOK_EVERY)
                if ready:
                    yield from self._taken(ready[0], line)
        finally:
            if turn == self._turn:
                self._forget()

    def close(self) -> None:
        """Dismisses the workers and leaves the cluster."""
        for hand in self._hands:
            self._ray.kill(hand.actor)
        self._hands.clear()
        self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _forget(self) -> None:
        """What is on its way for a caller who has stopped early is nobody's."""
        for hand in self._hands:
            hand.doing.clear()

    def _use(self, opening: Opening[M, Any, Any]) -> None:
        """Has all workers begin an opening, unless it is the one that they are at."""
        if opening is self._opening:
            return
        self._opening, self._opening_there = opening, self._ray.put(opening)
        self._number += 1
        for hand in self._hands:
            hand.begun = self._begin(hand.actor)

    def _begin(self, actor: Any) -> Any:
        return actor.begin.remote(self._load, self._opening_there, self._number)

    def _room(self) -> int:
        """Of the cluster, in workers, as it was at most `LOOK_EVERY` seconds ago."""
        now = time.monotonic()
        if now - self._looked > LOOK_EVERY:
            nodes = (node["Resources"] for node in self._ray.nodes() if node["Alive"])
            self._seen, self._looked = sum(self.share.room(found) for found in nodes), now
        return self._seen

    def _recruit(self) -> None:
        """Calls for the workers that are wanted and not there, unless they do not start."""
        if self._failed_starts >= MOST_FALLS:
            if not self._hands:
                raise EngineError(
                    f"{MOST_FALLS} workers in a row died while starting: {self._failure}"
                )
            return
        wanted = self.wanted
        while len(self._hands) < wanted:
            actor = (
                self._ray.remote(Worker)
                .options(
                    num_cpus=self.share.cpus,
                    num_gpus=self.share.gpus,
                    max_concurrency=AHEAD + 1,  # and `begin`
                    max_restarts=0,
                    max_task_retries=0,
                )
                .remote(self.share.gpus)
            )
            self._hands.append(_Hand(actor, self._begin(actor)))

    def _hand_out(self, line: Line) -> None:
        """Gives batches to the workers that have begun, to all a first before any a second."""
        for most in range(1, AHEAD + 1):
            for hand in self._hands:
                if line.empty:
                    return
                if hand.begun is not None or len(hand.doing) >= most:
                    continue
                batch = line.take()
                hand.doing[hand.actor.work.remote(batch.content)] = batch

    def _taken(self, ref: Any, line: Line) -> Iterator[Any]:
        """What has come of a reference: a worker that has begun, a result, or a worker's death."""
        errors = self._ray.exceptions
        hand = next(h for h in self._hands if ref == h.begun or ref in h.doing)
        try:
            value = self._ray.get(ref)
        except errors.RayTaskError as error:
            raise error.cause if isinstance(error.cause, EngineError) else error from None
        except errors.RayError as error:
            self._lose(hand, error, line)
            return
        if ref == hand.begun:
            hand.begun, hand.place, self._failed_starts = None, value, 0
        else:
            del hand.doing[ref]
            yield value

    def _lose(self, hand: _Hand, error: Exception, line: Line) -> None:
        """Parts from a worker that has died; its batches go to the front of the line."""
        self._ray.kill(hand.actor)
        self._hands.remove(hand)
        reason = _reason(error)
        lost = list(hand.doing.values())
        if hand.place is None:
            self._failed_starts, self._failure = self._failed_starts + 1, reason
        elif lost:
            # The one behind it in the line has not been touched.
            lost[0].falls += 1
            if lost[0].falls >= MOST_FALLS:
                raise EngineError(
                    f"{MOST_FALLS} workers died over the same batch, perhaps for want of memory: "
                    f"try a smaller --batch-size or larger shares ({reason})"
                )
        line.put_back(lost)
        where = "" if hand.place is None else f" on {hand.place.host}"
        self._on_lost(f"a worker{where} died, its {len(lost)} batches are done again: {reason}")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + "s" * (count != 1)


def _reason(error: Exception) -> str:
    """Why a worker died, in one line: what Ray says, without its numbers."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if line.startswith("The actor is dead because"):
            return line.split(". ")[0].rstrip(".")
    return lines[-1][:300] if lines else type(error).__name__
