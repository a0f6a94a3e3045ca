"""A model on other machines: loaded there by name, the very same, and painting for this process."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError, verbatim
from ..files import at_home
from ..generate.batching import Painter
from ..generate.job import Job
from ..generate.model_params import ModelParams
from ..generate.paint import painter_of
from ..models.base import Model
from ..models.checkpoint import BUNDLED
from ..models.library import ENVIRONMENT
from ..models.loading import load
from .cluster import ClusterParams
from .executor import Executor, LocalExecutor
from .ray_executor import RayExecutor


@dataclass(frozen=True)
class ModelSource:
    """How a worker comes by its model: called there, it loads it.

    Attributes:
        params: As the worker loads it, with the device and dtype settled.
        hash: What `Model.hash` must be.
    """

    params: ModelParams
    hash: str

    @classmethod
    def of(cls, model: Model, params: ModelParams, gpus: float) -> ModelSource:
        """Of a model that is loaded here, for workers with ``gpus`` each.

        One dtype is settled for all workers, since machines that each take what is fastest there
        paint different pictures: the user's, else this machine's, or if workers have GPUs and it
        has none (or the other way round) what is usual with them. Folders are given by their whole
        path, since workers start elsewhere.

        Args:
            model: Loaded by ``params``.
            params: As the user gave them.
            gpus: Of a worker.
        """
        usual = "float16" if gpus else "float32"
        own = str(model.dtype).removeprefix("torch.")
        alike = bool(gpus) == (model.device.type != "cpu")
        changes: dict[str, Any] = {
            "device": params.device or ("cuda" if gpus else "cpu"),
            "dtype": params.dtype or (own if alike else usual),
        }
        if params.model != BUNDLED and Path(params.model).exists():
            changes["model"] = str(Path(params.model).absolute())
        # What prompts name is looked for there as well; a folder that is missing is an error.
        paths = {"vae": params.vae, "models": params.models or os.environ.get(ENVIRONMENT)}
        changes |= {name: str(at_home(path).absolute()) for name, path in paths.items() if path}
        changes |= model.additions
        return cls(params.but(**changes), model.hash)

    def __call__(self) -> Model:
        """Raises `ModelError` where the model cannot be loaded, or is another by its hash."""
        model = load(**self.params.arguments())
        if model.hash != self.hash:
            raise ModelError(
                f"the model {self.params.model} is different on this machine: "
                f"{_hashes(model.hash, self.hash)}; put the same files on every machine"
            )
        return model


@dataclass(frozen=True)
class NamedHashes:
    """The LoRAs and embeddings that prompts name, as they are where a job begins.

    Attributes:
        prompts: Of the job, negative ones too.
        hashes: As `Model.identity`.
    """

    prompts: tuple[str, ...]
    hashes: Mapping[str, str]

    @classmethod
    def of(cls, model: Model, *prompts: str) -> NamedHashes:
        """Those of a model that is loaded here. Raises as `Model.named_sources`."""
        return cls(prompts, model.identity(*prompts))

    def check(self, model: Model) -> None:
        """Raises `ModelError` where the prompts name other files to a worker's model."""
        here = model.identity(*self.prompts)
        for what in sorted({*here, *self.hashes}):
            own, wanted = here.get(what, ""), self.hashes.get(what, "")
            if own == wanted:
                continue
            named = verbatim(what)
            if not own:
                problem = f"the job needs the {named}, which is not on this machine"
            elif not wanted:
                problem = f"this machine has the {named}, which is not where the job began"
            else:
                problem = f"the {named} is different on this machine: {_hashes(own, wanted)}"
            raise ModelError(f"{problem}; put the same files on every machine")


def _hashes(own: str, wanted: str) -> str:
    return f"its hash is {own[:12]}, the job needs {wanted[:12]}"


@contextmanager
def open_executor(
    cluster: ClusterParams, model: Model, params: ModelParams | None = None
) -> Iterator[Executor[Model]]:
    """What the user chose to paint with, while the block runs: this process, or a Ray cluster that
    is joined or started, whose workers load the same model.

    Args:
        cluster: What the user chose.
        model: Loaded here.
        params: What ``model`` was loaded by; its name alone if not given.

    Raises:
        MissingExtraError, InputError, ExecutorError: See `RayExecutor`.
    """
    cluster.check()
    if cluster.executor == "local":
        yield LocalExecutor(model)
        return
    resources = cluster.resources(0.0 if model.device.type == "cpu" else 1.0)
    params = params or ModelParams(model=model.name, offload=model.offload, **model.additions)
    source = ModelSource.of(model, params, resources.gpus)
    with RayExecutor(
        source, address=cluster.address, workers=cluster.workers, resources=resources
    ) as executor:
        yield executor


Part = tuple[int, Sequence[Job]]
"""Jobs, and the place of the first in the list that they are from."""


def distributed_painter(executor: Executor[Model], batch_size: int, named: NamedHashes) -> Painter:
    """Paints any number of jobs, ``batch_size`` at a time on each worker; waits for the first
    worker, so that what is timed after it is work.

    Each call waits for all of its pictures, so calls should be as large as ``batch_size`` times
    `Executor.wanted`.

    Args:
        named: What the jobs' prompts name, which must be the same everywhere.
    """
    setup = functools.partial(part_painter, named)
    executor.begin(setup)

    def painted(jobs: Sequence[Job]) -> Tensor:
        parts = [(at, jobs[at : at + batch_size]) for at in range(0, len(jobs), batch_size)]
        found = dict(executor.map(setup, parts))
        return torch.cat([found[at] for at, _ in parts])

    return painted


def part_painter(named: NamedHashes, model: Model) -> Callable[[Part], tuple[int, Tensor]]:
    """What a worker does with a part: an `executor.Setup` without ``model``."""
    named.check(model)
    painter, painting = painter_of(model), threading.Lock()

    def work(part: Part) -> tuple[int, Tensor]:
        at, jobs = part
        with painting:
            model.check_unchanged()
            return at, painter(jobs)

    return work
