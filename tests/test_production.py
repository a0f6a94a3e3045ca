"""Production: stages overlap, memory is bounded, and whatever fails, nothing finished is lost."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from digressions.errors import ModelError, OutputError
from digressions.events import Note, completed
from digressions.generate.job import Job
from digressions.generate.paint import painting
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.models.runtime import Stopwatch
from digressions.mosaics import production
from digressions.mosaics.build import make_mosaic
from digressions.mosaics.build_params import BuildParams
from digressions.mosaics.folder import MosaicFolder, MosaicPlan
from digressions.mosaics.mosaic_spec import SharingParams
from digressions.mosaics.production import ON_THE_WAY, CellPainter, FinishedBatch
from digressions.mosaics.sharing import CellTask
from digressions.mosaics.store import Store

from .checkpoints import build
from .conftest import Ran
from .test_mosaic import MOSAIC, a_base, a_plan, changed, pictures, pixels, started

WAIT = 60.0  # seconds after which a thread that was waited for is taken for dead


@pytest.fixture
def folder(bundled: Model, tmp_path: Path) -> MosaicFolder:
    """Nine cells, not begun."""
    return started(bundled, tmp_path / "m")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of one colour in no time: these tests are about the order of things."""

    def paint(self: CellPainter, tasks: Sequence[CellTask]) -> Tensor:
        return torch.full((len(tasks), 3, MOSAIC.cell.width, MOSAIC.cell.width), 0.5)

    monkeypatch.setattr(CellPainter, "paint", paint)


def stored(folder: MosaicFolder) -> set[int]:
    return set(pictures(folder.path / "pictures.sqlite"))


def paint_some(folder: MosaicFolder, pictures: int, **options: Any) -> None:
    """Closes the painting once so many are painted."""
    work = folder.paint(**options)
    for totals in work:
        if totals.painted >= pictures:
            break
    work.close()


# --- overlapping -----------------------------------------------------------------------------


def test_the_network_does_not_wait_for_png_and_sqlite(
    folder: MosaicFolder, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first picture is only finished once the next one is being painted."""
    second = threading.Event()
    paint, finish, put = CellPainter.paint, CellPainter.finish, Store.put
    painted: list[int] = []

    def painting(self: CellPainter, tasks: Sequence[CellTask]) -> Tensor:
        painted.append(len(tasks))
        if len(painted) == 2:
            second.set()
        return paint(self, tasks)

    def finishing(self: CellPainter, tasks: Sequence[CellTask], images: Tensor) -> FinishedBatch:
        assert second.wait(WAIT)
        return finish(self, tasks, images)

    def putting(self: Store, pngs: dict[int, bytes]) -> None:
        assert second.wait(WAIT)
        put(self, pngs)

    monkeypatch.setattr(CellPainter, "paint", painting)
    monkeypatch.setattr(CellPainter, "finish", finishing)
    monkeypatch.setattr(Store, "put", putting)
    assert completed(folder.paint(batch_size=1)).placed == 9
    assert stored(folder) == set(range(9))


def test_a_slow_disk_holds_the_painting_up_before_memory_fills(
    folder: MosaicFolder, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint, put = CellPainter.paint, Store.put
    painted = committed = most = 0

    def painting(self: CellPainter, tasks: Sequence[CellTask]) -> Tensor:
        nonlocal painted, most
        painted += len(tasks)
        most = max(most, painted - committed)
        return paint(self, tasks)

    def putting(self: Store, pngs: dict[int, bytes]) -> None:
        nonlocal committed
        time.sleep(0.05)
        put(self, pngs)
        committed += len(pngs)

    monkeypatch.setattr(CellPainter, "paint", painting)
    monkeypatch.setattr(CellPainter, "finishers", 1)
    monkeypatch.setattr(Store, "put", putting)
    completed(folder.paint(batch_size=1))
    assert committed == 9
    assert most <= ON_THE_WAY + 3  # those that wait, one that is finished, one painted, one counted


def test_batches_are_committed_in_order(
    folder: MosaicFolder, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []
    put = Store.put

    def putting(self: Store, pngs: dict[int, bytes]) -> None:
        put(self, pngs)
        seen.append(stored(folder))

    monkeypatch.setattr(Store, "put", putting)
    completed(folder.paint(batch_size=2))
    assert [len(cells) for cells in seen] == [2, 4, 6, 8, 9]
    assert all(cells == set(range(len(cells))) for cells in seen)


def test_it_tells_after_every_batch_what_is_committed(folder: MosaicFolder, quick: None) -> None:
    told = []
    for totals in folder.paint(batch_size=2):
        assert totals.placed <= len(stored(folder))
        told.append((totals.painted, totals.placed))
    assert [painted for painted, _ in told] == [2, 4, 6, 8, 9, 9]
    assert told == sorted(told)
    assert told[-1] == (9, 9)


def test_it_waits_for_who_takes_its_pictures(folder: MosaicFolder, quick: None) -> None:
    """Nobody who stops to take them has the network run on, and their time is not counted."""
    work = folder.paint(batch_size=1)
    next(work)
    time.sleep(2)
    assert next(work).painted == 2
    assert completed(work).seconds < 2
    assert stored(folder) == set(range(9))


def test_what_is_on_its_way_when_it_is_closed_is_committed(
    folder: MosaicFolder, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Store.put

    def putting(self: Store, pngs: dict[int, bytes]) -> None:
        time.sleep(0.05)
        put(self, pngs)

    monkeypatch.setattr(Store, "put", putting)
    paint_some(folder, 4, batch_size=2)
    assert stored(folder) == {0, 1, 2, 3}
    told = [totals.painted for totals in folder.paint(batch_size=9)]
    assert told == [5, 5]  # nothing is painted again
    assert stored(folder) == set(range(9))


# --- faults ----------------------------------------------------------------------------------


def test_what_is_painted_when_ctrl_c_comes_is_kept(
    folder: MosaicFolder, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint = CellPainter.paint

    def painting(self: CellPainter, tasks: Sequence[CellTask]) -> Tensor:
        if tasks[0].cell == 4:
            raise KeyboardInterrupt
        return paint(self, tasks)

    monkeypatch.setattr(CellPainter, "paint", painting)
    with pytest.raises(KeyboardInterrupt):
        completed(folder.paint(batch_size=1))
    assert stored(folder) == {0, 1, 2, 3}


def test_a_disk_that_fills_up_under_a_job_loses_nothing_and_the_job_goes_on(
    folder: MosaicFolder, bundled: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Store.put

    def putting(self: Store, pngs: dict[int, bytes]) -> None:
        if len(self.done()) >= 3:  # from now on there is no page left
            (pages,) = self._db.execute("pragma page_count").fetchone()
            self._db.execute(f"pragma max_page_count = {pages}")
            pngs = {cell: png + bytes(50_000) for cell, png in pngs.items()}
        put(self, pngs)

    with monkeypatch.context() as full:
        full.setattr(Store, "put", putting)
        with pytest.raises(OutputError, match="the disk is full; finished pictures are kept"):
            completed(folder.paint(batch_size=1))
    before = pictures(folder.path / "pictures.sqlite")
    assert set(before) == {0, 1, 2}
    completed(started(bundled, folder.path).paint(batch_size=4))
    after = pictures(folder.path / "pictures.sqlite")
    assert set(after) == set(range(9))
    assert before.items() <= after.items()


def test_a_store_that_another_process_holds_is_one_line_and_the_job_goes_on(
    folder: MosaicFolder, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **options: connect(*a, **options | {"timeout": 0.05})
    )
    paint_some(folder, 2, batch_size=1)
    other = connect(folder.path / "pictures.sqlite", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(OutputError, match="another process is writing to it"):
        completed(folder.paint(batch_size=1))
    other.execute("rollback")
    other.close()
    assert stored(folder) == {0, 1}
    completed(folder.paint())
    assert stored(folder) == set(range(9))


def test_a_batch_that_memory_does_not_hold_is_painted_in_parts(
    folder: MosaicFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def failing(model: Model, jobs: Sequence[Job], **seen: Any) -> Generator[int, None, Tensor]:
        asked.append(len(jobs))
        if len(jobs) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return (yield from painting(model, jobs, **seen))

    monkeypatch.setattr("digressions.generate.paint.painting", failing)
    assert completed(folder.paint(batch_size=8)).placed == 9
    assert asked == [8, 4, 2, 2, 2, 2, 1]
    assert stored(folder) == set(range(9))


def test_a_checkpoint_that_changes_under_a_job_is_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "sd", "sd")
    model = load(str(folder), "cpu", "float32")
    plan = MosaicPlan(changed(size=64), a_base(model, size=64), SharingParams())
    made = started(model, tmp_path / "m", plan)
    paint_some(made, 4, batch_size=2)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    old = weights.read_bytes()
    different = {name: 2 * value for name, value in load_file(weights).items()}
    save_file(different, weights, {"format": "pt"})

    with pytest.raises(ModelError, match="have changed since they were loaded"):
        completed(made.paint(batch_size=2))
    assert stored(made) == {0, 1, 2, 3}
    with pytest.raises(OutputError, match=r"belongs to another job .*its model is"):
        MosaicFolder(load(str(folder), "cpu", "float32"), plan, tmp_path / "m")

    weights.write_bytes(old)  # the old ones again, later
    completed(made.paint(batch_size=2))
    assert stored(made) == set(range(9))


# --- sharing ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(bundled: Model, tmp_path_factory: pytest.TempPathFactory) -> MosaicFolder:
    """Every cell its own picture."""
    folder = started(bundled, tmp_path_factory.mktemp("a") / "m")
    completed(folder.paint(batch_size=9))
    return folder


@pytest.mark.parametrize("sharing", [{"reuse": 3}, {"merge_similar": 0.02}], ids=str)
def test_shared_pictures_are_exact_in_every_place(
    alone: MosaicFolder, bundled: Model, tmp_path: Path, sharing: dict[str, Any]
) -> None:
    folder = started(bundled, tmp_path / "m", a_plan(bundled, **sharing))
    sources = folder.sources
    assert 1 < len(folder.tasks(set())) == len(np.unique(sources)) < 9
    # Stopped with some of a picture's places done, it goes on with the others.
    paint_some(folder, 1, batch_size=1)
    with sqlite3.connect(folder.path / "pictures.sqlite") as db:
        db.execute("delete from pictures where cell = (select max(cell) from pictures)")
    db.close()
    completed(folder.paint(batch_size=2))
    assert completed(folder.assemble()).largest <= 1.0
    own, shared = (pictures(each.path / "pictures.sqlite") for each in (alone, folder))
    assert set(shared) == set(range(9))
    for cell in range(9):
        if sources[cell] == cell:  # painted for this place: the picture it would have had anyway
            assert np.abs(pixels(shared[cell]) - pixels(own[cell])).max() <= 2


def test_another_sharing_is_another_job(alone: MosaicFolder, bundled: Model) -> None:
    with pytest.raises(OutputError, match="it has no reuse, and here it is 3"):
        MosaicFolder(bundled, a_plan(bundled, reuse=3), alone.path)


def test_it_says_what_sharing_costs(bundled: Model, tmp_path: Path) -> None:
    plan = a_plan(bundled, merge_similar=0.2)
    texts = [
        event.text
        for event in make_mosaic(bundled, plan, tmp_path / "m")
        if isinstance(event, Note)
    ]
    assert any("pictures for 9 cells" in text for text in texts)
    assert any("of neighbours show the same one" in text for text in texts)
    assert any("bent shared pictures by" in text for text in texts)


def test_the_command_says_what_sharing_costs_and_where_the_time_went(
    digress: Callable[..., Ran], tmp_path: Path
) -> None:
    words = ("mosaic", "turtle", "--grid", "4", "--size", "32", "--device", "cpu")
    words += ("--dtype", "float32", "--upscaler", "lanczos")
    ran = digress(*words, "--merge-similar", "0.2", "--profile", "-o", tmp_path / "m")
    assert ran.code == 0
    said = " ".join(ran.out.split())
    assert "pictures for 16 cells" in said
    assert "of neighbours show the same one" in said
    assert "bent shared pictures by" in said
    assert "(0.016 Mpx)" in said
    for stage in ("encode", "denoise", "decode", "wait", "correct", "png", "store", "pyramid"):
        assert f" {stage}" in said
    again = digress("replay", tmp_path / "m" / "preview.jpg", "-o", tmp_path / "again")
    assert again.code == 0
    one, other = (pictures(tmp_path / name / "pictures.sqlite") for name in ("m", "again"))
    assert max(np.abs(pixels(one[c]) - pixels(other[c])).max() for c in range(16)) <= 2
    refused = digress(*words, "--merge-similar", "0.2", "--reuse", "3", "-o", tmp_path / "no")
    assert (refused.code, (tmp_path / "no").exists()) == (2, False)


def test_stages_say_where_the_time_of_a_run_went(bundled: Model, tmp_path: Path) -> None:
    options = BuildParams(profile=True)
    told = list(make_mosaic(bundled, a_plan(bundled), tmp_path / "m", options))
    spent = bundled.clock.spent()
    assert all(spent[stage] > 0 for stage in (*production.MAIN_STAGES, "correct", "png", "store"))
    words = {event.text.split()[0] for event in told if isinstance(event, Note)}
    assert {*production.MAIN_STAGES, "correct", "png", "store", "pyramid"} <= words
    assert not bundled.clock.profiling


def test_a_gpu_is_only_waited_for_while_somebody_profiles(bundled: Model) -> None:
    """Without that the clock does not know the time in the networks, and nobody claims to."""
    away = dataclasses.replace(bundled, device=torch.device("cuda"), clock=Stopwatch())
    assert [production._is_timed(model) for model in (bundled, away)] == [True, False]
    away.clock.profiling = True
    assert production._is_timed(away)
