"""Estimates: the cold start is not in them, and a wrong one is corrected."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from digressions.events import Estimate
from digressions.pace import WRONG, Pace


def said(steps: Iterable[tuple[float, float]], total: float) -> list[tuple[float, float]]:
    """What a pace says of work with ``(seconds, units)`` a batch: when, and how much is left."""
    now = done = 0.0
    pace, found = Pace(lambda: now), []
    for seconds, units in steps:
        now, done = now + seconds, done + units
        pace.note(done)
        if (left := pace.left(total)) is not None:
            found.append((now, left))
    return found


@pytest.mark.parametrize("cold", [0.5, 3.0, 60.0])
def test_the_cold_start_is_left_out(cold: float) -> None:
    batches = [(cold, 4.0)] + [(0.5, 4.0)] * 49
    assert said(batches, 200) == [(cold + 2, pytest.approx(22.5))]


@pytest.mark.parametrize(("then", "times"), [(4.0, 2), (0.1, 2), (1.2, 1)])
def test_what_turns_out_wrong_is_said_anew(then: float, times: int) -> None:
    """The second half of the work is slower or faster than the first."""
    batches = [(1.0, 1.0)] * 50 + [(then, 1.0)] * round(100 / then)
    found = said(batches, len(batches))
    end = sum(seconds for seconds, _ in batches)
    assert found[0][1] == pytest.approx(len(batches) - 3)
    assert len(found) >= times
    assert (len(found) == 1) == (times == 1)
    now, left = found[-1]
    assert (end - now) / WRONG < left < (end - now) * WRONG


def test_brief_work_is_not_estimated() -> None:
    assert said([(0.01, 1)] * 100, 100) == []
    assert said([(1.0, 1)] * 4, 4) == []


def test_a_film_that_begins_again_is_timed_again() -> None:
    first, again = [(1.0, 1.0)] * 10, [(0.5, -9.0)] + [(0.5, 1.0)] * 19
    assert said([*first, *again], 20)[0] == (3.0, pytest.approx(17))
    assert all(left < 10 for now, left in said([*first, *again], 20) if now > 10)


def test_other_batches_have_another_pace() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    for second in range(10):
        now = float(second)
        pace.note(second)
    pace.restart()
    pace.note(9)
    assert pace.left(100) is None
    for step in range(1, 5):
        now = 9 + step
        pace.note(9 + 10 * step)
    (estimate,) = pace.estimate(100, "paint")
    assert estimate == Estimate("about 5 s left to paint", seconds=pytest.approx(5.1))
