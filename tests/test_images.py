"""Pictures in and out: every common kind is read right, every bad one refused in one line."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from digressions.errors import ImageError, OutputError
from digressions.events import completed
from digressions.images import image_files as images
from digressions.images.contact_sheet import comparison_sheet, contact_sheet
from digressions.images.image_files import (
    cover,
    read_image,
    read_text,
    resample,
    to_array,
    to_tensor,
    write_image,
)
from digressions.images.mask_files import source_mask
from digressions.images.source_image import SourceImage, source_image
from digressions.images.xmp import xmp_packet
from digressions.mosaics.deep_zoom import write_single

TEXT = {"parameters": "écrite à la main, 亀 🐢\nSteps: 3", "digressions": '{"a": "ünï\\u0000"}'}
SUFFIXES = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".PNG"]


def refused(path: Path, **options: int) -> str:
    with pytest.raises(ImageError) as error:
        read_image(path, **options)
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    return text


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # a white corner at the top left
    # What a camera would store so that this orientation shows it upright.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    assert np.array_equal(read_image(path), upright)


def test_alpha_shows_the_background(tmp_path: Path) -> None:
    rgba = np.zeros((4, 3, 4), np.uint8)
    rgba[..., :3] = (200, 100, 0)
    rgba[0, :, 3], rgba[1, :, 3] = 255, 128
    path = tmp_path / "a.png"
    Image.fromarray(rgba).save(path)
    seen = read_image(path, background=(0, 0, 255))
    assert seen[0, 0].tolist() == [200, 100, 0]
    assert np.abs(seen[1, 0].astype(int) - [100, 50, 127]).max() <= 1
    assert seen[2, 0].tolist() == [0, 0, 255]
    assert read_image(path)[2, 0].tolist() == [255, 255, 255]


def test_a_transparent_colour_of_a_palette_shows_the_background(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.png", transparency=1)
    assert read_image(tmp_path / "a.png").tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_a_palette_is_looked_up(tmp_path: Path, photo: np.ndarray) -> None:
    few = Image.fromarray(photo).quantize(16)
    few.save(tmp_path / "a.gif")
    assert np.array_equal(read_image(tmp_path / "a.gif"), np.asarray(few.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(values).save(path)
    assert read_image(path)[0, :, 1].tolist() == [0, 1, 128, 255]


def test_float_grey_is_0_to_1(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[-0.0005, 0.0, 0.5, 1.0, 1.0005]], np.float32)).save(path)
    assert read_image(path)[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    Image.fromarray(np.array([[0.0, 0.5, 255.0]], np.float32)).save(path)
    with pytest.raises(ImageError, match="its floats go from 0 to 255, and those of a picture"):
        read_image(path)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "RGB", "CMYK"])
def test_common_modes_become_rgb(tmp_path: Path, photo: np.ndarray, mode: str) -> None:
    picture = Image.fromarray(photo).convert(mode)
    picture.save(tmp_path / "a.tif")
    seen = read_image(tmp_path / "a.tif")
    assert seen.shape == photo.shape
    assert seen.dtype == np.uint8
    assert np.abs(seen.astype(int) - np.asarray(picture.convert("RGB"))).max() <= 1


def test_a_cmyk_jpeg_has_the_right_colours(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg")[8, 8].astype(int) - [255, 0, 0]).max() <= 3


def test_an_embedded_profile_is_converted_from(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (4, 4), (200, 100, 50)).save(tmp_path / "a.png", icc_profile=lab)
    assert np.abs(read_image(tmp_path / "a.png")[0, 0].astype(int) - [200, 100, 50]).max() <= 1


def test_a_broken_profile_is_ignored(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (200, 100, 50)).save(tmp_path / "a.png", icc_profile=b"nonsense")
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == [200, 100, 50]


def test_of_an_animation_the_first_picture(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert read_image(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def test_a_mask_is_white_where_to_paint_and_transparent_is_keep(tmp_path: Path) -> None:
    mask = np.zeros((1, 3, 4), np.uint8)
    mask[0, 0] = (255, 255, 255, 255)
    mask[0, 1] = (0, 0, 0, 255)
    mask[0, 2] = (255, 255, 255, 0)
    Image.fromarray(mask).save(tmp_path / "m.png")
    assert source_mask(tmp_path / "m.png").pixels.tolist() == [[255, 0, 0]]


# --- bad input -------------------------------------------------------------------------------


def test_no_such_file(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "a.png")


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert "is empty" in refused(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4 no", bytes(999)])
def test_not_a_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    refused(tmp_path / "a.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch(mode=0)
    assert "permission denied" in refused(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".gif", ".bmp"])
@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_a_truncated_file_is_refused(
    tmp_path: Path, photo: np.ndarray, suffix: str, part: float
) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(photo).save(path)
    whole, right = path.read_bytes(), read_image(path)
    path.write_bytes(whole[: int(len(whole) * part)])
    if part > 0.9 and suffix == ".png":  # every pixel may be there
        with contextlib.suppress(ImageError):
            assert np.array_equal(read_image(path), right)
    else:
        refused(path)


def chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size, with next to nothing in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [14_200, 19_000, 30_000, 2**30])
def test_a_decompression_bomb_is_refused_unopened(tmp_path: Path, side: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(bomb(side, side))
    line = refused(path)
    assert "more than the 200,000,000" in line
    assert "make it smaller" in line


@pytest.mark.filterwarnings("error")
def test_our_limit_decides_not_pillows(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    path = tmp_path / "a.png"
    path.write_bytes(bomb(20_000, 9_500))  # above Pillow's limit of 179 million, below ours
    assert "damaged" in refused(path)  # it got as far as the pixels, which are missing
    path.write_bytes(bomb(20_000, 12_000))
    assert "20,000 x 12,000 pixels, more than the 200,000,000" in refused(path)
    assert before == Image.MAX_IMAGE_PIXELS


def test_the_limit_is_the_callers(tmp_path: Path, photo: np.ndarray) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    assert "64 x 48" in refused(tmp_path / "a.png", max_pixels=64 * 48 - 1)
    read_image(tmp_path / "a.png", max_pixels=64 * 48)


@pytest.mark.parametrize("read", [source_image, source_mask])
def test_a_bad_file_has_no_hash(tmp_path: Path, read: Callable[[Path], SourceImage]) -> None:
    (tmp_path / "text.png").write_bytes(b"hello")
    (tmp_path / "bomb.png").write_bytes(bomb(15_000, 15_000))
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("text.png", "bomb.png", "pipe.png", "none.png", "."):
        with pytest.raises(ImageError) as error:
            read(tmp_path / name)
        assert str(tmp_path / name) in str(error.value)


@settings(max_examples=60)
@given(st.data())
def test_no_damage_does_worse_than_an_image_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF"]))
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((20, 20)).convert("RGB").save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a"
    path.write_bytes(content)
    for read in (read_image, read_text):
        try:
            read(path)
        except ImageError as error:
            assert "\n" not in str(error)  # noqa: PT017


# --- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_picture_and_texts_come_back(tmp_path: Path, photo: np.ndarray, suffix: str) -> None:
    path = write_image(tmp_path / "new" / f"a{suffix}", photo, TEXT)
    assert read_text(path) == TEXT
    seen = read_image(path)
    if suffix.lower() in (".png", ".tif", ".tiff"):
        assert np.array_equal(seen, photo)
    else:
        assert np.abs(seen.astype(int) - photo).mean() < 6
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@settings(max_examples=25)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
    st.sampled_from(SUFFIXES),
)
def test_any_prompt_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, prompt: str, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("text") / f"a{suffix}"
    write_image(path, np.zeros((2, 2, 3), np.uint8), {"parameters": prompt})
    assert read_text(path) == {"parameters": prompt}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_picture_without_texts_has_none(tmp_path: Path, photo: np.ndarray, suffix: str) -> None:
    assert read_text(write_image(tmp_path / f"a{suffix}", photo)) == {}


def test_foreign_texts_are_no_obstacle(tmp_path: Path, photo: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a holiday picture"  # ImageDescription that is no JSON
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\x00\x00\x00hello"
    Image.fromarray(photo).save(tmp_path / "a.jpg", exif=exif)
    assert read_text(tmp_path / "a.jpg") == {}


def test_text_of_no_picture_is_an_image_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"hello")
    for path in (tmp_path / "a.png", tmp_path / "none.png", tmp_path):
        with pytest.raises(ImageError):
            read_text(path)


@pytest.mark.parametrize("read", [read_image, read_text])
def test_what_is_no_file_is_refused_without_waiting(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match="is not a file"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("read", [read_image, read_text])
def test_a_kind_that_runs_programs_is_not_opened(
    tmp_path: Path, photo: np.ndarray, read: Callable[[Path], object]
) -> None:
    Image.fromarray(photo).save(tmp_path / "a.eps")
    with pytest.raises(ImageError, match="kind that is not known"):
        read(tmp_path / "a.eps")


def test_what_is_read_or_fitted_can_be_changed(tmp_path: Path, photo: np.ndarray) -> None:
    path, grey = tmp_path / "a.png", tmp_path / "grey.png"
    Image.fromarray(photo).save(path)
    Image.fromarray(photo).convert("L").save(grey)
    for array in (
        read_image(path),
        source_image(path).pixels,
        source_image(photo).pixels,
        source_mask(grey).pixels,
        resample(photo, 20, 10),
        cover(photo, 20, 20),
    ):
        array[0, 0] = 7


def test_pixels_and_hash_are_those_of_the_file(tmp_path: Path, photo: np.ndarray) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(photo).convert("L").save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    picture, of_picture = source_image(path)[:2]
    mask, of_mask = source_mask(path)[:2]
    assert np.array_equal(picture, read_image(path))
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    assert np.array_equal(mask[(grey > 8) & (grey < 247)], grey[(grey > 8) & (grey < 247)])
    assert of_picture == of_mask == {"path": str(path), "sha256": digest}


def test_pixels_and_hash_are_of_one_read(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path)
    reads = []
    read_bytes, open_file = Path.read_bytes, io.open
    monkeypatch.setattr(Path, "read_bytes", lambda p: reads.append(p) or read_bytes(p))
    monkeypatch.setattr(
        "builtins.open", lambda p, *a, **k: reads.append(p) or open_file(p, *a, **k)
    )
    source_image(path)
    assert reads == [path]


def test_the_ground_of_alpha_is_srgb_whatever_the_profile(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Red and green exchanged, so that what goes through it is another colour.
    swapped = srgb.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")
    picture = Image.new("RGBA", (4, 4), (250, 10, 10, 255))
    picture.putpixel((0, 0), (250, 10, 10, 0))
    picture.save(tmp_path / "a.png", icc_profile=swapped)
    seen = read_image(tmp_path / "a.png", background=(10, 120, 240)).astype(int)
    assert np.abs(seen[0, 0] - (10, 120, 240)).max() <= 1
    assert seen[3, 3, 1] > seen[3, 3, 0] + 100


def test_a_link_is_written_through(tmp_path: Path, photo: np.ndarray) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    write_image(tmp_path / "link.png", photo)
    assert (tmp_path / "link.png").is_symlink()
    assert np.array_equal(read_image(tmp_path / "real.png"), photo)


@pytest.mark.parametrize(
    ("suffix", "text", "reason"),
    [(".jpg", "frog " * 20_000, "too long for a JPEG"), (".png", "\ud83d", "no file can store")],
)
def test_a_text_that_does_not_fit_is_one_line(
    tmp_path: Path, photo: np.ndarray, suffix: str, text: str, reason: str
) -> None:
    with pytest.raises(OutputError, match=reason):
        write_image(tmp_path / f"a{suffix}", photo, {"digressions": text})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "most"), [(".webp", 16_383), (".jpg", 65_500), (".JPEG", 65_500)]
)
def test_a_side_that_the_kind_of_file_cannot_have(tmp_path: Path, suffix: str, most: int) -> None:
    path = tmp_path / f"a{suffix}"
    for shape in ((most + 1, 1, 3), (1, most + 1, 3)):
        with pytest.raises(OutputError, match=rf"at most {most:,}: use \.png or \.tif") as error:
            write_image(path, np.zeros(shape, np.uint8))
        assert str(path) in str(error.value)
    assert list(tmp_path.iterdir()) == []
    write_image(path, np.zeros((1, most, 3), np.uint8))
    write_image(tmp_path / "a.tif", np.zeros((1, most + 1, 3), np.uint8))


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_texts_come_backtexts_of_xmp(tmp_path: Path, photo: np.ndarray, suffix: str) -> None:
    strips = iter([photo[:20], photo[20:]])
    packet = xmp_packet(TEXT)
    path = completed(write_single(strips, 64, 48, tmp_path / f"a{suffix}", xmp=packet))
    assert read_text(path) == TEXT


def test_a_failing_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_image(tmp_path / "a.png", photo)
    before = path.read_bytes()

    def full(self: Image.Image, file: Path, *_: object, **__: object) -> None:
        Path(file).write_bytes(before[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images.Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        write_image(path, photo[::-1])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written(tmp_path: Path, photo: np.ndarray) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "a.png", Path("/proc/nothing/a.png")):
        with pytest.raises(OutputError) as error:
            write_image(path, photo)
        assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["a.bmp", "a", "a.png.exe"])
def test_another_suffix_is_refused(tmp_path: Path, photo: np.ndarray, name: str) -> None:
    with pytest.raises(OutputError, match=r"use \.png"):
        write_image(tmp_path / name, photo)
    assert list(tmp_path.iterdir()) == []


# --- in between ------------------------------------------------------------------------------


def test_to_torch_and_back_is_exact(photo: np.ndarray) -> None:
    tensor = to_tensor(photo)
    assert tensor.shape == (3, 48, 64)
    assert float(tensor.max()) <= 1
    assert np.array_equal(to_array(tensor), photo)


def test_cover_cuts_the_middle_and_keeps_the_aspect() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    assert cover(wide, 10, 10).min() == 255
    assert cover(wide, 60, 20).shape == (20, 60, 3)


def test_resample_keeps_the_mean_and_an_equal_size(photo: np.ndarray) -> None:
    assert resample(photo, 64, 48) is photo
    small = resample(photo, 16, 12)
    assert small.shape == (12, 16, 3)
    assert np.abs(small.mean((0, 1)) - photo.mean((0, 1))).max() < 2


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("labelled", [False, True])
def test_a_contact_sheet_shows_every_picture_whole(count: int, labelled: bool) -> None:
    pictures = [np.full((12, 20, 3), 60 + 20 * i, np.uint8) for i in range(count)]
    labels = [f"seed {i}" for i in range(count)] if labelled else None
    sheet = contact_sheet(pictures, labels=labels)
    for picture in pictures:
        assert (sheet == picture[0, 0]).all(-1).sum() >= 12 * 20


def ink(sheet: np.ndarray) -> float:
    """How much is written on a sheet of black pictures."""
    return float((sheet.astype(float).mean(-1) - 25).clip(0).sum())


@pytest.mark.parametrize(
    "label", ["seed 12345678901234567890", "balance 12.3 % (seed 4)", "a frog " * 9, "w" * 60, ""]
)
def test_no_label_of_a_sheet_is_cut(label: str) -> None:
    """Under a small picture there is as much of it as under a large one."""
    small, large = (np.zeros((side, side, 3), np.uint8) for side in (16, 900))
    wanted = ink(contact_sheet([large], labels=[label]))
    assert ink(contact_sheet([small], labels=[label])) == pytest.approx(wanted, rel=0.03)
    both = contact_sheet([small, small], columns=2, labels=[label, "b"])
    only = ink(contact_sheet([small], labels=["b"]))
    assert ink(both) - only == pytest.approx(wanted, rel=0.03, abs=1)
    table = [comparison_sheet([[large]], [text], ["x"]) for text in (label, "")]
    narrow = [comparison_sheet([[small]], [text], ["x"], least=16) for text in (label, "")]
    assert ink(narrow[0]) - ink(narrow[1]) == pytest.approx(ink(table[0]) - ink(table[1]), rel=0.03)


def test_a_contact_sheet_takes_any_sizes() -> None:
    pictures = [np.full((12, 40, 3), 90, np.uint8), np.full((30, 20, 3), 150, np.uint8)]
    sheet = contact_sheet(pictures, columns=2, labels=["a frog " * 50, "b"])
    for picture in pictures:
        assert (sheet == picture[0, 0]).all(-1).sum() >= picture[..., 0].size
    lettered = (sheet != (24, 24, 27)).any(-1)[8 + 30 :]
    assert lettered[:, 8 : 8 + 40].any()
    assert not lettered[:, 8 + 40 : 8 + 48].any()  # the gap to the next
