"""What several test files share: the bundled model, loaded once; a browser; the command line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before anything imports the hub's client

import numpy as np
import pytest
from hypothesis import settings

CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-quic", "--disable-sync", "--disable-background-networking"),
    "--disable-component-update",
]

settings.register_profile("patient", deadline=None)  # a busy machine is no bug
settings.load_profile("patient")


@pytest.fixture(scope="session")
def bundled():
    """The bundled model on the CPU, in float32 whatever the CPU likes."""
    from digressions.models.loading import load

    return load("bundled", "cpu", "float32")


@pytest.fixture
def photo() -> np.ndarray:
    """A small picture with gradients and edges in all channels: ``(48, 64, 3)`` uint8."""
    y, x = np.mgrid[0:48, 0:64]
    planes = [x * 4 % 256, y * 5 % 256, (x + y) * 2 % 256]
    picture = np.stack(planes, -1).astype(np.uint8)
    picture[10:20, 10:30] = (250, 20, 20)
    return picture


def heed_interrupts() -> None:
    """For a child before it starts: Ctrl-C counts, also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def open_chromium(*flags: str) -> Any:
    """Headless Chromium, which logs what it asks for; whoever opens it quits it."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    required = os.environ.get("DIGRESSIONS_REQUIRE_BROWSER") == "1"
    if not (CHROMIUM.exists() and CHROMEDRIVER.exists()):
        reason = "needs Chromium: apt-get install chromium chromium-driver"
        pytest.fail(reason) if required else pytest.skip(reason)
    if not required:
        pytest.importorskip("selenium")
    driver = open_chromium(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium: Any, opened: Any) -> Iterator[Any]:
    """The page of the studio that a module has opened, which must stay quiet."""
    from tests.studios import StudioPage

    found = StudioPage(chromium, opened.address)
    yield found
    found.check_quiet()


@pytest.fixture
def tool() -> Callable[..., str]:
    """Runs another program and gives back what it prints."""

    def run(name: str, *arguments: object) -> str:
        if shutil.which(name) is None:
            assert os.environ.get("DIGRESSIONS_REQUIRE_PRINT_TOOLS") != "1", f"no {name}"
            pytest.skip(f"{name} is not installed")
        ran = subprocess.run([name, *map(str, arguments)], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


class Ran(NamedTuple):
    """What a run of the command line left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def digress(
    bundled: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., Ran]:
    """Runs the command line in this process and in ``tmp_path``, with the model loaded already."""
    import digressions.models.loading
    from digressions.cli.app import main

    load = digressions.models.loading.load

    def loaded(name="bundled", device=None, dtype=None, **special):
        usual = name == "bundled" and device in (None, "cpu") and dtype in (None, "float32")
        ready = usual and not any(special.values())
        return bundled if ready else load(name, device, dtype, **special)

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code: object = 0
        try:
            main(list(map(str, arguments)))
        except SystemExit as leave:
            code = leave.code or 0
        assert isinstance(code, int)
        return Ran(code, *capsys.readouterr())

    monkeypatch.setattr(digressions.models.loading, "load", loaded)
    monkeypatch.chdir(tmp_path)
    return run


def tree(folder: Path) -> dict[Path, bytes | None]:
    """Everything in a folder, byte for byte."""
    return {
        path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def refused(digress: Callable[..., Ran], tmp_path: Path) -> Callable[..., str]:
    """Runs a command that must fail in one line and write nothing; gives the line back."""

    def run(*arguments: object) -> str:
        before = tree(tmp_path)
        ran = digress(*arguments)
        assert ran.code == 2
        lines = ran.err.splitlines()
        assert len(lines) == 1, ran.err
        assert lines[0].startswith("digress: ")
        assert "Traceback" not in ran.err
        assert ran.out == ""
        assert tree(tmp_path) == before
        return lines[0]

    return run
