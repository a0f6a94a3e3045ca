"""The benchmark of the frames: its rooms are where it says, and a perfect finder has no errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import frames, judge, openings, sights
from benchmarks.render import Photo, photograph
from benchmarks.rooms import room
from digressions.frames import choice
from digressions.frames.choice import judged
from digressions.geometry import Quad

SHIPPED = Path(choice.__file__).with_name("choice.npz")
DOCS = Path(__file__).parents[1] / "docs"
WIDTH = 500


def test_a_room_is_the_same_every_time_and_larger_when_asked() -> None:
    one, other = photograph(room(3, WIDTH)), photograph(room(3, WIDTH))
    assert (one.pixels == other.pixels).all()
    small, large = room(3, WIDTH), room(3, 2 * WIDTH)
    for a, b in zip(small.hangings, large.hangings, strict=True):
        doubled = Quad.trusted(small.corners(a)).scaled(2).array
        assert np.abs(doubled - large.corners(b)).max() < 0.01


def test_a_room_where_no_quad_is_seen_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = np.full((375, 500, 3), 128, np.uint8)
    monkeypatch.setattr(sights, "photo_of", lambda *_: Photo(plain, (1.0,)))
    assert sights.looked([3], None, 1) == []


@pytest.fixture
def small_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sights, "room", lambda seed: room(seed, WIDTH))
    monkeypatch.setattr(judge, "_EPOCHS", 3)


def test_numpy_says_what_the_network_was_taught(small_rooms: None) -> None:
    scenes = [sights.scene(seed) for seed in (1000, 1001)]
    scale = judge.scaled_by(scenes)
    lessons = [judge.lesson(each, scale) for each in scenes]
    taught = judge.taught(lessons, [0], 0)
    network = scale | {name: array[None] for name, array in taught.weights().items()}
    for each in scenes:
        whole = np.stack([each.named[name] for name in scale["names"]], 1)
        whole = torch.from_numpy((whole - scale["mean"]) / scale["spread"]).float()
        sides = torch.from_numpy((each.sides - scale["side_mean"]) / scale["side_spread"]).float()
        with torch.no_grad():
            said = taught(whole, sides).numpy()
        assert np.allclose(judged(network, each.named, each.sides), said, atol=1e-4)


def test_the_fit_writes_what_the_finder_reads_and_looks_at_a_room_once(
    small_rooms: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    asked = ["--out", str(tmp_path), "--rooms", "9", "--networks", "1"]
    openings.main(asked, said.append)
    with np.load(tmp_path / "choice.npz") as found, np.load(SHIPPED) as shipped:
        assert set(found) == set(shipped)
        assert (found["names"] == shipped["names"]).all()
        assert all(found[name].shape[1:] == shipped[name].shape[1:] for name in found)
    monkeypatch.setattr(sights, "look", None)  # what is kept is not looked at again
    openings.main([*asked, "--held-out"], said.append)
    assert [text.partition(" rooms")[0] for text in said] == [
        "taught: 9",
        "taught: 7",
        "held out: 2",
    ]


def test_a_finder_that_knows_the_truth_finds_all_without_error() -> None:
    scene = room(4, WIDTH)
    photo = photograph(scene)

    def oracle(pixels: np.ndarray, focal: float | None) -> list[frames.Guess]:
        return [frames.Guess(Quad.trusted(scene.corners(h)), h.aspect) for h in scene.hangings]

    result = json.loads(json.dumps(frames.measured(scene, photo, oracle)))
    assert result["frames"]
    assert result["others"] == 0
    for row in result["frames"]:
        assert row["overlap"] == pytest.approx(1)
        assert max(row["corners"]) < 1e-6
        assert row["aspect"] < 1e-9


def test_a_finder_that_finds_nothing_has_found_nothing() -> None:
    scene = room(4, WIDTH)
    result = frames.measured(scene, photograph(scene), lambda pixels, focal: [])
    assert all(row["overlap"] == 0 for row in result["frames"])


def test_the_usual_recipe_finds_what_it_is_made_for() -> None:
    wall = np.full((300, 400, 3), 200, np.uint8)
    wall[80:220, 100:300] = 20
    best = max(frames.recipe(wall, None), key=lambda guess: guess.opening.area)
    assert best.opening.overlap(Quad((100, 80), (299, 80), (299, 219), (100, 219))) > 0.9


def test_the_study_goes_on_where_it_was_and_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "frames.md"
    page.write_text("a\n<!-- generated -->\nold\n<!-- /generated -->\nb\n")
    asked = ["--out", str(tmp_path / "o"), "--scenes", "2", "--width", str(WIDTH)]
    asked += ["--large", str(WIDTH), "--timed", "2", "--photos", str(tmp_path / "photos")]
    frames.main([*asked, "--update", str(page)])
    first = page.read_text()
    assert "old" not in first
    assert "| **digressions**, all |" in first
    frames.main([*asked, "--update", str(page)])
    assert page.read_text() == first
    assert (tmp_path / "images" / "frames.jpg").exists()


def test_a_kept_photo_is_the_photo(tmp_path: Path) -> None:
    scene = room(4, WIDTH)
    first, again = frames.photo_of(scene, tmp_path), frames.photo_of(scene, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    for photo in (first, again):
        assert (photo.pixels == photograph(scene).pixels).all()
        assert photo.visible == photograph(scene).visible


def test_the_page_has_its_marks() -> None:
    assert len(frames.MARKED.findall((DOCS / "frames.md").read_text("utf-8"))) == 1
