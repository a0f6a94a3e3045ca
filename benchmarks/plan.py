"""A plan for whole levels of a world: storage, hours, money, and what breaks first.

    python -m benchmarks.plan --out plan.json --update docs/scale.md
    python -m benchmarks.plan --from plan.json --rate "my GPU" 512 40 1.20

What is measured here is measured here; everything about GPUs is arithmetic, marked as such, until
``--rate`` gives the pictures a second that a GPU was seen to paint.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import machine
from benchmarks.networks import NAMES, bare
from benchmarks.page import update
from benchmarks.subject import default_mosaic, painted_primary
from digressions.engines.ray_engine import RayEngine
from digressions.geometry import Grid
from digressions.models import load
from digressions.mosaics.mosaic import paint_cells
from digressions.mosaics.sharing import Piece
from digressions.mosaics.store import Store
from digressions.paint import painter_of
from digressions.pictures.images import to_png
from digressions.upscale import enlarge, load_upscaler

CELLS = 4096  # of a grid of 64 x 64
BATCH = 32
LARGER = 8  # times as wide as the bundled model's are the pictures of SD 1.5
STEPS = 3  # forward passes a picture: 4 steps at strength 0.75, no guidance
UTILISATION = 0.35  # assumed: of a GPU's peak, as large convolutions and attention often reach


class Gpu(NamedTuple):
    """Peak of dense 16-bit matrix products in TFLOP/s, from its maker's data sheet, and dollars an
    hour, assumed."""

    name: str
    peak: float
    price: float


GPUS = (
    Gpu("L4", 121, 0.8),
    Gpu("RTX 4090", 165, 0.5),
    Gpu("A100", 312, 2.0),
    Gpu("H100", 989, 3.0),
)
MONTH, PUT = 0.023, 5.0  # assumed: dollars a GB and month in object storage, and a million PUTs


@dataclass(frozen=True)
class Measured:
    """What was measured on one machine, with the bundled model.

    Attributes:
        machine: See `machine`.
        painted: Pictures that one core paints a second: cut, painted, bent and compressed.
        png: Bytes of a picture of 64 px in the store.
        committed: Bytes a second that the store takes in batches of 32 pictures, each flushed to
            disk: pictures of 64 px, and as many bytes as pictures of 512 px would have.
        brought: Bytes that one driver takes from Ray's workers and commits, for each second of its
            own computing, likewise.
        remembered: Bytes of the driver's memory for each picture of its level.
        canvas: Core seconds to enlarge a picture of 64 px to 512 px, what its cells are cut from.
    """

    machine: dict[str, object]
    painted: float
    png: float
    committed: tuple[float, float]
    brought: tuple[float, float]
    remembered: float
    canvas: float


def least(work: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    """The least seconds of some repeats, after one that does not count: what else the machine does
    can only add to them."""
    work()
    taken = []
    for _ in range(repeats):
        begun = clock()
        work()
        taken.append(clock() - begun)
    return min(taken)


def canned(pngs: dict[int, bytes], loaded: None) -> Callable[[int], dict[int, bytes]]:
    """A worker that has its pictures ready: what is left is the way to the driver."""

    def work(batch: int) -> dict[int, bytes]:
        return {batch * len(pngs) + at: png for at, png in pngs.items()}

    return work


def nothing() -> None:
    return None


def committed(pngs: dict[int, bytes], store: Store, repeats: int) -> float:
    """Bytes a second, see `Measured`."""
    taken = least(lambda: store.put(pngs), repeats, time.perf_counter)
    return sum(map(len, pngs.values())) / taken


def brought(pngs: dict[int, bytes], store: Store, batches: int) -> float:
    """Bytes a second (see `Measured`) from two workers here, which have their pictures ready."""
    with RayEngine(nothing, workers=2) as engine:
        opening = functools.partial(canned, pngs)
        for found in engine.map(opening, range(4)):  # until both have started
            store.put(found)
        begun = time.process_time()
        for found in engine.map(opening, range(batches)):
            store.put(found)
        return batches * sum(map(len, pngs.values())) / (time.process_time() - begun)


def remembered(count: int = 200_000) -> float:
    """Bytes a picture: the set of what is done, the list of what is missing, its pieces."""
    lists = [set(range(count)), list(range(count)), [Piece(n, (n,)) for n in range(count)]]
    found = sum(sys.getsizeof(held) for held in lists)
    found += count * (sys.getsizeof(2**30) + sys.getsizeof(Piece(0, (0,))) + sys.getsizeof((0,)))
    return found / count


def measure(repeats: int) -> Measured:
    """Measures everything; about a minute on an idle machine."""
    model = load("bundled", "cpu")
    mosaic = default_mosaic(model, Grid(8, 8))
    primary, cells = painted_primary(model, mosaic), list(range(BATCH))
    painter = painter_of(model)

    def paint() -> list[bytes]:
        images = paint_cells(painter, mosaic, primary, cells).permute(0, 2, 3, 1).numpy()
        return [to_png(image) for image in images]

    pngs = dict(enumerate(paint()))
    large = {at: os.urandom(LARGER**2 * len(png)) for at, png in pngs.items()}
    picture = paint_cells(painter, mosaic, primary, [0])[0].permute(1, 2, 0).numpy()
    upscaler = load_upscaler("realesrgan-animevideo")
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite", "plan") as store:
        return Measured(
            machine=machine(("ray",)),
            painted=BATCH / least(paint, repeats, time.process_time),
            png=statistics.mean(map(len, pngs.values())),
            committed=(committed(pngs, store, 4 * repeats), committed(large, store, repeats)),
            brought=(brought(pngs, store, 40 * repeats), brought(large, store, 8 * repeats)),
            remembered=remembered(),
            canvas=least(lambda: enlarge(picture, 512, 512, upscaler), repeats, time.process_time),
        )


def tera(network: torch.nn.Module, *inputs: Any, **named: Any) -> float:
    """TFLOP of one forward pass, counted operation by operation on tensors without contents."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network(*inputs, **named)
    return counter.get_total_flops() / 1e12


@functools.cache
def picture_tera() -> dict[str, tuple[int, float, float]]:
    """Each network's side, and TFLOP: of one forward pass, of the autoencoder's halves together."""
    found = {}
    for name, label in NAMES.items():
        unet, vae = bare(name)
        side, width = unet.config.sample_size, unet.config.cross_attention_dim
        with torch.device("meta"):
            latents, image = torch.empty(1, 4, side, side), torch.empty(1, 3, 8 * side, 8 * side)
            added = {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}
            inputs = latents, torch.ones(1), torch.empty(1, 77, width)
            step = tera(unet, *inputs, added_cond_kwargs=added)
            halves = tera(vae.encoder, image) + tera(vae.decoder, latents)
        found[f"{label}, {8 * side} px"] = 8 * side, step, halves
    return found


class Rate(NamedTuple):
    """Pictures of a side that one GPU paints a second, dollars an hour, and where that is from."""

    name: str
    side: int
    pictures: float
    price: float
    source: str

    def hours(self, pictures: int) -> float:
        return pictures / self.pictures / 3600

    def cost(self, pictures: int) -> float:
        return self.hours(pictures) * self.price


def computed_rates() -> list[Rate]:
    """From data sheets: the peak times `UTILISATION`, over the arithmetic of a picture."""
    return [
        Rate(
            f"{gpu.name}, {network}",
            side,
            UTILISATION * gpu.peak / (STEPS * step + halves),
            gpu.price,
            "arithmetic",
        )
        for network, (side, step, halves) in picture_tera().items()
        for gpu in GPUS
    ]


def bytes_of(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} PB" if count < 1000 else f"{count / 1000:.3g} EB"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def storage_text(found: Measured) -> str:
    rows = []
    for depth in (1, 2, 3):
        pictures, shards = CELLS**depth, CELLS ** (depth - 1)
        for side in (64, 512) if depth < 3 else (64,):
            size = pictures * found.png * (side / 64) ** 2
            rows.append(
                [
                    f"{depth}, {side} px",
                    f"{pictures:,}",
                    bytes_of(size),
                    f"{shards:,} of {bytes_of(size / shards)}",
                    f"{size / 1e9 * MONTH:,.2f}",
                    f"{shards / 1e6 * PUT:,.2f}",
                    f"{pictures / 1e6 * PUT:,.2f}",
                ]
            )
    head = ("level", "pictures", "PNG", "objects, one a parent", "$ a month")
    return table([*head, "$ to write these", "$ if each were an object"], rows)


def cost_text(rates: Sequence[Rate]) -> str:
    rows = [
        [
            rate.name,
            f"{rate.pictures:.3g}",
            rate.source,
            f"{60 * rate.hours(CELLS):,.3g} min",
            f"{rate.cost(CELLS):,.2f}",
            f"{rate.hours(CELLS**2):,.0f}",
            f"{rate.cost(CELLS**2):,.0f}",
        ]
        for rate in rates
    ]
    head = ("GPU, network", "pictures/s", "from", "level 1", "$", "level 2, GPU hours", "$")
    return table(head, rows)


def limits_text(found: Measured, rates: Sequence[Rate]) -> str:
    """What one driver can do, in GPUs."""
    level, large = CELLS**2, found.png * LARGER**2

    def of(rate: Rate) -> float:
        """GPUs whose pictures one core of a driver takes."""
        return found.brought[1] / (rate.pictures * found.png * (rate.side / 64) ** 2)

    least, most = min(rates, key=of), max(rates, key=of)
    rows = [
        [
            "driver's memory, if level 2 were one job",
            f"{found.remembered:.0f} B a picture",
            bytes_of(found.remembered * level),
        ],
    ]
    for at, (side, size) in enumerate(((64, found.png), (512, large))):
        for what, rate in (
            ("driver: from workers into the store", found.brought[at]),
            ("store alone, a batch of 32 a commit", found.committed[at]),
        ):
            rows.append(
                [
                    f"{what}, {side} px",
                    f"{bytes_of(rate)}/s, {rate / size:,.0f} pictures/s",
                    f"level 2 takes {level * size / rate / 3600:,.1f} h",
                ]
            )
    rows += [
        [
            "GPUs that one driver feeds",
            "from the row above, and the table of GPUs",
            f"{of(least):,.0f} of {least.name}; {of(most):,.0f} of {most.name}",
        ],
        [
            "canvas of each parent",
            f"{found.canvas:.2g} s of a core",
            f"{CELLS * found.canvas / 3600:,.1f} h for the {CELLS:,} parents of level 2",
        ],
        [
            "painting 64 px with the bundled model",
            f"{found.painted:.3g} pictures/s a core",
            f"level 1 {CELLS / found.painted / 60:,.0f} min; "
            f"level 2 {level / found.painted / 86400:,.1f} days of a core",
        ],
    ]
    return table(("part", "measured", "means"), rows)


def text_of(found: Measured, rates: Sequence[Rate]) -> str:
    """The generated part of `docs/scale.md`."""
    work = "; ".join(
        f"{name}: {STEPS} x {step:.3g} + {halves:.3g} TFLOP"
        for name, (_, step, halves) in picture_tera().items()
    )
    versions = found.machine["versions"]
    assert isinstance(versions, dict)
    peaks = ", ".join(f"{gpu.name} {gpu.peak:g}" for gpu in GPUS)
    prices = ", ".join(f"{gpu.name} {gpu.price:g}" for gpu in GPUS)
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    origin = (
        "**No GPU was at hand: nothing in this table was measured.** The rates are "
        f"{UTILISATION:.0%} (assumed) of the peak in the data sheets ({peaks} TFLOP/s, dense, 16 "
        "bit), over the arithmetic of a picture, counted from the published configurations: "
        f"{STEPS} forward passes and both halves of the autoencoder ({work}). Prices an hour are "
        f"assumed ({prices} $)."
    )
    if all(rate.source == "measured" for rate in rates):
        origin = "Pictures a second and prices are as given with `--rate`."
    storage = (
        f"Measured: {found.png:,.0f} bytes a picture of 64 px in the store. Arithmetic: everything "
        "else; 512 px takes the same bytes a pixel here, though large pictures are smoother. "
        f"Assumed: {MONTH} $ a GB and month, {PUT:g} $ a million PUTs."
    )
    limits = (
        f"Measured on {found.machine['cpu']}, {found.machine['cores']} cores shared with other "
        "work, so it is the least of several repeats, and what computes counts in seconds of a "
        f"core; {names}. Pictures of 512 px were stood in for by as many bytes. Memory is counted "
        "from the sizes of the objects."
    )
    return f"""
### Storage

{storage_text(found)}
{wrapped(storage)}

### Painting

GPU hours = pictures / (pictures a second x 3600);  dollars = GPU hours x price

{cost_text(rates)}
{wrapped(origin)}

### What breaks first

{limits_text(found, rates)}
{wrapped(limits)}
"""


def wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_on_hyphens=False)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures or reads, prints, and updates a page where asked; returns what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="file that keeps what was measured, JSON")
    parser.add_argument("--from", dest="read", type=Path, help="measure nothing: take such a file")
    parser.add_argument("--update", type=Path, help="page whose generated section to write")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--rate",
        nargs=4,
        action="append",
        default=[],
        metavar=("NAME", "SIDE", "PICTURES_A_SECOND", "DOLLARS_AN_HOUR"),
        help="a GPU that was measured, with a network; takes the place of the arithmetic",
    )
    asked = parser.parse_args(arguments)
    if asked.repeats < 1:
        parser.error("--repeats must be at least 1")
    if asked.read is not None:
        found = Measured(**json.loads(asked.read.read_text("utf-8")))
    else:
        found = measure(asked.repeats)
    given = [
        Rate(name, int(side), float(rate), float(price), "measured")
        for name, side, rate, price in asked.rate
    ]
    text = text_of(found, given or computed_rates())
    print(text)
    if asked.out:
        asked.out.write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
    if asked.update:
        update(asked.update, text)
    return asdict(found)


if __name__ == "__main__":
    main()
