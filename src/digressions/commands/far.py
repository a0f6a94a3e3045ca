"""Options of the commands whose pictures other machines can paint, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..console import err, plain
from ..errors import InputError

if TYPE_CHECKING:
    from ..engines.ray_engine import RayEngine
    from ..models import Model

EngineName = Annotated[
    str, typer.Option("--engine", help="Who paints: local (this process) or ray (many machines).")
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster to join, HOST:PORT or auto; one of this machine's own if not said."
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="Ray workers; as many as the cluster has room for if not said.")
]
CpusPerWorker = Annotated[int | None, typer.Option(help="Cores of a Ray worker; 1 if not said.")]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(
        help="GPUs of a Ray worker; 0.5 lets two share one. If not said: 1 where this machine "
        "would use its GPU, else 0."
    ),
]


class Fleet(NamedTuple):
    """The workers that the user asks for; ``None`` where nothing was said."""

    address: str | None
    workers: int | None
    cpus: int | None
    gpus: float | None


def check_engine(
    engine: str, address: str | None, workers: int | None, cpus: int | None, gpus: float | None
) -> Fleet | None:
    """The workers that are asked for, or ``None`` for this process alone.

    Raises:
        InputError: An unknown engine, values that cannot be, or options that would do nothing.
    """
    from ..engines.cluster import Share

    fleet = Fleet(address, workers, cpus, gpus)
    if engine == "ray":
        Share(1 if cpus is None else cpus, gpus or 0.0).check()
        if workers is not None and workers < 1:
            raise InputError(f"--workers {workers} must be at least 1")
        return fleet
    if engine != "local":
        raise InputError(f"--engine {engine!r}: choose local or ray")
    names = ("--address", "--workers", "--cpus-per-worker", "--gpus-per-worker")
    for name, value in zip(names, fleet, strict=True):
        if value is not None:
            raise InputError(f"{name} is for --engine ray")
    return None


def far_engine(
    fleet: Fleet, model: Model, device: str | None, dtype: str | None, **special: Any
) -> RayEngine[Model]:
    """Joins the cluster, with a word on the console; workers load the same model as ``model``.

    Args:
        special: The rest of what ``model`` was loaded with, as `loading.load` takes it.

    Raises:
        MissingExtraError, InputError, EngineError: See `RayEngine`.
    """
    from ..engines.cluster import Share
    from ..engines.ray_engine import RayEngine
    from ..engines.source import Source

    usual = 0.0 if model.device.type == "cpu" else 1.0
    share = Share(fleet.cpus or 1, usual if fleet.gpus is None else fleet.gpus)
    source = Source.of(model, share.gpus, device, dtype, **special)
    with err.status("joining the cluster" if fleet.address else "starting Ray"):
        return RayEngine(
            source,
            address=fleet.address,
            workers=fleet.workers,
            share=share,
            on_lost=lambda words: err.print(f"[yellow]note:[/yellow] {plain(words)}"),
        )
