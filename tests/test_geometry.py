"""Sizes, boxes, grids and quads: cells tile a picture exactly, what is typed is read or refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digressions.errors import InputError
from digressions.geometry import Box, Grid, Size
from digressions.homography import Quad, homography, project

from .walls import MOULDING, OPENING

sides = st.integers(1, 9_999_999)
few = st.integers(1, 9)
corner = st.tuples(st.floats(-9, 9), st.floats(-9, 9))


@given(few, few, st.integers(1, 5))
def test_the_cells_of_a_grid_cover_every_pixel_once(columns: int, rows: int, side: int) -> None:
    grid = Grid(columns, rows)
    width, height = grid.size(side)
    covered = np.zeros((height, width), int)
    for cell in range(grid.cells):
        box = grid.box(cell, side)
        assert box.size == Size(side, side)
        covered[box.top : box.bottom, box.left : box.right] += 1
    assert (covered == 1).all()


@given(few, few)
def test_rows_are_the_cells_in_reading_order(columns: int, rows: int) -> None:
    grid = Grid(columns, rows)
    assert [cell for row in range(rows) for cell in grid.row(row)] == list(range(grid.cells))
    assert all(grid.place(cell)[0] == row for row in range(rows) for cell in grid.row(row))


@given(sides, sides)
def test_what_is_printed_is_read_back(width: int, height: int) -> None:
    assert Size.parse(str(Size(width, height))) == (width, height)
    assert Grid.parse(str(Grid(width, height))) == (width, height)


def test_one_number_is_a_square_or_the_longer_side() -> None:
    assert Size.parse("512") == (512, 512)
    assert Grid.parse("64") == (64, 64)
    assert Grid.parse("64", 2.0) == (64, 32)
    assert Grid.parse("64", 0.5) == (32, 64)
    assert Grid.parse(" 64 × 48 ") == Grid.parse("64X48") == (64, 48)


@given(st.integers(1, 300), st.floats(1e-3, 1e3))
def test_a_fitted_grid_has_the_longer_side_asked_for_and_no_empty_one(
    longer: int, aspect: float
) -> None:
    grid = Grid.parse(str(longer), aspect)
    assert max(grid) == longer
    assert min(grid) >= 1


@pytest.mark.parametrize(
    "text", ["", "x", "0", "0x5", "5x0", "-3", "3.5", "1e3", "64x", "x64", "6 4", "12345678", "a"]
)
@pytest.mark.parametrize("kind", [Size, Grid])
def test_anything_else_is_refused_by_name(kind: type[Size] | type[Grid], text: str) -> None:
    with pytest.raises(InputError) as refused:
        kind.parse(text)
    assert repr(text) in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=12))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    for kind in (Size, Grid):
        with contextlib.suppress(InputError):
            assert min(kind.parse(text)) >= 1


def test_box_size_and_pixels() -> None:
    assert Box(2, 3, 10, 5).size == Size(8, 2)
    assert Size(8, 2).pixels == 16


# --- quads ----------------------------------------------------------------------------------


@given(st.permutations(range(4)), corner)
def test_corners_in_any_order_are_one_quad(order: list[int], by: tuple[float, float]) -> None:
    moved = OPENING.array + by
    assert np.allclose(Quad.of(moved[order]).array, moved)


@pytest.mark.parametrize(
    "corners",
    [
        ["0,0", "10,0", "5,1", "5,9"],
        ["0,0", "5,0", "10,0", "5,9"],
        ["3,3", "3,3", "3,3", "3,3"],
        ["0,0", "9,0", "9,9", "nan,9"],
        ["0,0", "9,0", "9,9", "9"],
        ["0,0", "9,0", "9,9"],
    ],
)
def test_what_is_no_convex_quad_is_refused(corners: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        Quad.parse(corners)
    assert "\n" not in str(refused.value)


def test_overlap_of_squares_is_what_the_areas_say() -> None:
    one = Quad((0, 0), (10, 0), (10, 10), (0, 10))
    half = Quad((5, 0), (15, 0), (15, 10), (5, 10))
    assert one.overlap(one) == pytest.approx(1)
    assert one.overlap(half) == pytest.approx(1 / 3)
    assert one.covers(half) == pytest.approx(0.5)
    assert one.overlap(Quad((20, 0), (30, 0), (30, 10), (20, 10))) == 0


def test_a_homography_takes_its_corners_where_they_belong_and_back() -> None:
    there = homography(MOULDING.array, OPENING.array)
    assert np.allclose(project(there, MOULDING.array), OPENING.array)
    back = project(np.linalg.inv(there), OPENING.array)
    assert np.allclose(back, MOULDING.array)
