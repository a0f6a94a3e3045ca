"""The finite world: endless from few pictures, each still exact in its place."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from digressions.errors import InputError
from digressions.events import Note, Progress
from digressions.generate.job import Job
from digressions.geometry import CellPath, Grid, Size
from digressions.images.upscale import Lanczos
from digressions.worlds.bank import FiniteWorld, cells_colours, colours_of, growing_bank
from digressions.worlds.cache import Cache
from digressions.worlds.ways import choose_loop
from digressions.worlds.world import World
from digressions.worlds.zoom_film import ZoomFilm

from .painters import grow_bank, paint_noise
from .test_world import CELLS, MANIFEST, Counted, smooth

GRID = Grid(8, 8)
SMALL = MANIFEST.but(cells=CELLS.but(grid=GRID))


@pytest.fixture
def painter() -> Counted:
    return Counted()


@pytest.fixture
def world(tmp_path: Path, painter: Counted) -> Iterator[World]:
    with Cache(tmp_path / "c.sqlite") as cache:
        yield World(SMALL, smooth(64), painter, Lanczos(), cache, batch_size=8)


def test_a_finite_world_is_endless_and_paints_nothing(world: World, painter: Counted) -> None:
    bank = grow_bank(world, 12)
    assert len(bank.paths) == len(bank.pictures) == 12
    count = painter.count
    # Besides the bank itself, only what lies on the way to its pictures.
    assert count <= sum(len(path) for path in bank.paths)
    finite = FiniteWorld(world, bank)
    chance = random.Random(1)
    path: CellPath = tuple(chance.randrange(64) for _ in range(200))
    assert finite.picture(path).shape == (16, 16, 3)
    film = ZoomFilm(finite.looped(choose_loop(finite, 4)), Size(64, 64), 4, 8)
    first, wrapped = film.frame(0), film.frame(8)
    assert np.array_equal(first, wrapped)
    assert painter.count == count


def test_a_bank_tells_how_far_it_is_and_how_well_it_serves(world: World) -> None:
    *progress, note = growing_bank(world, 40)
    assert [event.done for event in progress if isinstance(event, Progress)][-1] == 40
    assert all(isinstance(event, Progress) and event.total == 40 for event in progress)
    assert isinstance(note, Note)
    assert note.text.startswith("40 pictures cover ")


def test_every_picture_is_exact_in_its_place(world: World) -> None:
    finite = FiniteWorld(world, grow_bank(world, 12))
    chance = random.Random(2)
    path = tuple(chance.randrange(18, 46) for _ in range(60))
    assert max(finite.residual(path[:depth]) for depth in (1, 2, 10, 60)) <= 1


def test_a_picture_is_one_of_the_bank_bent_to_its_cell(world: World) -> None:
    bank = grow_bank(world, 12)
    finite = FiniteWorld(world, bank)
    likeness = []
    for cell in range(0, 64, 3):
        seen, taken = finite.picture((cell,)), bank.pictures[finite.index((cell,))]
        likeness.append(np.corrcoef(seen.reshape(-1), taken.reshape(-1))[0, 1])
    assert np.mean(likeness) > 0.6


def test_neighbours_are_different_pictures(world: World) -> None:
    bank = grow_bank(world, 16)
    for leads in bank.next:
        rows = leads.reshape(8, 8)
        assert (rows[:, 1:] != rows[:, :-1]).mean() > 0.9
        assert (rows[1:] != rows[:-1]).mean() > 0.9


def test_more_pictures_cover_more(world: World) -> None:
    found = [grow_bank(world, count).coverage for count in (2, 8, 32)]
    assert min(found[0].error, found[1].error) > found[2].error  # eight may be as bad as two
    assert found[0].close < found[2].close
    assert str(found[1]).startswith("8 pictures cover ")


def test_a_bank_is_the_same_each_time_it_is_grown(world: World, tmp_path: Path) -> None:
    with Cache(tmp_path / "other.sqlite") as cache:
        other = World(SMALL, smooth(64), paint_noise, Lanczos(), cache, batch_size=3)
        one, two = grow_bank(world, 40), grow_bank(other, 40)
    assert one.paths == two.paths
    assert np.array_equal(one.next, two.next)


def test_a_finite_world_is_another_world(world: World) -> None:
    finite = FiniteWorld(world, grow_bank(world, 4))
    assert finite.manifest.id != world.manifest.id
    assert finite.looped((27,)).manifest.id != finite.manifest.id


def test_a_world_of_one_colour_is_covered(tmp_path: Path) -> None:
    def untouched(jobs: Sequence[Job]) -> Tensor:
        return torch.stack([job.image for job in jobs if job.image is not None])

    with Cache(tmp_path / "grey.sqlite") as cache:
        grey = np.full((64, 64, 3), 128, np.uint8)
        bank = grow_bank(World(SMALL, grey, untouched, Lanczos(), cache), 6)
    assert len(bank.paths) == 6
    assert bank.coverage.close == 1


def test_a_bank_of_one_is_refused(world: World) -> None:
    with pytest.raises(InputError, match="reuse 1"):
        grow_bank(world, 1)


def test_the_colours_of_cells_are_those_of_their_boxes() -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cell = canvas[8:16, 16:24]
    assert np.allclose(cells_colours(canvas, GRID)[10], colours_of(cell[None])[0], atol=1e-5)
