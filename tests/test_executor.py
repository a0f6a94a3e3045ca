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
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from digressions.distributed import ray_executor
from digressions.distributed.cluster import BatchQueue, ClusterParams, Worker, WorkerResources
from digressions.distributed.executor import LocalExecutor, with_notes
from digressions.distributed.ray_executor import AHEAD, RayExecutor
from digressions.distributed.remote_model import (
    ModelSource,
    NamedHashes,
    distributed_painter,
    open_executor,
)
from digressions.errors import ExecutorError, InputError, MissingExtraError, ModelError
from digressions.events import Event, Note, Progress
from digressions.generate.job import Job
from digressions.generate.model_params import ModelParams
from digressions.generate.paint import painter_of
from digressions.generate.params import ResolvedParams
from digressions.images.image_files import read_image
from digressions.models.base import Defaults, Model
from digressions.mosaics.build import make_mosaic
from digressions.mosaics.build_params import BuildParams

from .conftest import Ran
from .test_mosaic import COMMAND, a_plan, pictures, pixels, run
from .test_zoom_command import small
from .worker_setups import (
    deadly,
    failing,
    load_and_die,
    load_nothing,
    load_seven,
    slow,
    together,
)

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


def test_this_process_works_in_order() -> None:
    assert [made for made, _ in LocalExecutor(7).map(functools.partial(slow, 0.0), range(5))] == [
        7 * batch for batch in range(5)
    ]


def test_what_comes_back_is_done_first_and_no_more_is_taken_than_needed() -> None:
    batches = Counted(4)
    queue = BatchQueue(batches)
    first, second = (queue.take() for _ in range(2) if not queue.empty)
    queue.put_back([first, second])
    assert batches.taken == 2
    found = []
    while not queue.empty:
        found.append(queue.take().content)
    assert found == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("worker", "machine", "fit"),
    [
        (WorkerResources(1), {"CPU": 8.0}, 8),
        (WorkerResources(3), {"CPU": 8.0}, 2),
        (WorkerResources(9), {"CPU": 8.0}, 0),
        (WorkerResources(1, 1), {"CPU": 8.0}, 0),
        (WorkerResources(1, 0.5), {"CPU": 8.0, "GPU": 2.0}, 4),
        (WorkerResources(1, 0.1), {"CPU": 64.0, "GPU": 1.0}, 10),  # although 1.0 // 0.1 is 9
        (WorkerResources(1, 0.1), {"CPU": 4.0, "GPU": 1.0}, 4),
        (WorkerResources(1, 2), {"CPU": 8.0, "GPU": 5.0}, 2),
        (WorkerResources(1), {}, 0),
    ],
    ids=str,
)
def test_how_many_workers_fit_into_a_machine(
    worker: WorkerResources, machine: dict[str, float], fit: int
) -> None:
    assert worker.room(machine) == fit


@pytest.mark.parametrize("worker", [(0, 0.0), (1, -1.0), (1, 1.5), (1, float("nan"))])
def test_workers_that_cannot_be(worker: tuple[int, float]) -> None:
    with pytest.raises(InputError, match="per_worker"):
        WorkerResources(*worker).check()


def test_without_ray_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'digressions\[ray\]'"):
        RayExecutor(load_seven)


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
    with pytest.raises(InputError, match=f"address '{address}': .*{words}"):
        RayExecutor(load_seven, address=address)
    assert time.perf_counter() - begun < 30


def test_a_setup_that_comes_late_is_passed_over() -> None:
    worker = Worker(gpus=0)
    worker.begin(load_seven, functools.partial(slow, 0.0), 2)
    worker.begin(load_and_die, failing, 1)  # and what is loaded is not loaded again
    assert worker.work(6)[0] == 42


# --- on a cluster ----------------------------------------------------------------------------


class TestWorkersThatStay:
    """Two workers, started once."""

    @pytest.fixture(scope="class")
    def executor(self, cluster: Any) -> Iterator[RayExecutor[int]]:
        with RayExecutor(load_seven, address=cluster.address) as found:
            found.begin(functools.partial(slow, 0.01))
            assert len(found.places) == 1
            stream = found.map(functools.partial(slow, 0.01), itertools.count())
            while found.workers < 2:
                next(stream)
            yield found

    def test_every_batch_is_done_once_and_nothing_is_loaded_again(
        self, executor: RayExecutor[int]
    ) -> None:
        processes = {place.process for place in executor.places}
        for _ in range(2):
            made = list(executor.map(functools.partial(slow, 0.02), range(60)))
            assert sorted(batch for batch, _ in made) == [7 * batch for batch in range(60)]
            assert {process for _, process in made} == processes
        assert os.getpid() not in processes
        assert executor.workers == len(processes) == 2
        assert list(executor.map(functools.partial(slow, 0.0), [])) == []

    def test_a_stream_that_was_left_does_not_come_up_in_the_next(
        self, executor: RayExecutor[int]
    ) -> None:
        left = executor.map(functools.partial(slow, 0.0), range(1000))
        next(left)
        made = executor.map(functools.partial(slow, 0.0), range(20))
        first = next(made)
        with pytest.raises(RuntimeError, match="another call of `map`"):
            next(left)
        assert sorted(batch for batch, _ in [first, *made]) == [7 * b for b in range(20)]

    def test_a_worker_may_overlap_two_batches(self, executor: RayExecutor[int]) -> None:
        assert max(executor.map(together, range(12))) == AHEAD

    def test_a_slow_taker_holds_the_workers_back(self, executor: RayExecutor[int]) -> None:
        batches = Counted(1000)
        stream = executor.map(functools.partial(slow, 0.0), batches)
        for taken in range(1, 21):
            next(stream)
            time.sleep(0.02)  # workers could do dozens
            # On their way, and one in hand to know whether there is one.
            assert batches.taken <= taken + 2 * AHEAD + 1
        stream.close()
        # What was on its way then is nobody's now.
        left = [made for made, _ in executor.map(functools.partial(slow, 0.0), range(5))]
        assert sorted(left) == [7 * batch for batch in range(5)]

    def test_an_error_of_a_batch_is_one_line_here(self, executor: RayExecutor[int]) -> None:
        with pytest.raises(
            ExecutorError, match=r"a worker on .*: this picture cannot be"
        ) as caught:
            list(executor.map(failing, range(3)))
        assert type(caught.value) is ExecutorError
        assert "\n" not in str(caught.value)

    def test_a_worker_that_is_killed_loses_nothing(self, executor: RayExecutor[int]) -> None:
        stream = executor.map(functools.partial(slow, 0.05), range(80))
        made = [next(stream) for _ in range(10)]
        os.kill(made[-1][1], signal.SIGKILL)
        made += stream
        assert sorted(batch for batch, _ in made) == [7 * batch for batch in range(80)]
        (note,) = executor.notes()
        assert note.level == "note"
        assert "a worker on" in note.text
        assert "done again: The actor is dead because its worker process has died" in note.text
        assert "\n" not in note.text
        assert executor.notes() == []


def test_a_batch_that_kills_every_worker_ends_the_run(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "MAX_DEATHS", 2)
    made: list[int] = []
    with RayExecutor(load_seven, address=cluster.address, workers=1) as executor:
        stream = executor.map(functools.partial(deadly, 5), range(20))
        with pytest.raises(ExecutorError, match="2 workers died over the same batch"):
            made.extend(stream)
        assert len(executor.notes()) == 1
    assert set(range(5)) <= set(made)
    assert len(made) == len(set(made))
    assert 5 not in made


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
    monkeypatch.setattr(ray_executor, "MAX_DEATHS", 2)
    with (
        RayExecutor(load, address=cluster.address, workers=1) as executor,
        pytest.raises(ExecutorError, match=words) as caught,
    ):
        list(executor.map(failing, range(3)))
    assert type(caught.value) is ExecutorError
    assert "\n" not in str(caught.value)


def test_no_room_is_said_at_once(cluster: Any) -> None:
    for resources, words in (
        (WorkerResources(3), "3 CPUs for"),
        (WorkerResources(1, 0.5), "1 CPUs and 0.5 GPUs for"),
    ):
        with pytest.raises(InputError, match=words):
            RayExecutor(load_seven, address=cluster.address, resources=resources)
    with RayExecutor(load_seven, address=cluster.address):
        pass  # the refusal has left the cluster


def test_a_machine_joins_and_leaves(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_executor, "LOOK_EVERY", 0.2)
    said: list[Note] = []
    with RayExecutor(load_seven, address=cluster.address) as executor:
        stream = executor.map(functools.partial(slow, 0.05), range(100_000))
        made = [next(stream)]
        while executor.workers < 2:  # or the test's time runs out
            made.append(next(stream))
        old = {place.process for place in executor.places}
        node = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
        while executor.workers < 3:
            made.append(next(stream))
        (newcomer,) = {place.process for place in executor.places} - old
        while newcomer not in {process for _, process in made}:
            made.append(next(stream))
        cluster.remove_node(node, allow_graceful=False)
        while not said:
            made.append(next(stream))
            said += executor.notes()
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


def test_workers_paint_the_same_mosaic(cluster: Any, bundled: Model, tmp_path: Path) -> None:
    options, plan = BuildParams(batch_size=3), a_plan(bundled)
    ray, loaded_by = ClusterParams(executor="ray", address=cluster.address), ModelParams()
    with open_executor(ray, bundled, loaded_by.but(device="cpu", dtype="float32")) as executor:
        told = list(make_mosaic(bundled, plan, tmp_path / "far", options, executor))
    # On a busy machine one may have painted all before the other had started.
    texts = [event.text for event in told if isinstance(event, Note)]
    assert any(re.search("by (1 worker|2 workers) on 1 machine$", text) for text in texts)
    list(make_mosaic(bundled, plan, tmp_path / "here", options))
    far, here = (pictures(tmp_path / name / "pictures.sqlite") for name in ("far", "here"))
    assert far.keys() == here.keys() == set(range(9))
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
    code, text = run(folder, signal.SIGKILL, 3, "--executor", "ray", "--workers", "1")
    assert code == -signal.SIGKILL, text
    first = pictures(store)
    assert 3 <= len(first) < 12
    deadline = time.monotonic() + 60
    while ray_processes() - before and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not ray_processes() - before

    command = [*COMMAND, "--executor", "ray", "--address", cluster.address, "--workers", "1"]
    ran = digress(*command, "-o", folder)
    assert ran.code == 0, ran.err
    assert f"{len(first)} of them are already done" in ran.out
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
    far = ("--executor", "ray", "--address", cluster.address, "--workers", "2", "--batch-size", "3")
    ran = digress(*small(*far, "--cache", "far.sqlite", "-o", "far"))
    assert ran.code == 0, ran.err
    assert digress(*small("--cache", "here.sqlite", "-o", "here")).code == 0
    frames, same = (sorted((tmp_path / name).glob("*.png")) for name in ("far", "here"))
    assert [frame.name for frame in frames] == [frame.name for frame in same]
    assert len(frames) == 12
    for one, other in zip(frames, same, strict=True):
        assert np.abs(read_image(one).astype(int) - read_image(other)).max() <= 2
    # What workers painted is kept as ever: the same film again, by this process, paints nothing.
    monkeypatch.setattr("digressions.generate.paint.painting", nothing_is_painted)
    again = digress(*small("--cache", "far.sqlite", "-o", "again"))
    assert again.code == 0, again.err
    assert "31 of them are already painted" in again.out


def nothing_is_painted(*_: object, **__: object) -> None:
    raise AssertionError("a picture was painted that was kept")


def test_another_model_is_refused(bundled: Model) -> None:
    source = ModelSource.of(bundled, ModelParams(device="cpu", dtype="float32"), 0)
    assert source().hash == bundled.hash
    words = rf"bundled is different on this machine: its hash is {bundled.hash[:12]}, the"
    with pytest.raises(ModelError, match=words):
        dataclasses.replace(source, hash="0" * 64)()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"executor": "horse"}, "executor 'horse' is not known: choose one of local, ray"),
        ({"workers": 2}, "workers is for executor ray"),
        ({"address": "auto"}, "address is for executor ray"),
        ({"cpus_per_worker": 2}, "cpus_per_worker is for executor ray"),
        ({"executor": "ray", "workers": 0}, "workers 0 is out of range"),
        ({"executor": "ray", "cpus_per_worker": 0}, "cpus_per_worker 0"),
        ({"executor": "ray", "gpus_per_worker": 1.5}, r"gpus_per_worker 1\.5"),
        ({"executor": "ray", "gpus_per_worker": -1.0}, "gpus_per_worker -1"),
    ],
    ids=str,
)
def test_a_cluster_that_cannot_be(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ClusterParams(**values).check()


def test_a_profile_is_of_this_process(bundled: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="profile times this process"):
        next(make_mosaic(bundled, a_plan(bundled), tmp_path, BuildParams(profile=True), Away()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--executor", "horse"], "horse"),
        (["--workers", "2"], "--workers is for --executor ray"),
        (["--executor", "ray", "--workers", "0"], "--workers 0"),
        (["--executor", "ray", "--gpus-per-worker", "1.5"], "--gpus-per-worker 1.5"),
        (["--executor", "ray", "--address", "127.0.0.1:1"], "'127.0.0.1:1'"),
        (["--executor", "ray", "--profile"], "--profile"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_be(
    refused: Callable[..., str], arguments: list[str], words: str
) -> None:
    assert words in refused("mosaic", "turtle", "--grid", "3", *arguments)


def test_a_distributed_painter_paints_each_job_in_its_place(bundled: Model) -> None:
    params = ResolvedParams(
        prompt="frog", seed=0, size=32, steps=2, guidance=1.0, sampler="ddim", strength=1.0
    )
    jobs = [Job(params.but(seed=seed)) for seed in range(5)]
    alone = torch.cat([painter_of(bundled)([job]) for job in jobs])
    for executor in (LocalExecutor(bundled), Backwards(bundled)):
        far = distributed_painter(executor, 2, NamedHashes.of(bundled, "frog"))(jobs)
        assert (far - alone).abs().max() * 255 <= 2


class Backwards(LocalExecutor[Model]):
    """An executor whose last batch is finished first."""

    def map(self, setup: Any, batches: Any) -> Generator[Any, None, None]:
        yield from reversed(list(super().map(setup, batches)))


class Away:
    """An executor that is not this process, as far as anybody can tell, and loses a worker."""

    workers = wanted = 2

    def __init__(self, loaded: Any = None) -> None:
        self._loaded, self._notes = loaded, [Note("a worker died", "note")]

    def __str__(self) -> str:
        return "2 workers on 1 machine"

    def begin(self, setup: Any) -> None:
        pass

    def map(self, setup: Any, batches: Any) -> Generator[Any, None, None]:
        return Backwards(self._loaded).map(setup, batches)

    def notes(self) -> list[Note]:
        notes, self._notes = self._notes, []
        return notes


def test_a_mosaic_by_workers_is_the_same_and_tells_whom_it_lost(
    bundled: Model, tmp_path: Path
) -> None:
    options = BuildParams(batch_size=4)
    told = list(make_mosaic(bundled, a_plan(bundled), tmp_path / "far", options, Away(bundled)))
    list(make_mosaic(bundled, a_plan(bundled), tmp_path / "here", options, LocalExecutor(bundled)))
    far, here = (pictures(tmp_path / name / "pictures.sqlite") for name in ("far", "here"))
    assert far == here
    notes = [event.text for event in told if isinstance(event, Note)]
    assert notes.count("a worker died") == 1
    assert any(text.endswith("inside the model, by 2 workers on 1 machine") for text in notes)
    done = [event.done for event in told if isinstance(event, Progress) if event.total == 9]
    assert done == [0, 1, 5, 9]


def test_a_mosaic_by_workers_that_is_closed_keeps_what_came_in(
    bundled: Model, tmp_path: Path
) -> None:
    options = BuildParams(batch_size=2)
    work = make_mosaic(bundled, a_plan(bundled), tmp_path / "m", options, Away(bundled))
    for event in work:
        if isinstance(event, Progress) and event.task == "painting" and event.done >= 3:
            break
    work.close()  # type: ignore[attr-defined]
    assert len(pictures(tmp_path / "m" / "pictures.sqlite")) == 3


def test_notes_of_an_executor_come_between_events() -> None:
    executor = Away()

    def found() -> Generator[Event, None, None]:
        yield Progress("painting", 1)
        executor._notes.append(Note("another died", "note"))

    texts = [
        event.text if isinstance(event, Note) else "" for event in with_notes(executor, found())
    ]
    assert texts == ["a worker died", "", "another died"]


def test_the_user_chooses_who_works(bundled: Model) -> None:
    with open_executor(ClusterParams(), bundled) as executor:
        assert isinstance(executor, LocalExecutor)
        assert executor.loaded is bundled
    with (
        pytest.raises(InputError, match="workers is for"),
        open_executor(ClusterParams(workers=3), bundled),
    ):
        pass


@pytest.mark.parametrize(
    ("gpus", "own", "device", "dtype"),
    [(0, "bfloat16", "cpu", "bfloat16"), (0.5, "float32", "cuda", "float16")],
)
def test_all_workers_get_one_dtype(
    bundled: Model, gpus: float, own: str, device: str, dtype: str
) -> None:
    here = dataclasses.replace(bundled, dtype=getattr(torch, own))
    params = ModelSource.of(here, ModelParams(), gpus).params
    assert (params.device, params.dtype) == (device, dtype)
    asked = ModelParams(device="cpu", dtype="float16")
    assert ModelSource.of(here, asked, gpus).params.dtype == "float16"
    # Workers start elsewhere.
    source = ModelSource.of(here, ModelParams(vae="taesd", compile=True), 0)
    assert source.params.vae == str(Path("taesd").absolute())
    assert source.params.compile


def test_workers_look_for_what_prompts_name_in_the_same_folder(
    bundled: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ModelSource.of(bundled, ModelParams(models="here"), 0).params.models == str(
        Path("here").absolute()
    )
    monkeypatch.setenv("DIGRESSIONS_MODELS", "there")
    assert ModelSource.of(bundled, ModelParams(), 0).params.models == str(Path("there").absolute())


def ray_processes() -> set[int]:
    """Of this machine, those of any cluster."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    lines = [line.split(maxsplit=1) for line in found.stdout.splitlines()[1:]]
    return {int(pid) for pid, what in lines if "raylet" in what or "gcs_server" in what}
