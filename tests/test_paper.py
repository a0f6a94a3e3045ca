"""A picture on paper: sizes to the pixel, boxes inside one another, nothing lost but as said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from digressions.errors import InputError
from digressions.geometry import Box, Size
from digressions.images.rows import Rows
from digressions.prints.paper import (
    EDGES,
    FITS,
    MARK_LENGTH,
    Sheet,
    placement,
    to_bleed,
    with_marks,
)
from digressions.prints.sizes import Extent

A4 = Extent(210, 297)
sheets = st.builds(
    Sheet,
    trim=st.builds(Extent, st.floats(60, 900), st.floats(60, 900)),
    dpi=st.integers(30, 300),
    bleed=st.floats(0, 12),
    safe=st.floats(0, 12),
    mat=st.floats(0, 12),
    marks=st.booleans(),
)
pictures = st.builds(Size, st.integers(16, 3000), st.integers(16, 3000))


def inside(inner: Box, outer: Box) -> bool:
    return (
        outer.left <= inner.left
        and outer.top <= inner.top
        and inner.right <= outer.right
        and inner.bottom <= outer.bottom
    )


@given(sheets)
def test_the_boxes_lie_in_one_another_and_each_is_right_to_a_pixel(sheet: Sheet) -> None:
    outer = Box(0, 0, *sheet.media)
    for inset in (-sheet.outside, -sheet.bleed, 0, max(sheet.mat, sheet.safe)):
        box = sheet.inner(inset)
        assert inside(box, outer)
        for length, side in zip(box.size, sheet.trim, strict=True):
            assert abs(length - (side - 2 * inset) * sheet.dpi / 25.4) <= 1
        outer = box


@given(sheets, pictures, st.sampled_from(FITS), st.sampled_from(EDGES))
def test_a_placed_picture_keeps_its_aspect_to_a_pixel(
    sheet: Sheet, picture: Size, fit: str, edge: str
) -> None:
    crop, target = placement(sheet, picture, fit, edge)
    assert inside(crop, Box(0, 0, *picture))
    assert inside(target, sheet.inner(-sheet.bleed))
    assume(min(*crop.size, *target.size) > 8)  # of a strip no aspect can be said
    across, down = (there / here for there, here in zip(target.size, crop.size, strict=True))
    assert across / down == pytest.approx(1, abs=2 / min(*crop.size, *target.size))


@given(sheets, pictures)
def test_what_is_seen_is_all_of_the_picture_or_all_of_the_paper(
    sheet: Sheet, picture: Size
) -> None:
    whole, seen = Box(0, 0, *picture), sheet.inner(sheet.mat)
    fitted = placement(sheet, picture, "contain")
    assert fitted.crop == whole
    assert inside(fitted.target, sheet.inner(max(sheet.mat, sheet.safe)))
    mirrored = placement(sheet, picture, "cover", "mirror")
    assert mirrored.target == seen
    assert any(a == b for a, b in zip(mirrored.crop.size, picture, strict=True))
    assert placement(sheet, picture, "cover", "picture").target == sheet.inner(-sheet.bleed)


def test_a4_in_pixels() -> None:
    assert Sheet(A4, 240).media == (1984, 2806)
    assert Sheet(A4, 300, bleed=3).media == (2551, 3579)
    assert placement(Sheet(A4, 240), Size(992, 1403)).enlargement == 2


def test_the_bleed_goes_on_with_the_picture_and_free_paper_stays_free() -> None:
    sheet = Sheet(Extent(25.4, 25.4), 20, bleed=2.54)
    picture = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    box = placement(sheet, Size(20, 20)).target
    bled = to_bleed(sheet, Rows.of(picture), box, None).whole()
    assert bled.shape == (24, 24, 3)
    assert np.array_equal(bled[2:22, 2:22], picture)
    assert np.array_equal(bled[1, 2:22], picture[0])
    assert np.array_equal(bled[2:22, 23], picture[:, 18])
    free = to_bleed(sheet, Rows.of(picture), box, 255).whole()
    assert (free[:2] == 255).all()
    assert (free[:, 22:] == 255).all()


def test_crop_marks_point_at_the_cut_and_stay_out_of_the_bleed() -> None:
    sheet = Sheet(Extent(50.8, 76.2), 254, bleed=2, marks=True)
    inner = sheet.inner(-sheet.bleed)
    bled = np.full((*inner.size[::-1], 3), 200, np.uint8)
    page = with_marks(sheet, Rows.of(bled), 255, (0, 0, 0)).whole()
    assert page.shape == (*sheet.media[::-1], 3)
    assert np.array_equal(page[inner.top : inner.bottom, inner.left : inner.right], bled)
    cut = sheet.inner(0)
    length = round(MARK_LENGTH * 10)
    assert (np.flatnonzero((page[0] == 0).all(-1)) == [cut.left, cut.right]).all()
    assert (np.flatnonzero((page[:, -1] == 0).all(-1)) == [cut.top, cut.bottom]).all()
    assert (page[:length, cut.left] == 0).all()
    assert (page == 0).all(-1).sum() == 8 * length


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dpi": 0}, "dpi 0 is out of range"),
        ({"dpi": 99999}, "dpi 99999 is out of range"),
        ({"mat": 105}, "mat 105mm on both sides leaves nothing"),
        ({"safe": 500}, "safe 500mm on both sides leaves nothing"),
        ({"bleed": 106}, "bleed 106mm is too wide"),
        ({"trim": Extent(6000, 10)}, "too large: a page has at most 5080 mm"),
        ({"trim": Extent(0.1, 10), "dpi": 72}, "less than a pixel"),
        ({"trim": Extent(841, 1189), "dpi": 600}, "558 megapixels, more than 200: dpi 359 fits"),
    ],
)
def test_a_sheet_that_cannot_be(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as refused:
        Sheet(**{"trim": A4, "dpi": 240} | options)  # type: ignore[arg-type]
    assert words in str(refused.value)


def test_the_dpi_that_a_refusal_names_fits() -> None:
    assert Sheet(Extent(841, 1189), 359).media.pixels <= 200_000_000


def test_another_fit_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="cover, contain"):
        placement(Sheet(A4, 240), Size(9, 9), "stretch")
