"""Joining a Ray cluster, and the share of its machines that a worker takes; all imports of Ray."""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import dataclass
from typing import Any

from ..errors import EngineError, InputError, MissingExtraError


@dataclass(frozen=True)
class Share:
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
            raise InputError(f"--cpus-per-worker {self.cpus} must be at least 1")
        if not (self.gpus >= 0 and (self.gpus <= 1 or self.gpus == int(self.gpus))):
            raise InputError(
                f"--gpus-per-worker {self.gpus:g}: give a fraction of one GPU or a whole number"
            )

    def room(self, resources: dict[str, float]) -> int:
        """How many workers of this share fit into a machine's resources."""
        room = resources.get("CPU", 0.0) // self.cpus
        if self.gpus:
            # Not 1.0 // 0.1, which is 9.
            room = min(room, int(resources.get("GPU", 0.0) / self.gpus + 1e-9))
        return int(room)


def joined(address: str | None) -> Any:
    """Ray, connected to a cluster."""
    # A tool that works offline reports to nobody, and a cluster that is started for one job does
    # not do it with what is left of the processor. Who thinks otherwise has set these.
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
            raise EngineError(f"Ray does not start on this machine: {reason}") from error
        raise InputError(
            f"--address {address!r}: no cluster can be joined there ({reason}); "
            "`ray start --head` starts one"
        ) from error
    return ray


def check_answer(address: str) -> None:
    """Raises `InputError` where nobody answers, for Ray itself would try for minutes."""
    if "://" in address:
        raise InputError(
            f"--address {address!r}: Ray's client mode is not supported: run this on a machine of "
            "the cluster, with --address auto"
        )
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"--address {address!r}: no cluster answers there ({error}); give HOST:PORT as "
            "`ray start --head` prints it, or auto"
        ) from error
