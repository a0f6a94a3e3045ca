"""The factory: stages overlap, memory is bounded, and whatever fails, nothing finished is lost."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from digressions.errors import ModelError, OutputError
from digressions.loading import load
from digressions.models import Model
from digressions.mosaics import factory
from digressions.mosaics.factory import ON_THE_WAY, Finished, Painting
from digressions.mosaics.hypermosaic import Hypermosaic
from digressions.mosaics.sharing import Piece, Sharing
from digressions.mosaics.store import Store

from .checkpoints import build
from .conftest import Ran
from .test_mosaic import PLAN, a_primary, pictures, pixels

WAIT = 60.0  # seconds after which a thread that was waited for is taken for dead


@pytest.fixture
def job(bundled: Model, tmp_path: Path) -> Hypermosaic:
    """Nine cells, not begun."""
    made = Hypermosaic(bundled, PLAN, a_primary(bundled), tmp_path / "m")
    made.start()
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of one colour in no time: these tests are about the order of things."""

    def paint(self: Painting, pieces: Sequence[Piece]) -> Tensor:
        return torch.full((len(pieces), 3, PLAN.side, PLAN.side), 0.5)

    monkeypatch.setattr(Painting, "paint", paint)


def stored(job: Hypermosaic) -> set[int]:
    return set(pictures(job.folder / "pictures.sqlite"))


# --- overlapping -----------------------------------------------------------------------------


def test_the_network_does_not_wait_for_png_and_sqlite(
    job: Hypermosaic, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first picture is only finished once the next one is being painted."""
    second = threading.Event()
    paint, finish, put = Painting.paint, Painting.finish, Store.put
    painted: list[int] = []

    def painting(self: Painting, pieces: Sequence[Piece]) -> Tensor:
        painted.append(len(pieces))
        if len(painted) == 2:
            second.set()
        return paint(self, pieces)

    def finishing(self: Painting, pieces: Sequence[Piece], images: Tensor) -> Finished:
        assert second.wait(WAIT)
        return finish(self, pieces, images)

    def putting(self: Store, pngs: dict[int, bytes]) -> None:
        assert second.wait(WAIT)
        put(self, pngs)

    monkeypatch.setattr(Painting, "paint", painting)
    monkeypatch.setattr(Painting, "finish", finishing)
    monkeypatch.setattr(Store, "put", putting)
    assert job.paint(batch_size=1).pictures == 9
    assert stored(job) == set(range(9))


def test_a_slow_disk_holds_the_painting_up_before_memory_fills(
    job: Hypermosaic, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint, put = Painting.paint, Store.put
    painted = committed = most = 0

    def painting(self: Painting, pieces: Sequence[Piece]) -> Tensor:
        nonlocal painted, most
        painted += len(pieces)
        most = max(most, painted - committed)
        return paint(self, pieces)

    def putting(self: Store, pngs: dict[int, bytes]) -> None:
        nonlocal committed
        time.sleep(0.05)
        put(self, pngs)
        committed += len(pngs)

    monkeypatch.setattr(Painting, "paint", painting)
    monkeypatch.setattr(Painting, "finishers", 1)
    monkeypatch.setattr(Store, "put", putting)
    job.paint(batch_size=1)
    assert committed == 9
    assert most <= ON_THE_WAY + 3  # those that wait, one that is finished, one painted, one counted


def test_batches_are_committed_in_order(job: Hypermosaic, quick: None) -> None:
    seen: list[set[int]] = []
    job.paint(batch_size=2, on_batch=lambda _: seen.append(stored(job)))
    assert [len(cells) for cells in seen] == [2, 4, 6, 8, 9]
    assert all(cells == set(range(len(cells))) for cells in seen)


# --- faults ----------------------------------------------------------------------------------


def test_what_is_painted_when_ctrl_c_comes_is_kept(
    job: Hypermosaic, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint = Painting.paint

    def painting(self: Painting, pieces: Sequence[Piece]) -> Tensor:
        if pieces[0].cell == 4:
            raise KeyboardInterrupt
        return paint(self, pieces)

    monkeypatch.setattr(Painting, "paint", painting)
    with pytest.raises(KeyboardInterrupt):
        job.paint(batch_size=1)
    assert stored(job) == {0, 1, 2, 3}


def test_a_disk_that_fills_up_under_a_job_loses_nothing_and_the_job_goes_on(
    job: Hypermosaic, bundled: Model, monkeypatch: pytest.MonkeyPatch
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
            job.paint(batch_size=1)
    before = pictures(job.folder / "pictures.sqlite")
    assert set(before) == {0, 1, 2}
    again = Hypermosaic(bundled, PLAN, a_primary(bundled), job.folder)
    again.start()
    again.paint(batch_size=4)
    after = pictures(job.folder / "pictures.sqlite")
    assert set(after) == set(range(9))
    assert before.items() <= after.items()


def test_a_store_that_another_process_holds_is_one_line_and_the_job_goes_on(
    job: Hypermosaic, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **options: connect(*a, **options | {"timeout": 0.05})
    )
    job.paint(batch_size=1, enough=lambda painted: painted >= 2)
    other = connect(job.folder / "pictures.sqlite", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(OutputError, match="another process is writing to it"):
        job.paint(batch_size=1)
    other.execute("rollback")
    other.close()
    assert stored(job) == {0, 1}
    job.paint()
    assert stored(job) == set(range(9))


def test_a_batch_that_memory_does_not_hold_is_painted_in_parts(
    job: Hypermosaic, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = Model.encode
    asked: list[int] = []

    def encoding(self: Model, images: Tensor) -> Tensor:
        asked.append(len(images))
        if len(images) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return encode(self, images)

    monkeypatch.setattr(Model, "encode", encoding)
    assert job.paint(batch_size=8).pictures == 9
    assert asked == [8, 4, 2, 2, 2, 2, 1]
    assert stored(job) == set(range(9))


def test_a_checkpoint_that_changes_under_a_job_is_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "sd", "sd")
    model = load(str(folder), "cpu", "float32")
    plan = dataclasses.replace(PLAN, side=64)
    settings = dataclasses.replace(a_primary(model).settings, width=64, height=64)
    primary = dataclasses.replace(a_primary(model), settings=settings)
    job = Hypermosaic(model, plan, primary, tmp_path / "m")
    job.start()
    job.paint(batch_size=2, enough=lambda painted: painted >= 4)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    old = weights.read_bytes()
    changed = {name: 2 * value for name, value in load_file(weights).items()}
    save_file(changed, weights, {"format": "pt"})

    with pytest.raises(ModelError, match="have changed since they were loaded"):
        job.paint(batch_size=2)
    assert stored(job) == {0, 1, 2, 3}
    with pytest.raises(OutputError, match=r"belongs to another job .*its model is"):
        Hypermosaic(load(str(folder), "cpu", "float32"), plan, primary, tmp_path / "m")

    weights.write_bytes(old)  # the old ones again, later
    job.paint(batch_size=2)
    assert stored(job) == set(range(9))


# --- sharing ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(bundled: Model, tmp_path_factory: pytest.TempPathFactory) -> Hypermosaic:
    """Every cell its own picture."""
    job = Hypermosaic(bundled, PLAN, a_primary(bundled), tmp_path_factory.mktemp("a") / "m")
    job.start()
    job.paint(batch_size=9)
    return job


@pytest.mark.parametrize("sharing", [Sharing(reuse=3), Sharing(merge=0.02)], ids=str)
def test_shared_pictures_are_exact_in_every_place(
    alone: Hypermosaic, bundled: Model, tmp_path: Path, sharing: Sharing
) -> None:
    job = Hypermosaic(bundled, PLAN, a_primary(bundled), tmp_path / "m", sharing)
    estimate = job.start()
    leads = job._leads
    assert 1 < estimate.to_paint == len(np.unique(leads)) < 9
    # Stopped with some of a picture's places done, it goes on with the others.
    job.paint(batch_size=1, enough=lambda painted: painted >= 1)
    with sqlite3.connect(job.folder / "pictures.sqlite") as db:
        db.execute("delete from pictures where cell = (select max(cell) from pictures)")
    db.close()
    job.paint(batch_size=2)
    assert job.assemble().largest <= 1.0
    own, shared = (pictures(j.folder / "pictures.sqlite") for j in (alone, job))
    assert set(shared) == set(range(9))
    for cell in range(9):
        if leads[cell] == cell:  # painted for this place: the picture it would have had anyway
            assert np.abs(pixels(shared[cell]) - pixels(own[cell])).max() <= 2


def test_another_sharing_is_another_job(alone: Hypermosaic, bundled: Model) -> None:
    with pytest.raises(OutputError, match="its sharing reuse is None, not 3"):
        Hypermosaic(bundled, PLAN, a_primary(bundled), alone.folder, Sharing(reuse=3))


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


def test_stages_say_where_the_time_of_a_run_went(alone: Hypermosaic, bundled: Model) -> None:
    spent = bundled.clock.spent()
    assert all(spent[stage] > 0 for stage in (*factory.MAIN_STAGES, "correct", "png", "store"))
