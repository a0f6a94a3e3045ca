"""Masks that select nothing or do not fit are refused alike everywhere, before a model loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import digressions as dg
from digressions.errors import InputError
from digressions.images.image_files import read_image, write_image
from digressions.images.mask_files import read_mask, source_mask
from digressions.images.source_image import source_image
from digressions.models.base import Model

PAINTERS = {
    "paint": ("paint", "a frog", "--image", "room.png"),
    "ensemble": ("ensemble", "a frog", "a fox", "--image", "room.png"),
    "frame": ("frame", "room.png", "a frog"),
}
WIDE, HIGH = 96, 64


def square() -> np.ndarray:
    mask = np.zeros((HIGH, WIDE), np.uint8)
    mask[16:48, 24:72] = 255
    return mask


def palette_mask() -> Image.Image:
    """Indices 0 and 1, as programs that label pictures write them."""
    found = Image.fromarray((square() > 0).astype(np.uint8)).convert("P")
    found.putpalette([0, 0, 0, 128, 0, 0])
    return found


NOTHING = {
    "black": Image.fromarray(np.zeros((HIGH, WIDE), np.uint8)),
    "zeros and ones": Image.fromarray((square() > 0).astype(np.uint8)),
    "a palette": palette_mask(),
    "transparent white": Image.merge(
        "RGBA", [Image.new("L", (WIDE, HIGH), value) for value in (255, 255, 255, 0)]
    ),
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = np.random.default_rng(1).integers(0, 256, (HIGH, WIDE, 3), np.uint8)
    write_image("room.png", photo)


@pytest.fixture
def unloaded(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    import digressions.models.loading

    def load(*_: Any, **__: Any) -> None:
        raise AssertionError("the model is loaded before the mask is looked at")

    monkeypatch.setattr(digressions.models.loading, "load", load)
    return refused


@pytest.mark.parametrize("mask", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("command", PAINTERS.values(), ids=PAINTERS)
def test_a_mask_that_selects_nothing(
    unloaded: Callable[..., str], command: tuple[str, ...], mask: Image.Image
) -> None:
    mask.save("m.png")
    line = unloaded(*command, "--mask", "m.png")
    assert "--mask m.png has nothing white in it, its brightest value is" in line
    assert "make white (255) what is to be painted" in line


@pytest.mark.parametrize("size", [(64, 64), (WIDE * 2, HIGH * 2), (HIGH, WIDE)])
@pytest.mark.parametrize("command", PAINTERS.values(), ids=PAINTERS)
def test_a_mask_of_another_size(
    unloaded: Callable[..., str], command: tuple[str, ...], size: tuple[int, int]
) -> None:
    Image.new("L", size, 255).save("m.png")
    line = unloaded(*command, "--mask", "m.png")
    assert f"m.png is {size[0]} x {size[1]} pixels, room.png is {WIDE} x {HIGH}" in line
    assert "a mask needs the size of its photo" in line


def test_python_refuses_them_too(bundled: Model) -> None:
    photo = read_image("room.png")
    for mask in ((square() > 0).astype(np.uint8), np.zeros((HIGH, WIDE), bool), np.zeros((8, 8))):
        for image in (photo, Image.fromarray(photo), "room.png"):
            with pytest.raises(InputError):
                dg.paint(bundled, "a frog", image=image, mask=mask)
            with pytest.raises(InputError):
                list(dg.ensemble(bundled, ["a frog", "a fox"], image=image, mask=mask))
            with pytest.raises(InputError):
                list(dg.fill_frames(bundled, image, "a frog", mask=mask))


def test_a_region_that_selects_nothing(refused: Callable[..., str]) -> None:
    NOTHING["black"].save("m.png")
    region = ("--region", "m.png", "--region", "left")
    line = refused("ensemble", "a frog", "a fox", *region)
    assert "--region m.png has nothing white in it" in line


def layered(alpha: np.ndarray) -> Image.Image:
    """A photo that somebody has erased a part of."""
    found = Image.open("room.png").convert("RGB")
    found.putalpha(Image.fromarray(alpha))
    return found


def test_a_mask_by_its_transparency() -> None:
    photo = source_image("room.png")
    layered(255 - square()).save("erased.png")
    assert np.array_equal(read_mask("erased.png", photo, "transparent").pixels, square())
    assert np.array_equal(read_mask("erased.png", photo, "opaque").pixels, 255 - square())
    assert np.array_equal(source_mask(layered(square()), "opaque").pixels, square())
    for given in ("room.png", square()):
        with pytest.raises(InputError, match=r"nowhere transparent|has no transparency"):
            read_mask(given, photo, "opaque")
    with pytest.raises(InputError, match="nothing white"):
        read_mask(layered(np.full((HIGH, WIDE), 254, np.uint8)), photo, "transparent")


def test_a_mask_of_colours_that_are_clear_says_what_mends_it() -> None:
    photo = source_image("room.png")
    Image.merge("RGBA", [Image.new("L", (WIDE, HIGH))] * 3 + [Image.fromarray(square())]).save(
        "brush.png"
    )
    with pytest.raises(InputError, match="say with mask_alpha which of its parts"):
        read_mask("brush.png", photo)


def colourful() -> np.ndarray:
    across, down = np.meshgrid(np.linspace(0, 255, WIDE), np.linspace(0, 255, HIGH))
    return np.dstack([across, down, 255 - across]).astype(np.uint8)


def test_a_photo_is_no_mask(refused: Callable[..., str]) -> None:
    Image.fromarray(colourful()).save("photo.png")
    with_hole = Image.fromarray(np.dstack([colourful(), 255 - square()]))
    with_hole.save("erased.png")
    for command in PAINTERS.values():
        line = refused(*command, "--mask", "photo.png")
        assert "--mask photo.png is a picture in colours, and a mask is black and white" in line
        assert "--mask-alpha which of its parts" in refused(*command, "--mask", "erased.png")
    region = refused("ensemble", "a frog", "a fox", "--region", "photo.png", "--region", "left")
    assert "--region photo.png is a picture in colours" in region


def test_a_mask_may_be_painted_in_one_colour_or_fade() -> None:
    photo = source_image("room.png")
    yellow = np.zeros((HIGH, WIDE, 3), np.uint8)
    yellow[square() > 0] = (255, 230, 40)
    assert read_mask(Image.fromarray(yellow), photo).pixels.max() > 200
    fading = np.tile(np.linspace(0, 255, WIDE).astype(np.uint8), (HIGH, 1))
    assert len(np.unique(read_mask(Image.fromarray(fading), photo).pixels)) > 10


@pytest.mark.parametrize("command", list(PAINTERS.values())[:2], ids=list(PAINTERS)[:2])
def test_an_erased_part_is_painted_and_replayed(
    digress: Any, refused: Callable[..., str], command: tuple[str, ...]
) -> None:
    layered(255 - square()).save("erased.png")
    asked = (*command, "--mask", "erased.png", "--mask-alpha", "transparent", "--steps", 2)
    ran = digress(*asked, "-o", "a.png")
    assert ran.code == 0, ran.err
    found, photo = read_image("a.png"), read_image("room.png")
    assert np.array_equal(found[square() == 0], photo[square() == 0])
    assert not np.array_equal(found, photo)
    assert digress("replay", "a.png").code == 0
    assert np.array_equal(read_image("a-replay.png"), found)
    assert "--mask-alpha is about a --mask" in refused(*command, "--mask-alpha", "opaque")


def test_a_frame_by_transparency_is_replayed(digress: Any) -> None:
    layered(255 - square()).save("erased.png")
    asked = ("frame", "room.png", "--mask", "erased.png", "--mask-alpha", "transparent")
    for folder, more in (("painted", ("a frog", "--steps", 2)), ("hung", ("--insert", "room.png"))):
        ran = digress(*asked, *more, "-o", folder)
        assert ran.code == 0, ran.err
        assert digress("replay", f"{folder}/room.png").code == 0
        assert np.array_equal(
            read_image(f"{folder}/room-replay.png"), read_image(f"{folder}/room.png")
        )


def test_the_noise_of_a_jpeg_selects_nothing() -> None:
    Image.fromarray(square()).save("m.jpg", quality=60)
    mask = source_mask("m.jpg").pixels
    assert (mask[:4] == 0).all()
    assert (mask[24:40, 32:64] == 255).all()
    noisy = np.full((HIGH, WIDE), 3, np.uint8)
    noisy[16:48, 24:72] = 252
    assert np.array_equal(source_mask(noisy).pixels, square())
