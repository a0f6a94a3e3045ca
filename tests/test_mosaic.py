"""The hypermosaic: cells that fit together, exact colours, a folder that survives a kill."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from digressions.errors import InputError, OutputError
from digressions.geometry import Grid
from digressions.job import MAX_SEED
from digressions.models import Model
from digressions.mosaics.band import band_of
from digressions.mosaics.fidelity import Gauge
from digressions.mosaics.hypermosaic import Hypermosaic
from digressions.mosaics.mosaic import (
    CELL_SIDE,
    Mosaic,
    cell_seed,
    cells_of,
    exact_cells,
    strips,
)
from digressions.mosaics.preview import Preview
from digressions.mosaics.primary import Primary, make_primary
from digressions.mosaics.store import Store
from digressions.pictures.images import read_image, to_tensor
from digressions.pictures.metadata import Settings

from .conftest import Ran, heed_interrupts

SEEDS = [
    3202682252830578881,
    8003828004978139229,
    5016167597400215901,
    3224219991772868430,
]
PLAN = Mosaic("frog", Grid(3, 3), 32, 0.75, 2, 1.0, "ddim", seed=5)


def smooth(grid: Grid) -> torch.Tensor:
    """A primary with gradients in all directions: ``(3, H, W)``."""
    height, width = grid.rows * CELL_SIDE, grid.columns * CELL_SIDE
    y, x = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None]
    planes = [x + 0 * y, 0.2 + 0.6 * y + 0 * x, 0.5 + 0.4 * torch.sin(5 * x + 4 * y)]
    return torch.stack(planes)


def pictures(path: Path) -> dict[int, bytes]:
    if not path.exists():
        return {}
    db = sqlite3.connect(path, timeout=5)
    try:
        return dict(db.execute("select cell, png from pictures"))
    except sqlite3.OperationalError:
        return {}  # the table is about to be made
    finally:
        db.close()


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


# --- cells -----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [8, 16, 64])
def test_neighbouring_cells_are_one_enlargement_of_the_primary(side: int) -> None:
    grid = Grid(3, 2)
    plan = Mosaic("", grid, side, 1.0, 1, 1.0, "ddim", 0)
    primary = smooth(grid)
    cells = cells_of(primary, plan, range(6))
    rows = [torch.cat(list(cells[list(grid.row(row))]), dim=2) for row in range(2)]
    whole = F.interpolate(
        primary[None], (2 * side, 3 * side), mode="bicubic", align_corners=False
    ).clamp(0, 1)
    assert torch.allclose(torch.cat(rows, dim=1), whole[0], atol=1e-5)


def test_at_their_own_size_cells_are_the_primarys_pixels() -> None:
    plan = Mosaic("", Grid(3, 2), CELL_SIDE, 1.0, 1, 1.0, "ddim", 0)
    primary = torch.rand(3, 16, 24, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(
        cells_of(primary, plan, [4, 0]), exact_cells(primary, plan, [4, 0]), atol=1e-6
    )
    assert torch.equal(exact_cells(primary, plan, [4])[0], primary[:, 8:16, 8:16])


@pytest.mark.parametrize("b", [1, 2, 4])
def test_an_enlarged_cell_has_nearly_the_box_means_of_the_primary(b: int) -> None:
    grid = Grid(4, 3)
    plan = Mosaic("", grid, 64, 1.0, 1, 1.0, "ddim", 0)
    primary, cells = smooth(grid), range(grid.cells)
    wanted = band_of(exact_cells(primary, plan, cells), b)
    assert (band_of(cells_of(primary, plan, cells), b) - wanted).abs().max() * 255 < 1.5


# --- seeds -----------------------------------------------------------------------------------


def test_cell_seeds_are_stable() -> None:
    # Written down: a seed that changes makes every mosaic of before another picture.
    assert [cell_seed(0, 0), cell_seed(0, 1), cell_seed(7, 4095), cell_seed(7, 3, 9)] == SEEDS


def test_the_cell_seeds_of_a_large_mosaic_are_distinct_and_in_range() -> None:
    seeds = Mosaic("", Grid(256, 256), 64, 1.0, 1, 1.0, "ddim", 3).seeds()
    assert len(set(seeds)) == 256 * 256
    assert min(seeds) >= 0
    assert max(seeds) <= MAX_SEED


@given(st.integers(0, MAX_SEED), st.integers(0, MAX_SEED), st.integers(0, 65535))
def test_other_roots_give_other_seeds(one: int, other: int, cell: int) -> None:
    assert (cell_seed(one, cell) == cell_seed(other, cell)) == (one == other)
    assert cell_seed(one, cell) != cell_seed(one, cell, 0)


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["prompt", "grid", "side", "seed", "band", "strength", "anchor", "enlarge", "upscaler"]
)
def test_a_job_tells_every_setting_apart(name: str) -> None:
    other = {
        "prompt": "newt",
        "grid": Grid(3, 4),
        "side": 64,
        "enlarge": 4,
        "upscaler": "realesrgan",
    }.get(name, 1)
    assert dataclasses.replace(PLAN, **{name: other}).job() != PLAN.job()


@pytest.mark.parametrize(
    "values",
    [
        {"band": 3},
        {"band": -1},
        {"grid": Grid(257, 1)},
        {"side": 12, "band": 8},
        {"enlarge": 9},
        {"upscaler": "nearest"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError):
        dataclasses.replace(PLAN, **values).check()  # type: ignore[arg-type]


# --- measuring -------------------------------------------------------------------------------


@pytest.mark.parametrize("band", [0, 1, 2, 4])
def test_the_gauge_measures_what_numpy_measures(band: int) -> None:
    grid, side = Grid(4, 3), 16
    plan = Mosaic("", grid, side, 1.0, 1, 1.0, "ddim", 0, band=band)
    random = np.random.default_rng(band)
    whole = random.integers(0, 256, (grid.rows * side, grid.columns * side, 3), dtype=np.uint8)
    primary = torch.rand(3, grid.rows * CELL_SIDE, grid.columns * CELL_SIDE)
    gauge = Gauge(plan, primary)
    rows = [whole[row * side : (row + 1) * side] for row in range(grid.rows)]
    passed = list(gauge.watch(iter(rows)))
    assert all(a is b for a, b in zip(passed, rows, strict=True))

    def means(picture: np.ndarray, values: int) -> np.ndarray:
        height, width = grid.rows * values, grid.columns * values
        boxes = picture.reshape(height, len(picture) // height, width, -1, 3)
        # Axis 3 is what is left of the width.
        return boxes.mean((1, 3))

    original = primary.permute(1, 2, 0).double().numpy()
    seen = gauge.fidelity()
    for values, decibels in ((band or 1, seen.band_psnr), (CELL_SIDE, seen.fine_psnr)):
        error = means(whole / 255.0, values) - means(original, values)
        assert decibels == pytest.approx(-10 * np.log10((error**2).mean()), abs=1e-3)
        if values == (band or 1):
            assert seen.largest == pytest.approx(np.abs(error).max() * 255, abs=1e-2)
    assert seen.band == (band or 1)


def test_a_preview_is_the_whole_averaged_down() -> None:
    whole = np.random.default_rng(0).integers(0, 256, (96, 64, 3), dtype=np.uint8)
    rows = [whole[top : top + 10] for top in range(0, 96, 10)]
    seen = Preview(Grid(2, 3).size(32), 24)
    passed = list(seen.watch(iter(rows)))
    assert all(a is b for a, b in zip(passed, rows, strict=True))
    small = seen.image()
    assert small.shape == (24, 16, 3)
    assert np.abs(small - whole.reshape(24, 4, 16, 4, 3).mean((1, 3))).max() <= 0.51


# --- with a model ----------------------------------------------------------------------------


def a_primary(model: Model, seed: int = 5) -> Primary:
    settings = Settings(
        "paint", "turtle", "bundled", model.hash, seed, 2, "ddim", 1.0, 32, 32, version="test"
    )
    return Primary(settings, None, "lanczos")


@pytest.fixture(scope="module")
def made(bundled: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Hypermosaic, float]:
    """A 3 x 3 mosaic, painted in two batches, and its largest error."""
    folder = tmp_path_factory.mktemp("made") / "mosaic"
    job = Hypermosaic(bundled, PLAN, a_primary(bundled), folder)
    estimate = job.start()
    assert (estimate.pictures, estimate.done, estimate.to_paint) == (9, 0, 9)
    assert estimate.pixels == 96 * 96
    told: list[int] = []
    work = job.paint(batch_size=9, on_batch=told.append)
    assert work.pictures == 9
    assert told == [9]
    assert 0 < work.inside <= work.seconds
    return job, job.assemble(single="tif").largest


def test_enlarged_pictures_are_as_exact_and_show_the_same(
    made: tuple[Hypermosaic, float], bundled: Model, tmp_path: Path
) -> None:
    plan = dataclasses.replace(PLAN, enlarge=2, upscaler="lanczos")
    job = Hypermosaic(bundled, plan, a_primary(bundled), tmp_path / "mosaic")
    estimate = job.start()
    assert estimate.pixels == 4 * 96 * 96
    job.paint(batch_size=9)
    assert job.assemble(single="tif").largest <= 1.0
    large, small = (read_image(j.folder / "mosaic.tif").astype(int) for j in (job, made[0]))
    assert large.shape == (192, 192, 3)
    again = np.asarray(Image.fromarray(large.astype(np.uint8)).reduce(2)).astype(int)
    assert np.abs(again - small).mean() < 2


def test_what_is_painted_to_tell_the_time_is_not_painted_again(
    bundled: Model, tmp_path: Path
) -> None:
    job = Hypermosaic(bundled, PLAN, a_primary(bundled), tmp_path / "mosaic")
    job.start()
    first = job.paint(batch_size=2, enough=lambda painted: painted >= 2)
    assert first.pictures == 2
    told: list[int] = []
    rest = job.paint(batch_size=9, on_batch=told.append)
    assert told == [7]
    assert first.plus(rest).pictures == 9


def test_the_mosaic_is_its_primary_to_a_grey_level(made: tuple[Hypermosaic, float]) -> None:
    job, largest = made
    assert largest <= 1.0
    whole = to_tensor(read_image(job.folder / "mosaic.tif"))
    primary = to_tensor(read_image(job.folder / "primary.png"))
    error = F.adaptive_avg_pool2d(whole, (6, 6)) - F.adaptive_avg_pool2d(primary, (6, 6))
    assert float(error.abs().max()) * 255 == pytest.approx(largest, abs=0.02)


def test_the_folder_holds_everything(made: tuple[Hypermosaic, float]) -> None:
    folder = made[0].folder
    names = {path.name for path in folder.iterdir()}
    assert {
        "primary.png",
        "mosaic.dzi",
        "mosaic_files",
        "index.html",
        "preview.jpg",
        "manifest.json",
        "pictures.sqlite",
        "mosaic.tif",
    } <= names
    assert not [name for name in names if name.endswith(".part")]
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert (manifest["columns"], manifest["rows"]) == (3, 3)
    assert manifest["fidelity"]["largest"] == made[1]
    assert read_image(folder / "preview.jpg").shape == (96, 96, 3)


@pytest.mark.parametrize("batch_size", [2])
def test_the_pictures_do_not_depend_on_the_batch(
    made: tuple[Hypermosaic, float], bundled: Model, tmp_path: Path, batch_size: int
) -> None:
    job = Hypermosaic(bundled, PLAN, a_primary(bundled), tmp_path / "m")
    job.start()
    job.paint(batch_size=batch_size)
    one, other = (pictures(f / "pictures.sqlite") for f in (made[0].folder, job.folder))
    assert one.keys() == other.keys() == set(range(9))
    assert max(np.abs(pixels(one[cell]) - pixels(other[cell])).max() for cell in one) <= 2


def test_assembling_takes_each_picture_from_the_store_once(
    made: tuple[Hypermosaic, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    get = Store.get

    def counted(store: Store, cells: Iterable[int]) -> Iterator[bytes]:
        cells = list(cells)
        asked.extend(cells)
        return get(store, cells)

    monkeypatch.setattr(Store, "get", counted)
    made[0].assemble()
    assert sorted(asked) == list(range(9))


def test_every_cell_is_another_picture(made: tuple[Hypermosaic, float]) -> None:
    found = [pixels(png) for png in pictures(made[0].folder / "pictures.sqlite").values()]
    assert all(np.abs(a - b).mean() > 2 for a, b in itertools.combinations(found, 2))


def test_strips_are_the_rows_of_pictures(made: tuple[Hypermosaic, float]) -> None:
    job = made[0]
    with job._store() as store:
        found = list(strips(store, job.mosaic))
    assert [strip.shape for strip in found] == [(32, 96, 3)] * 3
    png = pictures(job.folder / "pictures.sqlite")[5]
    assert np.array_equal(found[1][:, 64:], pixels(png))


def test_a_finished_mosaic_is_not_painted_again(
    made: tuple[Hypermosaic, float], bundled: Model
) -> None:
    before = pictures(made[0].folder / "pictures.sqlite")
    job = Hypermosaic(bundled, PLAN, a_primary(bundled), made[0].folder)
    assert job.resumed
    assert job.start().done == 9
    assert job.paint().pictures == 0
    assert pictures(job.folder / "pictures.sqlite") == before


def test_another_job_is_refused_its_folder(made: tuple[Hypermosaic, float], bundled: Model) -> None:
    others = [
        (dataclasses.replace(PLAN, prompt="newt"), a_primary(bundled), "prompt"),
        (dataclasses.replace(PLAN, grid=Grid(3, 4)), a_primary(bundled), "grid"),
        (PLAN, a_primary(bundled, seed=6), "seed"),
    ]
    for plan, primary, word in others:
        with pytest.raises(OutputError, match=f"belongs to another job .*{word}"):
            Hypermosaic(bundled, plan, primary, made[0].folder)


def test_nothing_is_written_before_everything_is_checked(bundled: Model, tmp_path: Path) -> None:
    long = dataclasses.replace(a_primary(bundled).settings, prompt="turtle " * 500)
    bad = [
        (dataclasses.replace(PLAN, prompt="turtle " * 500), a_primary(bundled)),
        (PLAN, Primary(long, None, "lanczos")),
        (PLAN, dataclasses.replace(a_primary(bundled), upscaler="magic")),
        (dataclasses.replace(PLAN, sampler="magic"), a_primary(bundled)),
        (dataclasses.replace(PLAN, steps=0), a_primary(bundled)),
        (dataclasses.replace(PLAN, side=33, band=0), a_primary(bundled)),
    ]
    for plan, primary in bad:
        with pytest.raises(InputError):
            Hypermosaic(bundled, plan, primary, tmp_path / "m")
        assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("shape", [(48, 64), (9, 200), (200, 9), (24, 24)])
def test_any_picture_becomes_a_primary_of_the_right_size(
    bundled: Model, shape: tuple[int, int]
) -> None:
    own = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    primary = Primary(a_primary(bundled).settings, own, "lanczos")
    assert make_primary(bundled, primary, PLAN).shape == (24, 24, 3)


# --- stopping and going on -------------------------------------------------------------------

COMMAND = [
    *("mosaic", "turtle", "--grid", "4x3", "--size", "32", "--steps", "3", "--guidance", "1"),
    *("--batch-size", "1", "--seed", "3", "--device", "cpu", "--dtype", "float32"),
    *("--upscaler", "lanczos", "--image", "start.png"),
]


def run(folder: Path, stop: signal.Signals, after: int, *more: str) -> tuple[int, str]:
    """The command line in a process of its own, stopped when it has painted some pictures."""
    program = "from digressions.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *COMMAND, *more, "-o", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder.parent,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        preexec_fn=heed_interrupts,
    )
    while process.poll() is None:
        if len(pictures(folder / "pictures.sqlite")) >= after:
            process.send_signal(stop)
            break
        time.sleep(0.01)
    _, text = process.communicate()
    return process.returncode, text


def test_a_stopped_mosaic_goes_on_and_becomes_the_same(
    tmp_path: Path, digress: Callable[..., Ran], photo: np.ndarray
) -> None:
    Image.fromarray(photo).save(tmp_path / "start.png")
    folder, store = tmp_path / "stopped", tmp_path / "stopped" / "pictures.sqlite"

    code, text = run(folder, signal.SIGINT, after=2)
    assert code == 130
    assert "the same command goes on" in text.splitlines()[-1]
    assert "Traceback" not in text
    first = pictures(store)
    assert 2 <= len(first) < 12

    code, _ = run(folder, signal.SIGKILL, after=len(first) + 2)
    assert code == -signal.SIGKILL
    second = pictures(store)
    assert len(first) + 2 <= len(second) < 12
    assert first.items() <= second.items()

    assert digress(*COMMAND, "-o", folder).code == 0
    third = pictures(store)
    assert len(third) == 12
    assert second.items() <= third.items()  # nothing that was finished was painted again
    assert (folder / "index.html").exists()

    assert digress(*COMMAND, "-o", tmp_path / "whole").code == 0
    whole = pictures(tmp_path / "whole" / "pictures.sqlite")
    assert max(np.abs(pixels(third[c]) - pixels(whole[c])).max() for c in range(12)) <= 2
    one, other = (read_image(f / "primary.png") for f in (folder, tmp_path / "whole"))
    assert np.array_equal(one, other)


def test_a_mosaic_whose_primary_was_not_finished_starts_with_it(
    bundled: Model, tmp_path: Path
) -> None:
    job = Hypermosaic(bundled, PLAN, a_primary(bundled), tmp_path / "m")
    job.start()
    whole = (job.folder / "primary.png").read_bytes()
    (job.folder / "primary.png").unlink()
    (job.folder / ".primary.png.1.part").write_bytes(whole[:50])
    again = Hypermosaic(bundled, PLAN, a_primary(bundled), tmp_path / "m")
    assert again.resumed
    again.start()
    assert (job.folder / "primary.png").read_bytes() == whole


def test_a_store_of_another_job_in_the_folder_is_refused(bundled: Model, tmp_path: Path) -> None:
    job = Hypermosaic(bundled, PLAN, a_primary(bundled), tmp_path / "m")
    (tmp_path / "m").mkdir()
    Store(tmp_path / "m" / "pictures.sqlite", "another").close()
    with pytest.raises(OutputError, match="another"):
        job.start()


# --- the whole level -------------------------------------------------------------------------

WHOLE = """
import sys
from pathlib import Path
from digressions.cli import main
sys.argv = ["digress", "mosaic", "photo of a turtle", "--steps", "1", "-o", sys.argv[1]]
main()
status = Path("/proc/self/status").read_text()
print("PEAK", status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_4096_pictures_take_less_than_2_gb_of_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WHOLE, str(tmp_path / "mosaic")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    peak = int(ran.stdout.split("PEAK")[1])
    print(f"peak {peak / 1e6:.2f} GB")
    assert peak < 2e6
