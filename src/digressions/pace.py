"""How long the rest of some work takes, told by its steady pace.

The first batch pays for what only it does: kernels are set up, files come from the disk, memory is
found. An estimate with it in has said hours where there were seconds. So the time counts from the
end of that batch on, nothing is said before it has gone on for `STEADY`, and what turns out to be
wrong is corrected.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TypeVar

from .events import Estimate, Progress, duration

STEADY = 2.0  # seconds after the first batch
WRONG = 1.5  # times too much or too little, from which on it is said anew
BRIEF = 2.0  # seconds: less is not worth saying
Result = TypeVar("Result")


class Pace:
    """How fast work gets done.

    Args:
        clock: Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._marks: list[tuple[float, float]] = []  # units and time, from where warm-up ended
        self._said: tuple[float, float] | None = None  # when, and how many seconds

    def restart(self) -> None:
        """Forgets the time up to here: what follows has another pace."""
        self._marks.clear()

    def note(self, done: float, at: float | None = None) -> None:
        """Takes in that so many units are finished; best where a batch ends.

        Said again of as many units, it stands for the time up to here. Fewer are a new beginning.

        Args:
            at: When they were finished, by the clock; now if not given.
        """
        while self._marks and self._marks[-1][0] >= done:
            self._marks.pop()
        self._marks.append((done, self._clock() if at is None else at))

    def left(self, total: float) -> float | None:
        """Seconds until ``total`` units are finished, where they should be said: once they are
        known, and again when what was said turns out wrong by more than `WRONG`."""
        if not self._marks or self._marks[-1][1] - self._marks[0][1] < STEADY:
            return None
        done, ended = self._marks[-1]
        # The later half of the time tells more, if it is long enough.
        since = ended - max(STEADY, (ended - self._marks[0][1]) / 2)
        start = max(i for i, (_, at) in enumerate(self._marks) if at <= since)
        before, begun = self._marks[start]
        now = self._clock()
        seconds = (total - done) * (ended - begun) / (done - before) - (now - ended)
        if self._said is not None:
            at, said = self._said
            if said < WRONG * (now + seconds - at) < WRONG**2 * said:
                return None
        if seconds < BRIEF:
            return None
        self._said = now, seconds
        return seconds

    def estimate(self, total: float, purpose: str) -> Generator[Estimate, None, None]:
        """What `left` has to say, if anything, as an event.

        Args:
            purpose: What is left to do, such as ``"paint"``.
        """
        if (seconds := self.left(total)) is not None:
            yield Estimate(f"about {duration(seconds)} left to {purpose}", seconds=seconds)


def paced(
    task: str,
    purpose: str,
    work: Generator[int, None, Result],
    total: int,
    shares: Sequence[float] | None = None,
) -> Generator[Progress | Estimate, None, Result]:
    """As `events.tracked`, with an estimate of the time that is left once it can be told.

    film = yield from paced("filming", "film", filming(...), frames)

    Work may begin by yielding what is done already. The time counts from its second yield on, so
    that the first batch is left out in any case.

    Args:
        task, work, total: As of `events.tracked`.
        purpose: What is left to do, such as ``"film"``.
        shares: Where some units are more work than others: the work of so many of them, from none
            to all.
    """
    shares = range(total + 1) if shares is None else shares
    pace, begun = Pace(), False
    with closing(work):
        while True:
            try:
                done = next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            yield Progress(task, done, total)
            if begun:
                pace.note(shares[done])
                yield from pace.estimate(shares[total], purpose)
            begun = True
