"""What a machine computes with: devices, their numbers and memory; and where the time goes."""

from __future__ import annotations

import gc
import sys
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import InputError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_CGROUP = Path("/sys/fs/cgroup")
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "could not allocate")


def dtype_for(name: str | None, device: torch.device) -> torch.dtype:
    """The dtype of a name; for ``None`` float16 on a GPU, bfloat16 on a CPU with matrix units for
    it, else float32.

    Raises:
        InputError: No such dtype.
    """
    if name is not None:
        if name not in DTYPES:
            raise InputError(f"`dtype` {name!r} is not known: choose one of {', '.join(DTYPES)}")
        return DTYPES[name]
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if _cpu_has_fast_bfloat16() else torch.float32


def _cpu_has_fast_bfloat16() -> bool:
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def check_compiler(device: torch.device) -> None:
    """Raises `InputError` where torch.compile has nothing to compile with."""
    # About a line of diffusers that only compares versions.
    warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")
    try:
        torch.compile(lambda x: x * 2 + 1)(torch.ones(8, device=device))
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(
            f"`compile` does not work here ({reason}): install a C++ compiler such as g++, or "
            "leave it out"
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error).lower() for w in _NO_MEMORY)


def release_memory(device: torch.device) -> None:
    """Frees memory that is no longer in use."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def peak_memory(device: torch.device) -> int:
    """The most bytes that this process has held so far: on a GPU there, else in main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


def free_memory(device: torch.device) -> int | None:
    """Bytes that this process could still take there; ``None`` where nobody says."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    known = dict(line.split(":", 1) for line in lines)
    free = int(known["MemAvailable"].split()[0]) * 1024
    return min(free, _left_by_cgroup(free))


def _left_by_cgroup(free: int) -> int:
    """What a container's limit leaves; ``free`` where there is none."""
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        used = int((_CGROUP / "memory.current").read_text("ascii"))
    except (OSError, ValueError):
        return free
    return free if limit == "max" else max(0, int(limit) - used)


class Stopwatch:
    """Seconds spent in named stages so far. Stages in several threads add up.

    Attributes:
        profiling: Whether stages on a GPU are waited for, so that their time is theirs.
    """

    def __init__(self) -> None:
        self.profiling = False
        self._spent: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def timing(self, stage: str, device: torch.device | None = None) -> Iterator[None]:
        """Counts the block, which may work on a device, to a stage; also where it raises."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            if self.profiling and device is not None and device.type == "cuda":
                torch.cuda.synchronize(device)
            self.add(stage, time.perf_counter() - begun)

    def add(self, stage: str, seconds: float) -> None:
        """Counts seconds to a stage."""
        with self._lock:
            self._spent[stage] += seconds

    def seconds(self, *stages: str) -> float:
        """Of these stages together."""
        with self._lock:
            return sum(self._spent.get(stage, 0.0) for stage in stages)

    def spent(self) -> dict[str, float]:
        """Of all stages so far."""
        with self._lock:
            return dict(self._spent)
