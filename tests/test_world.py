"""Worlds: a pure function of the manifest, exact at any depth, painted once by many."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from digressions.errors import InputError, OutputError
from digressions.generate.job import Job
from digressions.generate.paint import painter_of
from digressions.generate.params import ResolvedParams
from digressions.geometry import CellPath, Grid, Size
from digressions.images.image_files import to_tensor
from digressions.images.upscale import Lanczos
from digressions.models.base import Defaults, Model
from digressions.mosaics.cells import band_of
from digressions.mosaics.mosaic_spec import CELL_SIDE, Mosaic
from digressions.worlds.cache import Cache
from digressions.worlds.droste import resized_exactly
from digressions.worlds.manifest import Manifest
from digressions.worlds.world import World

from .jobs import plain_mosaic
from .painters import paint_noise

PARAMS = ResolvedParams(
    prompt="frog",
    seed=5,
    size=Size(16, 16),
    steps=2,
    sampler="ddim",
    guidance=1.0,
    strength=0.6,
)
CELLS = plain_mosaic(PARAMS, Grid(4, 4))
MANIFEST = Manifest(model="no model", root="smooth", cells=CELLS)


def cells_with(**params: object) -> Mosaic:
    """`CELLS` with other parameters."""
    return CELLS.but(params=PARAMS.but(**params))


class Counted:
    """A painter of noise that knows how much it painted."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, jobs: Sequence[Job]) -> Tensor:
        self.count += len(jobs)
        return paint_noise(jobs)


def smooth(side: int) -> np.ndarray:
    """A root with gradients in all directions: ``(side, side, 3)``."""
    y, x = np.mgrid[0:side, 0:side] / side
    planes = [x, 0.2 + 0.6 * y, 0.5 + 0.4 * np.sin(5 * x + 4 * y)]
    return np.rint(np.stack(planes, -1) * 255).astype(np.uint8)


def biased(jobs: Sequence[Job]) -> Tensor:
    """Drifts to dark magenta, as image-to-image models do."""
    tint = torch.tensor([0.8, 0.4, 0.8]).view(1, 3, 1, 1)
    return paint_noise(jobs) * tint


def a_world(
    folder: Path, manifest: Manifest = MANIFEST, limit: int = 10**9, batch_size: int = 32
) -> World:
    cache = Cache(folder / "worlds.sqlite", limit)
    root = smooth(manifest.canvas_side)
    return World(manifest, root, biased, Lanczos(), cache, batch_size=batch_size)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = a_world(tmp_path)
    yield world
    world.cache.close()


def some_paths(count: int, seed: int = 0) -> list[CellPath]:
    chance = random.Random(seed)
    return [
        tuple(chance.randrange(16) for _ in range(chance.randrange(1, 5))) for _ in range(count)
    ]


def digest(images: dict[CellPath, np.ndarray]) -> str:
    return hashlib.sha256(b"".join(images[path].tobytes() for path in sorted(images))).hexdigest()


# --- a pure function -------------------------------------------------------------------------


def test_pictures_do_not_depend_on_order_batch_or_cache(tmp_path: Path) -> None:
    paths = some_paths(24)
    expected = digest(a_world(tmp_path / "a").pictures(paths))
    one_by_one = a_world(tmp_path / "b", batch_size=1)
    backwards = {path: one_by_one.picture(path) for path in reversed(paths)}
    assert digest(backwards) == expected
    forgetful = a_world(tmp_path / "c", limit=0)
    assert digest(forgetful.pictures(paths)) == expected
    assert forgetful.cache.size() == 0


def test_what_another_process_evicts_in_the_middle_is_painted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_world(tmp_path)
    expected = digest(world.pictures([(3, 4), (9, 4)]))
    monkeypatch.setattr(world, "missing", lambda paths, form="picture": set())
    world.cache._db.execute("delete from pictures")
    assert digest(world.pictures([(3, 4), (9, 4)])) == expected


def test_another_process_paints_the_same(tmp_path: Path) -> None:
    paths = some_paths(6, seed=1)
    program = (
        "import sys; from pathlib import Path; from tests.test_world import *\n"
        "print(digest(a_world(Path(sys.argv[1])).pictures(some_paths(6, seed=1))))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "other")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == digest(a_world(tmp_path / "here").pictures(paths))


def test_what_was_painted_is_not_painted_again(tmp_path: Path) -> None:
    painter = Counted()
    cache = Cache(tmp_path / "c.sqlite")
    with World(MANIFEST, smooth(32), painter, Lanczos(), cache) as world:
        first = world.pictures([(1, 2), (1, 3), (1, 2)])
        assert painter.count == 3  # their parent too
        assert world.missing([(1,), (1, 2), (1, 4), ()]) == {(1, 4)}
        again = world.pictures([(1, 2), (1, 3)])
        assert painter.count == 3
        assert digest(first) == digest(again)


def test_every_picture_is_another(world: World) -> None:
    pictures = world.pictures([(3,), (7,), (3, 7), (7, 3), (3, 3)])
    for a, b in itertools.combinations(pictures.values(), 2):
        assert np.abs(a.astype(int) - b).mean() > 2


def test_prompts_follow_the_depth_and_start_over(tmp_path: Path) -> None:
    asked: list[str] = []

    def listening(jobs: Sequence[Job]) -> Tensor:
        asked.extend(job.params.prompt for job in jobs)
        return paint_noise(jobs)

    manifest = MANIFEST.but(deeper=("bee", "moss"))
    with Cache(tmp_path / "c.sqlite") as cache:
        World(manifest, smooth(32), listening, Lanczos(), cache).picture((1, 2, 3, 4))
    assert asked == ["frog", "bee", "moss", "frog"]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"root": "other"},
        {"cells": cells_with(strength=0.61)},
        {"deeper": ("bee",)},
        {"upscaler": "realesrgan"},
        {"loop": (1, 2)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_manifests_are_other_worlds(change: dict[str, object]) -> None:
    assert MANIFEST.but(**change).id != MANIFEST.id


@pytest.mark.parametrize("path", [(16,), (-1,), (3, 99)])
def test_a_path_out_of_the_grid_is_refused(world: World, path: CellPath) -> None:
    with pytest.raises(InputError, match="is not in a grid of 4x4"):
        world.picture(path)


def test_pictures_that_are_enlarged_besides_are_refused() -> None:
    with pytest.raises(InputError, match="canvases"):
        MANIFEST.but(cells=CELLS.but(enlarge=2)).check()


@pytest.mark.parametrize("grid", [Grid(4, 3), Grid(1, 1)])
def test_a_grid_that_cannot_repeat_is_refused(grid: Grid) -> None:
    with pytest.raises(InputError, match=r"as many cells across as down|2x2 or more"):
        MANIFEST.but(cells=CELLS.but(grid=grid)).check()


# --- exactness -------------------------------------------------------------------------------


@pytest.mark.parametrize("band", [1, 2, 4])
def test_every_picture_is_its_cell_to_a_grey_level(tmp_path: Path, band: int) -> None:
    cells = CELLS.but(band=band)
    world = a_world(tmp_path, MANIFEST.but(cells=cells))
    assert max(world.residual(path) for path in some_paths(8)) <= 1


@pytest.mark.parametrize(("side", "other"), [(16, 32), (32, 16), (24, 64), (64, 64), (48, 32)])
def test_both_forms_of_a_picture_agree_where_they_can(side: int, other: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    changed = resized_exactly(image, Size(other, other), Lanczos())
    assert changed.shape == (other, other, 3)
    shared = int(np.gcd(side, other))
    one, two = (band_of(to_tensor(picture)[None], shared) for picture in (image, changed))
    assert float((one - two).abs().max()) * 255 <= 1


def test_the_children_of_a_picture_are_that_picture(world: World) -> None:
    children = world.pictures([(6, cell) for cell in range(16)])
    rows = [np.concatenate([children[6, 4 * r + c] for c in range(4)], 1) for r in range(4)]
    whole = to_tensor(np.concatenate(rows))[None]
    picture = to_tensor(world.picture((6,)))[None]
    error = band_of(whole, 8) - band_of(picture, 8)
    assert float(error.abs().max()) * 255 <= 2  # one for the cells, one for the canvas between


def test_exact_at_depth_1000(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    chance = random.Random(3)
    path: CellPath = ()
    means = []
    for _ in range(1000):
        canvas = world.canvas(path)
        path = (*path, readable_cell(canvas, chance))
        means.append(world.picture(path).mean((0, 1)))
    assert max(world.residual(path[:depth]) for depth in (1, 10, 100, 999, 1000)) <= 1
    # The painter darkens by a fifth at every depth; what it makes of it must not.
    assert abs(np.mean(means[-100:]) - np.mean(means[:100])) < 40
    first, last = world.picture(path[:1]), world.picture(path)
    assert last.std() > 0.5 * first.std()


def readable_cell(canvas: np.ndarray, chance: random.Random) -> int:
    """One of the four cells that are nearest to middle grey."""
    cells = canvas.reshape(4, CELL_SIDE, 4, CELL_SIDE, 3).mean((1, 3)).reshape(16, 3)
    order = np.argsort(np.abs(cells - 128).max(1))
    return int(order[chance.randrange(4)])


def test_the_deepest_picture_of_all_needs_no_stack(tmp_path: Path) -> None:
    # From nothing, in one call.
    path = tuple(random.Random(4).randrange(16) for _ in range(1100))
    assert a_world(tmp_path).picture(path).shape == (16, 16, 3)


# --- loops -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", [(5,), (5, 10), (5, 10, 6)])
@pytest.mark.parametrize(("side", "columns"), [(16, 4), (32, 4), (64, 4), (16, 8)])
def test_a_loop_leads_to_the_root_and_stays_exact(
    tmp_path: Path, loop: CellPath, side: int, columns: int
) -> None:
    cells = cells_with(size=Size(side, side)).but(grid=Grid(columns, columns))
    world = a_world(tmp_path, MANIFEST.but(cells=cells)).looped(loop)
    assert np.array_equal(world.picture(loop), world.picture(()))
    assert np.array_equal(world.canvas((*loop, *loop, 3)), world.canvas((3,)))
    assert world.residual(loop) <= 1
    if loop[:-1]:
        assert world.residual(loop[:-1]) <= 1
    for beside in (loop[-1] - 1, loop[-1] + 1):
        assert world.residual((*loop[:-1], beside)) <= 1


def test_a_loop_changes_nothing_before_its_last_picture(world: World) -> None:
    looped = world.looped((5, 10, 6))
    for path in [(5,), (6,), (5, 9), (5, 9, 1)]:
        assert np.array_equal(world.picture(path), looped.picture(path))
    assert not np.array_equal(world.picture((5, 10)), looped.picture((5, 10)))
    assert np.abs(world.picture((5, 10)).astype(int) - looped.picture((5, 10))).mean() < 40


# --- many processes, and none ----------------------------------------------------------------

WORKER = """
import sys, time
from pathlib import Path
from tests.test_world import *
folder, log, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def slow(jobs):
    with log.open("a") as file:
        file.writelines(f"{job.params.seed}\\n" for job in jobs)
    time.sleep(pause)
    return biased(jobs)
world = World(MANIFEST, smooth(32), slow, Lanczos(), Cache(folder / "worlds.sqlite"), batch_size=2)
print(digest(world.pictures(some_paths(12, seed=2))))
"""


def worker(tmp_path: Path, pause: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path), str(tmp_path / "log"), str(pause)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def painted(tmp_path: Path) -> list[str]:
    log = tmp_path / "log"
    return log.read_text("utf-8").split() if log.exists() else []


def test_processes_that_ask_for_the_same_paint_it_once(tmp_path: Path) -> None:
    workers = [worker(tmp_path, 0.1) for _ in range(3)]
    answers = {process.communicate(timeout=120)[0].strip() for process in workers}
    expected = digest(a_world(tmp_path / "alone").pictures(some_paths(12, seed=2)))
    assert answers == {expected}
    assert len(painted(tmp_path)) == len(set(painted(tmp_path)))


def test_a_world_whose_painter_was_killed_goes_on_and_becomes_the_same(tmp_path: Path) -> None:
    killed = worker(tmp_path, 0.5)
    while len(painted(tmp_path)) < 4:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = set(painted(tmp_path))
    expected = digest(a_world(tmp_path / "alone").pictures(some_paths(12, seed=2)))
    assert worker(tmp_path, 0).communicate(timeout=120)[0].strip() == expected
    after = painted(tmp_path)
    # Only the batch that was being painted is painted again.
    assert len(after) - len(set(after)) <= 2
    assert before <= set(after)


# --- with a model ----------------------------------------------------------------------------


def test_with_a_model_a_picture_depends_on_its_batch_by_a_grey_level_at_most(
    bundled: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bundled, "defaults", Defaults(steps=2, guidance=1.0))
    cells = cells_with(size=Size(64, 64)).but(grid=Grid(8, 8))
    manifest = MANIFEST.but(cells=cells)
    painter = painter_of(bundled)
    found = []
    for size in (1, 5):
        with Cache(tmp_path / f"{size}.sqlite") as cache:
            world = World(manifest, smooth(64), painter, Lanczos(), cache, batch_size=size)
            found.append(world.pictures([(cell,) for cell in range(20, 25)]))
            assert world.residual((22,)) <= 1
    for path, picture in found[0].items():
        assert np.abs(picture.astype(int) - found[1][path]).max() <= 1


@pytest.mark.slow
def test_with_the_bundled_model_colours_do_not_drift_in_30_depths(
    bundled: Model, tmp_path: Path
) -> None:
    cells = cells_with(size=Size(64, 64), steps=4, strength=0.8, guidance=3.0)
    painter = painter_of(bundled)
    chance, path = random.Random(0), ()
    with Cache(tmp_path / "c.sqlite") as cache:
        manifest = MANIFEST.but(cells=cells)
        world = World(manifest, smooth(32), painter, Lanczos(), cache)
        for _ in range(30):
            path = (*path, readable_cell(world.canvas(path), chance))
        assert max(world.residual(path[:depth]) for depth in range(1, 31)) <= 1
        deep = [world.picture(path[:depth]) for depth in range(20, 31)]
        assert 40 < np.mean(deep) < 215
        assert np.mean([picture.std() for picture in deep]) > 0.5 * world.picture(path[:1]).std()


# --- from a prompt ---------------------------------------------------------------------------


def test_a_world_opens_from_a_prompt(bundled: Model, tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "w.sqlite"
    with World.open(bundled, "photo of a frog", seed=5, grid=4, cache=cache, steps=1) as world:
        picture = world.picture((3, 14))
        assert (picture.shape, picture.dtype) == ((128, 128, 3), np.uint8)
        assert world.manifest.cells.params.seed == 5
        assert world.manifest.cells.params.steps == 1
        assert world.manifest.upscaler == "realesrgan-animevideo"
        assert world.residual((3, 14)) <= 1
    with World.open(bundled, "photo of a frog", seed=5, grid="4x4", cache=cache, steps=1) as again:
        assert not again.missing([(3,), (3, 14)])
        assert np.array_equal(again.picture((3, 14)), picture)


def test_a_world_starts_from_a_picture_and_warns_of_what_is_unknown(
    bundled: Model, tmp_path: Path
) -> None:
    given = {"grid": 4, "cache": tmp_path / "w.sqlite", "size": 16, "upscaler": "lanczos"}
    with (
        pytest.warns(UserWarning, match="was not taught 'zyzzyva'"),
        World.open(bundled, "zyzzyva", image=smooth(32), **given) as world,
    ):
        assert np.array_equal(world.canvas(()), smooth(32))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"grid": "4x3"}, "grid 4 cell_aspect 4:3 gives all of them that aspect"),
        ({"grid": 1}, "grid 1x1: a world's grid is 2x2 or more"),
        ({"depth": 5}, "depth is not a parameter"),
        ({"image": "none.png"}, "none.png: there is no such file"),
        ({"upscaler": "magic"}, "magic"),
        ({"cell_prompt": ["bee", "turtle " * 500]}, "tokens long"),
        ({"deeper_prompt": ["bee", "turtle " * 500]}, "tokens long"),
        ({"cache_size": -1}, "cache_size -1 is out of range"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_world_that_cannot_be_is_refused_in_one_line_and_nothing_is_written(
    bundled: Model, tmp_path: Path, given: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError) as refused:
        World.open(bundled, "frog", cache=tmp_path / "w.sqlite", **given)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_another_file_is_no_cache(bundled: Model, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary " * 99)
    with pytest.raises(OutputError, match=r"diary\.txt"):
        World.open(bundled, "frog", grid=4, cache=tmp_path / "diary.txt")
    assert (tmp_path / "diary.txt").read_text() == "dear diary " * 99
