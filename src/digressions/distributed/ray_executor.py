"""Batches over the machines of a Ray cluster.

The driver, which is this process, hands out batches and takes what is finished; each worker is an
actor that loads once. Ray moves bytes and tells who has died, no more: which batch is where, which
is to be done again and when to stop is decided here, so that it can be read in one file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Self

from ..errors import ExecutorError, InputError
from ..events import Note, counted
from .cluster import Batch, BatchQueue, Worker, WorkerPlace, WorkerResources, join_cluster
from .executor import B, M, R, Setup

AHEAD = 2
"""Batches a worker has at once: one that it works on, and one so that it need not wait."""
MAX_DEATHS = 3
"""Workers that may die over one batch, or in a row while they start."""
LOOK_EVERY = 2.0
"""Seconds after which the cluster is looked at again, for machines that have joined."""


@dataclass(eq=False)
class _Handle:
    """A worker as the driver sees it.

    Attributes:
        actor: Ray's handle.
        begun: What its `begin` will give; ``None`` once it has.
        place: Where it is, once it has begun.
        doing: The batches it works on, by the references of their results, the oldest first.
    """

    actor: Any
    begun: Any
    place: WorkerPlace | None = None
    doing: dict[Any, Batch] = field(default_factory=dict)


class RayExecutor(Generic[M]):
    """Workers on a Ray cluster: see `Executor`.

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
        resources: WorkerResources | None = None,
    ) -> None:
        """Joins the cluster and calls for workers; they start in the background.

        Args:
            load: Gives what setups work with; pickled, and called once in each worker.
            address: Of a cluster that is there, such as ``"10.0.0.1:6379"``, or ``"auto"`` for the
                one that this machine is part of; ``None`` starts one on this machine for as long
                as the executor is open.
            workers: How many; ``None`` for as many as the cluster has room for.
            resources: What each takes.

        Raises:
            MissingExtraError: Ray is not installed.
            InputError: No cluster answers at the address, or it has no room for a worker.
        """
        self.resources, self._wanted, self._load = resources or WorkerResources(), workers, load
        self.resources.check()
        if workers is not None and workers < 1:
            raise InputError(f"`workers` {workers} is out of range: at least 1")
        self._notes: list[Note] = []
        self._handles: list[_Handle] = []
        self._setup: Setup[M, Any, Any] | None = None
        self._setup_there: Any = None
        self._number = self._turn = self._seen = 0
        self._looked = -math.inf
        self._failed_starts, self._failure = 0, ""
        self._ray = join_cluster(address)
        if workers is None and not self._room():
            self.close()
            cpus, gpus = self.resources.cpus, self.resources.gpus
            wanted = f"{cpus} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
            raise InputError(
                f"no machine of the cluster has {wanted} for a worker: ask for less, or say how "
                "many `workers`, to wait for machines that have as much"
            )

    @property
    def workers(self) -> int:
        """How many have begun to work, and 1 before any has."""
        return max(1, sum(handle.begun is None for handle in self._handles))

    @property
    def wanted(self) -> int:
        """How many are called for, at least 1."""
        return self._wanted or max(1, self._room())

    @property
    def places(self) -> list[WorkerPlace]:
        """Where those are that have begun."""
        return [handle.place for handle in self._handles if handle.place is not None]

    def __str__(self) -> str:
        machines = len({place.host for place in self.places})
        return f"{counted(len(self.places), 'worker')} on {counted(machines, 'machine')}"

    def begin(self, setup: Setup[M, Any, Any]) -> None:
        """See `Executor.begin`."""
        self._use(setup)
        while not any(handle.begun is None for handle in self._handles):
            self._recruit()
            starting = [handle.begun for handle in self._handles]
            ready, _ = self._ray.wait(starting, num_returns=1, timeout=LOOK_EVERY)
            for ref in ready:
                list(self._taken(ref, BatchQueue(())))

    def map(self, setup: Setup[M, B, R], batches: Iterable[B]) -> Generator[R, None, None]:
        """See `Executor.map`. Whoever maps again is done with the stream before.

        Raises:
            RuntimeError: A stream is gone on with after another was begun.
        """
        queue = BatchQueue(batches)
        self._use(setup)
        self._turn = turn = self._turn + 1
        self._forget()
        try:
            while True:
                if turn != self._turn:
                    raise RuntimeError("another call of `map` has taken the workers")
                self._recruit()
                self._hand_out(queue)
                if queue.empty and not any(handle.doing for handle in self._handles):
                    return
                waiting = [ref for handle in self._handles for ref in handle.doing]
                waiting += [handle.begun for handle in self._handles if handle.begun is not None]
                ready, _ = self._ray.wait(waiting, num_returns=1, timeout=LOOK_EVERY)
                if ready:
                    yield from self._taken(ready[0], queue)
        finally:
            if turn == self._turn:
                self._forget()

    def notes(self) -> list[Note]:
        """See `Executor.notes`: workers that have died."""
        notes, self._notes = self._notes, []
        return notes

    def close(self) -> None:
        """Dismisses the workers and leaves the cluster."""
        for handle in self._handles:
            self._ray.kill(handle.actor)
        self._handles.clear()
        self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self) -> None:
        """What is on its way for a caller who has stopped early is nobody's."""
        for handle in self._handles:
            handle.doing.clear()

    def _use(self, setup: Setup[M, Any, Any]) -> None:
        """Has all workers begin a setup, unless it is the one that they are at."""
        if setup is self._setup:
            return
        self._setup, self._setup_there = setup, self._ray.put(setup)
        self._number += 1
        for handle in self._handles:
            handle.begun = self._begin(handle.actor)

    def _begin(self, actor: Any) -> Any:
        return actor.begin.remote(self._load, self._setup_there, self._number)

    def _room(self) -> int:
        """Of the cluster, in workers, as it was at most `LOOK_EVERY` seconds ago."""
        now = time.monotonic()
        if now - self._looked > LOOK_EVERY:
            nodes = (node["Resources"] for node in self._ray.nodes() if node["Alive"])
            self._seen, self._looked = sum(self.resources.room(found) for found in nodes), now
        return self._seen

    def _recruit(self) -> None:
        """Calls for the workers that are wanted and not there, unless they do not start."""
        if self._failed_starts >= MAX_DEATHS:
            if not self._handles:
                raise ExecutorError(
                    f"{MAX_DEATHS} workers in a row died while starting: {self._failure}"
                )
            return
        wanted = self.wanted
        while len(self._handles) < wanted:
            actor = (
                self._ray.remote(Worker)
                .options(
                    num_cpus=self.resources.cpus,
                    num_gpus=self.resources.gpus,
                    max_concurrency=AHEAD + 1,  # and `begin`
                    max_restarts=0,
                    max_task_retries=0,
                )
                .remote(self.resources.gpus)
            )
            self._handles.append(_Handle(actor, self._begin(actor)))

    def _hand_out(self, queue: BatchQueue) -> None:
        """Gives batches to the workers that have begun, to all a first before any a second."""
        for most in range(1, AHEAD + 1):
            for handle in self._handles:
                if queue.empty:
                    return
                if handle.begun is not None or len(handle.doing) >= most:
                    continue
                batch = queue.take()
                handle.doing[handle.actor.work.remote(batch.content)] = batch

    def _taken(self, ref: Any, queue: BatchQueue) -> Iterator[Any]:
        """What has come of a reference: a worker that has begun, a result, or a worker's death."""
        errors = self._ray.exceptions
        handle = next(each for each in self._handles if ref == each.begun or ref in each.doing)
        try:
            value = self._ray.get(ref)
        except errors.RayTaskError as error:
            raise error.cause if isinstance(error.cause, ExecutorError) else error from None
        except errors.RayError as error:
            self._lose(handle, error, queue)
            return
        if ref == handle.begun:
            handle.begun, handle.place, self._failed_starts = None, value, 0
        else:
            del handle.doing[ref]
            yield value

    def _lose(self, handle: _Handle, error: Exception, queue: BatchQueue) -> None:
        """Parts from a worker that has died; its batches go to the front of the queue."""
        self._ray.kill(handle.actor)
        self._handles.remove(handle)
        reason = _reason(error)
        lost = list(handle.doing.values())
        if handle.place is None:
            self._failed_starts, self._failure = self._failed_starts + 1, reason
        elif lost:
            # The one behind it has not been touched.
            lost[0].deaths += 1
            if lost[0].deaths >= MAX_DEATHS:
                raise ExecutorError(
                    f"{MAX_DEATHS} workers died over the same batch, perhaps out of memory: "
                    f"try a smaller `batch_size` or larger workers ({reason})"
                )
        queue.put_back(lost)
        where = "" if handle.place is None else f" on {handle.place.host}"
        redone = f"its {len(lost)} batches are done again"
        self._notes.append(Note(f"a worker{where} died, {redone}: {reason}", "note"))


def _reason(error: Exception) -> str:
    """Why a worker died, in one line: what Ray says, without its numbers."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if line.startswith("The actor is dead because"):
            return line.split(". ")[0].rstrip(".")
    return lines[-1][:300] if lines else type(error).__name__
