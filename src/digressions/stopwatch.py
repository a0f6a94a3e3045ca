"""Where the time goes: seconds by stage, from any thread."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds spent in named stages so far. Stages in several threads add up."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Counts the block to a stage, also where it raises."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begun)

    def add(self, stage: str, seconds: float) -> None:
        """Counts seconds to a stage."""
        with self._lock:
            self._spent[stage] += seconds

    def seconds(self, *stages: str) -> float:
        """Of these stages together."""
        with self._lock:
            return sum(self._spent.get(stage, 0.0) for stage in stages)

    def spent(self) -> dict[str, float]:
        """Of all stages so far."""
        with self._lock:
            return dict(self._spent)
