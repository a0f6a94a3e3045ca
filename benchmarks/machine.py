"""What a figure depends on besides the code: machine, threads, versions."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def machine(packages: tuple[str, ...] = ()) -> dict[str, object]:
    """The machine that runs this, and the versions of torch, digressions and ``packages``."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions(packages),
    }


def versions(packages: tuple[str, ...] = ()) -> dict[str, str]:
    """Of digressions, torch and ``packages``."""
    return {name: version_of(name) for name in ("digressions", "torch", *packages)}


def threads_of(seen: Mapping[str, object]) -> str:
    """The threads of a `machine`, counted in words."""
    return f"{seen['threads']} thread" + "s" * (seen["threads"] != 1)


def dtype_name(dtype: torch.dtype) -> str:
    """Such as ``"bfloat16"``."""
    return str(dtype).removeprefix("torch.")


def cpu_name() -> str:
    """As the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def clock_for(device: torch.device) -> Callable[[], float]:
    """What tells the time: with one thread on a CPU the time that this process had of it, which
    others on the same core do not stretch."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


def clock_name(clock: Callable[[], float]) -> str:
    """What a clock of `clock_for` counts."""
    return "seconds of CPU" if clock is time.process_time else "seconds by the clock"


def version_of(package: str) -> str:
    """Of an installed package, or ``"not installed"``."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
