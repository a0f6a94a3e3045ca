"""Pictures as other programs and cameras write them: read as they look, or refused by name."""

from __future__ import annotations

import importlib.util
import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from digressions.errors import ImageError, InputError, OutputError
from digressions.files import whole_file
from digressions.images.image_files import focal_length, read_image, read_text
from digressions.images.source_image import remembered_image, source_image
from digressions.prints.sizes import PAPERS, Length, parse_paper

RAMP = np.linspace(255, 0, 64)[None].repeat(8, 0)  # white at the left


def grey_tiff(path: Path, values: np.ndarray, white_is_zero: bool) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0 if white_is_zero else 1
    if values.dtype == np.uint32:  # which Pillow writes as signed
        tags[339] = 1
        values = values.view(np.int32)
    Image.fromarray(values).save(path, "TIFF", tiffinfo=tags)


@pytest.mark.parametrize(
    ("kind", "white_is_zero"),
    [
        *((np.uint8, way) for way in (False, True)),
        *((np.uint16, way) for way in (False, True)),
        *((np.float32, way) for way in (False, True)),
        *((np.uint32, way) for way in (False, True)),
    ],
)
def test_a_grey_tiff_of_any_depth(tmp_path: Path, kind: Any, white_is_zero: bool) -> None:
    path, whole = tmp_path / "a.tif", 1 if kind == np.float32 else np.iinfo(kind).max
    stored = 255 - RAMP if white_is_zero else RAMP
    values = (stored * (whole / 255)).astype(kind)
    if kind == np.uint8 and white_is_zero:
        values = RAMP.astype(np.uint8)  # of 8 bits Pillow turns what it writes
    grey_tiff(path, values, white_is_zero)
    with Image.open(path) as image:
        assert image.tag_v2[262] == (0 if white_is_zero else 1)  # type: ignore[attr-defined]
    found = read_image(path)[..., 0].astype(float)
    assert np.abs(found - RAMP).max() <= 1.5


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_grey_tiff_of_32_bits_in_either_order(
    tmp_path: Path, order: str, white_is_zero: bool
) -> None:
    stored = (255 - RAMP if white_is_zero else RAMP) * ((2**32 - 1) / 255)
    pixels, (high, wide) = stored.astype(f"{order}u4").tobytes(), RAMP.shape
    long, short, offset = 4, 3, 8
    entries = [
        *((256, long, wide), (257, long, high), (258, short, 32), (259, short, 1)),
        *((262, short, 0 if white_is_zero else 1), (273, long, offset), (277, short, 1)),
        *((278, long, high), (279, long, len(pixels)), (339, short, 1)),
    ]
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(pixels))
    content += pixels + struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        form = f"{order}HHIHH" if kind == short else f"{order}HHII"
        content += struct.pack(form, tag, kind, 1, value, *([0] * (kind == short)))
    (tmp_path / "a.tif").write_bytes(content + bytes(4))
    found = read_image(tmp_path / "a.tif")[..., 0].astype(float)
    assert np.abs(found - RAMP).max() <= 1.5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bits", [0x7F800001, 0x7FC00000, 0xFFFFFFFF])
def test_floats_that_are_no_numbers(tmp_path: Path, bits: int) -> None:
    values = np.full((4, 4), 0.5, np.float32)
    values.view(np.uint32)[1, 2] = bits
    grey_tiff(tmp_path / "a.tif", values, False)
    with pytest.raises(ImageError, match=r"no numbers \(NaN\)"):
        read_image(tmp_path / "a.tif")


def test_a_transparent_grey_of_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    values = np.array([[0, 1, 30_000, 65_535]], np.uint16)
    Image.fromarray(values).save(path, transparency=0)
    assert source_image(path).pixels[0, :, 0].tolist() == [255, 0, 117, 255]


def odd_exif() -> bytes:
    """EXIF whose directory promises more than there is."""
    return b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x20\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00"


def test_odd_exif_is_no_warning(tmp_path: Path, photo: np.ndarray) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(photo).save(path, exif=odd_exif())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in (read_image, source_image, focal_length, read_text):
            read(path)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_is_read_if_its_pixels_are_there(
    tmp_path: Path, photo: np.ndarray, progressive: bool
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", progressive=progressive)
    whole = buffer.getvalue()
    (tmp_path / "whole.jpg").write_bytes(whole)
    (tmp_path / "cut.jpg").write_bytes(whole[:-2])
    found = source_image(tmp_path / "cut.jpg")
    assert np.array_equal(found.pixels, read_image(tmp_path / "whole.jpg"))
    (note,) = found.notes()
    assert note.text.endswith("cut.jpg is cut short at its end: its pixels are all there")
    assert source_image(Image.open(tmp_path / "cut.jpg")).notes()
    assert source_image(tmp_path / "whole.jpg").notes() == []
    for lost in (3, 40, 200):
        (tmp_path / "cut.jpg").write_bytes(whole[:-lost])
        with pytest.raises(ImageError, match="is damaged"):
            read_image(tmp_path / "cut.jpg")


# --- HEIC ------------------------------------------------------------------------------------


def test_heic_is_read_with_the_extra(tmp_path: Path, photo: np.ndarray) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.heic"
    pillow_heif.from_pillow(Image.fromarray(photo)).save(path, quality=100)
    found = read_image(path).astype(int)
    assert found.shape == photo.shape
    assert np.abs(found - photo).mean() < 8


def test_heic_is_named_without_it(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.heic").write_bytes(b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heicmiaf")
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "pillow_heif" else find_spec(name, *rest),
    )
    for command in (("frame", "a.heic", "--find"), ("upscale", "a.heic"), ("print", "a.heic")):
        line = refused(*command, *(["--size", "A4"] if command[0] == "print" else []))
        assert "a.heic is HEIC: pillow-heif is not installed" in line
        assert "digressions[heic]" in line
        assert "or save it as JPEG" in line


# --- sizes and disks -------------------------------------------------------------------------


def test_papers_of_printers_and_inches_of_word_processors() -> None:
    assert parse_paper("a3+", 240, landscape=False) == pytest.approx((330.2, 482.6))
    assert parse_paper("B0", 240, landscape=False) == (1000, 1414)
    assert parse_paper("A7", 240, landscape=False) == (74, 105)
    assert list(PAPERS).count("A3+") == 1
    for text in ("8x10”", "8”x10”", "8“ x 10”", "8''x10''", '8"x10"'):
        assert parse_paper(text, 240, landscape=False) == pytest.approx((203.2, 254)), text
    assert Length.parse("0.5”") == (0.5, "in")


def test_an_encoder_that_cannot_go_on_says_it_in_words(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="cannot be written: is the disk full"),
        whole_file(tmp_path / "a.tif"),
    ):
        raise OSError("encoder error -2 when writing image file")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_system_accepts_is_no_picture() -> None:
    with pytest.raises(InputError, match="is not there"):
        remembered_image({"path": "1" * 5000, "sha256": ""})
