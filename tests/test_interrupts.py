"""Ctrl-C loses nothing that is finished."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digressions.ensembles import ensemble, table
from digressions.ensembles.ensemble_spec import EnsembleSpec
from digressions.generate import pictures
from digressions.generate.params import PaintSpec
from digressions.interrupts import interrupts_held
from digressions.models.base import Model


@pytest.mark.parametrize("name", ["paint", "ensemble", "table"])
def test_ctrl_c_keeps_every_picture_of_the_batch_that_is_painted(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    module = {"paint": pictures, "ensemble": ensemble, "table": table}[name]
    usual, calls = module.enlarged, list[int]()

    def stopped_at_the_first(*given: Any) -> np.ndarray:
        calls.append(1)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        return usual(*given)

    monkeypatch.setattr(module, "enlarged", stopped_at_the_first)
    if name == "paint":
        spec = PaintSpec.of(prompt="frog", n=3, size=16, steps=1, enlarge=2, upscaler="lanczos")
        events: Any = pictures.paint_to_files(bundled, spec, tmp_path / "a.png")
    else:
        more: Any = {"sweep": 3} if name == "table" else {"n": 3}
        asked = EnsembleSpec.of(prompts=["frog", "fox"], size=16, steps=1, seed=1, **more)
        events = ensemble.paint_ensemble(bundled, asked, tmp_path / "a.png")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(events)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(calls) == 3
    assert len(list(tmp_path.rglob("*.png"))) == 3


def _interrupt_in_each(done: list[int]) -> None:
    for at in range(9):
        done.append(at)
        if at:
            signal.raise_signal(signal.SIGINT)


def test_a_second_ctrl_c_stops_at_once() -> None:
    done: list[int] = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_held():
            _interrupt_in_each(done)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == [0, 1, 2]
