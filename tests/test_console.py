"""What a log gets of a run: where no terminal is, lines stand for progress bars."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from digressions.cli.console import LOGGED, Lines, show
from digressions.events import Event, Progress


def test_a_log_hears_of_a_task_where_it_begins_and_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    lines = Lines(lambda: now)
    for done in range(0, 1201, 100):
        now += LOGGED / 4
        lines.show(Progress("enlarging with lanczos", done, 1200))
    lines.show(Progress("printing", 0))
    assert capsys.readouterr().err.splitlines() == [
        "enlarging with lanczos: 0 of 1,200",
        "enlarging with lanczos: 400 of 1,200",
        "enlarging with lanczos: 800 of 1,200",
        "enlarging with lanczos: 1,200 of 1,200",
        "printing: 0",
    ]


def test_a_log_knows_what_is_done_while_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    def events() -> Iterator[Event]:
        yield Progress("enlarging with lanczos", 0, 900)
        assert capsys.readouterr().err == "enlarging with lanczos: 0 of 900\n"
        yield Progress("enlarging with lanczos", 900, 900)

    show(events())
    assert capsys.readouterr().err == ""
