"""Single files on a GPU: pictures a second beside diffusers and beside the bare networks.

    python -m benchmarks.gpu_single_files --out gpu.json

Writes fp16 files of Stable Diffusion 1.5 and SDXL with random weights in the original layout, and
paints 64 cells with each: through this package from the file to committed pictures, through
diffusers' image-to-image pipeline in batches of the same size, and through the bare networks. It is
`benchmarks.scale` with one row for each file; a few minutes on a card are enough. ``--tiny --device
cpu`` is a dry run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks import scale
from benchmarks.machine import cpu_name, machine
from benchmarks.networks import NAMES
from benchmarks.scale import Row
from digressions.device import device_for

CELLS = 64


def row(rows: Sequence[Row]) -> str:
    """One network's row of the table, in Markdown."""
    sides = {each.side: each for each in rows}
    ours, bare = sides["c"], sides["d"]
    theirs = sides.get("b", sides["a"])  # one picture a batch: the same
    rates = [f"{1 / each.seconds:.3g}" for each in (ours, theirs, sides["a"], bare)]
    shares = f"{theirs.seconds / ours.seconds:.2f}", f"{bare.seconds / ours.seconds:.0%}"
    cells = (ours.network, str(ours.batch), *rates, *shares, f"{ours.peak / 1e9:.1f} GB")
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and writes JSON where asked; returns the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="float16")
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="few channels: a dry run")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    asked = parser.parse_args(arguments)
    device = device_for(asked.device)
    given = ["--device", asked.device, "--dtype", asked.dtype, "--cells", str(asked.cells)]
    given += ["--single", "4", "--repeats", str(asked.repeats), "--single-file"]
    given += ["--tiny"] * asked.tiny
    lines = [
        "| single file | batch | pictures/s | diffusers, same batch | cell by cell | bare networks "
        "| times diffusers | of the limit | peak memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    found: list[Row] = []
    for name in asked.networks:
        rows = scale.measure(name, scale.options().parse_args(given))
        lines.append(row(rows))
        found += rows
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    print("\n".join(lines), f"\n{where}, {asked.dtype}, {asked.cells} cells each", flush=True)
    report = {"machine": machine(("diffusers", "transformers")), "device": where, "table": lines}
    report["rows"] = [asdict(each) for each in found]
    if asked.out is not None:
        asked.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return report


if __name__ == "__main__":
    main()
