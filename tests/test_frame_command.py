"""``digress frame`` without painting: frames found, given, drawn, and pictures hung."""

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

from digressions.frames.hang import coverage
from digressions.homography import Quad
from digressions.images.image_files import focal_length, read_image

from .conftest import Ran
from .walls import MOULDING, OPENING, POSTER, framed, painted, seen_by, stripes


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


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of walls and a picture in the working folder."""
    pictures = {"wall": framed(), "bare": painted([]), "picture": stripes()}
    pictures["small"] = np.full((100, 200), 255, np.uint8)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["wall.png"], "--find"),
        (["none.png", "--find"], "no such file"),
        (["bare.png", "--find"], "--corners"),
        (["bare.png", "a fox"], "--corners"),
        (["wall.png", "--find", "--frame", "7"], "--frame 7"),
        (["wall.png", "--find", "--corners", "0,0", "9,0", "2,1", "0,9"], "convex"),
        (["wall.png", "--find", "--mask", "small.png"], "200 x 100"),
        (["wall.png", "--insert", "none.png"], "no such file"),
        (["wall.png"] + ["--insert", "wall.png"] * 9, "9 pictures"),
        (["wall.png"] + ["--insert", "wall.png"] * 2 + ["--frame", "1"], "1 times --frame"),
        (["wall.png", "--insert", "picture.png", "--size", "A99"], "--size"),
        (["wall.png", "--insert", "picture.png", "--bleed", "3mm"], "--bleed is about the print"),
        (["wall.png", "a fox", "--insert", "picture.png"], "--insert"),
        (["wall.png", "a fox", "-n", "0"], "-n 0"),
        (["wall.png", "a fox", "-n", "2", "--pick", "3"], "--pick 3"),
        (["wall.png", "a fox", "--room", "auto", "--room", "0.2"], "2 times --room"),
        (["wall.png", "a fox", "--room", "2"], "--room 2"),
        (["wall.png", "a fox", "--size", "A99"], "--size 'A99'"),
        (["wall.png", "a fox", "--size", "A4", "--print-as", "doc"], "--print-as"),
        (["wall.png", "a fox", "--bleed", "3mm"], "--bleed is about the print"),
        (["wall.png", "a fox", "--refine", "x", "--refine-scale", "9"], "--refine-scale 9"),
        (["wall.png", "a (fox"], "never closed"),
        (["wall.png", "  "], "a prompt is empty"),
        (["wall.png", "a fox", "--explain", "--size", "A4"], "--explain"),
        (["wall.png", "a fox", "--explain", "-n", "2"], "at least 3"),
        (["wall.png", "a fox", "--model", "nowhere"], "nowhere"),
        (["wall.png", "a fox", "--guidance-rescale", "2"], "0 to 1"),
        (["wall.png", "a fox", "--timestep-spacing", "soon"], "--timestep-spacing"),
        (["wall.png", "a fox", "--palette", "redd"], "colours such as"),
        (
            ["wall.png", "a fox", "--masked-content", "noise", "--palette", "red"],
            "--masked-content noise would forget the --palette",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_one_line_and_writes_nothing(
    refused: Callable[..., str], photos: Path, arguments: list[str], words: str
) -> None:
    assert words in refused("frame", *arguments, "-o", "o")


def test_a_folder_that_cannot_be_written_to_is_refused_before_painting(
    refused: Callable[..., str], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "digressions.cli.frame_command.load_model"
    monkeypatch.setattr(command, lambda *_: pytest.fail("too late"))
    said = refused("frame", "wall.png", "a cat", "-o", "wall.png/o")
    assert said.endswith("wall.png is not a folder: choose another -o")


def test_pictures_are_painted_picked_printed_and_hung(
    digress: Callable[..., Ran], photos: Path
) -> None:
    command = ("frame", "wall.png", "a fox", "-n", 2, "--steps", 1, "--upscaler", "lanczos")
    command = (*command, "--compose", "stretch")  # a few pixels refine a picture painted at once
    ran = digress(*command, "-o", "o")
    assert ran.code == 0, ran.err
    assert "2 pictures for 1 frame; the network is asked 4 times" in ran.out
    assert "--pick" in ran.out
    ran = digress(*command, "--pick", 2, "--size", "3x4cm", "--refine", "a frog", "-o", "o")
    assert ran.code == 0, ran.err
    for name in ("o/picture.png", "o/print.pdf", "o/room.png", "o/before-after.jpg"):
        assert f"{name}\n" in ran.out
        assert (photos / name).exists()


def test_an_experiment_is_told(digress: Callable[..., Ran], photos: Path) -> None:
    ran = digress("frame", "wall.png", "a frog", "--explain", "-n", 3, "--steps", 1, "-o", "o")
    assert ran.code == 0, ran.err
    assert "In sum: " in ran.out
    assert "o/explain/explain.txt\n" in ran.out
    assert "with --room 0.25" in ran.out


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
        "import sys; from digressions.cli.app import main; "
        "sys.argv = ['digress', 'frame', 'wall.png', '--find', '-o', 'o']; main(); "
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
