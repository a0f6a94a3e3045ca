"""A user's file is remembered by what is in it, and taken again only while it is that."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digressions.errors import ImageError, InputError
from digressions.pictures.original import read_again, read_original


@pytest.mark.parametrize("mask", [False, True])
def test_what_is_remembered_gives_the_same_pixels_again(
    tmp_path: Path, photo: np.ndarray, mask: bool
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path)
    first = read_original(path, mask=mask)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert first.origin == {"path": str(path), "sha256": digest}
    assert first.pixels.shape == (photo.shape[:2] if mask else photo.shape)
    again = read_again(first.origin, mask=mask)
    assert again.origin == first.origin
    assert np.array_equal(again.pixels, first.pixels)


def test_the_same_pixels_in_other_bytes_are_another_file(tmp_path: Path, photo: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path, compress_level=1)
    origin = read_original(path).origin
    Image.fromarray(photo).save(path, compress_level=9)
    with pytest.raises(InputError, match=r"a\.png is not the picture it was"):
        read_again(origin)


def test_a_file_that_is_gone_or_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(InputError, match="is not there"):
        read_again({"path": str(path), "sha256": "0"})
    with pytest.raises(InputError, match="is not there"):
        read_again({})
    path.write_text("no picture")
    with pytest.raises(ImageError, match="not a picture"):
        read_original(path)
