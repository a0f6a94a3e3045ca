"""What is cut off a picture is said, what is asked to be kept is kept, and what is transparent or
moves is not dropped in silence."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import digressions as dg
from digressions.errors import InputError
from digressions.generate.record_reading import record_of
from digressions.geometry import Box, Size, contained
from digressions.images.fitting import cut, cut_note, fitted, padded
from digressions.images.image_files import read_image, read_text, write_image
from digressions.models.base import Model

from .conftest import Ran

SIZES = st.builds(Size, st.integers(1, 90), st.integers(1, 90))


def picture(wide: int, high: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (high, wide, 3), np.uint8)


# --- geometry --------------------------------------------------------------------------------


@given(SIZES, SIZES)
def test_a_padded_picture_has_all_of_it_and_the_aspect(own: Size, size: Size) -> None:
    image = picture(*own)
    found = padded(image, size)
    high, wide = found.shape[:2]
    left, top = (wide - own.width) // 2, (high - own.height) // 2
    assert np.array_equal(found[top : top + own.height, left : left + own.width], image)
    assert wide == own.width or high == own.height
    assert abs(wide / high - size.width / size.height) * high <= max(1, size.width / size.height)
    for fit in ("cover", "pad"):
        assert fitted(image, size, fit).shape == (size.height, size.width, 3)


@given(SIZES, SIZES, st.integers(1, 8))
def test_what_is_contained_is_inside_in_multiples(own: Size, size: Size, factor: int) -> None:
    most = Size(size.width * factor, size.height * factor)
    found = contained(own, most, factor)
    assert found.width % factor == found.height % factor == 0
    assert factor <= found.width <= most.width
    assert factor <= found.height <= most.height
    assert found.width == most.width or found.height == most.height


def test_beyond_its_edges_a_picture_is_mirrored() -> None:
    image = np.arange(3, dtype=np.uint8)[None]
    row = cut(image, Box(-4, 0, 8, 1))[0].tolist()
    assert row == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]
    assert cut(image, Box(-1, 0, 4, 1), mirrored=False)[0].tolist() == [0, 0, 1, 2, 0]


def test_what_is_cut_off_is_said_by_side_and_in_pixels() -> None:
    (wide,) = cut_note("a.png", Size(101, 50), 1.0, "64x64", "keep it")
    assert wide.text == (
        "a.png is 101x50: 25 px are cut off at its left and 26 px at its right to fit 64x64 "
        "(keep it)"
    )
    (high,) = cut_note("a.png", Size(50, 100), 1.0, "a square")
    assert "25 px are cut off at its top and 25 px at its bottom to fit a square" in high.text
    assert cut_note("a.png", Size(1001, 1000), 1.0, "64x64") == []


# --- every command ---------------------------------------------------------------------------

COMMANDS = {
    "paint": ("paint", "a frog", "--steps", 1, "--size", 64),
    "ensemble": ("ensemble", "a frog", "a fox", "--steps", 1, "--size", 64),
    "mosaic": ("mosaic", "a frog", "--steps", 1, "--grid", "2x2", "--size", 16),
    "zoom": (
        *("zoom", "a frog", "--steps", 1, "--grid", 2, "--size", 16, "--levels", 1),
        *("--seconds", 0.1, "--frame-size", 32),
    ),
}
TARGET = {"paint": "o.png", "ensemble": "o.png", "mosaic": "o", "zoom": "o.gif"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    portrait = np.zeros((120, 80, 3), np.uint8)
    portrait[:20] = (255, 0, 0)  # the head
    portrait[100:] = (0, 0, 255)
    write_image("me.png", portrait)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_portrait_keeps_its_head_or_a_note_says_that_it_does_not(digress: Any, name: str) -> None:
    asked = (*COMMANDS[name], "--image", "me.png", "-o", TARGET[name])
    ran: Ran = digress(*asked)
    assert ran.code == 0, ran.err
    assert "note: me.png is 80x120: 20 px are cut off at its top and 20 px at its bottom" in ran.err
    mend = "--fit pad" if name == "zoom" else "--fit contain or pad"
    assert f"({mend} keeps all of it)" in ran.err
    asked = (*asked[:-1], f"pad-{TARGET[name]}")
    ran = digress(*asked, "--fit", "pad", *(["--strength", 0] if name != "zoom" else []))
    assert ran.code == 0, ran.err
    assert "cut off" not in ran.err
    if name == "mosaic":
        base = read_image("pad-o/base.png")
        assert base.shape[:2] == (16, 16)
        assert base[0, 8, 0] > 200 > 50 > base[0, 8, 2]
    if name in ("paint", "ensemble"):
        assert record_of(read_text("pad-o.png")).fit == "pad"
        assert digress("replay", "pad-o.png").code == 0
        assert np.array_equal(read_image("pad-o-replay.png"), read_image("pad-o.png"))


@pytest.mark.parametrize("name", ["paint", "ensemble"])
def test_contain_paints_in_the_pictures_own_aspect(digress: Any, name: str) -> None:
    asked = (*COMMANDS[name], "--image", "me.png", "--fit", "contain", "-o", "o.png")
    ran: Ran = digress(*asked)
    assert ran.code == 0, ran.err
    assert "cut off" not in ran.err
    assert read_image("o.png").shape[:2] == (64, 40)
    assert digress("replay", "o.png").code == 0
    assert np.array_equal(read_image("o-replay.png"), read_image("o.png"))


def test_contain_gives_a_mosaic_the_pictures_own_grid(digress: Any) -> None:
    asked = ("mosaic", "a frog", "--steps", 1, "--grid", "3x3", "--size", 16, "--image", "me.png")
    ran: Ran = digress(*asked, "--fit", "contain", "-o", "o")
    assert ran.code == 0, ran.err
    assert read_image("o/base.png").shape[:2] == (24, 16)


def test_a_fit_that_does_nothing_is_refused(refused: Any) -> None:
    mask = np.full((120, 80, 3), 255, np.uint8)
    write_image("m.png", mask)
    for name, asked in COMMANDS.items():
        assert "--fit is about a start picture" in refused(*asked, "--fit", "pad"), name
    line = refused("paint", "a frog", "--image", "me.png", "--mask", "m.png", "--fit", "pad")
    assert "--fit does nothing with a --mask: the image stays whole, at its own size" in line
    line = refused("zoom", "a frog", "--grid", 2, "--image", "me.png", "--fit", "contain")
    assert "--fit contain: a world has the aspect of its image by itself" in line
    line = refused("zoom", "a frog", "--grid", 2, "--image", "me.png", "--fit", "pad")
    assert "--fit pad does nothing" in line


# --- transparency and animations -------------------------------------------------------------


def glass() -> Image.Image:
    """Clear at the left, with other colours under it, and opaque green at the right."""
    layer = np.zeros((40, 60, 4), np.uint8)
    layer[:, :30] = (255, 0, 255, 0)
    layer[:, 30:] = (0, 200, 0, 255)
    return Image.fromarray(layer)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_an_enlarged_picture_keeps_its_transparency(digress: Any, suffix: str) -> None:
    glass().save("glass.png")
    ran: Ran = digress("upscale", "glass.png", "--times", 2, "-o", f"o.{suffix}")
    assert ran.code == 0, ran.err
    assert "note:" not in ran.err
    found = Image.open(f"o.{suffix}")
    assert (found.size, found.mode) == ((120, 80), "RGBA")
    values = np.asarray(found).astype(int)
    assert (values[:, :52, 3] < 8).all()
    assert (values[:, 68:, 3] > 247).all()
    # Nothing of the colours under what is clear shows at the edge.
    seen = values[..., 3] > 40
    assert np.abs(values[seen][:, :3] - (0, 200, 0)).mean() < 10
    assert digress("replay", f"o.{suffix}", "-o", f"again.{suffix}").code == 0
    assert np.array_equal(np.asarray(Image.open(f"again.{suffix}")), np.asarray(found))


def test_an_opaque_picture_with_alpha_is_enlarged_without(digress: Any) -> None:
    Image.open("me.png").convert("RGBA").save("opaque.png")
    assert digress("upscale", "opaque.png", "--upscaler", "lanczos", "-o", "o.png").code == 0
    assert Image.open("o.png").mode == "RGB"


LOSING = {
    "upscale": ("upscale", "x", "--upscaler", "lanczos", "-o", "o.jpg"),
    "print": ("print", "x", "--size", "4x6cm", "--upscaler", "lanczos", "-o", "o.pdf"),
    "paint": ("paint", "a frog", "--image", "x", "--steps", 1, "-o", "o.png"),
    "ensemble": ("ensemble", "a frog", "a fox", "--image", "x", "--steps", 1, "-o", "o.png"),
    "mosaic": (*COMMANDS["mosaic"], "--image", "x", "-o", "o"),
    "zoom": (*COMMANDS["zoom"], "--image", "x", "-o", "o.gif"),
    "frame": ("frame", "x", "--corners", "2,2", "30,2", "30,30", "2,30", "--find", "-o", "o"),
    "insert": (
        *("frame", "me.png", "--corners", "2,2", "60,2", "60,60", "2,60"),
        *("--insert", "x", "-o", "o"),
    ),
}


@pytest.mark.parametrize("command", LOSING.values(), ids=LOSING)
def test_transparency_and_further_pictures_are_not_lost_in_silence(
    digress: Any, command: tuple[object, ...]
) -> None:
    glass().save("x.png")
    ran: Ran = digress(*("x.png" if each == "x" else each for each in command))
    assert ran.code == 0, ran.err
    assert "note: x.png is transparent in places: they count as white" in ran.err
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "green", "blue")]
    frames[0].save("x.gif", save_all=True, append_images=frames[1:])
    again = ("x.gif" if each == "x" else f"2{each}" if str(each)[:2] in ("o.", "o") else each
             for each in command)  # fmt: skip
    ran = digress(*again)
    assert ran.code == 0, ran.err
    assert "note: x.gif holds 3 pictures: only the first is taken" in ran.err


def test_python_warns_of_them(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="transparent in places"):
        dg.upscale(glass(), "o.jpg", upscaler="lanczos")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dg.upscale(glass(), "o.png", upscaler="lanczos")
    with pytest.warns(UserWarning, match="transparent in places"):
        dg.print_file(glass(), "o.pdf", size="4x6cm", upscaler="lanczos")
    room = np.full((200, 240, 3), (150, 120, 90), np.uint8)
    room[40:160, 60:180] = 250
    (frame, *_) = dg.find_frames(room)
    with pytest.warns(UserWarning, match="the picture is 80x120: 20 px are cut off at its top"):
        dg.hang(room, frame, read_image("me.png"))


# --- frames from Python ----------------------------------------------------------------------


def test_a_frame_that_is_none_or_of_another_photo_is_one_line() -> None:
    room = np.full((200, 240, 3), (150, 120, 90), np.uint8)
    room[40:160, 60:180] = 250
    (frame, *_) = found = dg.find_frames(room)
    for other in (0, None, found, "1"):
        with pytest.raises(InputError, match=r"must be one of those that find_frames gives"):
            dg.hang(room, other, room)  # type: ignore[arg-type]
    for side in (1, 5, 40):
        with pytest.raises(InputError, match="take the photo that the frame was found in"):
            dg.hang(room[:side, :side], frame, room)


def test_fill_frames_finds_and_inserts(bundled: Model, tmp_path: Path) -> None:
    room = np.full((200, 240, 3), (150, 120, 90), np.uint8)
    room[40:160, 60:180] = 250
    square = picture(50, 50)
    saved = dg.finish(dg.fill_frames(bundled, room, insert=square, output="a"))
    assert [path.name for path in saved] == ["room.png", "before-after.jpg"]
    saved = dg.finish(dg.fill_frames(bundled, room, find=True, output="b"))
    assert [path.name for path in saved] == ["found.jpg", "frames.json"]
