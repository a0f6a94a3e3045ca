"""The film: it closes exactly, does not tremble, shows what it needs and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from digressions.errors import InputError
from digressions.generate.batching import Painter
from digressions.geometry import CellPath, Grid, Size
from digressions.images.image_files import to_array, to_tensor
from digressions.images.upscale import Lanczos
from digressions.mosaics.mosaic_spec import CELL_SIDE
from digressions.worlds.cache import Cache
from digressions.worlds.camera import APPEARS, CLEAR, View
from digressions.worlds.droste import misfits, small_copy
from digressions.worlds.film_work import CANVAS, DRAWN, FRAME, PIXEL
from digressions.worlds.manifest import Manifest
from digressions.worlds.ways import best_cells, choose_cell, choose_loop, inner_cells, scores
from digressions.worlds.world import World
from digressions.worlds.zoom_film import ZoomFilm

from .painters import paint_noise
from .test_world import CELLS, MANIFEST, Counted, biased, smooth

GRID = Grid(8, 8)
SMALL = MANIFEST.but(cells=CELLS.but(grid=GRID))


def a_world(
    folder: Path,
    manifest: Manifest = SMALL,
    root: np.ndarray | None = None,
    painter: Painter = paint_noise,
) -> World:
    root = smooth(manifest.canvas_side) if root is None else root
    return World(manifest, root, painter, Lanczos(), Cache(folder / "worlds.sqlite"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = a_world(tmp_path)
    yield world
    world.cache.close()


@pytest.fixture
def film(world: World) -> ZoomFilm:
    return ZoomFilm(world.looped(choose_loop(world, 2)), Size(96, 96), 12, 24)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


# --- the loop --------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_frame_after_the_last_is_the_first(world: World, levels: int) -> None:
    film = ZoomFilm(world.looped(choose_loop(world, levels)), Size(96, 64), 12, 8 * levels)
    first, wrapped = film.frame(0).astype(int), film.frame(film.count)
    assert np.abs(first - wrapped).max() <= 1
    assert np.abs(film.frame(3).astype(int) - film.frame(3 + 5 * film.count)).max() <= 1


def test_nothing_jumps_where_the_loop_closes(world: World) -> None:
    film = ZoomFilm(world.looped(choose_loop(world, 2)), Size(96, 96), 12, 240)
    steps = [difference(film.frame(i), film.frame(i + 1)) for i in range(0, 240, 6)]
    seam = [difference(film.frame(i), film.frame(i + 1)) for i in (237, 238, 239, 240)]
    assert max(seam) <= max(steps) * 1.5


def test_the_first_frame_is_the_root(film: ZoomFilm) -> None:
    root = film.world.canvas(())
    assert film.size == (96, 96)
    small = np.asarray(film.frame(0)).reshape(24, 4, 24, 4, 3).mean((1, 3))
    # At 96 px a cell of the root is 12 px wide: nothing of its pictures shows yet.
    wanted = root.reshape(8, 8, 8, 8, 3).mean((1, 3))
    assert np.abs(small.reshape(8, 3, 8, 3, 3).mean((1, 3)) - wanted).max() < 3


# --- the camera on real pixels ---------------------------------------------------------------


def test_a_spot_moves_as_the_camera_says_to_a_twentieth_of_a_pixel(tmp_path: Path) -> None:
    side = 64
    y, x = np.mgrid[0:side, 0:side] + 0.5
    spot = 200 * np.exp(-((x - 29.3) ** 2 + (y - 35.8) ** 2) / (2 * 2.5**2))
    root = np.repeat(np.rint(20 + spot)[..., None], 3, 2).astype(np.uint8)
    world = a_world(tmp_path, root=root)
    film = ZoomFilm(world.looped((27, 36)), Size(96, 96), 24, 240)
    wrong = []
    for index in range(20):  # while no picture of a cell shows and the spot is whole
        view = film.view(index)
        assert len(film.camera.layers(view)) == 1
        frame = film.frame(index)[..., 0].astype(float) - 20
        row, column = GRID.place(film.world.manifest.loop[-1])
        left, top = view.left * 8 - column, view.top * 8 - row  # in the root
        wanted = (np.array([29.3, 35.8]) / side - [left, top]) / (view.width * 8) * 96
        rows, columns = np.mgrid[0:96, 0:96] + 0.5
        # The spot alone: what is beside the root shines in at its border.
        frame[np.hypot(columns - wanted[0], rows - wanted[1]) > 24] = 0
        seen = np.array([(frame * columns).sum(), (frame * rows).sum()]) / frame.sum()
        wrong.append(seen - wanted)
    assert np.abs(wrong).max() < 0.05
    # And it does not tremble: second differences, in pixels a frame and frame.
    assert np.abs(np.diff(wrong, 2, axis=0)).max() < 0.05


# --- what is painted -------------------------------------------------------------------------


def test_only_what_shows_is_painted_and_all_of_it_before_the_film(tmp_path: Path) -> None:
    painter = Counted()
    with a_world(tmp_path, painter=painter) as world:
        film = ZoomFilm(world.looped(choose_loop(world, 2)), Size(96, 96), 12, 24)
        needed, before = film.needed(), painter.count
        for work, all_of_them in (
            (film.painting(needed), needed.pictures),
            (film.enlarging(needed), needed.canvases),
        ):
            ready = list(work)
            assert ready == sorted(ready)
            assert ready[-1] == len(all_of_them)
        # The root is not painted, and some were to choose the loop.
        assert painter.count - before <= len(needed.pictures)
        count = painter.count
        for index in range(film.count):
            film.frame(index)
        assert painter.count == count
        assert set(needed.canvases) <= set(needed.pictures)


def test_the_cost_is_told_and_nothing_painted(film: ZoomFilm) -> None:
    needed = film.needed()
    before = film.world.missing(needed.pictures)
    cost = film.cost(needed)
    pictures = len(needed.pictures) - 1  # the root is there
    assert (cost.pictures, cost.canvases) == (pictures, len(needed.canvases))
    assert cost.done == pictures - len(before)
    assert film.world.missing(needed.pictures) == before
    list(film.painting(needed))
    assert film.cost(needed) == (pictures, pictures, cost.canvases)


def test_the_work_of_a_frame_is_what_it_reads_and_draws(film: ZoomFilm) -> None:
    work = film.needed().work
    assert (work[0], len(work)) == (0, film.count + 1)
    each = np.diff(work)
    for index in range(1, film.count):
        (then, _), (now, layers) = (forms_in(film, film.view(i)) for i in (index - 1, index))
        new = [len(set(now[form]) - set(then[form])) for form in now]
        drawn = len([*paths_in(film, film.view(index))])
        wanted = new[0] + CANVAS * new[1] + DRAWN * drawn + FRAME
        assert each[index] == pytest.approx(wanted + PIXEL * layers * film.size.pixels)
    assert each.max() > 2 * each.min()


def forms_in(film: ZoomFilm, view: View) -> tuple[dict[str, list[CellPath]], int]:
    """What a frame reads of each form, and how often it resamples all of itself."""
    found: dict[str, list[CellPath]] = {"picture": [], "canvas": []}
    layers = 0
    for layer in film.camera.layers(view):
        canvas = film._sharpness(layer)
        for form, share in (("picture", 1 - canvas), ("canvas", canvas)):
            if share > 0:
                layers += 1
                found[form] += map(film.world.canonical, film.camera.paths(view, layer))
    return found, layers


def paths_in(film: ZoomFilm, view: View) -> Iterator[CellPath]:
    for layer in film.camera.layers(view):
        yield from film.camera.paths(view, layer)


def test_far_fewer_pictures_are_needed_than_a_level_has(tmp_path: Path) -> None:
    cells = CELLS.but(grid=Grid(64, 64))
    world = a_world(tmp_path, MANIFEST.but(cells=cells))
    film = ZoomFilm(world.looped((1500, 2200)), Size(480, 480), 12, 96)
    for index in range(film.count):
        for layer in film.camera.layers(film.view(index))[1:]:
            assert layer.cell > APPEARS
    depths = [sum(len(path) == depth for path in film.needed().pictures) for depth in range(3)]
    assert depths[0] == 1
    most = (480 / APPEARS + 2) ** 2  # a screen full of them at their smallest
    assert all(most / 2 < count < 1.5 * most for count in depths[1:])
    world.cache.close()


def test_a_film_from_a_warm_cache_is_the_same(tmp_path: Path) -> None:
    films = []
    for folder in ("a", "a", "b"):
        world = a_world(tmp_path / folder)
        film = ZoomFilm(world.looped(choose_loop(world, 2)), Size(96, 96), 12, 8)
        films.append([film.frame(i) for i in (range(8) if folder == "a" else reversed(range(8)))])
        world.cache.close()
    assert all(np.array_equal(a, b) for a, b in zip(films[0], films[1], strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(films[0], reversed(films[2]), strict=True))


def test_a_film_holds_the_tiles_of_one_frame(film: ZoomFilm) -> None:
    for index in range(film.count):
        film.frame(index)
        view = film.view(index)
        shown = {
            film.world.canonical(path)
            for layer in film.camera.layers(view)
            for path in film.camera.paths(view, layer)
        }
        assert {path for _, path in film._tiles} == shown


# --- where to go -----------------------------------------------------------------------------


def test_a_flight_goes_where_something_is_and_not_always_to_the_centre() -> None:
    grid = Grid(32, 32)
    canvas = np.full((256, 256, 3), 30, np.uint8)
    canvas[80:130, 140:200] = (230, 120, 60)
    chosen = {choose_cell(canvas, grid, seed) for seed in range(30)}
    assert len(chosen) > 5
    assert chosen <= set(inner_cells(grid))
    for cell in chosen:
        row, column = grid.place(cell)
        assert 9 <= row <= 16
        assert 17 <= column <= 25


def test_a_flight_can_be_asked_for_colours() -> None:
    canvas = np.full((256, 256, 3), 90, np.uint8)
    canvas[60:120, 60:120], canvas[140:200, 140:200] = (230, 120, 60), (60, 150, 230)
    blue = np.full((8, 8, 3), (70, 150, 220), np.uint8)
    for seed in range(10):
        row, column = Grid(32, 32).place(choose_cell(canvas, Grid(32, 32), seed, blue))
        assert 17 <= row <= 25
        assert 17 <= column <= 25


@pytest.mark.parametrize("columns", [2, 3, 8, 64])
def test_there_is_always_a_cell_to_fly_into(columns: int) -> None:
    grid = Grid(columns, columns)
    inner = inner_cells(grid)
    assert inner
    assert choose_cell(np.zeros((8 * columns, 8 * columns, 3), np.uint8), grid, 1) in inner


def test_the_first_cells_can_be_chosen_by_hand(world: World) -> None:
    assert choose_loop(world, 3, (9,))[0] == 9
    assert choose_loop(world, 3, (9, 18))[:2] == (9, 18)
    assert choose_loop(world, 2, (9, 18)) == (9, 18)
    with pytest.raises(InputError, match="2 cells in into are more than levels 1"):
        choose_loop(world, 1, (9, 18))


def test_a_loop_is_the_same_each_time_it_is_chosen(tmp_path: Path) -> None:
    assert len({choose_loop(a_world(tmp_path / str(i)), 3) for i in range(2)}) == 1


def test_a_flight_that_chooses_its_way_stays_colourful(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    world = World(SMALL, smooth(64), biased, Lanczos(), cache)
    path: CellPath = ()
    chance = random.Random(0)
    contrasts, means = [], []
    for _ in range(150):
        path = (*path, choose_cell(world.canvas(path), GRID, chance.randrange(2**32)))
        picture = world.picture(path)
        contrasts.append(picture.std())
        means.append(picture.mean())
    assert np.mean(contrasts[-50:]) > 0.6 * np.mean(contrasts[:10])
    assert 60 < np.mean(means[-50:]) < 210
    cache.close()


# --- the root's copy -------------------------------------------------------------------------


def test_the_copy_of_the_root_is_no_speck_and_is_there_when_it_can_be_read(tmp_path: Path) -> None:
    root = np.full((64, 64, 3), 120, np.uint8)
    root[16:48, 16:48] = (240, 60, 60)  # a thing on a ground
    world = a_world(tmp_path, root=root)
    film = ZoomFilm(world.looped((27, 20)), Size(96, 96), 12, 24)
    small, box = small_copy(to_tensor(root)), GRID.box(20, CELL_SIDE)
    tile = film.world.canvas((27,))
    film._tiles["canvas", (27,)] = tile
    inside = (slice(box.top, box.bottom), slice(box.left, box.right))
    assert np.array_equal(tile[inside], to_array(small))
    hidden = film._tile("canvas", (27,), APPEARS * 8)
    assert np.array_equal(film._tile("canvas", (27,), CLEAR * 8), tile)
    assert hidden[inside].std((0, 1)).max() < 4 < tile[inside].std((0, 1)).max()
    outside = np.ones((64, 64), bool)
    outside[inside] = False
    assert np.array_equal(hidden[outside], tile[outside])


def test_the_last_two_cells_are_chosen_so_that_the_copy_is_seen_least(world: World) -> None:
    root, chosen = world.canvas(()), choose_loop(world, 2)
    small, inner = small_copy(to_tensor(root)), inner_cells(GRID)
    assert chosen[0] in best_cells(root, GRID, like=root)
    canvas = world.canvas(chosen[:1])
    seen = misfits(to_tensor(canvas), small, GRID, inner)
    seen /= np.sqrt(0.02 + scores(canvas, GRID)[inner])  # beside how much else there is to see
    assert seen[inner.index(chosen[1])] < np.median(seen)


def test_a_flight_prefers_what_can_be_seen_from_near_and_afar() -> None:
    """A small spot in the middle of nowhere is out of sight on the way down to its picture."""
    grid = Grid(32, 32)
    canvas = np.full((256, 256, 3), 150, np.uint8)
    canvas[80:84, 80:84] = (200, 140, 100)
    canvas[128:, 128:] = (200, 140, 100)  # the corner of something large
    found = scores(canvas, grid)
    assert found[16 * 32 + 16] > 1.3 * found[10 * 32 + 10]
