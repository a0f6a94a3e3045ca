"""``digress serve`` and ``digress screensaver``: from the command line to a picture and back."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from digressions.worlds.serving import kiosk

from .conftest import Ran, heed_interrupts

PROGRAM = "from digressions.cli.app import main; main()"
SIZE = 128  # of the bundled model's pictures, in pixels


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "--port 70000 is out of range"),
        (["--cache-size", "-1"], "--cache-size -1"),
        (["--reuse", "1"], "--reuse 1 is out of range"),
        (["--grid", "4x3"], "--grid 4 --cell-aspect 4:3 gives all of them that aspect"),
        (["--host", "no-such-host.invalid"], "--host no-such-host.invalid"),
        (["--image", "none.png"], "no such file"),
    ],
)
def test_bad_input_is_one_line(
    digress: Callable[..., Ran], tmp_path: Path, arguments: list[str], words: str
) -> None:
    ran = digress("serve", "frog", *arguments)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert words in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_missing_is_named(
    digress: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ran = digress("serve", "frog")
    assert ran.code == 2
    assert "pip install 'digressions[serve]'" in ran.err


@contextlib.contextmanager
def serving(folder: Path, *options: object) -> Iterator[subprocess.Popen[str]]:
    """`digress serve` of a small world as a process of its own; gone afterwards."""
    arguments = ["serve", "frog", "--port", 0, "--grid", 4, "--upscaler", "lanczos", *options]
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments), "--device", "cpu"],
        stdout=subprocess.PIPE,
        cwd=folder,
        text=True,
        preexec_fn=heed_interrupts,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def served_and_stopped(running: subprocess.Popen[str], picture: str) -> None:
    """Two cells of a picture are painted at the model's size; Ctrl-C then ends the server."""
    assert running.stdout is not None
    found = re.match(r"http://127\.0\.0\.1:\d+/", running.stdout.readline())
    assert found
    with urlopen(f"{found[0]}pictures/{picture}?cells=6,7", timeout=120) as answer:
        assert Image.open(io.BytesIO(answer.read())).size == (SIZE, 2 * SIZE)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 0


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        served_and_stopped(running, "5")
    assert (tmp_path / "out" / "worlds.sqlite").exists()


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A Chromium that notes what it is told, and then does what a line of shell says."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    if os.name == "nt":
        pytest.skip("the browser is a shell script")

    def made(line: str) -> Path:
        path = tmp_path / "chromium"
        path.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\n{line}\n')
        path.chmod(0o755)
        return tmp_path / "said"

    return made


def test_the_screensaver_fills_the_screen_and_closes(browser: Callable[[str], Path]) -> None:
    said = browser("exec sleep 60")
    begun = time.monotonic()
    with kiosk("http://127.0.0.1:1/screensaver", lambda: None):
        while not said.exists() or not said.read_text():
            assert time.monotonic() < begun + 20
            time.sleep(0.02)
    assert "--kiosk" in said.read_text().split()
    assert said.read_text().split()[-1] == "http://127.0.0.1:1/screensaver"
    assert time.monotonic() < begun + 30


def test_closing_the_window_ends_the_screensaver(
    digress: Callable[..., Ran], browser: Callable[[str], Path]
) -> None:
    said = browser("sleep 1")
    ran = digress("screensaver", "frog", "--grid", "4", "--reuse", "3", "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "/screensaver" in said.read_text()
    assert "3 pictures cover" in ran.out


def test_a_browser_that_fails_is_one_line(
    digress: Callable[..., Ran], browser: Callable[[str], Path]
) -> None:
    browser("exit 7")
    ran = digress("screensaver", "frog", "--grid", "4", "--device", "cpu")
    assert ran.code == 2
    assert "chromium ended with code 7" in ran.err.splitlines()[-1]


def test_a_finite_world_is_served(tmp_path: Path) -> None:
    with serving(tmp_path, "--reuse", 5) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("5 pictures cover")
        served_and_stopped(running, "/".join(["5"] * 30))
