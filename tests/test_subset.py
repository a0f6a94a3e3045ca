"""Which drawings the bundled model is trained on, and how often each is shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.drawings import training

pytest.importorskip("pyvips")
__all__ = ["training"]


def record(concept: str, style: str = "drawing", **more: object) -> dict:
    usual = {"favourite": False, "held_out": False, "categories": ["animal"], "weight": 0.0}
    return {"concept": concept, "style": style} | usual | more


def shares(records: list[dict]) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in records:
        found[each["concept"]] = found.get(each["concept"], 0.0) + each["weight"]
    return found


def test_things_are_shown_alike_however_many_drawings_there_are(training) -> None:
    records = [record("cat"), *[record("dog") for _ in range(7)], record("owl", favourite=True)]
    found = shares(training.subset.weigh(records))
    assert sum(found.values()) == pytest.approx(1)
    assert found["cat"] == pytest.approx(found["dog"])
    assert found["owl"] == pytest.approx(2 * found["cat"])


def test_photos_count_more_than_ink_and_what_is_held_out_never(training) -> None:
    records = [record("cat", "photo"), record("cat", "ink"), record("cat", held_out=True)]
    photo, ink, held_out = (each["weight"] for each in training.subset.weigh(records))
    assert photo == pytest.approx(5 * ink)
    assert held_out == 0


def test_clocks_and_flags_go(training) -> None:
    assert training.subset.is_kept(record("cat"))
    assert training.subset.is_kept(record("robot", categories=["object"], favourite=True))
    assert not training.subset.is_kept(record("one o'clock", categories=["clock"]))


def test_a_subset_is_a_dataset(training, tmp_path: Path) -> None:
    kept, gone = record("cat"), record("flag", categories=["sign"])
    pictures = np.arange(2 * 4 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 4)
    data, out = tmp_path / "data.npz", tmp_path / "subset.npz"
    np.savez(data, pictures=pictures, records=json.dumps([gone, kept]), vocabulary="[]")
    assert training.subset.write_subset(data, out) == 1
    found, records, _ = training.dataset.load(out)
    assert [each["concept"] for each in records] == ["cat"]
    assert np.array_equal(found, pictures[1:])
