"""Ctrl-C loses nothing that is finished. It is pressed in processes of their own: what else a
process of tests has started may answer to it as well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STOPPED = """
import os, signal, sys, time
from pathlib import Path
from digressions.ensembles import ensemble, table
from digressions.ensembles.ensemble_spec import EnsembleSpec
from digressions.generate import pictures
from digressions.generate.params import PaintSpec
from digressions.models.loading import load

name, path = sys.argv[1], Path(sys.argv[2])
module = {"paint": pictures, "ensemble": ensemble, "table": table}[name]
usual, calls = module.enlarged, []


def stopped_at_the_first(*given):
    calls.append(1)
    if len(calls) == 1:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
    return usual(*given)


module.enlarged = stopped_at_the_first
bundled = load("bundled", "cpu", "float32")
if name == "paint":
    spec = PaintSpec.of(prompt="frog", n=3, size=16, steps=1, enlarge=2, upscaler="lanczos")
    events = pictures.paint_to_files(bundled, spec, path)
else:
    more = {"sweep": 3} if name == "table" else {"n": 3}
    asked = EnsembleSpec.of(prompts=["frog", "fox"], size=16, steps=1, seed=1, **more)
    events = ensemble.paint_ensemble(bundled, asked, path)
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    list(events)
except KeyboardInterrupt:
    print("stopped", len(calls), signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""

TWICE = """
import signal
from digressions.interrupts import interrupts_held

signal.signal(signal.SIGINT, signal.default_int_handler)
done = []
try:
    with interrupts_held():
        for at in range(9):
            done.append(at)
            if at:
                signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print(done)
"""


def said(program: str, *arguments: object) -> str:
    """What a program prints in a process of its own."""
    line = [sys.executable, "-c", program, *map(str, arguments)]
    ran = subprocess.run(line, capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", ["paint", "ensemble", "table"])
def test_ctrl_c_keeps_every_picture_of_the_batch_that_is_painted(tmp_path: Path, name: str) -> None:
    assert said(STOPPED, name, tmp_path / "a.png") == "stopped 3 True"
    assert len(list(tmp_path.rglob("*.png"))) == 3


def test_a_second_ctrl_c_stops_at_once() -> None:
    assert said(TWICE) == "[0, 1, 2]"
