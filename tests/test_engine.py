"""Batches over workers: nothing lost, nothing twice, whoever dies. On a cluster on this machine."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from digressions.engines import ray_engine
from digressions.engines.cluster import Share
from digressions.engines.engine import Here
from digressions.engines.line import Line
from digressions.engines.painter import far_painter
from digressions.engines.ray_engine import AHEAD, RayEngine
from digressions.engines.source import Source
from digressions.engines.worker import Worker
from digressions.errors import EngineError, InputError, MissingExtraError, ModelError
from digressions.job import Job
from digressions.models import Defaults, Model
from digressions.paint import paint_batch
from digressions.pictures.images import read_image

from .conftest import Ran
from .openings import (
    deadly,
    failing,
    load_and_die,
    load_nothing,
    load_seven,
    slow,
    together,
)
from .test_mosaic import COMMAND, pictures, pixels, run
from .test_zoom_command import SMALL as FILM

pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ray's test cluster is for Unix")


class Counted:
    """Batches 0, 1, ... that remember how many were taken."""

    def __init__(self, count: int) -> None:
        self.count, self.taken = count, 0

    def __iter__(self) -> Iterator[int]:
        for batch in range(self.count):
            self.taken += 1
            yield batch


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One machine with room for two workers; others can be added to it."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    small = {"object_store_memory": 80_000_000, "include_dashboard": False}
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **small})
    yield found
    found.shutdown()


# --- without a cluster -----------------------------------------------------------------------


def test_here_is_in_order() -> None:
    assert [made for made, _ in Here(7).map(functools.partial(slow, 0.0), range(5))] == [
        7 * batch for batch in range(5)
    ]


def test_what_comes_back_is_done_first_and_no_more_is_taken_than_needed() -> None:
    batches = Counted(4)
    line = Line(batches)
    first, second = (line.take() for _ in range(2) if not line.empty)
    line.put_back([first, second])
    assert batches.taken == 2
    found = []
    while not line.empty:
        found.append(line.take().content)
    assert found == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("share", "machine", "fit"),
    [
        (Share(1), {"CPU": 8.0}, 8),
        (Share(3), {"CPU": 8.0}, 2),
        (Share(9), {"CPU": 8.0}, 0),
        (Share(1, 1), {"CPU": 8.0}, 0),
        (Share(1, 0.5), {"CPU": 8.0, "GPU": 2.0}, 4),
        (Share(1, 0.1), {"CPU": 64.0, "GPU": 1.0}, 10),  # although 1.0 // 0.1 is 9
        (Share(1, 0.1), {"CPU": 4.0, "GPU": 1.0}, 4),
        (Share(1, 2), {"CPU": 8.0, "GPU": 5.0}, 2),
        (Share(1), {}, 0),
    ],
    ids=str,
)
def test_how_many_workers_fit_into_a_machine(
    share: Share, machine: dict[str, float], fit: int
) -> None:
    assert share.room(machine) == fit


@pytest.mark.parametrize("share", [Share(0), Share(1, -1), Share(1, 1.5), Share(1, float("nan"))])
def test_shares_that_cannot_be(share: Share) -> None:
    with pytest.raises(InputError, match="per-worker"):
        share.check()


def test_without_ray_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'digressions\[ray\]'"):
        RayEngine(load_seven)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "no cluster answers there"),
        ("127.0.0.1", "no cluster answers there .*HOST:PORT"),
        ("ray://127.0.0.1:10001", "client mode is not supported"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(address: str, words: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(InputError, match=f"--address '{address}': .*{words}"):
        RayEngine(load_seven, address=address)
    assert time.perf_counter() - begun < 30


def test_an_opening_that_comes_late_is_passed_over() -> None:
    worker = Worker(gpus=0)
    worker.begin(load_seven, functools.partial(slow, 0.0), 2)
    worker.begin(load_and_die, failing, 1)  # and what is loaded is not loaded again
    assert worker.work(6)[0] == 42


# --- on a cluster ----------------------------------------------------------------------------


class TestWorkersThatStay:
    """Two workers, started once."""

    said: ClassVar[list[str]] = []

    @pytest.fixture(scope="class")
    def engine(self, cluster: Any) -> Iterator[RayEngine[int]]:
        with RayEngine(load_seven, address=cluster.address, on_lost=self.said.append) as found:
            found.begin(functools.partial(slow, 0.01))
            assert len(found.places) == 1
            stream = found.map(functools.partial(slow, 0.01), itertools.count())
            while found.workers < 2:
                next(stream)
            yield found

    def test_every_batch_is_done_once_and_nothing_is_loaded_again(
        self, engine: RayEngine[int]
    ) -> None:
        processes = {place.process for place in engine.places}
        for _ in range(2):
            made = list(engine.map(functools.partial(slow, 0.02), range(60)))
            assert sorted(batch for batch, _ in made) == [7 * batch for batch in range(60)]
            assert {process for _, process in made} == processes
        assert os.getpid() not in processes
        assert engine.workers == len(processes) == 2
        assert list(engine.map(functools.partial(slow, 0.0), [])) == []

    def test_a_stream_that_was_left_does_not_come_up_in_the_next(
        self, engine: RayEngine[int]
    ) -> None:
        left = engine.map(functools.partial(slow, 0.0), range(1000))
        next(left)
        made = engine.map(functools.partial(slow, 0.0), range(20))
        first = next(made)
        with pytest.raises(RuntimeError, match="another stream"):
            next(left)
        assert sorted(batch for batch, _ in [first, *made]) == [7 * b for b in range(20)]

    def test_a_worker_may_overlap_two_batches(self, engine: RayEngine[int]) -> None:
        assert max(engine.map(together, range(12))) == AHEAD

    def test_a_slow_taker_holds_the_workers_back(self, engine: RayEngine[int]) -> None:
        batches = Counted(1000)
        stream = engine.map(functools.partial(slow, 0.0), batches)
        for taken in range(1, 21):
            next(stream)
            time.sleep(0.02)  # workers could do dozens
            # On their way, and one in hand to know whether there is one.
            assert batches.taken <= taken + 2 * AHEAD + 1
        stream.close()  # type: ignore[attr-defined]
        # What was on its way then is nobody's now.
        left = [made for made, _ in engine.map(functools.partial(slow, 0.0), range(5))]
        assert sorted(left) == [7 * batch for batch in range(5)]

    def test_an_error_of_a_batch_is_one_line_here(self, engine: RayEngine[int]) -> None:
        with pytest.raises(EngineError, match=r"a worker on .*: this picture cannot be") as caught:
            list(engine.map(failing, range(3)))
        assert type(caught.value) is EngineError
        assert "\n" not in str(caught.value)

    def test_a_worker_that_is_killed_loses_nothing(self, engine: RayEngine[int]) -> None:
        stream = engine.map(functools.partial(slow, 0.05), range(80))
        made = [next(stream) for _ in range(10)]
        os.kill(made[-1][1], signal.SIGKILL)
        made += stream
        assert sorted(batch for batch, _ in made) == [7 * batch for batch in range(80)]
        (words,) = self.said
        assert "a worker on" in words
        assert "done again: The actor is dead because its worker process has died" in words
        assert "\n" not in words


def test_a_batch_that_kills_every_worker_ends_the_run(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "MOST_FALLS", 2)
    said: list[str] = []
    made: list[int] = []
    with RayEngine(load_seven, address=cluster.address, workers=1, on_lost=said.append) as engine:
        stream = engine.map(functools.partial(deadly, 5), range(20))
        with pytest.raises(EngineError, match="2 workers died over the same batch"):
            made.extend(stream)
    assert set(range(5)) <= set(made)
    assert len(made) == len(set(made))
    assert 5 not in made
    assert len(said) == 1


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (load_nothing, "a worker on .*: the model is another one there"),
        (load_and_die, "2 workers in a row died while starting: The actor is dead"),
    ],
)
def test_workers_that_do_not_start_are_one_line_here(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, load: Callable[[], int], words: str
) -> None:
    monkeypatch.setattr(ray_engine, "MOST_FALLS", 2)
    with (
        RayEngine(load, address=cluster.address, workers=1) as engine,
        pytest.raises(EngineError, match=words) as caught,
    ):
        list(engine.map(failing, range(3)))
    assert type(caught.value) is EngineError
    assert "\n" not in str(caught.value)


def test_no_room_is_said_at_once(cluster: Any) -> None:
    for share, words in ((Share(3), "3 CPUs for"), (Share(1, 0.5), "1 CPUs and 0.5 GPUs for")):
        with pytest.raises(InputError, match=words):
            RayEngine(load_seven, address=cluster.address, share=share)
    with RayEngine(load_seven, address=cluster.address):
        pass  # the refusal has left the cluster


def test_a_machine_joins_and_leaves(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "LOOK_EVERY", 0.2)
    said: list[str] = []
    with RayEngine(load_seven, address=cluster.address, on_lost=said.append) as engine:
        stream = engine.map(functools.partial(slow, 0.05), range(100_000))
        made = [next(stream)]
        while engine.workers < 2:  # or the test's time runs out
            made.append(next(stream))
        old = {place.process for place in engine.places}
        node = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
        while engine.workers < 3:
            made.append(next(stream))
        (newcomer,) = {place.process for place in engine.places} - old
        while newcomer not in {process for _, process in made}:
            made.append(next(stream))
        cluster.remove_node(node, allow_graceful=False)
        while not said:
            made.append(next(stream))
        after = [next(stream) for _ in range(20)]
        assert newcomer not in {process for _, process in after}
        made += after
        batches = [batch // 7 for batch, _ in made]
        assert len(batches) == len(set(batches))
        # Nothing is missing but what is on its way.
        assert set(range(max(batches))) - set(batches) <= set(
            range(max(batches) - 12, max(batches))
        )


# --- a mosaic --------------------------------------------------------------------------------


def test_workers_paint_the_same_mosaic(
    cluster: Any, digress: Callable[..., Ran], tmp_path: Path, photo: np.ndarray
) -> None:
    Image.fromarray(photo).save(tmp_path / "start.png")
    command = [*COMMAND[: COMMAND.index("--batch-size")], *COMMAND[COMMAND.index("--seed") :]]
    command += ["--batch-size", "3"]
    ran = digress(*command, "--engine", "ray", "--address", cluster.address, "-o", "far")
    assert ran.code == 0, ran.err
    # On a busy machine one may have painted all before the other had started.
    assert re.search(r"by (1 worker|2 workers) on 1 machine", ran.out)
    assert digress(*command, "-o", "here").code == 0
    far, here = (pictures(tmp_path / name / "pictures.sqlite") for name in ("far", "here"))
    assert far.keys() == here.keys() == set(range(12))
    assert max(np.abs(pixels(far[c]) - pixels(here[c])).max() for c in far) <= 2
    one, other = (
        json.loads((tmp_path / name / "manifest.json").read_text("utf-8"))
        for name in ("far", "here")
    )
    assert one["job"] == other["job"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_driver_is_taken_up_again(
    cluster: Any, digress: Callable[..., Ran], tmp_path: Path, photo: np.ndarray
) -> None:
    Image.fromarray(photo).save(tmp_path / "start.png")
    folder, store = tmp_path / "m", tmp_path / "m" / "pictures.sqlite"
    # A cluster of its own, as it comes out of the box: it must not outlive the driver.
    before = ray_processes()
    code, text = run(folder, signal.SIGKILL, 3, "--engine", "ray", "--workers", "1")
    assert code == -signal.SIGKILL, text
    first = pictures(store)
    assert 3 <= len(first) < 12
    deadline = time.monotonic() + 60
    while ray_processes() - before and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not ray_processes() - before

    command = [*COMMAND, "--engine", "ray", "--address", cluster.address, "--workers", "1"]
    ran = digress(*command, "-o", folder)
    assert ran.code == 0, ran.err
    assert f"{len(first)} of them are done already" in ran.out
    second = pictures(store)
    assert second.keys() == set(range(12))
    assert first.items() <= second.items()  # nothing that was finished was painted again


# --- a film ----------------------------------------------------------------------------------


def test_workers_paint_the_same_film(
    cluster: Any,
    bundled: Model,
    digress: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    photo: np.ndarray,
) -> None:
    monkeypatch.setattr(bundled, "defaults", Defaults(steps=2, guidance=1.0))
    Image.fromarray(photo).save(tmp_path / "start.png")
    far = ("--engine", "ray", "--address", cluster.address, "--workers", "2", "--batch-size", "3")
    ran = digress(*FILM, *far, "--cache", "far.sqlite", "-o", "far")
    assert ran.code == 0, ran.err
    assert digress(*FILM, "--cache", "here.sqlite", "-o", "here").code == 0
    frames, same = (sorted((tmp_path / name).glob("*.png")) for name in ("far", "here"))
    assert [frame.name for frame in frames] == [frame.name for frame in same]
    assert len(frames) == 12
    for one, other in zip(frames, same, strict=True):
        assert np.abs(read_image(one).astype(int) - read_image(other)).max() <= 2
    # What workers painted is kept as ever: the same film again, by this process, paints nothing.
    monkeypatch.setattr("digressions.paint.paint_batch", nothing_is_painted)
    again = digress(*FILM, "--cache", "far.sqlite", "-o", "again")
    assert again.code == 0, again.err
    assert "going on with the rest" in again.out


def nothing_is_painted(*_: object, **__: object) -> None:
    raise AssertionError("a picture was painted that was kept")


def test_another_model_is_refused(bundled: Model) -> None:
    source = Source.of(bundled, 0, "cpu", "float32")
    assert source().hash == bundled.hash
    words = rf"bundled is another one there: its hash is {bundled.hash[:12]} where"
    with pytest.raises(ModelError, match=words):
        dataclasses.replace(source, hash="0" * 64)()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "horse"], "'horse': choose local or ray"),
        (["--workers", "2"], "--workers is for --engine ray"),
        (["--address", "auto"], "--address is for --engine ray"),
        (["--engine", "ray", "--workers", "0"], "--workers 0"),
        (["--engine", "ray", "--cpus-per-worker", "0"], "--cpus-per-worker 0"),
        (["--engine", "ray", "--gpus-per-worker", "1.5"], "--gpus-per-worker 1.5"),
        (["--engine", "ray", "--gpus-per-worker", "-1"], "--gpus-per-worker -1"),
        (["--engine", "ray", "--address", "127.0.0.1:1"], "'127.0.0.1:1'"),
        (["--engine", "ray", "--profile"], "--profile"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_be(
    refused: Callable[..., str], arguments: list[str], words: str
) -> None:
    assert words in refused("mosaic", "turtle", "--grid", "3", *arguments)


def test_a_far_painter_paints_each_job_in_its_place(bundled: Model) -> None:
    jobs = [Job("frog", seed, 32, 32, steps=2, guidance=1.0, sampler="ddim") for seed in range(5)]
    alone = torch.cat([paint_batch(bundled, [job]) for job in jobs])
    far = far_painter(Backwards(bundled), 2)(jobs)
    assert (far - alone).abs().max() * 255 <= 2


class Backwards(Here[Model]):
    """An engine whose last batch is finished first."""

    def map(self, opening: Any, batches: Any) -> Iterator[Any]:
        return reversed(list(super().map(opening, batches)))


@pytest.mark.parametrize(
    ("gpus", "own", "device", "dtype"),
    [(0, "bfloat16", "cpu", "bfloat16"), (0.5, "float32", "cuda", "float16")],
)
def test_all_workers_get_one_dtype(
    bundled: Model, gpus: float, own: str, device: str, dtype: str
) -> None:
    here = dataclasses.replace(bundled, dtype=getattr(torch, own))
    source = Source.of(here, gpus)
    assert (source.device, source.dtype) == (device, dtype)
    assert Source.of(here, gpus, "cpu", "float16").dtype == "float16"
    # Workers stand elsewhere.
    assert Source.of(here, 0, tiny_vae=Path("taesd")).special == (
        ("tiny_vae", Path("taesd").absolute()),
    )


def ray_processes() -> set[int]:
    """Of this machine, those of any cluster."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    lines = [line.split(maxsplit=1) for line in found.stdout.splitlines()[1:]]
    return {int(pid) for pid, what in lines if "raylet" in what or "gcs_server" in what}
