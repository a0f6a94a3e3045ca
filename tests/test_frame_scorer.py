"""How the frame scorer is trained: numpy computes what torch trained, and the finder reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.render import Photo
from benchmarks.rooms import room
from digressions.frames import scoring
from digressions.frames.scoring import network_scores
from training.frame_scorer import dataset, network, train

SHIPPED = Path(scoring.__file__).with_name("scoring.npz")
WIDTH = 500


def test_a_room_where_no_quad_is_seen_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = np.full((375, 500, 3), 128, np.uint8)
    monkeypatch.setattr(dataset, "photograph", lambda _: Photo(plain, (1.0,)))
    assert dataset.load_rooms([3], None, 1) == []


@pytest.fixture
def small_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "room", lambda seed: room(seed, WIDTH))
    monkeypatch.setattr(network, "_EPOCHS", 3)


def test_numpy_computes_what_the_network_was_trained_to(small_rooms: None) -> None:
    rooms = [dataset.labelled_quads(seed) for seed in (1000, 1001)]
    scales = network.feature_scales(rooms)
    trained = network.trained([network.room_tensors(each, scales) for each in rooms], [0], 0)
    arrays = scales | {name: array[None] for name, array in trained.weights().items()}
    for each in rooms:
        whole = np.stack([each.features[name] for name in scales["names"]], 1)
        whole = torch.from_numpy((whole - scales["mean"]) / scales["spread"]).float()
        sides = (each.sides - scales["side_mean"]) / scales["side_spread"]
        with torch.no_grad():
            wanted = trained(whole, torch.from_numpy(sides).float()).numpy()
        assert np.allclose(network_scores(arrays, each.features, each.sides), wanted, atol=1e-4)


def test_training_writes_what_the_finder_reads_and_looks_at_a_room_once(
    small_rooms: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    asked = ["--out", str(tmp_path), "--rooms", "9", "--networks", "1"]
    train.main(asked, said.append)
    with np.load(tmp_path / "scoring.npz") as found, np.load(SHIPPED) as shipped:
        assert set(found) == set(shipped)
        assert (found["names"] == shipped["names"]).all()
        assert all(found[name].shape[1:] == shipped[name].shape[1:] for name in found)
    monkeypatch.setattr(dataset, "candidate_quads", None)  # what is kept is not looked at again
    train.main([*asked, "--held-out"], said.append)
    assert [text.partition(" rooms")[0] for text in said] == [
        "trained on: 9",
        "trained on: 7",
        "held out: 2",
    ]
