"""How the frame scorer is trained: numpy computes what torch trained, and the finder reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.galleries import gallery
from benchmarks.lived_in import lived_in
from benchmarks.lived_in_photo import lived_in_photo
from benchmarks.render import Photo
from benchmarks.rooms import room
from digressions.frames import calibration, scoring
from digressions.frames.scoring import network_scores
from training.frame_scorer import dataset, network, reliability, train
from training.frame_scorer.dataset import LabelledQuads

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
    train.main(asked, said.append)
    assert [text.partition(" rooms")[0] for text in said] == [
        "trained on: 7",
        "calibrated on: 2",
    ] * 2
    reliability.main(
        [str(SHIPPED), "--out", str(tmp_path), "--first", "1000", "--rooms", "4"], said.append
    )
    assert "openings are among the quads" in "".join(said)
    assert "| score | reported | mean score | right |" in "".join(said)
    assert "The surest of each room, from 0.5 on: right in " in said[-2]


def test_networks_go_on_from_others_and_new_features_count_for_nothing_yet(
    small_rooms: None,
) -> None:
    each = dataset.labelled_quads(1000)
    with np.load(SHIPPED) as stored:
        shipped = dict(stored)
    kept = [i for i, name in enumerate(shipped["names"]) if not name.startswith("twins")]
    known = len(shipped["names"])
    fewer = shipped | {name: shipped[name][kept] for name in ("names", "mean", "spread")}
    rows = [*kept, *range(known, shipped["weight_1"].shape[1])]
    fewer["weight_1"] = shipped["weight_1"][:, rows]
    scales = network.feature_scales([each], fewer)
    first = network.started(fewer, 0, scales).eval().weights()
    arrays = scales | {name: array[None] for name, array in first.items()}
    one = {
        name: array[:1] if "eight" in name or "bias" in name else array
        for name, array in fewer.items()
    }
    wanted = network_scores(one, each.features, each.sides)
    assert np.allclose(network_scores(arrays, each.features, each.sides), wanted, atol=1e-4)


def test_panes_of_a_window_are_twins_and_a_frame_has_none() -> None:
    def square(left: float, top: float, side: float) -> list[list[float]]:
        right, bottom = left + side, top + side
        return [[left, top], [right, top], [right, bottom], [left, bottom]]

    panes = [square(100 + 110 * i, 100 + 110 * j, 100) for i in range(2) for j in range(2)]
    quads = np.array([*panes, square(95, 95, 220), square(600, 100, 140)])
    found = scoring._twins(quads)
    beside, inside = (np.rint(np.expm1(values)) for values in found.values())
    assert beside.tolist() == [2, 2, 2, 2, 0, 0]
    assert inside.tolist() == [0, 0, 0, 0, 8, 0]


def apart(count: int) -> np.ndarray:
    """Quads that do not overlap, ``(N, 4, 2)``."""
    corners = np.array([[0, 0], [8, 0], [8, 8], [0, 8]], np.float32)
    return corners + 10 * np.arange(count, dtype=np.float32)[:, None, None]


def test_scores_are_right_as_often_as_they_say_in_rooms_that_calibrate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(1)
    monkeypatch.setattr(calibration, "shares", lambda quads, score: np.ones(len(score)))
    score = rng.normal(0, 3, 20_000)
    twins = rng.integers(0, 3, 20_000).astype(float)
    true = rng.random(20_000) < 1 / (1 + np.exp(-(score - 1 - twins)))
    features = {"rectangle score": np.full(20_000, 0.5), "twins beside": twins}
    known = calibration.calibration_features(apart(20_000), features, score)
    sure = calibration.probability(train.fitted_curve(known, true.astype(float)), known)
    for low in (0.1, 0.4, 0.6, 0.8):
        these = (sure >= low) & (sure < low + 0.2)
        assert abs(true[these].mean() - sure[these].mean()) < 0.06
    alike = np.abs(score) < 1
    assert sure[alike & (twins == 0)].mean() > sure[alike & (twins == 2)].mean() + 0.2


def test_a_quad_shares_what_is_there_with_its_rivals_but_not_with_what_is_nearly_it() -> None:
    one = np.array([[100, 100], [200, 100], [200, 200], [100, 200]], np.float32)
    wider = one + np.array([[-20, -20], [20, -20], [20, 20], [-20, 20]], np.float32)
    quads = np.stack([one, one + 1, wider, one + 400])
    found = calibration.shares(quads, np.zeros(4))
    assert found == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1])
    assert calibration.shares(quads, np.array([0, 0, 3.0, 0]))[0] < 0.1


def test_the_curve_is_fitted_where_scores_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quads of low scores follow another law, by which the others would be too sure."""
    rng = np.random.default_rng(2)
    rooms = []
    monkeypatch.setattr(train, "network_scores", lambda _, features, sides: features["score"])
    for _ in range(60):
        score = np.concatenate([rng.normal(0, 1.5, 8), np.full(30, -6.0)])
        true = rng.random(38) < np.where(score > -5, 1 / (1 + np.exp(-score)), 0)
        features = {
            "score": score,
            "rectangle score": np.full(38, 0.5),
            "twins beside": np.zeros(38),
        }
        overlap = np.where(true, 0.95, 0.0)[:, None]
        rooms.append(
            LabelledQuads(apart(38), apart(38), features, np.zeros(0), overlap, np.ones(1))
        )
    curve = train.fitted_calibration(rooms, {})
    score = np.linspace(-2, 2, 9)
    features = {"rectangle score": np.full(9, 0.5), "twins beside": np.zeros(9)}
    sure = calibration.probability(
        curve, calibration.calibration_features(apart(9), features, score)
    )
    assert np.abs(sure - 1 / (1 + np.exp(-score))).max() < 0.1


def test_equal_frames_hang_in_rows_each_with_its_own_picture() -> None:
    for seed in (40000, 40001, 40002):
        scene, again = gallery(seed, WIDTH), gallery(seed, WIDTH)
        assert scene.hangings == again.hangings
        assert len(scene.hangings) > 1
        sizes = np.array([(each.opening.width, each.opening.height) for each in scene.hangings])
        assert np.ptp(sizes, axis=0).max() < 1e-6
        assert len({each.moulding_colour for each in scene.hangings}) == 1
        assert len({each.seed for each in scene.hangings}) == len(scene.hangings)
        for number, one in enumerate(scene.hangings):
            assert not any(one.outer.overlaps(two.outer) for two in scene.hangings[:number])
    assert dataset.room_of(dataset.GALLERIES).hangings == gallery(dataset.GALLERIES).hangings


def test_a_lived_in_room_is_the_same_every_time_and_its_frames_are_where_it_says() -> None:
    for seed in (20004, 20005):
        scene, again = lived_in(seed, WIDTH), lived_in(seed, WIDTH)
        photo = lived_in_photo(scene)
        assert (photo.pixels == lived_in_photo(again).pixels).all()
        assert len(photo.visible) == len(scene.hangings)
        assert max(photo.visible) > 0.75
    kinds = {kind for seed in range(20000, 20030) for kind, _ in lived_in(seed, WIDTH).others}
    assert {"real window", "real door", "real cupboard"} <= kinds
