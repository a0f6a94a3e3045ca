"""Into a finished mosaic: the world that it is the root of, the way, a film and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digressions.errors import InputError
from digressions.events import Saved
from digressions.generate.results import finish
from digressions.geometry import Grid
from digressions.images.image_files import read_image
from digressions.mosaics.build import build
from digressions.mosaics.mosaic_spec import MosaicSpec
from digressions.mosaics.stored import StoredMosaic
from digressions.worlds.cache import Cache
from digressions.worlds.into_mosaic import (
    cell_at,
    fall_into,
    fly_into,
    way_into,
    world_of_mosaic,
)
from digressions.worlds.into_mosaic_spec import FallSpec, FlySpec
from digressions.worlds.opening import open_world

QUICK: dict[str, Any] = {"prompt": "a fox", "size": 32, "steps": 1, "guidance": 1.0}


@pytest.fixture(scope="module")
def mosaic(bundled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "fox"
    finish(build(bundled, MosaicSpec.of(**QUICK, grid=5), folder))
    return folder


def test_the_worlds_pictures_are_the_mosaics_cells(
    bundled: Any, mosaic: Path, tmp_path: Path
) -> None:
    with Cache(tmp_path / "worlds.sqlite", 10**8) as cache, StoredMosaic(mosaic) as stored:
        world = open_world(bundled, world_of_mosaic(mosaic), cache, batch_size=4)
        assert np.array_equal(world.canvas(()), read_image(mosaic / "base.png"))
        off = world.picture((12,)).astype(int) - stored.picture(12)
        assert np.abs(off).max() <= 1  # as painted in another batch


def test_a_film_falls_into_the_chosen_cell(bundled: Any, mosaic: Path, tmp_path: Path) -> None:
    cache = tmp_path / "worlds.sqlite"
    spec = FallSpec.of(into="12", levels=1, seconds=0.4, fps=5, frame_size="32", cache=cache)
    events = list(fall_into(bundled, mosaic, spec, folder=tmp_path / "out"))
    (saved,) = (event for event in events if isinstance(event, Saved))
    assert saved.path == tmp_path / "out" / "fox.mp4"
    assert saved.path.is_file()
    assert saved.details["loop"] == [12]


def test_a_page_flies_into_it(bundled: Any, mosaic: Path, tmp_path: Path) -> None:
    spec = FlySpec.of(pictures=3, cache=tmp_path / "worlds.sqlite")
    finish(fly_into(bundled, mosaic, spec, folder=tmp_path / "out"))
    assert (tmp_path / "out" / "fox-site" / "world.json").is_file()


def test_a_cell_that_is_not_there_is_refused(bundled: Any, mosaic: Path, tmp_path: Path) -> None:
    spec = FallSpec.of(into="25", cache=tmp_path / "worlds.sqlite")
    with pytest.raises(InputError, match="cell 25 is not in a grid of 5x5"):
        next(fall_into(bundled, mosaic, spec, folder=tmp_path / "out"))
    with pytest.raises(InputError, match="cell 25 is not in a grid"):
        way_into(mosaic, (25,))


def test_the_way_shows_the_mosaic_and_then_the_cell_with_what_is_chosen_outlined(
    mosaic: Path,
) -> None:
    (whole,) = way_into(mosaic, ())
    first, second = way_into(mosaic, (12,))
    assert whole.shape == first.shape == second.shape == (512, 512, 3)
    changed = np.argwhere((whole != first).any(-1))
    low, high = changed.min(0), changed.max(0)
    assert (low >= 2 * 512 // 5 - 10).all()
    assert (high <= 3 * 512 // 5 + 10).all()
    assert len(way_into(mosaic, (12, 3, 4))) == 2  # deeper, nothing is painted yet
    with StoredMosaic(mosaic) as stored:
        means = [picture.mean((0, 1)) for picture in (second, stored.picture(12))]
    assert np.abs(means[0] - means[1]).max() < 2


def test_a_place_in_a_picture_is_a_cell() -> None:
    grid = Grid(5, 4)
    assert cell_at(grid, 0.0, 0.0) == 0
    assert cell_at(grid, 0.99, 0.0) == 4
    assert cell_at(grid, 0.5, 0.5) == 12
    assert cell_at(grid, 1.0, 1.0) == 19
    assert cell_at(grid, -0.1, 2.0) == 15
