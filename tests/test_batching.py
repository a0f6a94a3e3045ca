"""Batch sizes: the quickest is found, memory is respected, and running out of it is survived."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import pytest
import torch
from torch import Tensor

from digressions.errors import InputError
from digressions.generate import batching
from digressions.generate.batching import LONGEST, BatchSize, MemorySparingPainter
from digressions.generate.job import Job

from .jobs import job
from .painters import paint_noise

CPU = torch.device("cpu")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the machine is said to hold and to have free, in bytes."""
    said = {"held": 0, "free": 10**12}
    monkeypatch.setattr(batching, "peak_memory", lambda _: said["held"])
    monkeypatch.setattr(batching, "free_memory", lambda _: said["free"])
    return said


def search(sizes: BatchSize, seconds: Callable[[int], float], batches: int = 100) -> list[int]:
    """The sizes that were tried, in order, where a batch takes ``seconds(size)``."""
    tried = []
    for _ in range(batches):
        tried.append(sizes.now)
        sizes.note(sizes.now, seconds(sizes.now))
    return list(dict.fromkeys(tried))


def test_the_smallest_of_the_quickest_sizes_is_found(memory: dict[str, int]) -> None:
    # A machine that is as busy with 8 pictures as it can be.
    sizes = BatchSize(CPU)
    assert search(sizes, lambda n: 0.01 * max(n, 8)) == [1, 2, 4, 8, 16, 32]
    assert sizes.settled
    assert sizes.now == 8


def test_a_machine_that_gains_nothing_from_batches_paints_one_by_one(
    memory: dict[str, int],
) -> None:
    sizes = BatchSize(CPU)
    search(sizes, lambda n: 0.1 * n)
    assert sizes.settled
    assert sizes.now == 1


def test_one_disturbed_size_does_not_end_the_search(memory: dict[str, int]) -> None:
    sizes = BatchSize(CPU, most=64)
    search(sizes, lambda n: 1.0 if n == 8 else 0.05 + 0.001 * n)
    assert sizes.now == 64


def test_no_batch_takes_longer_than_it_may(memory: dict[str, int]) -> None:
    sizes = BatchSize(CPU)
    tried = search(sizes, lambda n: 3 + 0.1 * n)
    assert all(3 + 0.1 * n <= LONGEST for n in tried)
    assert sizes.settled


def test_no_size_is_tried_that_memory_would_not_hold(memory: dict[str, int]) -> None:
    memory["free"] = 1000

    def seconds(size: int) -> float:
        memory["held"] = max(memory["held"], 10 * size)  # 10 bytes a picture
        return 0.01

    sizes = BatchSize(CPU)
    tried = search(sizes, seconds)
    # 64 grew by 320; 128 would by 640 and fits into 800; 256 would by 1,280.
    assert tried[-1] == 128
    assert sizes.settled


def test_what_is_asked_for_is_what_is_used_until_memory_runs_out() -> None:
    sizes = BatchSize(CPU, 24)
    assert search(sizes, lambda n: 1 / n) == [24]
    sizes.shrink(100)
    assert sizes.now == 24
    sizes.shrink(6)
    assert search(sizes, lambda n: 1 / n) == [6]


def test_a_last_batch_that_is_not_full_tells_nothing(memory: dict[str, int]) -> None:
    sizes = BatchSize(CPU)
    sizes.note(3, 0.1)
    sizes.note(3, 0.1)
    assert sizes.now == 1


# --- out of memory ---------------------------------------------------------------------------


def jobs(count: int) -> list[Job]:
    return [job("frog", seed=seed, size=8, steps=2) for seed in range(count)]


def of_at_most(most: int, error: Callable[[], Exception]) -> tuple[MemorySparingPainter, list[int]]:
    """A painter on a device that holds so many pictures, and the sizes it was asked for."""
    asked: list[int] = []

    def painting(part: Sequence[Job]) -> Generator[int, None, Tensor]:
        asked.append(len(part))
        yield len(part)  # memory runs out in the second step
        if len(part) > most:
            raise error()
        yield len(part)
        return paint_noise(part)

    return MemorySparingPainter(painting, CPU), asked


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        lambda: MemoryError(),
        lambda: RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
    ],
    ids=["cuda", "memory", "mps"],
)
def test_what_does_not_fit_is_painted_in_parts_and_is_the_same(
    error: Callable[[], Exception],
) -> None:
    painter, asked = of_at_most(3, error)
    assert torch.equal(painter(jobs(10)), paint_noise(jobs(10)))
    assert asked == [10, 5, 2, 2, 2, 2, 2]
    assert painter.most == 2
    asked.clear()
    painter(jobs(5))
    assert asked == [2, 2, 1]  # it has learnt


def test_a_real_allocator_that_gives_nothing_counts_as_out_of_memory() -> None:
    def painting(part: Sequence[Job]) -> Generator[int, None, Tensor]:
        if len(part) > 1:
            torch.empty(2**50 * len(part))
        yield len(part)
        return paint_noise(part)

    painter = MemorySparingPainter(painting, CPU)
    assert torch.equal(painter(jobs(3)), paint_noise(jobs(3)))


def test_a_picture_that_does_not_fit_alone_is_one_line_that_says_what_to_do() -> None:
    painter, _ = of_at_most(0, MemoryError)
    with pytest.raises(InputError, match=r"one picture of 8x8 px .* memory of cpu: choose"):
        painter(jobs(4))


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    painter, asked = of_at_most(0, lambda: RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        painter(jobs(4))
    assert asked == [4]


def test_steps_are_told_while_it_paints_and_come_again_for_what_did_not_fit() -> None:
    painter, _ = of_at_most(2, MemoryError)
    assert list(painter.painting(jobs(4))) == [4, 2, 2, 2, 2]
