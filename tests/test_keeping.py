"""What goes along from a photo's file on request: the camera's EXIF, and the colour profile."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import digressions as dg
from digressions.images.carried import carried_by
from digressions.images.image_files import read_image, read_text, write_image
from digressions.models.base import Model

from .conftest import Ran
from .profiles import lab, wide_rgb
from .walls import OPENING, framed, stripes

Digress = Callable[..., Ran]
Refused = Callable[..., str]
BOTH = ("--keep-exif", "--keep-icc")
QUICK = ("--steps", "2", "--size", "16", "--enlarge", "1", "--seed", "1")


def camera_photo(path: Path, pixels: np.ndarray) -> Path:
    """A JPEG as a phone writes it: turned, with a place, a maker's note and a wide profile."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Acme"
    exif[ExifTags.Base.Orientation] = 6
    inner = {ExifTags.Base.FocalLengthIn35mmFilm: 28, ExifTags.Base.MakerNote: b"x" * 99}
    exif[ExifTags.IFD.Exif] = inner
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (48.0, 8.0, 1.0)}
    profile = wide_rgb()
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(pixels)))
    turned.save(path, "JPEG", quality=95, subsampling=0, exif=exif, icc_profile=profile)
    return path


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return camera_photo(tmp_path / "room.jpg", framed())


def tags_of(path: Path) -> Image.Exif:
    with Image.open(path) as image:
        image.load()
        return image.getexif()


def profile_of(path: Path) -> bytes | None:
    with Image.open(path) as image:
        found = image.info.get("icc_profile")
        return bytes(found) if found else None


def corners() -> list[str]:
    return ["--corners", *(f"{x:.1f},{y:.1f}" for x, y in OPENING)]


def commands(room: Path) -> dict[str, tuple[list[object], str]]:
    mask = np.zeros(framed().shape[:2], np.uint8)
    mask[150:200, 250:300] = 255
    Image.fromarray(mask).save(room.with_name("mask.png"))
    write_image(room.with_name("own.png"), stripes())
    over = ["--image", room, *QUICK]
    masked = ["--image", room, "--mask", "mask.png", "--steps", "2", "--seed", "1"]
    return {
        "paint": (["frog", *over, "-o", "a.png"], "a.png"),
        "paint masked": (["frog", *masked, "-o", "a.jpg"], "a.jpg"),
        "ensemble": (["frog", "fox", *over, "-o", "a.webp"], "a.webp"),
        "upscale": ([room, "--times", "1.5", "--upscaler", "lanczos", "-o", "a.tif"], "a.tif"),
        "frame": ([room, "--insert", "own.png", *corners(), "-o", "a"], "a/room.png"),
        "frame painted": ([room, "frog", "--steps", "2", *corners(), "-o", "a"], "a/room.png"),
    }


NAMES = ("paint", "paint masked", "ensemble", "upscale", "frame", "frame painted")


@pytest.mark.parametrize("name", NAMES)
def test_on_request_the_photos_exif_and_profile_go_along_and_else_not(
    digress: Digress, room: Path, name: str
) -> None:
    arguments, output = commands(room)[name]
    command = name.split()[0]
    assert digress(command, *arguments).code == 0
    assert ExifTags.Base.Make not in tags_of(Path(output))
    assert profile_of(Path(output)) is None
    plain = read_image(output)
    ran = digress(command, *arguments, *BOTH, "--overwrite")
    assert ran.code == 0, ran.err
    tags = tags_of(Path(output))
    assert tags[ExifTags.Base.Make] == "Acme"
    assert ExifTags.Base.Orientation not in tags  # the pixels are upright
    inner = tags.get_ifd(ExifTags.IFD.Exif)
    assert inner[ExifTags.Base.FocalLengthIn35mmFilm] == 28
    assert ExifTags.Base.MakerNote not in inner
    assert tags.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
    assert profile_of(Path(output)) == wide_rgb()
    off = np.abs(read_image(output).astype(int) - plain)
    assert off.mean() < (3 if output.endswith(("jpg", "webp")) else 0.7)  # the same colours
    assert read_text(output)  # and still it remembers how it was made


@pytest.mark.parametrize("name", NAMES)
def test_what_went_along_does_so_again(digress: Digress, room: Path, name: str) -> None:
    arguments, output = commands(room)[name]
    assert digress(name.split()[0], *arguments, *BOTH).code == 0
    again = Path(output).with_name("again" + Path(output).suffix)
    ran = digress("replay", output, "-o", again)
    assert ran.code == 0, ran.err
    assert (read_image(again) == read_image(output)).all()
    assert tags_of(again)[ExifTags.Base.Make] == "Acme"
    assert profile_of(again) == wide_rgb()


def test_pixels_in_the_profile_are_not_those_of_srgb(room: Path, digress: Digress) -> None:
    """A reader that heeds no profile sees the difference; one that does sees none."""
    arguments, output = commands(room)["upscale"]
    digress("upscale", *arguments, "--keep-icc")
    with Image.open(output) as image:
        raw = np.array(image.convert("RGB")).astype(int)
    assert np.abs(raw - read_image(output)).mean() > 1


def test_what_is_not_there_is_said(digress: Digress, tmp_path: Path) -> None:
    write_image(tmp_path / "plain.png", stripes())
    ran = digress("upscale", "plain.png", "--times", "2", "--upscaler", "lanczos", *BOTH)
    assert ran.code == 0
    assert "plain.png has no EXIF that could be kept" in ran.err
    assert "plain.png has no RGB profile that could be kept" in ran.err


def test_what_would_keep_nothing_is_refused(digress: Digress, room: Path) -> None:
    for arguments, words in (
        (("paint", "frog"), "--keep-exif is about the file of a start picture, and needs an"),
        (("ensemble", "frog", "fox"), "--keep-exif is about the file of a start picture"),
        (("frame", room, "--find"), "--keep-exif is about the room with pictures in it"),
        (("frame", room, "frog", "--explain"), "--keep-exif does nothing with --explain"),
    ):
        ran = digress(*arguments, "--keep-exif")
        assert ran.code == 2
        assert words in ran.err


def test_python_keeps_them_alike(room: Path, bundled: Model, tmp_path: Path) -> None:
    frame = dg.find_frames(room)[0]
    made = dg.hang(room, frame, stripes(), keep_exif=True, keep_icc=True)
    picture = dg.paint(
        bundled, "frog", image=room, steps=1, size=(16, 16), keep_exif=True, keep_icc=True
    )
    for name, each in (("hung.png", made), ("painted.jpg", picture)):
        path = each.save(tmp_path / name)
        assert tags_of(path)[ExifTags.Base.Make] == "Acme"
        assert profile_of(path) == wide_rgb()


def test_profiles_that_do_not_fit_and_damaged_tags_do_not_go_along(photo: np.ndarray) -> None:
    grey = Image.fromarray(photo).convert("L")
    for profile in (b"no profile at all", lab()):
        content = io.BytesIO()
        grey.convert("RGB").save(content, "PNG", icc_profile=profile, exif=b"Exif\0\0damaged")
        content.seek(0)
        with Image.open(content) as image:
            image.load()
            assert carried_by(image) == (None, None)
