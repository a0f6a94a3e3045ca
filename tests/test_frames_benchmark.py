"""The benchmark of the frames: its rooms are where it says, and a perfect finder has no errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import frames
from benchmarks.page import marked
from benchmarks.render import photograph
from benchmarks.rooms import room
from digressions.homography import Quad

DOCS = Path(__file__).parents[1] / "docs"
WIDTH = 500


def test_a_room_is_the_same_every_time_and_larger_when_asked() -> None:
    one, other = photograph(room(3, WIDTH)), photograph(room(3, WIDTH))
    assert (one.pixels == other.pixels).all()
    small, large = room(3, WIDTH), room(3, 2 * WIDTH)
    for a, b in zip(small.hangings, large.hangings, strict=True):
        doubled = Quad.trusted(small.corners(a)).scaled(2).array
        assert np.abs(doubled - large.corners(b)).max() < 0.01


def test_a_finder_that_knows_the_truth_finds_all_without_error() -> None:
    scene = room(4, WIDTH)
    photo = photograph(scene)

    def oracle(pixels: np.ndarray, focal_35mm: float | None) -> list[frames.Guess]:
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
    result = frames.measured(scene, photograph(scene), lambda pixels, focal_35mm: [])
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
    assert len(marked().findall((DOCS / "frames.md").read_text("utf-8"))) == 1
