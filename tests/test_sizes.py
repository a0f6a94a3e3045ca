"""Lengths and sizes of paper: what is typed is read exactly, or refused in a line."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digressions.errors import InputError
from digressions.prints.sizes import (
    FRAMES,
    PAPERS,
    Extent,
    Length,
    nearest_frame,
    parse_paper,
    pixels,
    points,
)

DPI = 240


@pytest.mark.parametrize(
    "text",
    [
        "21x29.7cm",
        "210 x 297 mm",
        "210mm x 29.7cm",
        "21×29,7CM",
        "0.21x.297m",
        "21cmx297mm",
        "A4",
        "a4",
        "A4 portrait",
    ],
)
def test_the_same_paper_in_many_words(text: str) -> None:
    assert parse_paper(text, DPI, landscape=False) == pytest.approx((210, 297))


@pytest.mark.parametrize("text", ["8x10in", '8x10"', "8 inches x 10 inch", "8R", "1920x2400px"])
def test_inches_and_pixels(text: str) -> None:
    assert parse_paper(text, DPI, landscape=False) == pytest.approx((203.2, 254))


@pytest.mark.parametrize("name", PAPERS)
def test_a_named_paper_lies_as_the_picture_does_and_typed_sizes_stay(name: str) -> None:
    upright = parse_paper(name, DPI, landscape=False)
    assert upright.width < upright.height
    assert parse_paper(name, DPI, landscape=True) == upright.turned()
    assert parse_paper(f"{name}-landscape", DPI, landscape=False) == upright.turned()
    assert parse_paper(f"{name} portrait", DPI, landscape=True) == upright
    assert parse_paper("20x30cm", DPI, landscape=True) == (200, 300)


@pytest.mark.parametrize("series", [[f"A{i}" for i in range(7)], [f"B{i}" for i in range(2, 6)]])
def test_each_paper_of_a_series_is_half_of_the_one_before(series: list[str]) -> None:
    for large, half in pairwise(series):
        assert PAPERS[half].height == PAPERS[large].width
        assert 0 <= PAPERS[large].height / 2 - PAPERS[half].width < 1


@given(st.floats(0.1, 3000), st.integers(128, 2400))
def test_whole_pixels_are_right_to_a_tenth_of_a_millimetre(mm: float, dpi: int) -> None:
    assert abs(pixels(mm, dpi) * 25.4 / dpi - mm) <= 0.1


def test_a4_in_pixels_and_points() -> None:
    assert [pixels(side, 240) for side in PAPERS["A4"]] == [1984, 2806]
    assert [round(points(side), 3) for side in PAPERS["A4"]] == [595.276, 841.89]


@pytest.mark.parametrize(
    ("text", "mm"),
    [("3mm", 3), ("0.125in", 3.175), ("0", 0), ("0,5 cm", 5), ("240px", 25.4), ('1"', 25.4)],
)
def test_a_length(text: str, mm: float) -> None:
    assert Length.parse(text).millimetres(DPI) == pytest.approx(mm)


@pytest.mark.parametrize(
    "text", ["", "3", "mm", "-3mm", "3 miles", "nan", "1e3mm", "3mm x", "infmm"]
)
def test_a_length_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match=r"^bleed ") as refused:
        Length.parse(text, "bleed")
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("21x29.7", "no unit: write 21x29.7cm"),
        ("0x5cm", "is nothing"),
        ("5cm", "'5cm' is not known"),
        ("5x6x7cm", "is not like"),
        ("5x-6cm", "is not like"),
        ("A9", "did you mean A"),
        ("leter", "did you mean letter?"),
        ("tabloit", "did you mean tabloid?"),
        ("", "size '' is not known"),
        ("landscape", "size 'landscape' is not known"),
    ],
)
def test_a_size_that_is_none_says_what_to_write(text: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_paper(text, DPI, landscape=False)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@given(
    st.decimals(0, 999_999, places=6, allow_nan=False),
    st.sampled_from(["mm", "cm", "m", "in", "px"]),
)
def test_a_length_is_written_as_it_is_read(number: Decimal, unit: str) -> None:
    length = Length.parse(f"{number:f}{unit}")
    assert Length.parse(str(length)).millimetres(DPI) == length.millimetres(DPI)


@given(st.text(max_size=12) | st.from_regex(r"[\d.,x ]{1,8}(cm|mm|in|px)?", fullmatch=True))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        assert min(parse_paper(text, DPI, landscape=False)) > 0
    with contextlib.suppress(InputError):
        assert Length.parse(text).millimetres(DPI) >= 0


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_what_its_name_says(name: str) -> None:
    assert parse_paper(name, DPI, landscape=False) == pytest.approx(FRAMES[name])


def test_the_nearest_frame_lies_as_the_size_does() -> None:
    assert nearest_frame(Extent(210, 297)) == ("A4", (210, 297))
    assert nearest_frame(Extent(402, 299)) == ("30x40cm", (400, 300))
