"""What a photo's frames are taken for: posters, screens, shadows; what the user knows better."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from benchmarks.render import photograph
from benchmarks.rooms import Camera, Rectangle, _turn, room
from digressions.frames.aspect import HALF_DIAGONAL_35, aspects, squareness
from digressions.frames.frame import find
from digressions.frames.hang import coverage
from digressions.geometry import Quad, Size
from digressions.pictures.images import focal_length, read_image

from .conftest import Ran
from .test_frame import MOULDING, OPENING, framed, painted, stripes

POSTER = Quad((60.2, 120.4), (160.7, 110.3), (163.1, 270.8), (58.4, 255.6))


def seen_by(yaw: float, pitch: float, focal: float, aspect: float) -> tuple[Quad, Camera]:
    """A rectangle 400 mm high, 1.5 m away; ``focal`` in half diagonals of a 1600 x 1200 photo."""
    half = float(np.hypot(1600, 1200) / 2)
    turned = _turn(0, pitch) @ _turn(1, yaw)
    middle = np.array([799.5, 599.5])
    camera = Camera(1600, 1200, focal * half, middle, turned, -1500 * turned[2], 0.0)
    place = Rectangle(-200 * aspect, -200, 200 * aspect, 200)
    return Quad.trusted(camera.straight(place.at(0))), camera


# --- what there is to find -----------------------------------------------------------------------


def test_a_poster_is_its_own_opening() -> None:
    best = find(painted([(POSTER, (60, 90, 140))]))[0]
    assert np.abs(best.opening.array - POSTER.array).max() < 0.4
    assert best.outer == best.opening


def test_a_screen_is_found_inside_its_thin_dark_edge() -> None:
    inner = Quad.trusted(OPENING.array + 0.03 * (OPENING.array.mean(0) - OPENING.array))
    best = find(painted([(OPENING, (12, 12, 13)), (inner, (44, 45, 50))]))[0]
    assert np.abs(best.opening.array - inner.array).max() < 0.6


def test_the_end_of_a_shadow_in_the_frame_is_not_the_opening() -> None:
    wall = framed().astype(np.float32)
    rows, columns, share = coverage(OPENING, wall.shape)
    lit = np.zeros(wall.shape[:2], np.float32)
    lit[rows, columns] = share
    below = np.roll(cv2.GaussianBlur(lit, (0, 0), 1.2), (14, 11), (0, 1))  # light from top left
    wall *= (1 - 0.35 * lit * (1 - below))[..., None]
    best = find(wall.astype(np.uint8))[0]
    assert np.abs(best.opening.array - OPENING.array).max() < 0.6


def test_a_frame_of_many_edges_does_not_hide_a_faint_poster() -> None:
    centre = MOULDING.array.mean(0)
    rings = [Quad.trusted(centre + k * (MOULDING.array - centre)) for k in np.linspace(1, 0.5, 9)]
    colours = [(40, 30, 20), (120, 90, 60)] * 5
    wall = painted([*zip(rings, colours, strict=False), (POSTER, (196, 188, 170))])
    assert max(frame.opening.overlap(POSTER) for frame in find(wall)) > 0.95


def test_what_a_picture_shows_is_no_opening() -> None:
    """Plain rectangles with sharper edges than the frame's own."""
    shown = [
        (Quad((240.0, 120.0), (300.0, 118.0), (301.0, 200.0), (239.0, 198.0)), (240, 230, 20)),
        (Quad((330.0, 200.0), (400.0, 203.0), (402.0, 300.0), (328.0, 296.0)), (20, 20, 200)),
    ]
    found = find(painted([(MOULDING, (60, 40, 30)), (OPENING, (120, 150, 130)), *shown]))
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
    focal = float(round(scene.camera.focal_35)) if scene.exif else None
    quads = [frame.opening for frame in find(photograph(scene).pixels, focal)]
    truths = [Quad.trusted(scene.corners(hanging)) for hanging in scene.hangings]
    best = [max(quad.overlap(truth) for quad in quads) for truth in truths]
    assert sum(overlap >= 0.9 for overlap in best) >= found


def test_a_small_frame_may_be_off_by_its_corners() -> None:
    """Half a pixel turns a side of 40 pixels by a degree, and its corners by more."""
    large, camera = seen_by(30.0, 8.0, 1.4, 1.5)
    small = camera.straight(Rectangle(-24, -16, 24, 16).at(0))
    off = np.array([[0.7, -0.5], [0.3, 0.7], [-0.7, 0.5], [0.5, -0.7]])
    bent = large.array + np.array([[60, 0], [0, 0], [0, 0], [0, 0]])
    size, focal = Size(1600, 1200), 1.4 * HALF_DIAGONAL_35
    square = squareness(np.stack([small + off, bent]), size, focal)
    assert square[0] > 0.3
    assert square[1] < 0.1


# --- the true aspect -----------------------------------------------------------------------------


def test_exif_says_the_aspect_where_the_view_does_not() -> None:
    """Turned about one axis only, all focal lengths agree with the right angles."""
    quad, camera = seen_by(yaw=32, pitch=0, focal=2.2, aspect=0.75)
    photo = Size(1600, 1200)
    guessed, known = aspects([quad], photo)[0], aspects([quad], photo, camera.focal_35)[0]
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
        known = camera.focal_35 * rng.normal(1, 0.03) if rng.random() < 0.5 else None
        moved = Quad.trusted(quad.array + rng.normal(0, 0.7, (4, 2)))
        found = aspects([moved], Size(1600, 1200), known)[0]
        off.append(abs(found.value - aspect) / found.error)
    assert 0.55 < np.mean(np.array(off) < 1) < 0.85
    assert np.mean(np.array(off) < 2) > 0.9


# --- the command ---------------------------------------------------------------------------------


def noted(folder: Path) -> dict:
    return json.loads((folder / "frames.json").read_text())


def test_the_focal_length_in_exif_is_used(digress: Callable[..., Ran], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 52
    quad, _ = seen_by(yaw=32, pitch=0, focal=52 / 21.633, aspect=0.75)
    wall = np.full((1200, 1600, 3), 150, np.uint8)
    cv2.fillConvexPoly(wall, np.rint(quad.array).astype(np.int32), (240, 238, 230))
    Image.fromarray(wall).save(tmp_path / "with.jpg", exif=exif, quality=95)
    Image.fromarray(wall).save(tmp_path / "without.jpg", quality=95)
    assert focal_length(tmp_path / "with.jpg") == 52
    for name in ("with", "without"):
        assert digress("frame", f"{name}.jpg", "--find", "-o", name).code == 0
    known, guessed = (noted(tmp_path / name) for name in ("with", "without"))
    assert (known["focal_35mm"], guessed["focal_35mm"]) == (52, None)
    one, other = known["frames"][0], guessed["frames"][0]
    assert abs(one["aspect"] / 0.75 - 1) < 0.01
    assert abs(one["aspect"] - 0.75) < abs(other["aspect"] - 0.75)
    assert one["aspect_error"] < other["aspect_error"]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_given_corners_are_the_opening(
    digress: Callable[..., Ran], tmp_path: Path, order: list[int]
) -> None:
    Image.fromarray(painted([])).save(tmp_path / "bare.png")
    corners = [f"{x},{y}" for x, y in np.array(POSTER)[order]]
    ran = digress("frame", "bare.png", "--find", "--corners", *corners, "-o", "o")
    assert ran.code == 0, ran.err
    (only,) = noted(tmp_path / "o")["frames"]
    assert np.allclose(only["opening"], POSTER)


def test_a_mask_is_the_opening(digress: Callable[..., Ran], tmp_path: Path) -> None:
    wall, mask = painted([]), np.zeros((480, 640), np.uint8)
    rows, columns, share = coverage(POSTER, mask.shape)
    mask[rows, columns] = (share * 255).astype(np.uint8)
    Image.fromarray(wall).save(tmp_path / "bare.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    ran = digress("frame", "bare.png", "--find", "--mask", "mask.png", "-o", "o")
    assert ran.code == 0, ran.err
    (only,) = noted(tmp_path / "o")["frames"]
    assert np.abs(np.array(only["opening"]) - POSTER.array).max() < 0.5


def test_around_a_mask_that_is_not_four_sided_is_its_box(
    digress: Callable[..., Ran], tmp_path: Path
) -> None:
    mask = np.zeros((480, 640), np.uint8)
    cv2.ellipse(mask, (320, 240), (150, 90), 0, 0, 360, 255, -1)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(painted([])).save(tmp_path / "bare.png")
    ran = digress("frame", "bare.png", "--find", "--mask", "mask.png", "-o", "o")
    assert ran.code == 0, ran.err
    (only,) = noted(tmp_path / "o")["frames"]
    box = [[169.5, 149.5], [470.5, 149.5], [470.5, 330.5], [169.5, 330.5]]
    assert np.abs(np.array(only["opening"]) - box).max() < 1.5


def test_finding_loads_no_torch(tmp_path: Path) -> None:
    Image.fromarray(framed()).save(tmp_path / "wall.png")
    code = (
        "import sys; from digressions.cli import app; "
        "app(['frame', 'wall.png', '--find', '-o', 'o'], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_picked_frame_is_filled_and_no_other(
    digress: Callable[..., Ran], tmp_path: Path
) -> None:
    wall = painted([(MOULDING, (60, 40, 30)), (OPENING, (225, 224, 218)), (POSTER, (60, 90, 140))])
    Image.fromarray(wall).save(tmp_path / "wall.png")
    Image.fromarray(stripes()).save(tmp_path / "picture.png")
    assert digress("frame", "wall.png", "--find", "-o", "found").code == 0
    places = [Quad.trusted(np.array(f["opening"])) for f in noted(tmp_path / "found")["frames"]]
    number = 1 + max(range(len(places)), key=lambda i: places[i].overlap(POSTER))
    picked = ["--insert", "picture.png", "--frame", str(number)]
    assert digress("frame", "wall.png", *picked, "-o", "hung").code == 0
    changed = (read_image(tmp_path / "hung" / "room.png") != wall).any(-1)
    assert changed[150:240, 70:150].mean() > 0.9
    assert not changed[:, 170:].any()


def test_an_aspect_is_snapped_only_when_asked(digress: Callable[..., Ran], tmp_path: Path) -> None:
    wall = np.full((480, 640, 3), 170, np.uint8)
    wall[100:383, 200:400] = 245  # 200 x 283: 1.415
    Image.fromarray(wall).save(tmp_path / "wall.png")
    for name, more in (("plain", []), ("snapped", ["--snap"])):
        assert digress("frame", "wall.png", "--find", *more, "-o", name).code == 0
    plain, snapped = (noted(tmp_path / name)["frames"][0] for name in ("plain", "snapped"))
    assert plain["standard"] is None
    assert snapped["standard"] == "A series"
    assert snapped["aspect"] == pytest.approx(2**-0.5, abs=1e-4)
