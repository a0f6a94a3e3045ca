"""The queue of the studio: one job at a time, fair, and nothing lost with a page or the studio."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from digressions.errors import InputError
from digressions.events import Event, Note, Progress, Saved
from digressions.studio import jobs as jobs_module
from digressions.studio.jobs import Jobs
from digressions.studio.kept_jobs import KeptJobs
from digressions.studio.studio_job import Job, Settings

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


def test_a_paused_job_goes_on_as_the_same_job(jobs: Jobs, line: Line) -> None:
    job = jobs.submit("a", "line", {"name": "one", "steps": 3}, "one")
    until(lambda: job.state == "working")
    jobs.pause(job.number)
    line.go.release()
    until(lambda: job.state == "paused")
    assert line.closed
    assert jobs.paused() == [job]
    assert not job.is_over
    jobs.go_on(job.number, "b")
    assert (jobs.paused(), job.page) == ([], "b")
    line.go.release(3)
    until(lambda: job.state == "finished")
    assert [saved.path.name for saved in job.saved] == ["one.png"]


def test_a_job_that_is_paused_outlives_the_studio(jobs: Jobs, line: Line, tmp_path: Path) -> None:
    jobs.submit("a", "line", {"name": "one"}, "one")
    job = jobs.submit("a", "line", {"name": "two"}, "two")
    jobs.pause(job.number)
    assert job.state == "paused"
    assert "two" in [left.title for left in KeptJobs(tmp_path / "jobs").left()]
    jobs.cancel(job.number)
    assert (job.state, jobs.paused()) == ("cancelled", [])
    assert "two" not in [left.title for left in KeptJobs(tmp_path / "jobs").left()]
    assert "two" not in line.order


def test_work_that_ends_before_its_pause_is_finished(jobs: Jobs) -> None:
    asked, going = threading.Event(), threading.Event()

    def ending(settings: Settings) -> Iterator[Event]:
        yield Saved(Path("made.png"))
        asked.set()
        going.wait(20)

    jobs.learn("ending", ending)
    job = jobs.submit("a", "ending", {}, "")
    asked.wait(20)
    jobs.pause(job.number)
    going.set()
    until(lambda: job.state == "finished")


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


def opened_again(folder: Path, line: Line, kind: str = "line") -> Jobs:
    found = Jobs(folder)
    found.learn(kind, line)
    return found


def test_a_studio_that_was_killed_knows_what_it_had_not_finished(
    tmp_path: Path, line: Line
) -> None:
    killed = opened_again(tmp_path / "jobs", line)
    early = killed.submit("b", "line", {"name": "early", "steps": 1}, "early")
    asked = [killed.submit("a", "line", {"name": f"{n}", "steps": 2}, f"a{n}") for n in range(3)]
    killed.start()
    until(lambda: asked[0].state == "working")  # page "a" begins, though "b" asked first
    killed.close(0.1)
    again = opened_again(tmp_path / "jobs", line)
    assert [left.title for left in again.paused()] == ["a0", "early", "a1", "a2"]
    assert all(left.is_left and left.page == "" for left in again.paused())
    assert again.queue() == []
    line.go.release(10)
    again.start()
    dropped, *rest = again.paused()
    again.cancel(dropped.number)
    third = opened_again(tmp_path / "jobs", line)
    assert [left.title for left in third.paused()] == ["early", "a1", "a2"]
    for left in rest:
        again.go_on(left.number, "c")
    until(lambda: all(left.state == "finished" for left in rest))
    again.close()
    assert [left.title for left in rest] == ["early", "a1", "a2"]
    assert line.order[1:] == ["early", "1", "2"]
    assert opened_again(tmp_path / "jobs", line).paused() == []
    assert early.state == "waiting"


def test_what_is_not_kept_and_what_nobody_knows_is_not_offered_again(
    tmp_path: Path, line: Line
) -> None:
    killed = Jobs(tmp_path / "jobs")
    killed.learn("line", line, kept=False)
    killed.submit("a", "line", {"name": "one"}, "one")
    assert not (tmp_path / "jobs").exists()
    killed.learn("other", line)
    killed.submit("a", "other", {"name": "two"}, "two")
    assert opened_again(tmp_path / "jobs", line).paused() == []
    assert len(opened_again(tmp_path / "jobs", line, "other").paused()) == 1


def test_a_damaged_file_of_a_job_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text("{")
    (tmp_path / "2.json").write_text('{"kind": 3}')
    (tmp_path / "3.json").write_text("[]")
    assert KeptJobs(tmp_path).left() == []


def test_the_time_that_is_left_is_told_by_the_pace_of_the_task(tmp_path: Path) -> None:
    job = Job(1, "a", "line", {}, "", state="working", task_began=100.0)
    assert job.seconds_left(110.0) is None
    job.progress["working"] = Progress("working", 1, 20)
    assert job.seconds_left(110.0) is None  # one step tells nothing yet
    job.progress["working"] = Progress("working", 5, 20)
    assert job.seconds_left(110.0) == 30.0
    job.task_from = 3  # were done by an earlier run
    assert job.seconds_left(110.0) == 75.0


def test_the_queue_has_an_end(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MOST_WAITING", 3)
    asked = [jobs.submit("a", "line", {"name": n}, "") for n in range(1)]
    until(lambda: asked[0].state == "working")
    for n in range(3):
        jobs.submit("a", "line", {"name": n}, "")
    with pytest.raises(InputError, match="3 jobs are waiting"):
        jobs.submit("a", "line", {"name": "one more"}, "")
