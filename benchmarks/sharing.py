"""What it costs when cells share painted pictures: how many are painted, variety, fidelity.

    python -m benchmarks.sharing --grid 24 --update docs/speed.md

The same mosaic is made with every setting of ``--merge-similar`` and ``--reuse``; each is exact in
the band, so what differs is what the pictures show.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import cpu_name, dtype_name, machine
from benchmarks.page import update
from benchmarks.subject import PROMPT, SEED
from digressions.events import completed
from digressions.geometry import Grid
from digressions.models.base import Model
from digressions.models.loading import load
from digressions.mosaics.folder import MosaicFolder
from digressions.mosaics.mosaic_spec import MosaicSpec
from digressions.mosaics.planning import plan_of

MERGES = (0.02, 0.04, 0.08)
REUSES = (0.25, 0.0625)  # of the cells


def settings(cells: int) -> list[dict[str, Any]]:
    """None first, then all others."""
    reuses = [{"reuse": max(1, round(part * cells))} for part in REUSES]
    return [{}, *({"merge_similar": most} for most in MERGES), *reuses]


def made(model: Model, grid: Grid, sharing: dict[str, Any]) -> dict[str, Any]:
    """A mosaic with some sharing: what was painted, its variety and its fidelity."""
    spec = MosaicSpec.of(prompt=PROMPT, seed=SEED, grid=str(grid), upscaler="lanczos", **sharing)
    with tempfile.TemporaryDirectory() as empty:
        folder = MosaicFolder(model, plan_of(model, spec, None), Path(empty) / "m")
        completed(folder.start())
        totals = completed(folder.paint())
        fidelity = completed(folder.assemble())
        variety = folder.variety()
    bends = {"own": totals.own_change, "shared": totals.shared_change}
    return {
        "setting": sharing,
        "painted": totals.painted,
        "seconds": totals.seconds,
        "alike": variety.alike,
        "distance": variety.distance,
        "largest": fidelity.largest,
        "fine_psnr": fidelity.fine_psnr,
        "bent": {k: 255 * sum(v) / len(v) if v else None for k, v in bends.items()},
    }


def table(rows: Sequence[dict[str, Any]], cells: int) -> str:
    """The figures as a table in Markdown."""
    lines = [
        "| | painted | of the cells | neighbours alike | distance in OKLab | bent where painted "
        "| bent elsewhere | largest error | PSNR at 8x8 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        words = [f"`--{k.replace('_', '-')} {v}`" for k, v in row["setting"].items()]
        bent = ["" if row["bent"][k] is None else f"{row['bent'][k]:.1f}" for k in row["bent"]]
        values = (
            *(words or ["every cell its own"]),
            *(f"{row['painted']:,}", f"{row['painted'] / cells:.0%}", f"{row['alike']:.0%}"),
            *(f"{row['distance']:.3f}", *bent),
            *(f"{row['largest']:.2f}", f"{row['fine_psnr']:.1f} dB"),
        )
        lines.append(f"| {' | '.join(values)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Paints, prints, and updates a page where asked; returns the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", default="64")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page with a section between sharing marks")
    asked = parser.parse_args(arguments)
    grid = Grid.parse(asked.grid)
    model = load("bundled", "cpu")
    rows = [made(model, grid, sharing) for sharing in settings(grid.cells)]
    text = (
        f'{table(rows, grid.cells)}\n\n"{PROMPT}", {grid} cells, {dtype_name(model.dtype)}, '
        f"{cpu_name()}; bends and errors in grey levels of 255.\n"
    )
    print(text)
    report = {"machine": machine(), "grid": str(grid), "rows": rows}
    if asked.out is not None:
        asked.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if asked.update is not None:
        update(asked.update, text, "sharing")
    return report


if __name__ == "__main__":
    main()
