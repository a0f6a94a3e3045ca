"""A file's own colours become sRGB, whatever its mode and profile."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image, ImageCms

from digressions.images.image_files import read_image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Red and green exchanged, so that what goes through it is another colour.
SWAPPED = SRGB.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")


def linear_grey() -> bytes:
    """A grey ICC profile (ICC.1:2001-04) without gamma: 128 is half the light, sRGB 188."""
    white = struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1.0, 0.8249)))
    text = b"linear grey\x00"
    tags = {
        b"desc": b"desc" + struct.pack(">2I", 0, len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + text,
        b"wtpt": b"XYZ " + bytes(4) + white,
        b"kTRC": b"curv" + struct.pack(">2I", 0, 0),
    }
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">2I", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    head[0:4] = struct.pack(">I", start + len(body))
    head[8:24] = struct.pack(">I", 0x02400000) + b"mntr" + b"GRAY" + b"XYZ "
    head[36:40], head[68:80] = b"acsp", white
    return bytes(head) + table + body


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_is_converted_from_its_profile(tmp_path: Path, mode: str) -> None:
    values = np.array([[0, 128, 255]], np.uint8)
    if mode == "LA":
        picture = Image.fromarray(np.stack([values, np.full_like(values, 255)], -1), "LA")
    else:
        picture = Image.fromarray(values if mode == "L" else values.astype(np.uint16) * 257)
    assert picture.mode == mode
    picture.save(tmp_path / "a.png", icc_profile=linear_grey())
    seen = read_image(tmp_path / "a.png").astype(int)
    assert np.abs(seen - [[[0] * 3, [188] * 3, [255] * 3]]).max() <= 1


def test_the_alpha_of_grey_shows_the_background(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[[128, 0], [128, 255]]], np.uint8), "LA")
    picture.save(tmp_path / "a.png", icc_profile=linear_grey())
    seen = read_image(tmp_path / "a.png", background=(10, 120, 240)).astype(int)
    assert seen[0, 0].tolist() == [10, 120, 240]
    assert np.abs(seen[0, 1] - 188).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_palette_looks_like_the_same_picture_without_one(tmp_path: Path, suffix: str) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([250, 10, 10, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    for name, saved in (("p", picture), ("rgb", picture.convert("RGB"))):
        saved.save(tmp_path / f"{name}{suffix}", icc_profile=SWAPPED)
    seen = read_image(tmp_path / f"p{suffix}")
    assert np.array_equal(seen, read_image(tmp_path / f"rgb{suffix}"))
    assert seen[0, 0, 1] > seen[0, 0, 0] + 100


def test_a_transparent_colour_of_a_palette_with_a_profile(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([250, 10, 10, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.png", icc_profile=SWAPPED, transparency=1)
    seen = read_image(tmp_path / "a.png", background=(10, 120, 240))
    assert seen[0, 1].tolist() == [10, 120, 240]
    assert seen[0, 0, 1] > seen[0, 0, 0] + 100


@pytest.mark.parametrize("profile", [linear_grey(), SRGB[:200]], ids=["grey", "cut off"])
def test_a_profile_for_other_colours_is_ignored(tmp_path: Path, profile: bytes) -> None:
    Image.new("RGB", (4, 4), (200, 100, 50)).save(tmp_path / "a.png", icc_profile=profile)
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == [200, 100, 50]


YCBCR = pytest.param(
    "YCbCr",
    marks=pytest.mark.skipif(
        int(PIL.__version__.split(".")[0]) < 13, reason="Pillow 12 cannot read what it writes"
    ),
)


@pytest.mark.parametrize("mode", ["LAB", YCBCR, "RGBA", "RGBX", "P"])
def test_rarer_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGB", (8, 8), (204, 102, 51))
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    else:
        converted = picture.convert(mode, dither=Image.Dither.NONE)
    assert converted is not None
    converted.save(tmp_path / "a.tif")
    assert np.abs(read_image(tmp_path / "a.tif").astype(int) - [204, 102, 51]).max() <= 3
