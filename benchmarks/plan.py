"""A plan for whole levels of a world: storage, hours, money, and what breaks first.

    python -m benchmarks.plan --out plan.json --update docs/scale.md
    python -m benchmarks.plan --from plan.json --rate "my GPU" 512 40 1.20

What is measured here is measured here; everything about GPUs is arithmetic, marked as such, until
``--rate`` gives the pictures a second that a GPU was seen to paint.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.gpus import GPUS, STEPS, UTILISATION, Rate, computed_rates, picture_tera
from benchmarks.page import update
from benchmarks.throughput import LARGE, Measured, measure

CELLS = 4096  # of a grid of 64 x 64
MONTH, PUT = 0.023, 5.0  # assumed: dollars a GB and month in object storage, and a million PUTs


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
        sizes = [(found.side, found.png), (LARGE, found.large_png)]
        for side, png in sizes if depth < 3 else sizes[:1]:
            size = pictures * png
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
    level, sizes = CELLS**2, ((found.side, found.png), (LARGE, found.large_png))

    def of(rate: Rate) -> float:
        """GPUs whose pictures one driver takes, by its core or by its disk, whichever is less."""
        taken = min(found.brought[1], found.committed[1])
        return taken / (rate.pictures * found.png * (rate.side / found.side) ** 2)

    least, most = min(rates, key=of), max(rates, key=of)
    rows = [
        [
            "driver's memory, if level 2 were one job",
            f"{found.remembered:.0f} B a picture",
            bytes_of(found.remembered * level),
        ],
    ]
    for at, (side, size) in enumerate(sizes):
        for what, rate in (
            ("driver's core: from workers into the store", found.brought[at]),
            ("driver's disk: each batch of 32 flushed", found.committed[at]),
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
            "from the less of the two, and the table of GPUs",
            f"{of(least):,.1f} of {least.name}; {of(most):,.1f} of {most.name}",
        ],
        [
            "canvas of each parent",
            f"{found.canvas:.2g} s of a core",
            f"{CELLS * found.canvas / 3600:,.1f} h for the {CELLS:,} parents of level 2",
        ],
        [
            f"painting {found.side} px with the bundled model",
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
        f"Measured: {found.png:,.0f} bytes a picture of {found.side} px in the store. Arithmetic: "
        "everything else; 512 px takes the same bytes a pixel here, though large pictures are "
        "smoother. "
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
