"""Cells of any shape: a world's pictures have it at every depth, and a mosaic's all have it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import digressions as dg
from digressions.events import Note
from digressions.generate.job import Job
from digressions.generate.params import GenerationParams
from digressions.geometry import CellPath, Grid, Size
from digressions.images.image_files import read_image, to_tensor, write_image
from digressions.images.upscale import Lanczos
from digressions.models.base import Model
from digressions.mosaics.base_image import base_image_of, base_params, make_base_image
from digressions.mosaics.cell_shape import painted_part, shape_for
from digressions.mosaics.cells import band_of, cells_of, exact_cells, paint_cells, paint_over
from digressions.worlds.bank import FiniteWorld
from digressions.worlds.cache import Cache
from digressions.worlds.camera import Camera
from digressions.worlds.droste import resized_exactly
from digressions.worlds.ways import choose_loop
from digressions.worlds.world import World
from digressions.worlds.world_spec import FilmSpec
from digressions.worlds.zoom_film import ZoomFilm

from .conftest import Ran
from .painters import grow_bank, paint_noise
from .test_world import CELLS, MANIFEST, PARAMS, smooth, some_paths

GRID = Grid(8, 8)
TALL, WIDE = Size(24, 32), Size(48, 24)
QUICK = ("--steps", 1, "--upscaler", "lanczos")


def cells_of_shape(shape: Size, painted: Size | None = None) -> Any:
    cells = CELLS.but(params=PARAMS.but(size=painted or shape), grid=GRID)
    return cells.but(shape=None if painted is None else shape)


def a_world(folder: Path, shape: Size, painted: Size | None = None) -> World:
    manifest = MANIFEST.but(cells=cells_of_shape(shape, painted))
    return World(manifest, smooth(64), paint_noise, Lanczos(), Cache(folder / "worlds.sqlite"))


SHAPES = [(TALL, None), (WIDE, None), (TALL, Size(24, 24)), (WIDE, Size(24, 24))]


@pytest.mark.parametrize(("shape", "painted"), SHAPES)
def test_a_world_of_any_shape_is_exact_at_every_depth(
    tmp_path: Path, shape: Size, painted: Size | None
) -> None:
    with a_world(tmp_path, shape, painted) as world:
        for path in some_paths(6):
            assert world.picture(path).shape == (shape.height, shape.width, 3)
            assert world.canvas(path).shape == (64, 64, 3)
            assert world.residual(path) <= 1
        looped = world.looped((20, 35))
        assert looped.residual((20, 35)) <= 1
        assert looped.residual((20,)) <= 1
        finite = FiniteWorld(world, grow_bank(world, 6))
        assert max(finite.residual(path) for path in some_paths(4)) <= 1


@pytest.mark.parametrize("size", [TALL, WIDE, Size(64, 64), Size(96, 32)])
def test_a_canvas_is_its_picture_in_all_boxes_that_both_share(size: Size) -> None:
    image = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 3), np.uint8)
    canvas = resized_exactly(image, Size(64, 64), Lanczos())
    boxes = math.gcd(64, size.height), math.gcd(64, size.width)
    one, two = (band_of(to_tensor(each)[None], *boxes) for each in (image, canvas))
    assert one.shape[-2:] == boxes
    assert float((one - two).abs().max()) * 255 <= 1


@pytest.mark.parametrize("screen", [Size(90, 120), Size(160, 90), Size(64, 64)])
@pytest.mark.parametrize("picture", [TALL, WIDE])
def test_pictures_keep_their_shape_on_any_screen(screen: Size, picture: Size) -> None:
    camera = Camera(GRID, (20, 35), screen, picture)
    for t in (0.0, 0.3, 1.0, 1.9):
        view = camera.view(t)
        across = screen.width / (view.width * picture.width)
        down = screen.height / (view.height * picture.height)
        assert across == pytest.approx(down)
    at_rest = camera.view(1)
    assert 8 * max(at_rest.width, at_rest.height) == pytest.approx(1)
    if screen.width * picture.height == screen.height * picture.width:
        assert at_rest.width == at_rest.height  # all of one picture


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_a_film_of_any_shape_closes_and_begins_with_the_whole_root(
    tmp_path: Path, shape: Size
) -> None:
    with a_world(tmp_path, shape) as world:
        size = Size(2 * shape.width, 2 * shape.height)
        film = ZoomFilm(world.looped(choose_loop(world, 2)), size, 4, 8)
        first = film.frame(0)
        assert np.array_equal(first, film.frame(8))
        seen, root = (band_of(to_tensor(each)[None], 8) for each in (first, film.world.canvas(())))
        assert float((seen - root).abs().mean()) * 255 < 3


def test_frames_have_the_shape_of_the_world_unless_both_sides_are_given() -> None:
    film = FilmSpec.of(prompt="a frog")
    assert film.frame_for(Size(128, 168)) == (366, 480)
    assert film.but(frame_size="300").frame_for(Size(228, 128)) == (300, 168)
    assert film.but(frame_size=(64, 32)).frame_for(Size(128, 168)) == (64, 32)


def test_models_of_squares_alone_paint_the_middle(bundled: Model) -> None:
    assert bundled.defaults.squares_only
    assert shape_for(bundled, 1.0) == (128, 128)
    assert shape_for(bundled, 3 / 4) == (128, 168)
    assert painted_part(bundled, Size(128, 168)) == (128, 128)
    free = dataclasses.replace(bundled.defaults, squares_only=False)
    other = dataclasses.replace(bundled, defaults=free, size=512)
    assert shape_for(other, 16 / 9) == (680, 384)
    assert shape_for(other, 3 / 4) == (432, 576)
    assert painted_part(other, Size(432, 576)) == (432, 576)
    params = FilmSpec.of(prompt="a frog").world.params
    assert base_params(other, params, 3 / 4).size == (432, 576)
    assert base_params(bundled, params, 3 / 4).size == (128, 128)


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_the_ground_of_a_cell_is_its_own_colours(jitter: float) -> None:
    mosaic = cells_of_shape(Size(48, 24), Size(24, 24)).but(jitter=jitter, mirror=0.5)
    base, cells = to_tensor(smooth(64)), range(64)
    starts = cells_of(base, mosaic, cells, cells)

    def black(jobs: Sequence[Job]) -> torch.Tensor:
        assert {tuple(job.image.shape) for job in jobs if job.image is not None} == {(3, 24, 24)}
        return torch.zeros(len(jobs), 3, 24, 24)

    painted = paint_cells(black, mosaic, cells, starts)
    assert painted.shape == (64, 3, 24, 48)
    if not jitter:
        assert torch.equal(painted[..., :12], starts[..., :12])
        assert torch.equal(painted[..., -12:], starts[..., -12:])
        assert painted[..., 18:30].max() == 0
    edges = (painted[..., 1:] - painted[..., :-1]).abs().amax()
    assert edges < 0.6 * starts.max()  # it fades: no edge shows
    exact = exact_cells(base, mosaic, cells)
    pixels = paint_over(paint_noise, mosaic, list(cells), starts, exact).float() / 255
    assert float((band_of(pixels, 2) - band_of(exact, 2)).abs().max()) * 255 <= 1


def test_a_painted_base_image_is_not_cropped(bundled: Model) -> None:
    base = base_image_of(bundled, GenerationParams(prompt="a frog"), None, "lanczos", aspect=2.0)
    whole = make_base_image(bundled, base, Size(64, 32)).astype(int)
    square = make_base_image(bundled, base, Size(32, 32))
    assert np.abs(whole[:, 16:48] - square).mean() < 3


@pytest.fixture
def portrait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`me.png`, 90 x 120, red at its top and blue at its bottom."""
    monkeypatch.chdir(tmp_path)
    picture = np.full((120, 90, 3), 128, np.uint8)
    picture[:8], picture[-8:] = (255, 0, 0), (0, 0, 255)
    write_image("me.png", picture)


@pytest.mark.usefixtures("portrait")
def test_a_film_of_a_portrait_keeps_its_head(digress: Any) -> None:
    line = ("zoom", "a frog", "--image", "me.png", "--grid", 4, "--levels", 1, *QUICK)
    line = (*line, "--seconds", 0.2, "--fps", 10, "--frame-size", 64, "--tone", "off")
    ran: Ran = digress(*line, "-o", "film")
    assert ran.code == 0, ran.err
    first = read_image("film/000000.png")
    assert first.shape == (64, 48, 3)
    assert first[1, 24, 0] > 180 > 90 > first[1, 24, 2]
    assert first[-2, 24, 2] > 180 > 90 > first[-2, 24, 0]
    assert digress("replay", "film/000001.png", "-o", "again").code == 0
    assert np.array_equal(read_image("again/000000.png"), first)


@pytest.mark.usefixtures("portrait")
def test_a_mosaic_of_other_cells_is_exact_and_keeps_the_picture(bundled: Model) -> None:
    given: dict[str, Any] = {"image": "me.png", "grid": 4, "size": (24, 32), "steps": 1}
    events = list(dg.mosaic(bundled, "a frog", output="m", tone="off", **given))
    assert not any("cut off" in event.text for event in events if isinstance(event, Note))
    base, preview = read_image("m/base.png"), read_image("m/preview.jpg")
    assert base.shape == (32, 32, 3)
    assert preview.shape == (128, 96, 3)
    seen, wanted = (band_of(to_tensor(each)[None], 8) for each in (preview, base))
    assert float((seen - wanted).abs().mean()) * 255 < 2
    dg.finish(dg.replay("m/base.png", output="again.png"))
    assert np.array_equal(read_image("again.png"), base)


@pytest.mark.usefixtures("portrait")
def test_a_world_has_the_shape_of_its_image_unless_one_is_given(bundled: Model) -> None:
    given: dict[str, Any] = {"grid": 4, "steps": 1, "upscaler": "lanczos", "cache": "w.sqlite"}

    def shape_of(**asked: Any) -> CellPath:
        with dg.World.open(bundled, "a frog", **given, **asked) as world:
            return world.picture(()).shape[:2]

    assert shape_of(image="me.png") == (168, 128)
    assert shape_of(cell_aspect="2:1") == (128, 256)
    assert shape_of(size=(32, 16)) == (16, 32)
    assert shape_of() == (128, 128)
    with pytest.warns(UserWarning, match="15 px are cut off at its top"):
        assert shape_of(image="me.png", cell_aspect="1:1") == (128, 128)
