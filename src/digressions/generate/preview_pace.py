"""When a preview may be made: not too often, and never for more than a share of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np


class PreviewPace:
    """Says when the next preview is due, from what those before it took.

    pace = PreviewPace(0.5, share=0.05)
    if pace.is_due():
        with pace.making():
            ...

    Args:
        every: Seconds between two previews, at least.
        share: Of the time since the beginning that previews may take, 0..1: one that would take
            more, if it took as long as the last, is left out. The first is always made.
        clock: Tells the time in seconds.
        cost: Tells the time that previews take, if another clock does.
    """

    def __init__(
        self,
        every: float,
        share: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        cost: Callable[[], float] | None = None,
    ) -> None:
        self._every, self._share, self._clock = every, share, clock
        self._cost = cost or clock
        self._began: float | None = None
        self._last = -np.inf
        self.spent = self._latest = 0.0

    def is_due(self) -> bool:
        """Whether a preview may be made now."""
        now = self._clock()
        if self._began is None:
            self._began = now
        is_cheap = self.spent + self._latest <= self._share * (now - self._began)
        return now - self._last >= self._every and (is_cheap or self._share >= 1)

    @contextmanager
    def making(self) -> Iterator[None]:
        """Takes in how long a preview takes, which is made in its block."""
        self._last, start = self._clock(), self._cost()
        try:
            yield
        finally:
            self._latest = self._cost() - start
            self.spent += self._latest
