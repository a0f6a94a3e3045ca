"""Sheets for eyes that do not know which model painted what."""

from __future__ import annotations

import json
import sys

import pytest

from tests.drawings import dataset, training

pytest.importorskip("pyvips")
__all__ = ["dataset", "training"]


def test_pairs_are_painted_shuffled_and_counted(
    training, dataset, tmp_path, monkeypatch, capsys, bundled
):
    monkeypatch.setattr(training.blind.digressions, "load", lambda name: bundled)
    words = f"blind.py old new --data {dataset} --out {tmp_path} --pairs 3 --seed 1"
    monkeypatch.setattr(sys, "argv", words.split())
    training.blind.main()
    key = json.loads((tmp_path / "key.json").read_text())
    assert (tmp_path / "sheet-0.png").exists()
    assert sorted(key["prompts"]) == ["photo of a frog", "photo of a pizza", "photo of a turtle"]
    assert len(key["new is"]) == 3
    answers = f"{key['new is'][:2]}="
    monkeypatch.setattr(sys, "argv", f"blind.py --out {tmp_path} --preferred {answers}".split())
    training.blind.main()
    assert "new preferred in 2 of 3, neither in 1" in capsys.readouterr().out


@pytest.mark.parametrize("answers", ["LR", "LRX"])
def test_answers_that_do_not_fit_are_refused(training, answers):
    with pytest.raises(SystemExit, match="3 answers are needed"):
        training.blind.count(answers, "LRL")
