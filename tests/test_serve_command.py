"""``digress serve`` and ``digress screensaver``: from the command line to a picture and back."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from digressions.commands.screensaver import opened

from .conftest import Ran

PROGRAM = "from digressions.cli import main; main()"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "--port 70000 is out of range"),
        (["--cache-size", "-1"], "--cache-size -1"),
        (["--grid", "4x3"], "a world's grid is square"),
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


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    arguments = ["serve", "frog", "--port", "0", "--grid", "4", "--upscaler", "lanczos"]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments, "--device", "cpu"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
    ) as running:
        assert running.stdout is not None
        found = re.match(r"http://127\.0\.0\.1:\d+/", running.stdout.readline())
        assert found
        with urlopen(f"{found[0]}pictures/5?cells=6,7", timeout=120) as answer:
            assert Image.open(io.BytesIO(answer.read())).size == (64, 128)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    assert (tmp_path / "out" / "worlds.sqlite").exists()


@pytest.mark.skipif(os.name == "nt", reason="the browser is a shell script")
def test_the_screensaver_fills_the_screen_and_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "chromium"
    browser.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\nexec sleep 60\n')
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    begun = time.monotonic()
    with opened("http://127.0.0.1:1/screensaver"):
        while not (tmp_path / "said").exists() or not (tmp_path / "said").read_text():
            assert time.monotonic() < begun + 20
            time.sleep(0.02)
    said = (tmp_path / "said").read_text().split()
    assert "--kiosk" in said
    assert said[-1] == "http://127.0.0.1:1/screensaver"
    assert time.monotonic() < begun + 30
