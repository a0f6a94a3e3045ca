"""Options of the commands whose pictures other machines can paint, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import err, plain
from ..errors import InputError
from .groups import ModelOptions

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


@dataclass(frozen=True)
class FleetOptions:
    """Who paints: this process, or workers of a Ray cluster."""

    engine: EngineName = "local"
    address: Address = None
    workers: Workers = None
    cpus_per_worker: CpusPerWorker = None
    gpus_per_worker: GpusPerWorker = None

    @property
    def far(self) -> bool:
        """Whether others than this process paint."""
        return self.engine == "ray"

    def check(self) -> None:
        """Refuses what cannot be.

        Raises:
            InputError: An unknown engine, values that cannot be, or options that would do nothing.
        """
        from ..engines.cluster import Share

        if self.far:
            cpus = 1 if self.cpus_per_worker is None else self.cpus_per_worker
            Share(cpus, self.gpus_per_worker or 0.0).check()
            if self.workers is not None and self.workers < 1:
                raise InputError(f"--workers {self.workers} must be at least 1")
            return
        if self.engine != "local":
            raise InputError(f"--engine {self.engine!r}: choose local or ray")
        for name in ("address", "workers", "cpus_per_worker", "gpus_per_worker"):
            if getattr(self, name) is not None:
                raise InputError(f"--{name.replace('_', '-')} is for --engine ray")


def far_engine(fleet: FleetOptions, model: Model, options: ModelOptions) -> RayEngine[Model]:
    """Joins the cluster, with a word on the console; workers load the same model as ``model``.

    Args:
        options: What ``model`` was loaded by.

    Raises:
        MissingExtraError, InputError, EngineError: See `RayEngine`.
    """
    from ..engines.cluster import Share
    from ..engines.ray_engine import RayEngine
    from ..engines.source import Source

    usual = 0.0 if model.device.type == "cpu" else 1.0
    gpus = usual if fleet.gpus_per_worker is None else fleet.gpus_per_worker
    share = Share(fleet.cpus_per_worker or 1, gpus)
    source = Source.of(model, gpus, options.device, options.dtype, **options.special)
    with err.status("joining the cluster" if fleet.address else "starting Ray"):
        return RayEngine(
            source,
            address=fleet.address,
            workers=fleet.workers,
            share=share,
            on_lost=lambda words: err.print(f"[yellow]note:[/yellow] {plain(words)}"),
        )
