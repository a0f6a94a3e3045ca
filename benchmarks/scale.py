"""Networks of real size (SD 1.5, SDXL) on this machine: pictures a second, memory, the limit.

    python -m benchmarks.scale --networks sd15 sdxl --update docs/speed.md

Weights are random, since only the time matters. Every side takes the same few steps without
guidance, from start pictures in memory:

- a: diffusers' image-to-image pipeline, called cell by cell;
- b: the same pipeline, called with batches of the size that side c found (a again where that is 1,
  so it is left out);
- c: this package, from the base image to committed pictures in a store, with the batch size that
  it finds;
- d: the bare networks' forward passes on tensors of that batch size: the limit.

Sides run one after the other, each alone in memory, since two such networks seldom fit. Each
network has its own section of the page, so that one can be measured without the other.

With ``--single-file`` the weights are one file in the original layout, as most are passed on.

With one thread (``OMP_NUM_THREADS=1``) on a CPU the seconds are those that this process had of it,
so that a machine which others use as well will do.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoPipelineForImage2Image,
    LCMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionXLImg2ImgPipeline,
)
from diffusers.utils.logging import set_verbosity_error
from torch import Tensor

from benchmarks.machine import (
    clock_for,
    clock_name,
    cpu_name,
    dtype_name,
    machine,
    threads_of,
)
from benchmarks.networks import NAMES, write_checkpoint
from benchmarks.page import update
from benchmarks.peak import Peak
from benchmarks.single_file import small_networks, write
from digressions.device import device_for
from digressions.diffusion.condition import Condition
from digressions.diffusion.sample import steps_to_run
from digressions.events import completed
from digressions.generate.batching import BatchSize
from digressions.generate.params import ResolvedParams
from digressions.geometry import Grid
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.models.runtime import dtype_for
from digressions.models.single_file import SingleFile
from digressions.mosaics.cells import cells_of
from digressions.mosaics.mosaic_spec import Mosaic
from digressions.mosaics.production import fill
from digressions.mosaics.sharing import CellTask
from digressions.mosaics.store import Store

PROMPT = "photo of a turtle"
CELLS = 4096  # of a full level


@dataclass
class Row:
    """One side's figures.

    Attributes:
        network, side, what: As in the table.
        batch: Pictures a call.
        seconds: A picture; the median over repeats.
        peak: Bytes held at once, on the device's memory.
        inside: Share of the time inside the networks; ``None`` where nobody counts.
    """

    network: str
    side: str
    what: str
    batch: int
    seconds: float
    peak: int
    inside: float | None = None


@dataclass
class Bench:
    """What all sides of one network share; ``checkpoint`` is a folder or a single file."""

    name: str
    checkpoint: Path
    mosaic: Mosaic
    base_image: Tensor
    device: torch.device
    dtype: torch.dtype
    repeats: int
    warm: bool

    def starts(self, count: int) -> Tensor:
        """The first cells, enlarged: ``(count, 3, side, side)``."""
        return cells_of(self.base_image, self.mosaic, range(count))


def timed(bench: Bench, work: Callable[[], int]) -> tuple[float, int]:
    """Median seconds a picture, and the most memory, of work that says how many it painted."""
    found, clock = [], clock_for(bench.device)
    with Peak(bench.device) as peak:
        for _ in range(bench.repeats):
            begun = clock()
            pictures = work()
            if bench.device.type == "cuda":
                torch.cuda.synchronize(bench.device)
            found.append((clock() - begun) / pictures)
    return statistics.median(found), peak.bytes


def ours(bench: Bench, cells: int, batch: int | None) -> tuple[Row, Row]:
    """Sides c and d."""
    model = load(str(bench.checkpoint), str(bench.device), dtype_name(bench.dtype))
    sizes = BatchSize(bench.device, batch, most=cells)
    while not sizes.settled:  # the search is paid once a job, so it does not count here
        run(bench, model, sizes, cells)
    if bench.warm:
        run(bench, model, sizes, sizes.now)
    before, begun = model.seconds, time.perf_counter()
    seconds, peak = timed(bench, lambda: run(bench, model, sizes, cells))
    if bench.device.type != "cpu":  # is only waited for where somebody profiles, which takes time
        model.clock.profiling, before, begun = True, model.seconds, time.perf_counter()
        run(bench, model, sizes, cells)
    inside = (model.seconds - before) / (time.perf_counter() - begun)
    model.clock.profiling = False
    name = NAMES[bench.name]
    row = Row(name, "c", "digressions, to the store", sizes.now, seconds, peak, inside)
    if bench.warm:
        bare(bench, model, sizes.now)
    limit, held = timed(bench, lambda: bare(bench, model, sizes.now))
    return row, Row(name, "d", "the bare networks", sizes.now, limit, held)


def run(bench: Bench, model: Model, sizes: BatchSize, cells: int) -> int:
    """Paints cells into a store of its own."""
    tasks = [CellTask(cell, (cell,)) for cell in range(cells)]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s", "scale") as store:
        work = fill(store, model, bench.mosaic, bench.base_image, tasks, sizes=sizes)
        return completed(work).placed


@torch.inference_mode()
def bare(bench: Bench, model: Model, batch: int) -> int:
    """Encoder, the steps of the denoising network and decoder, on one batch, nothing between."""
    params = bench.mosaic.params
    latents = model.encode(bench.starts(batch)).to(model.dtype)
    guidance = torch.ones(batch, device=model.device)
    condition = Condition(model.encode_text([PROMPT] * batch, *params.size), guidance)
    t = torch.full((batch,), 499.0, device=model.device)
    for _ in range(steps_to_run(params.steps, params.strength)):
        model.network(latents, t, condition)
    model.decode(latents.float())
    return batch


def theirs(bench: Bench, batch: int, single: int) -> Iterator[Row]:
    """Sides a and b."""
    pipe = pipeline(bench.checkpoint, bench.dtype).to(bench.device)
    pipe.set_progress_bar_config(disable=True)
    params = bench.mosaic.params

    def call(starts: Tensor) -> int:
        pipe(
            [PROMPT] * len(starts),
            image=starts,
            num_inference_steps=params.steps,
            strength=params.strength,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(0),
        )
        return len(starts)

    def one_by_one() -> int:
        return sum(call(start[None]) for start in bench.starts(single))

    if bench.warm:
        call(bench.starts(1))
    name = NAMES[bench.name]
    seconds, peak = timed(bench, one_by_one)
    yield Row(name, "a", "diffusers, cell by cell", 1, seconds, peak)
    if batch == 1:
        return
    if bench.warm:
        call(bench.starts(batch))
    seconds, peak = timed(bench, lambda: call(bench.starts(batch)))
    yield Row(name, "b", "diffusers, batched by hand", batch, seconds, peak)


def pipeline(checkpoint: Path, dtype: torch.dtype) -> Any:
    """diffusers' image-to-image pipeline of a folder, or of the parts of a single file."""
    if checkpoint.is_dir():
        return AutoPipelineForImage2Image.from_pretrained(checkpoint, torch_dtype=dtype)
    file = SingleFile(checkpoint)
    parts: dict[str, Any] = {name: file.network(name, dtype) for name in ("unet", "vae")}
    texts, tokenizers = file.text_encoders(dtype), file.tokenizers()
    for number, (text, tokenizer) in enumerate(zip(texts, tokenizers, strict=True)):
        end = "_2" if number else ""
        parts |= {f"text_encoder{end}": text, f"tokenizer{end}": tokenizer}
    config = file.config("scheduler")
    table = ("beta_start", "beta_end", "beta_schedule", "steps_offset")
    parts["scheduler"] = LCMScheduler(**{name: config[name] for name in table})
    set_verbosity_error()  # of an autoencoder that it widens by itself
    if len(texts) == 2:
        return StableDiffusionXLImg2ImgPipeline(**parts, add_watermarker=False)
    return StableDiffusionImg2ImgPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def measure(name: str, asked: argparse.Namespace) -> list[Row]:
    """All sides of one network."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        if not asked.single_file:
            folder = write_checkpoint(Path(place) / name, name, torch.float16, asked.tiny)
            return _measured(name, folder, asked)
        if asked.tiny:
            stack.enter_context(small_networks(Path(place) / "configs"))
        file = Path(place) / f"{name}.safetensors"
        write(file, {"sd15": "sd1", "sdxl": "sdxl"}[name])
        return _measured(name, file, asked)


def _measured(name: str, checkpoint: Path, asked: argparse.Namespace) -> list[Row]:
    device = device_for(asked.device)
    dtype = dtype_for(asked.dtype, device)
    grid = Grid(64, 64)
    side = 64 if asked.tiny else {"sd15": 512, "sdxl": 1024}[name]
    params = ResolvedParams(
        prompt=PROMPT,
        seed=1,
        size=side,
        steps=asked.steps,
        sampler="lcm",
        guidance=1.0,
        strength=asked.strength,
    )
    mosaic = Mosaic(
        params=params,
        grid=grid,
        band=2,
        anchor=0.3,
        mirror=0.5,
        jitter=0.125,
        enlarge=1,
        upscaler="lanczos",
    )
    drawn = torch.Generator().manual_seed(1)
    base_image = torch.rand(3, *reversed(mosaic.base_size), generator=drawn)
    warm = not asked.no_warm_up
    bench = Bench(name, checkpoint, mosaic, base_image, device, dtype, asked.repeats, warm)
    rows = list(ours(bench, asked.cells, asked.batch))
    print(table(rows), flush=True)
    _release(device)
    rows += theirs(bench, rows[0].batch, asked.single)
    _release(device)
    return sorted(rows, key=lambda row: row.side)


def _release(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def table(rows: Sequence[Row]) -> str:
    """The figures as a table in Markdown."""
    lines = [
        "| network | | side | batch | s a picture | pictures/s | of the limit | in the networks "
        "| peak memory | 4,096 pictures |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    limits = {row.network: row.seconds for row in rows if row.side == "d"}
    for row in rows:
        inside = "" if row.inside is None else f"{row.inside:.0%}"
        cells = (
            *(row.network, row.side, row.what, str(row.batch), f"{row.seconds:.3g}"),
            *(f"{1 / row.seconds:.3g}", f"{limits[row.network] / row.seconds:.0%}", inside),
            *(f"{row.peak / 1e9:.1f} GB", _long(row.seconds * CELLS)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _long(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def section(rows: Sequence[Row], asked: argparse.Namespace) -> str:
    """The table with what it was measured on."""
    device = device_for(asked.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    seen = machine(("diffusers", "transformers"))
    numbers = ", ".join(f"{name} {number}" for name, number in dict(seen["versions"]).items())  # type: ignore[call-overload]
    run_steps = steps_to_run(asked.steps, asked.strength)
    size = "networks of a few channels, for a dry run, " if asked.tiny else ""
    repeats = f"medians of {asked.repeats} repeats" if asked.repeats > 1 else "measured once"
    if asked.no_warm_up:
        repeats += ", the first pass"
    repeats += f", in {clock_name(clock_for(device))}"
    return (
        f"{table(rows)}\n\n{size}{where}, {seen['cores']} cores, {threads_of(seen)}, "
        f"{dtype_name(dtype_for(asked.dtype, device))}; {run_steps} of {asked.steps} steps, no "
        f"guidance; {repeats}; {numbers}.\n"
    )


def options() -> argparse.ArgumentParser:
    """What can be said."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=["sd15"])
    parser.add_argument("--tiny", action="store_true", help="few channels: a dry run")
    parser.add_argument("--cells", type=int, default=64, help="painted in a repeat by side c")
    parser.add_argument("--single", type=int, default=4, help="painted in a repeat by side a")
    parser.add_argument("--batch", type=int, help="pictures a batch; found by side c if not said")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-warm-up", action="store_true", help="where a pass takes minutes")
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page with a section for each network")
    parser.add_argument("--single-file", action="store_true", help="weights in one file")
    return parser


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and writes JSON and a page where asked; returns the figures."""
    parser = options()
    asked = parser.parse_args(arguments)
    if min(asked.cells, asked.single, asked.repeats, asked.batch or 1) < 1:
        parser.error("--cells, --single, --batch and --repeats must be at least 1")
    rows: list[Row] = []
    for name in asked.networks:
        measured = measure(name, asked)
        text = section(measured, asked)
        print(text, flush=True)
        if asked.update is not None:
            update(asked.update, text, f"scale {name}")
        rows += measured
    report = {"machine": machine(("diffusers", "transformers")), "rows": [asdict(r) for r in rows]}
    if asked.out is not None:
        asked.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return report


if __name__ == "__main__":
    main()
