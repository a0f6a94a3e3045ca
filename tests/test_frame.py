"""Frames in photos: found where they are, measured truly, and filled without touching the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from PIL import Image

from benchmarks.rooms import Camera, Rectangle, _turn, room
from digressions.commands.hanging import check_likely
from digressions.errors import InputError
from digressions.frames.aspect import Aspect, aspects
from digressions.frames.frame import find, opening_of
from digressions.frames.hang import coverage, insert, rectify
from digressions.geometry import Quad, Size, homography, project
from digressions.pictures.images import read_image

from .conftest import Ran

OPENING = Quad((212.3, 91.7), (430.6, 70.2), (441.9, 371.4), (205.1, 340.8))
MOULDING = Quad((192.0, 70.5), (452.5, 45.0), (465.0, 398.0), (183.5, 361.0))
corner = st.tuples(st.floats(-9, 9), st.floats(-9, 9))


def painted(quads: list[tuple[Quad, tuple[int, int, int]]], seed: int = 0) -> np.ndarray:
    """A wall with quads on it, the first farthest: ``(480, 640, 3)`` uint8, a little noisy."""
    wall = np.full((480, 640, 3), (176, 168, 150), float)
    for quad, colour in quads:
        rows, columns, share = coverage(quad, wall.shape)
        part = wall[rows, columns]
        part += share[..., None] * (np.array(colour) - part)
    noise = np.random.default_rng(seed).normal(0, 2, wall.shape)
    return np.rint(wall + noise).clip(0, 255).astype(np.uint8)


def framed() -> np.ndarray:
    return painted([(MOULDING, (60, 40, 30)), (OPENING, (225, 224, 218))])


def stripes(width: int = 300, height: int = 400) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, ::20] = 255
    picture[::25] = (255, 0, 0)
    return picture


# --- geometry --------------------------------------------------------------------------------


@given_any(st.permutations(range(4)), corner)
def test_corners_in_any_order_are_one_quad(order: list[int], by: tuple[float, float]) -> None:
    moved = OPENING.array + by
    assert np.allclose(Quad.of(moved[order]).array, moved)


@pytest.mark.parametrize(
    "corners",
    [
        ["0,0", "10,0", "5,1", "5,9"],
        ["0,0", "5,0", "10,0", "5,9"],
        ["3,3", "3,3", "3,3", "3,3"],
        ["0,0", "9,0", "9,9", "nan,9"],
        ["0,0", "9,0", "9,9", "9"],
        ["0,0", "9,0", "9,9"],
    ],
)
def test_what_is_no_convex_quad_is_refused(corners: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        Quad.parse(corners)
    assert "\n" not in str(refused.value)


def test_overlap_of_squares_is_what_the_areas_say() -> None:
    one = Quad((0, 0), (10, 0), (10, 10), (0, 10))
    half = Quad((5, 0), (15, 0), (15, 10), (5, 10))
    assert one.overlap(one) == pytest.approx(1)
    assert one.overlap(half) == pytest.approx(1 / 3)
    assert one.covers(half) == pytest.approx(0.5)
    assert one.overlap(Quad((20, 0), (30, 0), (30, 10), (20, 10))) == 0


def test_a_homography_takes_its_corners_where_they_belong_and_back() -> None:
    there = homography(MOULDING.array, OPENING.array)
    assert np.allclose(project(there, MOULDING.array), OPENING.array)
    back = project(np.linalg.inv(there), OPENING.array)
    assert np.allclose(back, MOULDING.array)


# --- aspect ----------------------------------------------------------------------------------


@pytest.mark.parametrize("aspect", [0.5, 2**-0.5, 1.0, 1.5])
@pytest.mark.parametrize("yaw", [0.0, 12.0, 30.0])
@pytest.mark.parametrize("known", [True, False])
def test_the_true_aspect_is_seen_from_aslant(aspect: float, yaw: float, known: bool) -> None:
    half = np.hypot(1600, 1200) / 2
    turned = _turn(0, 7.0) @ _turn(1, yaw)
    away = -1500 * turned[2]
    camera = Camera(1600, 1200, 1.3 * half, np.array([799.5, 599.5]), turned, away, 0.0)
    place = Rectangle(-200 * aspect, -200, 200 * aspect, 200)
    quad = Quad.trusted(camera.straight(place.at(0)))
    found = aspects([quad], Size(1600, 1200), camera.focal_35 if known else None)[0]
    assert abs(found.value / aspect - 1) < (0.005 if known else 0.04)
    assert abs(found.value - aspect) < 2 * found.error


def test_an_aspect_snaps_only_within_its_uncertainty() -> None:
    assert Aspect(1.42, 0.01).snapped().value == pytest.approx(2**0.5)
    assert Aspect(0.705, 0.01).snapped().value == pytest.approx(2**-0.5)
    assert Aspect(1.62, 0.01).snapped() == Aspect(1.62, 0.01)


# --- finding ---------------------------------------------------------------------------------


def test_a_frame_is_found_to_a_part_of_a_pixel_with_its_moulding() -> None:
    best = find(framed())[0]
    assert np.abs(best.opening.array - OPENING.array).max() < 0.4
    assert np.abs(best.outer.array - MOULDING.array).max() < 0.6
    assert best.reasons["empty"] > 0.9


def test_an_empty_frame_comes_before_one_with_a_picture() -> None:
    wall = framed()
    full = insert(wall, OPENING, stripes(), 0.75)
    assert find(wall)[0].score > find(full)[0].score


def test_a_bare_wall_has_no_frame() -> None:
    assert find(painted([])) == []


def test_the_frames_of_rendered_rooms_are_found() -> None:
    from benchmarks.render import photograph

    scene = room(1003, 1000)
    photo = photograph(scene)
    found = find(photo.pixels, scene.camera.focal_35)
    overlaps = [
        max(frame.opening.overlap(Quad.trusted(scene.corners(hanging))) for frame in found)
        for hanging in scene.hangings
    ]
    assert min(overlaps) > 0.85


def test_a_mask_gives_its_four_sided_shape() -> None:
    mask = np.zeros((480, 640), np.uint8)
    rows, columns, share = coverage(OPENING, mask.shape)
    mask[rows, columns] = (share * 255).astype(np.uint8)
    assert np.abs(opening_of(mask).array - OPENING.array).max() < 0.5
    with pytest.raises(InputError, match="nothing white"):
        opening_of(np.zeros_like(mask))


# --- hanging ---------------------------------------------------------------------------------


def test_outside_the_opening_every_pixel_stays() -> None:
    wall = framed()
    hung = insert(wall, OPENING, stripes(), 0.75)
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
    hung = insert(framed(), OPENING, picture, 0.75)
    from digressions.frames.sharp import sharpened

    (found,) = sharpened(hung.astype(np.float32), wanted[None] + 0.7, 3.0)
    assert np.abs(found.corners - wanted).max() < 0.5


def test_shadow_and_reflection_stay_on_the_picture() -> None:
    wall = framed().astype(float)
    wall[150:170, 250:400] *= 0.5
    wall[250:270, 250:400] = 250
    wall = wall.astype(np.uint8)
    grey = np.full((400, 300, 3), 120, np.uint8)
    hung = insert(wall, OPENING, grey, 0.75).astype(float).mean(-1)
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
    hung = insert(wall, OPENING, np.full((400, 300, 3), 20, np.uint8), 0.75).astype(float).mean(-1)
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
    hung = insert(wall, OPENING, np.full((400, 300, 3), 20, np.uint8), 0.75)
    assert hung[rows, columns][edge].max() <= 85  # it would be 160


def test_black_in_a_mask_keeps_what_stands_before_the_frame() -> None:
    wall, mask = framed(), np.full((480, 640), 255, np.uint8)
    mask[:, :300] = 0
    hung = insert(wall, OPENING, stripes(), 0.75, mask=mask)
    assert (hung[:, :300] == wall[:, :300]).all()


def test_an_upright_view_has_the_opening_in_its_box_at_its_aspect() -> None:
    view = rectify(framed(), OPENING, 0.75, border=0.2)
    box = view.opening
    assert box.size.width / box.size.height == pytest.approx(0.75, abs=0.01)
    inside = view.pixels[box.top + 3 : box.bottom - 3, box.left + 3 : box.right - 3]
    assert abs(inside.mean() - 222) < 3
    edge = view.pixels[box.top + 20 : box.bottom - 20, box.left - 6 : box.left - 3]
    assert edge.mean() < 80


# --- the command -----------------------------------------------------------------------------


def test_found_frames_are_drawn_and_written(digress: Callable[..., Ran], tmp_path: Path) -> None:
    Image.fromarray(framed()).save(tmp_path / "wall.png")
    ran = digress("frame", "wall.png", "--find", "-o", "found")
    assert ran.code == 0, ran.err
    note = json.loads((tmp_path / "found" / "frames.json").read_text())
    assert np.abs(np.array(note["frames"][0]["opening"]) - OPENING.array).max() < 0.4
    assert (tmp_path / "found" / "found.jpg").exists()


def test_a_picture_is_hung_and_shown(digress: Callable[..., Ran], tmp_path: Path) -> None:
    wall = framed()
    Image.fromarray(wall).save(tmp_path / "wall.png")
    Image.fromarray(stripes()).save(tmp_path / "picture.png")
    ran = digress("frame", "wall.png", "--insert", "picture.png", "-o", "hung")
    assert ran.code == 0, ran.err
    hung = read_image(tmp_path / "hung" / "room.png")
    assert (hung[:40] == wall[:40]).all()
    assert (hung != wall).any()
    assert (tmp_path / "hung" / "before-after.jpg").exists()


def test_what_is_hardly_a_frame_is_not_taken_unasked(tmp_path: Path) -> None:
    (frame,) = find(framed())
    check_likely([frame], tmp_path)
    with pytest.raises(InputError, match=r"after 1 has score 0\.10: --frame 2 takes it"):
        check_likely([frame, replace(frame, score=0.1)], tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["wall.png"], "--find"),
        (["none.png", "--find"], "no such file"),
        (["bare.png", "--find"], "--corners"),
        (["wall.png", "--find", "--frame", "7"], "--frame 7"),
        (["wall.png", "--find", "--corners", "0,0", "9,0", "2,1", "0,9"], "convex"),
        (["wall.png", "--find", "--mask", "small.png"], "200 x 100"),
        (["wall.png", "--insert", "none.png"], "no such file"),
        (["wall.png"] + ["--insert", "wall.png"] * 9, "9 pictures"),
        (["wall.png"] + ["--insert", "wall.png"] * 2 + ["--frame", "1"], "1 times --frame"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_one_line_and_writes_nothing(
    digress: Callable[..., Ran], tmp_path: Path, arguments: list[str], words: str
) -> None:
    Image.fromarray(framed()).save(tmp_path / "wall.png")
    Image.fromarray(painted([])).save(tmp_path / "bare.png")
    Image.fromarray(np.full((100, 200), 255, np.uint8)).save(tmp_path / "small.png")
    before = sorted(tmp_path.rglob("*"))
    ran = digress("frame", *arguments, "-o", "o")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1, ran.err
    assert words in ran.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_written_to_is_refused_before_painting(
    digress: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(framed()).save(tmp_path / "wall.png")
    monkeypatch.setattr("digressions.commands.frame.load_model", lambda *_: pytest.fail("too late"))
    ran = digress("frame", "wall.png", "a cat", "-o", "wall.png/o")
    assert ran.code == 2
    assert ran.err.strip().endswith("wall.png is no folder: choose another -o")
