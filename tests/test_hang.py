"""Pictures hung into photos: in perspective, in the light of the room, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from digressions.frames.find import find_frames
from digressions.frames.hang import coverage, hang
from digressions.frames.inserting import hang_picture
from digressions.frames.sides import measure_sides
from digressions.homography import homography, project
from digressions.images.source_image import source_image

from .walls import OPENING, framed, stripes


def test_outside_the_opening_every_pixel_stays() -> None:
    wall = framed()
    hung = hang(wall, OPENING, stripes(), 0.75)
    untouched = np.ones(wall.shape[:2], bool)
    rows, columns, share = coverage(OPENING, wall.shape)
    untouched[rows, columns] = share == 0
    assert (hung[untouched] == wall[untouched]).all()
    assert (hung[~untouched] != wall[~untouched]).mean() > 0.9


def test_a_picture_lies_in_perspective_to_half_a_pixel() -> None:
    """Found again in the composite: a dark square in a light picture, by its corners."""
    picture = np.full((400, 300, 3), 235, np.uint8)
    picture[100:300, 75:225] = 10
    inner = np.array([[74.5, 99.5], [224.5, 99.5], [224.5, 299.5], [74.5, 299.5]])
    outer = np.array([[-0.5, -0.5], [299.5, -0.5], [299.5, 399.5], [-0.5, 399.5]])
    wanted = project(homography(outer, OPENING.array), inner)
    hung = hang(framed(), OPENING, picture, 0.75)
    (found,) = measure_sides(hung.astype(np.float32), wanted[None] + 0.7, 3.0)
    assert np.abs(found.corners - wanted).max() < 0.5


def test_shadow_and_reflection_stay_on_the_picture() -> None:
    wall = framed().astype(float)
    wall[150:170, 250:400] *= 0.5
    wall[250:270, 250:400] = 250
    wall = wall.astype(np.uint8)
    grey = np.full((400, 300, 3), 120, np.uint8)
    hung = hang(wall, OPENING, grey, 0.75).astype(float).mean(-1)
    plain, shadow, gloss = (hung[y : y + 10, 280:380].mean() for y in (200, 155, 255))
    assert shadow / plain == pytest.approx(0.5, abs=0.06)
    assert gloss > plain + 10


@pytest.mark.parametrize("width", [50, 100])
def test_a_faint_reflection_stays_on_a_dark_picture(width: int) -> None:
    """14 grey levels on a blank of 200, in noise: as much light is added to the picture."""
    light = np.full((480, 640, 3), (200 / 255) ** 2.2)
    light[:, 250 : 250 + width] = (214 / 255) ** 2.2
    wall = framed()
    rows, columns, inside = coverage(OPENING, wall.shape)
    noisy = light ** (1 / 2.2) * 255 + np.random.default_rng(0).normal(0, 2, light.shape)
    wall[rows, columns][inside > 0] = noisy[rows, columns][inside > 0]
    hung = hang(wall, OPENING, np.full((400, 300, 3), 20, np.uint8), 0.75).astype(float).mean(-1)
    beside, gloss = hung[150:270, 220:240], hung[150:270, 260 : 240 + width]
    added = (214 / 255) ** 2.2 - (200 / 255) ** 2.2
    wanted = 255 * ((beside.mean() / 255) ** 2.2 + added) ** (1 / 2.2)
    assert gloss.mean() == pytest.approx(wanted, abs=6)
    assert beside.std() < 2


def test_no_rim_of_the_blank_stays_around_a_dark_picture() -> None:
    """Around the opening it is dark, and so is the picture: no pixel between may be bright."""
    wall = framed()
    rows, columns, inside = coverage(OPENING, wall.shape)
    edge = (inside > 0) & (inside < 1)
    dark, blank = (((level / 255) ** 2.2) for level in (40, 230))
    mixed = 255 * (inside * blank + (1 - inside) * dark) ** (1 / 2.2)
    wall[rows, columns] = np.rint(mixed)[..., None]
    hung = hang(wall, OPENING, np.full((400, 300, 3), 20, np.uint8), 0.75)
    assert hung[rows, columns][edge].max() <= 85  # it would be 160


def test_black_in_a_mask_keeps_what_stands_before_the_frame() -> None:
    wall, mask = framed(), np.full((480, 640), 255, np.uint8)
    mask[:, :300] = 0
    hung = hang(wall, OPENING, stripes(), 0.75, mask=mask)
    assert (hung[:, :300] == wall[:, :300]).all()


@pytest.mark.parametrize("empty", [0.9, 0.1])
def test_a_frame_that_was_not_empty_is_lit_evenly(empty: float) -> None:
    (frame,) = find_frames(framed())
    frame = replace(frame, reasons=frame.reasons | {"empty": empty})
    hung, _ = hang_picture(source_image(framed()), frame, source_image(stripes()))
    wanted = hang(framed(), frame.opening, stripes(), frame.aspect.value, lit=empty > 0.5)
    assert (hung == wanted).all()
