"""The camera: constant speed, no jump anywhere, every picture once full on the screen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digressions.geometry import CellPath, Grid, Size
from digressions.worlds.camera import APPEARS, CLEAR, Camera, View, opacity_of

GRID = Grid(64, 64)
LOOP = (1500, 2200, 2000)
SIZE = Size(480, 480)


def seen_from_the_root(camera: Camera, t: float) -> tuple[float, float, float]:
    """Left, top and width of a view in the root's own coordinates (where doubles still reach)."""
    view = camera.view(t)
    n = camera.grid.columns
    level = math.floor(t) - 1
    digits = [camera.loop[i % len(camera.loop)] for i in range(max(level, 0))]
    left, top, width = view.left, view.top, view.width
    if level < 0:  # given in the root's parent
        row, column = camera.grid.place(camera.loop[-1])
        return left * n - column, top * n - row, width * n
    for cell in reversed(digits):
        row, column = camera.grid.place(cell)
        left, top, width = (column + left) / n, (row + top) / n, width / n
    return left, top, width


@pytest.mark.parametrize("level", [0, 1, 2])
def test_at_each_whole_time_one_picture_fills_the_screen(level: int) -> None:
    camera = Camera(GRID, LOOP, SIZE)
    view = camera.view(level)
    row, column = GRID.place(LOOP[level - 1])
    assert view.path == LOOP[: (level - 1) % 3]
    assert (view.left, view.top) == pytest.approx((column / 64, row / 64), abs=1e-15)
    assert (view.width, view.height) == (1 / 64, 1 / 64)


@given(st.floats(0, 2.999), st.integers(1, 10**6))
def test_a_round_later_the_view_is_the_same(t: float, rounds: int) -> None:
    camera = Camera(GRID, LOOP, SIZE)
    t = round(t * 256) / 256  # so that adding whole rounds is exact
    assert camera.view(t) == camera.view(t + 3 * rounds)


def test_the_view_shrinks_evenly_and_never_jumps() -> None:
    camera = Camera(Grid(8, 8), (18, 45, 34), SIZE)
    times = np.linspace(0, 3, 601)
    views = np.array([seen_from_the_root(camera, t) for t in times])
    widths = views[:, 2]
    assert np.diff(np.log(widths)) == pytest.approx(-math.log(8) * 3 / 600, rel=1e-6)
    # The fixed point's place on the screen: smooth, and always well inside.
    row, column = zip(*(divmod(c, 8) for c in (18, 45, 34)), strict=True)
    for axis, digits in ((0, column), (1, row)):
        point = sum(digits[i % 3] * 8.0 ** -(i + 1) for i in range(18))
        place = (point - views[:, axis]) / widths
        assert place.min() > 0.1
        assert place.max() < 0.9
        step = np.diff(place) * SIZE.width
        assert np.abs(np.diff(step)).max() < 0.05  # pixels a frame and frame, 200 frames a level


@given(
    st.lists(st.tuples(st.integers(2, 5), st.integers(2, 5)), min_size=1, max_size=4),
    st.floats(0, 4),
)
def test_what_is_seen_is_inside_the_picture_it_is_given_in(
    cells: list[tuple[int, int]], t: float
) -> None:
    camera = Camera(Grid(8, 8), tuple(r * 8 + c for r, c in cells), Size(320, 180))
    view = camera.view(t)
    assert view.left >= 0
    assert view.top >= 0
    assert view.left + view.width <= 1
    assert view.top + view.height <= 1
    assert view.width / view.height == pytest.approx(320 / 180)


def test_pictures_appear_evenly_in_the_logarithm() -> None:
    assert [opacity_of(w) for w in (1, APPEARS, CLEAR, 1000)] == [0, 0, 1, 1]
    assert opacity_of(math.sqrt(APPEARS * CLEAR)) == pytest.approx(0.5)


@given(st.floats(0, 2.999))
def test_the_first_layer_covers_and_the_last_is_the_last_to_show(t: float) -> None:
    camera = Camera(GRID, LOOP, SIZE)
    layers = camera.layers(camera.view(t))
    assert layers[0].opacity == 1
    assert all(0 < layer.opacity < 1 for layer in layers[1:])
    assert layers[-1].cell > APPEARS
    assert layers[-1].cell / 64 <= APPEARS


def test_only_what_is_in_view_is_named() -> None:
    camera = Camera(GRID, LOOP, SIZE)
    view = camera.view(0.5)
    (layer,) = camera.layers(view)
    assert (layer.level, layer.cell) == (2, pytest.approx(60))
    paths = list(camera.paths(view, layer))
    assert len(set(paths)) == len(paths) == 9 * 9
    assert {path[:1] for path in paths} == {LOOP[:1]} or len({path[:2] for path in paths}) == 1


@pytest.mark.parametrize("level", [1, 2])
def test_paths_are_the_cells_that_a_place_is_in(level: int) -> None:
    camera = Camera(Grid(4, 4), (5,), Size(64, 64))
    view = View((9,), 0.4, 0.6, 0.01, 0.01)
    layer = camera._layer(view, level, 1.0)
    path: CellPath = (9,)
    x, y = 0.405, 0.605
    for _ in range(level):
        column, row = int(x * 4), int(y * 4)
        path = (*path, row * 4 + column)
        x, y = x * 4 - column, y * 4 - row
    assert path in list(camera.paths(view, layer))
