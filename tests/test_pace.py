"""Estimates: the cold start is not in them, and a wrong one is corrected."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable

import pytest

from digressions import pace
from digressions.events import Estimate
from digressions.pace import WRONG, Pace


def said(steps: Iterable[tuple[float, float]], total: float) -> list[tuple[float, float]]:
    """What a pace says of work with ``(seconds, units)`` a batch: when, and how much is left."""
    now = done = 0.0
    timer, found = Pace(lambda: now), []
    for seconds, units in steps:
        now, done = now + seconds, done + units
        timer.note(done)
        if (left := timer.left(total)) is not None:
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


def test_frames_that_are_more_work_count_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ten frames take nine tenths of the time, as those that read many pictures do."""
    now, seconds = 0.0, [0.9] * 10 + [0.01] * 100
    monkeypatch.setattr(pace, "Pace", lambda: Pace(lambda: now))

    def filming() -> Generator[int, None, None]:
        nonlocal now
        for done, each in enumerate(seconds, 1):
            now += each
            yield done

    shares = [0.0, *itertools.accumulate(seconds)]
    events = pace.paced("filming", "film", filming(), len(seconds), shares)
    found = [(now, each.seconds) for each in events if isinstance(each, Estimate)]
    assert found
    assert all(left == pytest.approx(sum(seconds) - at) for at, left in found)


def test_other_batches_have_another_pace() -> None:
    now = 0.0
    timer = Pace(lambda: now)
    for second in range(10):
        now = float(second)
        timer.note(second)
    timer.restart()
    timer.note(9)
    assert timer.left(100) is None
    for step in range(1, 5):
        now = 9 + step
        timer.note(9 + 10 * step)
    (estimate,) = timer.estimate(100, "paint")
    assert estimate == Estimate("about 5 s left to paint", seconds=pytest.approx(5.1))


def test_the_first_batch_of_work_is_left_out_though_work_says_first_what_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch that begins takes as long as twenty others."""
    now = 0.0
    monkeypatch.setattr(pace, "Pace", lambda: Pace(lambda: now))

    def painting() -> Generator[int, None, None]:
        nonlocal now
        yield 3
        for done in range(4, 60):
            now += 20.0 if done == 4 else 1.0
            yield done

    events = pace.paced("painting", "paint", painting(), 59)
    found = [(now, each.seconds) for each in events if isinstance(each, Estimate)]
    assert found == [(22.0, pytest.approx(53.0))]


def test_units_that_are_seen_late_count_from_when_they_were_finished() -> None:
    """A batch of 10 every 2 s, each seen 1.5 s later."""
    now = 0.0
    timer = Pace(lambda: now)
    for batch in range(3):
        now = 2.0 * batch + 1.5
        timer.note(10 * batch, 2.0 * batch)
    assert timer.left(100) == pytest.approx(80 / 5 - 1.5)
