"""A user's picture comes in any form; a file is remembered by what is in it, and taken again only
while it is that."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from digressions.errors import ImageError, InputError
from digressions.images.mask_files import remembered_mask, source_mask
from digressions.images.source_image import as_array, remembered_image, source_image


@pytest.mark.parametrize("mask", [False, True])
def test_what_is_remembered_gives_the_same_pixels_again(
    tmp_path: Path, photo: np.ndarray, mask: bool
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path)
    picture = source_image(path)
    first = source_mask(path, remembered=True) if mask else picture  # of a photo, as in old files
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert first.origin == {"path": str(path), "sha256": digest}
    assert first.pixels.shape == (photo.shape[:2] if mask else photo.shape)
    origin = first.origin
    again = remembered_mask(origin, picture) if mask else remembered_image(origin)
    assert again.origin == first.origin
    assert np.array_equal(again.pixels, first.pixels)


def test_the_same_pixels_in_other_bytes_are_another_file(tmp_path: Path, photo: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path, compress_level=1)
    origin = source_image(path).origin
    Image.fromarray(photo).save(path, compress_level=9)
    with pytest.raises(InputError, match=r"a\.png is not the picture it was"):
        remembered_image(origin)


def test_a_file_that_is_gone_or_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(InputError, match="is not there"):
        remembered_image({"path": str(path), "sha256": "0"})
    with pytest.raises(InputError, match="is not there"):
        remembered_image({})
    path.write_text("no picture")
    with pytest.raises(ImageError, match="not a picture"):
        source_image(path)


# --- any form --------------------------------------------------------------------------------


def test_a_picture_is_the_same_in_every_form(tmp_path: Path, photo: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path)
    forms = [path, str(path), Image.open(path), Image.fromarray(photo), photo, photo.tolist()]
    forms += [photo.astype(np.int64), photo / 255, (photo / 255).astype(np.float32)]
    forms += [torch.from_numpy(photo), np.asfortranarray(photo), photo[::-1][::-1]]
    for form in forms:
        pixels = as_array(form)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, photo)


def test_what_is_transparent_is_white_in_a_picture_and_kept_by_a_mask() -> None:
    picture = Image.fromarray(np.array([[[200, 100, 0, 255], [200, 100, 0, 0]]], np.uint8))
    assert as_array(picture).tolist() == [[[200, 100, 0], [255, 255, 255]]]
    mask = Image.fromarray(np.array([[[255, 255, 255, 255], [255, 255, 255, 0]]], np.uint8))
    assert source_mask(mask).pixels.tolist() == [[255, 0]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_a_pil_image_of_any_mode(mode: str) -> None:
    grey = Image.new("RGB", (4, 3), (255, 255, 255))
    picture = grey.convert("L").convert(mode) if mode in ("I;16", "F") else grey.convert(mode)
    if mode in ("I;16", "F"):
        picture = Image.fromarray(np.ones((3, 4), "float32") * (1 if mode == "F" else 65535))
        picture = picture if mode == "F" else Image.fromarray(np.full((3, 4), 65535, np.uint16))
    assert as_array(picture).tolist() == [[[255, 255, 255]] * 4] * 3


def test_a_pil_image_lies_as_its_camera_was_held() -> None:
    picture = Image.new("RGB", (8, 4))
    picture.getexif()[0x0112] = 6
    assert as_array(picture).shape == (8, 4, 3)


def test_a_mask_is_the_same_in_every_form(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 3:6] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    forms = [tmp_path / "m.png", Image.fromarray(mask), mask, mask > 0, mask / 255]
    forms += [np.stack([mask] * 3, -1), torch.from_numpy(mask > 0)]
    for form in forms:
        assert source_mask(form).pixels.dtype == np.uint8
        assert np.array_equal(source_mask(form).pixels, mask)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\) is not a picture: give a path"),
        (np.zeros((3, 4, 5), np.uint8), r"shape \(3, 4, 5\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.full((4, 4, 3), 90.0), "from 0 to 1, not from 90 to 90"),
        (np.full((4, 4, 3), np.nan), "no numbers"),
        (np.full((4, 4, 3), -1), "from 0 to 255, not from -1 to -1"),
        (np.full((4, 4, 3), "a"), "array of <U1 is not a picture"),
        (np.zeros((4, 4, 3), bool), "array of bool"),
        ([[1], [2, 3]], "list is not a picture"),
        (None, "NoneType is not a picture"),
        (7, "int is not a picture"),
        ("", "is a folder"),
        ("none.png", "no such file"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_line(picture: object, words: str) -> None:
    with pytest.raises(ImageError, match=words) as refused:
        as_array(picture)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_a_mask_that_is_none() -> None:
    with pytest.raises(ImageError, match=r"is not a mask: give .* an array \(H, W\)"):
        source_mask(np.zeros(4))


def test_a_damaged_pil_image_is_an_image_error(tmp_path: Path, photo: np.ndarray) -> None:
    Image.fromarray(photo).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-300])
    with pytest.raises(ImageError, match="cannot be decoded"):
        as_array(Image.open(tmp_path / "a.jpg"))


def test_pixels_in_memory_are_known_apart_and_cannot_be_read_again(photo: np.ndarray) -> None:
    first, same, other = (source_image(each).origin for each in (photo, photo.copy(), photo[1:]))
    assert first == same != other
    assert first["path"] == ""
    with pytest.raises(InputError, match="a picture in memory"):
        remembered_image(first)
