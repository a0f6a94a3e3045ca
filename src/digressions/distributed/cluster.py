"""A Ray cluster: what a user says about it, how it is joined, and what runs on its machines.

All imports of Ray are here; nothing here needs torch.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..errors import DigressionsError, ExecutorError, InputError, MissingExtraError
from ..generate.declare import Params, option
from .executor import Setup


class ClusterParams(Params):
    """Who paints: this process, or workers of a Ray cluster."""

    executor: Literal["local", "ray"] = option(
        "local", "Who paints: local (this process) or ray (many machines).", group="Machines"
    )
    address: str | None = option(
        None,
        "Ray cluster to join, HOST:PORT or auto.",
        group="Machines",
        default_from="one of this machine's own",
    )
    workers: int | None = option(
        None,
        "Ray workers.",
        group="Machines",
        default_from="as many as the cluster has room for",
        ge=1,
    )
    cpus_per_worker: int | None = option(
        None, "Cores of a Ray worker.", group="Machines", default_from="1", ge=1
    )
    gpus_per_worker: float | None = option(
        None,
        "GPUs of a Ray worker; 0.5 lets two share one.",
        group="Machines",
        default_from="1 where this machine would use its GPU, else 0",
        ge=0,
    )

    def check(self) -> None:
        """Raises `InputError` for values that contradict each other or would do nothing."""
        self.resources(0.0).check()
        if self.executor == "ray":
            return
        for name in ("address", "workers", "cpus_per_worker", "gpus_per_worker"):
            if getattr(self, name) is not None:
                raise InputError(f"`{name}` is for `executor` ray", field=name)

    def resources(self, gpus: float) -> WorkerResources:
        """What a worker takes; ``gpus`` is for when the user did not say."""
        given = self.gpus_per_worker
        return WorkerResources(self.cpus_per_worker or 1, gpus if given is None else given)


@dataclass(frozen=True)
class WorkerResources:
    """What of a machine a worker takes.

    Attributes:
        cpus: Cores, 1 or more.
        gpus: GPUs; a fraction shares one among workers, 0 is none.
    """

    cpus: int = 1
    gpus: float = 0.0

    def check(self) -> None:
        """Raises `InputError` for what cannot be had."""
        if self.cpus < 1:
            raise InputError(f"`cpus_per_worker` {self.cpus} is out of range: at least 1")
        if not (self.gpus >= 0 and (self.gpus <= 1 or self.gpus == int(self.gpus))):
            raise InputError(
                f"`gpus_per_worker` {self.gpus:g}: give a fraction of one GPU or a whole number"
            )

    def room(self, resources: dict[str, float]) -> int:
        """How many workers fit into a machine's resources."""
        room = resources.get("CPU", 0.0) // self.cpus
        if self.gpus:
            # Not 1.0 // 0.1, which is 9.
            room = min(room, int(resources.get("GPU", 0.0) / self.gpus + 1e-9))
        return int(room)


def join_cluster(address: str | None) -> Any:
    """Ray, connected to a cluster.

    Raises:
        MissingExtraError: Ray is not installed.
        InputError: No cluster answers at the address.
        ExecutorError: A cluster on this machine does not start.
    """
    # A tool that works offline reports to nobody, and a cluster that is started for one job does
    # not lower its own priority. Who thinks otherwise has set these.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", "ray") from None
    if address is not None:
        check_answer(address)
    try:
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except Exception as error:  # Ray raises bare ones too: where a busy machine starts too slowly
        reason = " ".join(str(error).split())[:300]
        if address is None:
            raise ExecutorError(f"Ray does not start on this machine: {reason}") from error
        raise InputError(
            f"`address` {address!r}: no cluster can be joined there ({reason}); "
            "'ray start --head' starts one"
        ) from error
    return ray


def check_answer(address: str) -> None:
    """Raises `InputError` where nobody answers, for Ray itself would try for minutes."""
    if "://" in address:
        raise InputError(
            f"`address` {address!r}: Ray's client mode is not supported: run this on a machine of "
            "the cluster, with `address` auto"
        )
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"`address` {address!r}: no cluster answers there ({error}); give HOST:PORT as "
            "'ray start --head' prints it, or auto"
        ) from error


class WorkerPlace(NamedTuple):
    """Where a worker is."""

    host: str
    process: int


class Worker:
    """Loads once, then works on batches. Called from several threads."""

    def __init__(self, gpus: float) -> None:
        """``gpus`` are those that it takes: Ray shows it these alone, but all if it takes none."""
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self._beginning = threading.Lock()
        self._loaded: list[Any] = []  # one thing, or none yet
        self._work: Callable[[Any], Any] | None = None
        self._number = 0

    def begin(
        self, load: Callable[[], Any], setup: Setup[Any, Any, Any], number: int
    ) -> WorkerPlace:
        """Gets ready for batches of a setup.

        Args:
            load: Gives what the setup works with; called once in a worker's life.
            setup: Takes the place of the one before.
            number: Of the setup, counted up. One that comes late is passed over.

        Raises:
            ExecutorError: The loading or the setup fails; it names the machine.
        """
        with self._beginning, place_named():
            if not self._loaded:
                self._loaded.append(load())
            if number > self._number:
                self._work, self._number = setup(self._loaded[0]), number
        return WorkerPlace(socket.gethostname(), os.getpid())

    def work(self, batch: Any) -> Any:
        """The result of a batch.

        Raises:
            ExecutorError: For a `DigressionsError`; it names the machine.
        """
        assert self._work is not None  # `begin` has returned
        with place_named():
            return self._work(batch)


@contextmanager
def place_named() -> Iterator[None]:
    """Errors raised on purpose in the block become one `ExecutorError` that names the machine.

    One kind, because the others' constructors take what a pickle does not keep.
    """
    try:
        yield
    except DigressionsError as error:
        raise ExecutorError(f"a worker on {socket.gethostname()}: {error}") from error


@dataclass
class Batch:
    """A batch, and how many workers have died over it."""

    content: Any
    deaths: int = 0


class BatchQueue:
    """Batches to be done: those that came back from workers that died before those that were never
    begun."""

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
