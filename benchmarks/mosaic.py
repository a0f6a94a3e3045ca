"""Seconds a picture of painting a mosaic's cells: diffusers' own pipeline, and this package.

    python -m benchmarks.mosaic --update docs/speed.md

Every side goes from a prompt and start pictures in memory to finished 8-bit pictures in memory.
This package's sides also cut the cells out of the primary, steer and correct the band; the
pipeline's sides are handed cells that are cut already. No side writes files. The sides take turns
within each repeat, so that a machine that slows down slows all of them, and ratios are taken
within a repeat.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionImg2ImgPipeline
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.machine import dtype_name, machine
from benchmarks.page import update
from benchmarks.subject import PROMPT, default_mosaic, painted_primary
from digressions.geometry import Grid
from digressions.models import Model, load
from digressions.mosaics.mosaic import Mosaic, cells_of, paint_cells
from digressions.paint import paint_batch
from digressions.sample import steps_to_run

GRID = Grid(64, 64)
REFERENCE = "d"  # what the ratios are relative to


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
        inside: Share 0..1 of that time inside the networks, one value for each repeat.
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

    def run(self) -> None:
        """Paints its cells once and notes the time."""
        inside, begun = self.network(), time.perf_counter()
        for start in range(0, len(self.cells), self.batch):
            self.paint(self.cells[start : start + self.batch])
        took = time.perf_counter() - begun
        self.seconds.append(took / len(self.cells))
        self.inside.append((self.network() - inside) / took)

    def warm(self) -> None:
        """Paints one batch that does not count."""
        self.paint(self.cells[: self.batch])

    def figures(self) -> dict[str, Any]:
        """Settings and medians, ready for JSON."""
        median = statistics.median(self.seconds)
        kept = ("key", "name", "settings", "dtype", "batch", "seconds")
        return {name: getattr(self, name) for name in kept} | {
            "cells_a_repeat": len(self.cells),
            "median_seconds": median,
            "forecast_minutes": median * GRID.cells / 60,
            "network_share": statistics.median(self.inside),
        }


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
    return Side(key, name, stated, dtype, batch, cells, paint_batch, lambda: pipeline.seconds)


def package_side(
    key: str, name: str, model: Model, mosaic: Mosaic, primary: Tensor, cells: list[int], batch: int
) -> Side:
    """This package painting ``cells``."""
    painter = functools.partial(paint_batch, model)
    stated = {
        "steps": mosaic.steps,
        "steps_run": steps_to_run(mosaic.steps, mosaic.strength),
        "strength": mosaic.strength,
        "guidance": mosaic.guidance,
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
        lambda batch: paint_cells(painter, mosaic, primary, batch),
        lambda: model.seconds,
    )


def sides(cells: int, single: int, batch: int) -> list[Side]:
    """All sides, on the CPU: ``cells`` a repeat for those in batches, ``single`` for the others."""
    model, exact = load("bundled", "cpu"), load("bundled", "cpu", "float32")
    mosaic = default_mosaic(model, GRID)
    primary = painted_primary(exact, mosaic)
    many, few = spread(cells), spread(single)
    wanted = sorted({*many, *few})
    starts = dict(zip(wanted, cells_of(primary, mosaic, wanted), strict=True))
    pipeline = Pipeline(model.checkpoint.folder)
    theirs = pipeline_defaults()
    ours = {
        "num_inference_steps": mosaic.steps,
        "strength": mosaic.strength,
        "guidance_scale": mosaic.guidance,
    }
    one = "diffusers, cell by cell"
    return [
        pipeline_side("a", f"{one}, its defaults", pipeline, theirs, starts, few, 1),
        pipeline_side("b", f"{one}, our settings", pipeline, ours, starts, few, 1),
        pipeline_side("c", "diffusers, batched, our settings", pipeline, ours, starts, many, batch),
        package_side("d", "digressions, its defaults", model, mosaic, primary, many, batch),
        package_side("e", "digressions, float32", exact, mosaic, primary, many, batch),
    ]


def measure(sides: Sequence[Side], repeats: int) -> None:
    """Warms every side, then lets them take turns."""
    for side in sides:
        side.warm()
    for _ in range(repeats):
        for side in sides:
            side.run()


def ratios(sides: Sequence[Side]) -> dict[str, dict[str, float]]:
    """How many times as long as the reference each side takes: median and range over repeats."""
    reference = next(side for side in sides if side.key == REFERENCE)
    found = {}
    for side in sides:
        each = [a / b for a, b in zip(side.seconds, reference.seconds, strict=True)]
        found[side.key] = {
            "median": statistics.median(each),
            "lowest": min(each),
            "highest": max(each),
        }
    return found


def table(figures: Sequence[dict[str, Any]], ratios: dict[str, dict[str, float]]) -> Table:
    """One row a side."""
    drawn = Table()
    for heading in ("", "side", "settings", "dtype", "batch", "cells a repeat"):
        drawn.add_column(heading)
    for heading in (
        "s a picture",
        f"times ({REFERENCE})",
        "range",
        "in the network",
        f"min for {GRID.cells:,}",
    ):
        drawn.add_column(heading, justify="right")
    for side in figures:
        ratio = ratios[side["key"]]
        drawn.add_row(
            side["key"],
            side["name"],
            ", ".join(f"{name} {value:g}" for name, value in side["settings"].items()),
            side["dtype"],
            str(side["batch"]),
            str(side["cells_a_repeat"]),
            f"{side['median_seconds']:.4f}",
            f"{ratio['median']:.2f}",
            f"{ratio['lowest']:.2f}-{ratio['highest']:.2f}",
            f"{side['network_share']:.0%}",
            f"{side['forecast_minutes']:.1f}",
        )
    return drawn


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and writes JSON where asked; returns what is written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page with a section between mosaic marks")
    parser.add_argument("--cells", type=int, default=64, help="a repeat, for sides in batches")
    parser.add_argument("--single", type=int, default=8, help="a repeat, for sides cell by cell")
    parser.add_argument("--batch", type=int, default=32, help="cells a batch")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args(arguments)
    if min(asked.cells, asked.single, asked.batch, asked.repeats) < 1:
        parser.error("--cells, --single, --batch and --repeats must be at least 1")
    if max(asked.cells, asked.single) > GRID.cells:
        parser.error(f"--cells and --single: at most {GRID.cells}, the cells of the grid")
    found = sides(asked.cells, asked.single, asked.batch)
    measure(found, asked.repeats)
    report = {
        "machine": machine(("diffusers", "transformers")),
        "prompt": PROMPT,
        "grid": str(GRID),
        "repeats": asked.repeats,
        "sides": [side.figures() for side in found],
        "ratios": ratios(found),
    }
    show(report)
    if asked.out is not None:
        asked.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if asked.update is not None:
        update(asked.update, section(report), "mosaic")
    return report


def section(report: dict[str, Any]) -> str:
    """The table in Markdown, with what it was measured on."""
    lines = [
        f"| | side | steps run, guidance | batch | s a picture | times {REFERENCE} (range) "
        f"| in the network | min for {GRID.cells:,} |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for side in report["sides"]:
        ratio, settings = report["ratios"][side["key"]], side["settings"]
        guidance = settings["guidance"]
        values = (
            *(side["key"], side["name"]),
            f"{settings['steps_run']} of {settings['steps']}, guidance {guidance:g}",
            *(str(side["batch"]), f"{side['median_seconds']:.4f}"),
            f"{ratio['median']:.2f} ({ratio['lowest']:.2f}-{ratio['highest']:.2f})",
            *(f"{side['network_share']:.0%}", f"{side['forecast_minutes']:.1f}"),
        )
        lines.append(f"| {' | '.join(values)} |")
    seen, last = report["machine"], report["sides"][-2]
    versions = ", ".join(f"{name} {number}" for name, number in seen["versions"].items())
    return "\n".join(lines) + (
        f'\n\n"{report["prompt"]}", strength {last["settings"]["strength"]:g}, '
        f"{last['dtype']}, {seen['cpu']}, {seen['cores']} cores, {seen['threads']} threads; "
        f"{versions}; medians of {report['repeats']} interleaved repeats.\n"
    )


def show(report: dict[str, Any]) -> None:
    """The table, and under it what it was measured on."""
    console = Console(width=200)
    console.print(table(report["sides"], report["ratios"]))
    seen = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in seen["versions"].items())
    console.print(
        f"{seen['cpu']}, {seen['cores']} cores, {seen['threads']} threads; {versions}; "
        f"Python {seen['python']}; medians of {report['repeats']} interleaved repeats"
    )


if __name__ == "__main__":
    main()
