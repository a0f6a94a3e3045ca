"""The queue of the studio: one job at a time, fair, and nothing lost with a page or the studio."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from digressions.errors import InputError
from digressions.events import Event, Note, Progress, Saved
from digressions.studio import jobs as jobs_module
from digressions.studio.jobs import Jobs, Settings

from .studios import until


class Line:
    """Work that goes on step by step as the test allows."""

    def __init__(self) -> None:
        self.go, self.order, self.closed = threading.Semaphore(0), list[str](), False

    def __call__(self, settings: Settings) -> Iterator[Event]:
        self.order.append(str(settings["name"]))
        try:
            for step in range(int(settings.get("steps", 1))):
                self.go.acquire(timeout=20)
                yield Progress("working", step + 1, 3)
        except GeneratorExit:
            self.closed = True
            raise
        if settings.get("wrong"):
            raise InputError("`steps` is wrong")
        yield Saved(Path(f"{settings['name']}.png"))


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def jobs(tmp_path: Path, line: Line) -> Iterator[Jobs]:
    found = Jobs(tmp_path / "jobs")
    found.learn("line", line)
    found.start()
    yield found
    line.go.release(1000)
    found.close()


def test_a_paused_job_goes_on_and_is_not_offered_again(jobs: Jobs, line: Line) -> None:
    job = jobs.submit("a", "line", {"name": "one", "steps": 3}, "one")
    until(lambda: job.state == "working")
    jobs.pause(job.number)
    line.go.release()
    until(lambda: job.state == "paused")
    assert line.closed
    assert [left.title for left in jobs.unfinished] == ["one"]
    assert [left.title for left in Jobs(jobs.unfinished[0].file.parent).unfinished] == ["one"]
    jobs.go_on(job.number, "a")
    assert jobs.unfinished == []
    line.go.release(3)
    until(lambda: [each.state for each in jobs.of("a", ["line"])] == ["cancelled", "finished"])


def test_a_job_that_waits_pauses_at_once_and_may_be_cancelled(jobs: Jobs, line: Line) -> None:
    jobs.submit("a", "line", {"name": "one"}, "one")
    job = jobs.submit("a", "line", {"name": "two"}, "two")
    jobs.pause(job.number)
    assert job.state == "paused"
    left = jobs.left_by(job.number)
    assert left is not None
    jobs.cancel(job.number)
    assert (job.state, jobs.unfinished, left.file.exists()) == ("cancelled", [], False)
    assert "two" not in line.order


def test_a_job_tells_how_far_it_is_and_what_it_saved(jobs: Jobs, line: Line) -> None:
    job = jobs.submit("a", "line", {"name": "one"}, "one")
    line.go.release()
    until(lambda: job.is_over)
    assert job.state == "finished"
    assert [saved.path.name for saved in job.saved] == ["one.png"]
    assert job.progress["working"].done == 1


def test_pages_take_turns_and_one_job_works_at_a_time(jobs: Jobs, line: Line) -> None:
    asked = [jobs.submit("a", "line", {"name": f"a{n}"}, "") for n in range(3)]
    until(lambda: asked[0].state == "working")
    late = jobs.submit("b", "line", {"name": "b0"}, "")
    assert [job.settings["name"] for job in jobs.queue()] == ["a0", "b0", "a1", "a2"]
    assert [job.state for job in asked] == ["working", "waiting", "waiting"]
    line.go.release(10)
    until(lambda: asked[-1].is_over)
    assert late.is_over
    assert line.order == ["a0", "b0", "a1", "a2"]


def test_a_job_that_waits_is_cancelled_at_once(jobs: Jobs, line: Line) -> None:
    first = jobs.submit("a", "line", {"name": "first"}, "")
    second = jobs.submit("a", "line", {"name": "second"}, "")
    jobs.cancel(second.number)
    assert second.state == "cancelled"
    line.go.release()
    until(lambda: first.is_over)
    assert line.order == ["first"]


def test_a_job_at_work_is_closed_after_its_step(jobs: Jobs, line: Line) -> None:
    job = jobs.submit("a", "line", {"name": "long", "steps": 3}, "")
    until(lambda: job.state == "working")
    jobs.cancel(job.number)
    line.go.release()
    until(lambda: job.is_over)
    assert (job.state, line.closed, job.saved) == ("cancelled", True, [])


def test_an_error_ends_the_job_and_not_the_queue(jobs: Jobs, line: Line) -> None:
    wrong = jobs.submit("a", "line", {"name": "wrong", "wrong": True}, "")
    right = jobs.submit("a", "line", {"name": "right"}, "")
    line.go.release(5)
    until(lambda: right.is_over)
    assert isinstance(wrong.error, InputError)
    assert (wrong.state, wrong.error.field, right.state) == ("failed", "steps", "finished")


def test_what_nobody_expected_is_one_line_too(
    jobs: Jobs, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(settings: Settings) -> Iterator[Event]:
        yield Note("so far so good")
        raise ZeroDivisionError("by zero\nindeed")

    jobs.learn("broken", broken)
    job = jobs.submit("a", "broken", {}, "")
    until(lambda: job.is_over)
    assert job.state == "failed"
    assert "by zero indeed" in str(job.error)


def test_the_page_sees_the_job_at_work_then_the_last_that_ended(jobs: Jobs, line: Line) -> None:
    first = jobs.submit("a", "line", {"name": "first"}, "")
    second = jobs.submit("a", "line", {"name": "second"}, "")
    until(lambda: first.state == "working")
    assert jobs.current("a", ["line"]) is first
    assert jobs.current("b", ["line"]) is None
    line.go.release(2)
    until(lambda: second.is_over)
    assert jobs.current("a", ["line"]) is second


def test_a_studio_that_was_killed_knows_what_it_had_not_finished(
    tmp_path: Path, line: Line
) -> None:
    killed = Jobs(tmp_path / "jobs")
    killed.learn("line", line)
    killed.start()
    job = killed.submit("a", "line", {"name": "long", "steps": 2}, "a long one")
    killed.submit("a", "line", {"name": "next"}, "the next")
    until(lambda: job.state == "working")
    line.go.release()
    killed.close()
    again = Jobs(tmp_path / "jobs")
    assert [left.title for left in again.unfinished] == ["a long one", "the next"]
    again.learn("line", line)
    again.start()
    resumed = again.resume(again.unfinished[0], "b")
    again.forget(again.unfinished[0])
    line.go.release(10)
    until(lambda: resumed.is_over)
    again.close()
    assert resumed.state == "finished"
    assert Jobs(tmp_path / "jobs").unfinished == []


def test_a_damaged_file_of_a_job_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text("{")
    (tmp_path / "2.json").write_text('{"kind": 3}')
    assert Jobs(tmp_path).unfinished == []


def test_the_queue_has_an_end(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MOST_WAITING", 3)
    asked = [jobs.submit("a", "line", {"name": n}, "") for n in range(1)]
    until(lambda: asked[0].state == "working")
    for n in range(3):
        jobs.submit("a", "line", {"name": n}, "")
    with pytest.raises(InputError, match="3 jobs are waiting"):
        jobs.submit("a", "line", {"name": "one more"}, "")
