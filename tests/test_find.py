"""Frames in photos: found where they are, and told from posters, screens and shadows."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from benchmarks.render import photograph
from benchmarks.rooms import room
from digressions.errors import InputError
from digressions.frames.find import Frame, find_frames, frame_at, opening_in_mask
from digressions.frames.hang import coverage, hang
from digressions.homography import Quad

from .walls import MOULDING, OPENING, POSTER, framed, painted, stripes


def test_a_frame_is_found_to_a_part_of_a_pixel_with_its_moulding() -> None:
    best = find_frames(framed())[0]
    assert np.abs(best.opening.array - OPENING.array).max() < 0.4
    assert np.abs(best.outer.array - MOULDING.array).max() < 0.6
    assert best.reasons["empty"] > 0.9


def test_an_empty_frame_comes_before_one_with_a_picture() -> None:
    wall = framed()
    full = hang(wall, OPENING, stripes(), 0.75)
    empty, filled = (find_frames(photo, least=0.05)[0] for photo in (wall, full))
    assert empty.preference > filled.preference


def test_a_bare_wall_has_no_frame() -> None:
    assert find_frames(painted([])) == []


def test_the_frames_of_rendered_rooms_are_found() -> None:
    scene = room(1003, 1000)
    photo = photograph(scene)
    found = find_frames(photo.pixels, scene.camera.focal_35mm)
    overlaps = [
        max(frame.opening.overlap(Quad.trusted(scene.corners(hanging))) for frame in found)
        for hanging in scene.hangings
    ]
    assert min(overlaps) > 0.85


def test_a_mask_gives_its_four_sided_shape() -> None:
    mask = np.zeros((480, 640), np.uint8)
    rows, columns, share = coverage(OPENING, mask.shape)
    mask[rows, columns] = (share * 255).astype(np.uint8)
    assert np.abs(opening_in_mask(mask).array - OPENING.array).max() < 0.5
    with pytest.raises(InputError, match="nothing white"):
        opening_in_mask(np.zeros_like(mask))


def test_a_poster_is_its_own_opening() -> None:
    best = find_frames(painted([(POSTER, (60, 90, 140))]))[0]
    assert np.abs(best.opening.array - POSTER.array).max() < 0.4
    assert best.outer == best.opening


def test_a_screen_is_found_inside_its_thin_dark_edge() -> None:
    inner = Quad.trusted(OPENING.array + 0.03 * (OPENING.array.mean(0) - OPENING.array))
    best = find_frames(painted([(OPENING, (12, 12, 13)), (inner, (44, 45, 50))]))[0]
    assert np.abs(best.opening.array - inner.array).max() < 0.6


def test_the_end_of_a_shadow_in_the_frame_is_not_the_opening() -> None:
    wall = framed().astype(np.float32)
    rows, columns, share = coverage(OPENING, wall.shape)
    lit = np.zeros(wall.shape[:2], np.float32)
    lit[rows, columns] = share
    below = np.roll(cv2.GaussianBlur(lit, (0, 0), 1.2), (14, 11), (0, 1))  # light from top left
    wall *= (1 - 0.35 * lit * (1 - below))[..., None]
    best = find_frames(wall.astype(np.uint8))[0]
    assert np.abs(best.opening.array - OPENING.array).max() < 0.6


def test_a_frame_of_many_edges_does_not_hide_a_faint_poster() -> None:
    centre = MOULDING.array.mean(0)
    rings = [Quad.trusted(centre + k * (MOULDING.array - centre)) for k in np.linspace(1, 0.5, 9)]
    colours = [(40, 30, 20), (120, 90, 60)] * 5
    wall = painted([*zip(rings, colours, strict=False), (POSTER, (196, 188, 170))])
    assert max(frame.opening.overlap(POSTER) for frame in find_frames(wall)) > 0.95


def test_what_a_picture_shows_is_no_opening() -> None:
    """Plain rectangles with sharper edges than the frame's own."""
    shown = [
        (Quad((240.0, 120.0), (300.0, 118.0), (301.0, 200.0), (239.0, 198.0)), (240, 230, 20)),
        (Quad((330.0, 200.0), (400.0, 203.0), (402.0, 300.0), (328.0, 296.0)), (20, 20, 200)),
    ]
    found = find_frames(painted([(MOULDING, (60, 40, 30)), (OPENING, (120, 150, 130)), *shown]))
    inside = [frame for frame in found if MOULDING.covers(frame.opening) > 0.9]
    assert [round(frame.opening.overlap(OPENING), 1) for frame in inside] == [1.0]


@pytest.mark.parametrize(
    ("seed", "found"),
    [(3018, 5), (1090, 3), (1062, 4)],
    ids=["stripes make more lines than frames", "pictures in moulding", "the flank of a screen"],
)
def test_openings_of_rendered_rooms_are_told_from_what_is_beside_them(
    seed: int, found: int
) -> None:
    scene = room(seed)
    focal = float(round(scene.camera.focal_35mm)) if scene.exif else None
    quads = [frame.opening for frame in find_frames(photograph(scene).pixels, focal)]
    truths = [Quad.trusted(scene.corners(hanging)) for hanging in scene.hangings]
    best = [max(quad.overlap(truth) for quad in quads) for truth in truths]
    assert sum(overlap >= 0.9 for overlap in best) >= found


def test_a_frame_is_the_same_from_json() -> None:
    (frame,) = find_frames(framed())
    again = Frame.from_json_object(json.loads(json.dumps(frame.json_object())))
    assert again.json_object() == frame.json_object()
    assert again.opening == frame.opening
    points = frame.json_object()["opening"]
    for damage in (
        *({"opening": [1, 2]}, {"reasons": None}, {"score": "high"}),
        *({"outer": [(8, value), *points[1:]]} for value in (None, 1e300, -2e6)),
    ):
        with pytest.raises(InputError, match="damaged"):
            Frame.from_json_object(frame.json_object() | damage)


def test_corners_outside_the_photo_are_refused() -> None:
    with pytest.raises(InputError, match=r"corners .* hold 0 pixels") as refused:
        frame_at(framed(), Quad.trusted(OPENING.array + 900))
    assert refused.value.field == "corners"
