"""Ways of painting a mosaic's cells: diffusers' own pipeline, and this package."""

from __future__ import annotations

import inspect
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch._inductor.config as inductor
from diffusers import StableDiffusionImg2ImgPipeline
from torch import Tensor

from benchmarks.machine import clock_for, dtype_name
from benchmarks.subject import PROMPT, default_mosaic, paint_cells, painted_base_image
from digressions.diffusion.sample import steps_to_run
from digressions.generate.paint import painter_of
from digressions.geometry import Grid
from digressions.models.base import Model
from digressions.models.checkpoint import Checkpoint
from digressions.models.loading import load
from digressions.mosaics.cells import cells_of
from digressions.mosaics.mosaic_spec import Mosaic

GRID = Grid(64, 64)


@dataclass
class Side:
    """One way of painting cells, and what it took.

    Attributes:
        key: A letter, as in the table.
        name: What it is.
        settings: Steps asked for and run, strength, guidance.
        dtype: Of the networks.
        batch: Cells a call.
        cells: Indices into the grid, painted in each repeat.
        paint: Paints a batch of cells.
        network: Seconds spent inside the denoising network and the autoencoder so far.
        seconds: A picture, one value for each repeat.
        inside: Share 0..1 of the time inside the networks, one value for each repeat.
        clock: What tells the seconds.
        warming: Seconds of the batch that does not count.
    """

    key: str
    name: str
    settings: dict[str, float]
    dtype: str
    batch: int
    cells: list[int]
    paint: Callable[[Sequence[int]], object]
    network: Callable[[], float]
    seconds: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)
    clock: Callable[[], float] = time.perf_counter
    warming: float = 0.0

    def run(self) -> None:
        """Paints its cells once and notes the time."""
        inside, begun, started = self.network(), self.clock(), time.perf_counter()
        for start in range(0, len(self.cells), self.batch):
            self.paint(self.cells[start : start + self.batch])
        self.seconds.append((self.clock() - begun) / len(self.cells))
        self.inside.append((self.network() - inside) / (time.perf_counter() - started))

    def warm(self) -> None:
        """Paints one batch that does not count, and notes its time."""
        clock = with_children if self.clock is time.process_time else self.clock
        begun = clock()
        self.paint(self.cells[: self.batch])
        self.warming = clock() - begun

    def figures(self) -> dict[str, Any]:
        """Settings and medians, ready for JSON."""
        median = statistics.median(self.seconds)
        kept = ("key", "name", "settings", "dtype", "batch", "seconds", "warming")
        return {name: getattr(self, name) for name in kept} | {
            "cells_a_repeat": len(self.cells),
            "median_seconds": median,
            "forecast_minutes": median * GRID.cells / 60,
            "network_share": statistics.median(self.inside),
        }


def with_children() -> float:
    """Seconds of CPU of this process and of those that it has waited for, such as compilers."""
    return sum(os.times()[:4])


class Pipeline:
    """diffusers' image-to-image pipeline on a folder, with the time inside its networks."""

    def __init__(self, folder: Path) -> None:
        # Said outright, or the text encoder comes in the float16 of its file and does not fit.
        self.pipe = StableDiffusionImg2ImgPipeline.from_pretrained(
            folder, torch_dtype=torch.float32
        )
        self.pipe.set_progress_bar_config(disable=True)
        self.seconds = 0.0
        for part, method in (
            (self.pipe.unet, "forward"),
            (self.pipe.vae, "encode"),
            (self.pipe.vae, "decode"),
        ):
            setattr(part, method, self._timed(getattr(part, method)))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            result = function(*args, **options)
            self.seconds += time.perf_counter() - begun
            return result

        return timed

    def paint(self, starts: Tensor, seed: int, settings: dict[str, float]) -> list[Any]:
        """One call: start pictures ``(B, 3, H, W)`` in 0..1 to PIL pictures."""
        # One generator for all: with one each, the pipeline encodes start pictures one by one.
        generator = torch.Generator().manual_seed(seed)
        called = self.pipe([PROMPT] * len(starts), image=starts, generator=generator, **settings)
        return list(called.images)


def pipeline_defaults() -> dict[str, float]:
    """The steps, strength and guidance that the pipeline takes when it is told nothing."""
    parameters = inspect.signature(StableDiffusionImg2ImgPipeline.__call__).parameters
    names = ("num_inference_steps", "strength", "guidance_scale")
    return {name: parameters[name].default for name in names}


def spread(count: int) -> list[int]:
    """So many cells, evenly over the grid in reading order."""
    return [index * GRID.cells // count for index in range(count)]


def pipeline_side(
    key: str,
    name: str,
    pipeline: Pipeline,
    settings: dict[str, float],
    starts: dict[int, Tensor],
    cells: list[int],
    batch: int,
) -> Side:
    """The pipeline painting ``cells``, whose start pictures are in ``starts``."""

    def paint_batch(batch: Sequence[int]) -> object:
        return pipeline.paint(torch.stack([starts[cell] for cell in batch]), batch[0], settings)

    run = int(settings["num_inference_steps"] * settings["strength"])
    stated = {
        "steps": settings["num_inference_steps"],
        "steps_run": run,
        "strength": settings["strength"],
        "guidance": settings["guidance_scale"],
    }
    dtype = dtype_name(pipeline.pipe.unet.dtype)
    return Side(
        *(key, name, stated, dtype, batch, cells, paint_batch, lambda: pipeline.seconds),
        clock=clock_for(pipeline.pipe.device),
    )


def package_side(
    key: str,
    name: str,
    model: Model,
    mosaic: Mosaic,
    base_image: Tensor,
    cells: list[int],
    batch: int,
) -> Side:
    """This package painting ``cells``."""
    painter, params = painter_of(model), mosaic.params
    stated = {
        "steps": params.steps,
        "steps_run": steps_to_run(params.steps, params.strength),
        "strength": params.strength,
        "guidance": params.guidance,
        "band": mosaic.band,
        "anchor": mosaic.anchor,
    }
    return Side(
        key,
        name,
        stated,
        dtype_name(model.dtype),
        batch,
        cells,
        lambda batch: paint_cells(painter, mosaic, base_image, batch),
        lambda: model.seconds,
        clock=clock_for(model.device),
    )


def compiled_sides(cells: int, batch: int) -> list[Side]:
    """This package as it comes, and compiled, on the CPU."""
    inductor.compile_threads = 1  # or compilers run in processes that outlive this
    model, compiled = load("bundled", "cpu"), load("bundled", "cpu", compile=True)
    mosaic = default_mosaic(model, GRID)
    base_image, many = painted_base_image(model, mosaic), spread(cells)
    return [
        package_side("d", "digressions, its defaults", model, mosaic, base_image, many, batch),
        package_side("f", "digressions, compiled", compiled, mosaic, base_image, many, batch),
    ]


def sides(cells: int, single: int, batch: int) -> list[Side]:
    """All sides, on the CPU: ``cells`` a repeat for those in batches, ``single`` for the others."""
    model, exact = load("bundled", "cpu"), load("bundled", "cpu", "float32")
    mosaic = default_mosaic(model, GRID)
    base_image = painted_base_image(exact, mosaic)
    many, few = spread(cells), spread(single)
    wanted = sorted({*many, *few})
    starts = dict(zip(wanted, cells_of(base_image, mosaic, wanted), strict=True))
    pipeline = Pipeline(Checkpoint(model.name).folder)
    theirs = pipeline_defaults()
    ours = {
        "num_inference_steps": mosaic.params.steps,
        "strength": mosaic.params.strength,
        "guidance_scale": mosaic.params.guidance,
    }
    one = "diffusers, cell by cell"
    return [
        pipeline_side("a", f"{one}, its defaults", pipeline, theirs, starts, few, 1),
        pipeline_side("b", f"{one}, our settings", pipeline, ours, starts, few, 1),
        pipeline_side("c", "diffusers, batched, our settings", pipeline, ours, starts, many, batch),
        package_side("d", "digressions, its defaults", model, mosaic, base_image, many, batch),
        package_side("e", "digressions, float32", exact, mosaic, base_image, many, batch),
    ]
