"""Tiles do not show: a function that looks no further than the overlap is the same in tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digressions.images.tiles import in_tiles, spans

sides = st.integers(1, 90)
tiles = st.integers(1, 6).map(lambda n: 8 * n)


def twice(picture: np.ndarray) -> np.ndarray:
    return picture.repeat(2, 0).repeat(2, 1)


@given(sides, sides, tiles, st.integers(0, 16), st.data())
def test_what_looks_at_one_pixel_is_the_same_in_tiles(
    height: int, width: int, tile: int, overlap: int, data: st.DataObject
) -> None:
    feather = data.draw(st.integers(0, overlap))
    y, x = np.mgrid[0:height, 0:width]
    for picture in (
        np.stack([x, y, x * y % 256], -1).astype(np.uint8),
        np.stack([x / 7, y / 9], -1).astype(np.float32),
    ):
        whole = twice(picture)
        tiled = in_tiles(twice, picture, 2, tile=tile, overlap=overlap, feather=feather)
        assert tiled.dtype == whole.dtype
        assert np.allclose(tiled, whole, atol=1e-5)


def test_what_looks_as_far_as_the_overlap_is_the_same_in_tiles(photo: np.ndarray) -> None:
    def neighbours(picture: np.ndarray) -> np.ndarray:  # 4 pixels around, cut at the border
        padded = np.pad(picture.astype(np.float32), ((4, 4), (4, 4), (0, 0)), mode="edge")
        return np.lib.stride_tricks.sliding_window_view(padded, (9, 9), (0, 1)).mean((-1, -2))

    tiled = in_tiles(neighbours, photo, 1, tile=16, overlap=12, feather=8)
    assert np.allclose(tiled, neighbours(photo), atol=1e-3)


@pytest.mark.parametrize("axis", [0, 1])
def test_neighbours_that_differ_fade_over_without_a_step(axis: int) -> None:
    calls = iter(range(100))
    picture = np.zeros((64, 8, 3) if axis == 0 else (8, 64, 3), np.float32)
    tiled = in_tiles(
        lambda part: np.full_like(part, next(calls)), picture, 1, tile=32, overlap=12, feather=8
    )
    line = tiled.mean((1 - axis, 2))
    assert np.all(line[:24] == 0)
    assert np.all(line[40:] == 1)
    assert np.abs(np.diff(line)).max() <= 1 / 16 + 1e-6


@given(st.integers(1, 500), tiles, st.integers(0, 40))
def test_no_tile_sees_more_than_a_tile_with_its_overlap(
    length: int, tile: int, overlap: int
) -> None:
    found = list(spans(length, tile, overlap, feather=0))
    assert max(span.seen.stop - span.seen.start for span in found) <= tile + 2 * overlap
    assert [span.kept.start for span in found[1:]] == [span.kept.stop for span in found[:-1]]
    assert (found[0].kept.start, found[-1].kept.stop) == (0, length)
