"""The true aspect of rectangles seen aslant, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rooms import Camera, Rectangle, rotation
from digressions.frames.aspect import HALF_DIAGONAL_35MM, Aspect, aspects, rectangularity
from digressions.geometry import Size
from digressions.homography import Quad

from .walls import seen_by


@pytest.mark.parametrize("aspect", [0.5, 2**-0.5, 1.0, 1.5])
@pytest.mark.parametrize("yaw", [0.0, 12.0, 30.0])
@pytest.mark.parametrize("known", [True, False])
def test_the_true_aspect_is_seen_from_aslant(aspect: float, yaw: float, known: bool) -> None:
    half = np.hypot(1600, 1200) / 2
    turned = rotation(0, 7.0) @ rotation(1, yaw)
    away = -1500 * turned[2]
    camera = Camera(1600, 1200, 1.3 * half, np.array([799.5, 599.5]), turned, away, 0.0)
    place = Rectangle(-200 * aspect, -200, 200 * aspect, 200)
    quad = Quad.trusted(camera.straight(place.at(0)))
    found = aspects([quad], Size(1600, 1200), camera.focal_35mm if known else None)[0]
    assert abs(found.value / aspect - 1) < (0.005 if known else 0.04)
    assert abs(found.value - aspect) < 2 * found.error


def test_an_aspect_snaps_only_within_its_uncertainty() -> None:
    assert Aspect(1.42, 0.01).snapped().value == pytest.approx(2**0.5)
    assert Aspect(0.705, 0.01).snapped().value == pytest.approx(2**-0.5)
    assert Aspect(1.62, 0.01).snapped() == Aspect(1.62, 0.01)


def test_exif_says_the_aspect_where_the_view_does_not() -> None:
    """Turned about one axis only, all focal lengths agree with the right angles."""
    quad, camera = seen_by(yaw=32, pitch=0, focal=2.2, aspect=0.75)
    photo = Size(1600, 1200)
    guessed, known = aspects([quad], photo)[0], aspects([quad], photo, camera.focal_35mm)[0]
    assert abs(known.value / 0.75 - 1) < 0.005
    assert abs(guessed.value / 0.75 - 1) > 0.02
    assert known.error < guessed.error / 2
    assert abs(guessed.value - 0.75) < 2.5 * guessed.error


def test_the_uncertainty_is_as_large_as_the_errors() -> None:
    """Of cameras that are as most are, about two thirds of errors lie within one, 95 % in two."""
    rng = np.random.default_rng(5)
    off = []
    for _ in range(300):
        focal = 1 / np.sqrt(np.clip(rng.normal(0.5, 0.3), 0.1, 1.2))
        aspect = np.exp(rng.uniform(-0.7, 0.7))
        quad, camera = seen_by(rng.uniform(-35, 35), rng.normal(0, 6), focal, aspect)
        known = camera.focal_35mm * rng.normal(1, 0.03) if rng.random() < 0.5 else None
        moved = Quad.trusted(quad.array + rng.normal(0, 0.7, (4, 2)))
        found = aspects([moved], Size(1600, 1200), known)[0]
        off.append(abs(found.value - aspect) / found.error)
    assert 0.55 < np.mean(np.array(off) < 1) < 0.85
    assert np.mean(np.array(off) < 2) > 0.9


def test_a_small_frame_may_be_off_by_its_corners() -> None:
    """Half a pixel turns a side of 40 pixels by a degree, and its corners by more."""
    large, camera = seen_by(30.0, 8.0, 1.4, 1.5)
    small = camera.straight(Rectangle(-24, -16, 24, 16).at(0))
    off = np.array([[0.7, -0.5], [0.3, 0.7], [-0.7, 0.5], [0.5, -0.7]])
    bent = large.array + np.array([[60, 0], [0, 0], [0, 0], [0, 0]])
    size, focal = Size(1600, 1200), 1.4 * HALF_DIAGONAL_35MM
    square = rectangularity(np.stack([small + off, bent]), size, focal)
    assert square[0] > 0.3
    assert square[1] < 0.1
