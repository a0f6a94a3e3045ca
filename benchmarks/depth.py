"""What becomes of pictures far down: whether they still show the prompt, and keep their colours.

Several paths fall through a world, each time into a readable cell chosen by chance. At some depths
the pictures are judged by the model (`balance`): how much of the noise's error the prompt explains.
Loops of image-to-image are known to drift towards magenta and black and to lose the thing.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import cpu_name
from benchmarks.page import update
from benchmarks.zoom import Asked, open_world
from digressions.ensembles.balance import balances
from digressions.geometry import CellPath
from digressions.images.colour import oklab
from digressions.images.image_files import to_tensor
from digressions.models.loading import load

DEPTHS = (1, 2, 5, 10, 30, 100)


def readable_cell(canvas: np.ndarray, grid: int, chance: random.Random) -> int:
    """One of the quarter of the cells that are nearest to middle grey."""
    side = len(canvas) // grid
    cells = canvas.reshape(grid, side, grid, side, 3).mean((1, 3)).reshape(-1, 3)
    order = np.argsort(np.abs(cells - 128).max(1))
    return int(order[chance.randrange(grid * grid // 4)])


def fall(asked: Asked, paths: int, depths: Sequence[int]) -> list[dict[str, float]]:
    """The figures of each depth, means over the paths."""
    model = load("bundled", "cpu")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(asked, Path(folder))
        prompt = world.manifest.cells.params.prompt
        places: list[CellPath] = [()] * paths
        chances = [random.Random(number) for number in range(paths)]
        for depth in range(1, max(depths) + 1):
            canvases = world.canvases(places)
            places = [
                (*place, readable_cell(canvases[place], asked.grid, chance))
                for place, chance in zip(places, chances, strict=True)
            ]
            pictures = list(world.pictures(places).values())
            if depth not in depths:
                continue
            images = torch.stack([to_tensor(picture) for picture in pictures])
            shares = [each.explained[0] for each in balances(model, images, [prompt])]
            colours = oklab(np.stack(pictures).mean((1, 2)))
            found.append(
                {
                    "depth": depth,
                    "share": float(np.mean(shares)),
                    "spread": float(np.std(shares, ddof=1) / len(shares) ** 0.5),
                    "lightness": float(colours[:, 0].mean()),
                    "chroma": float(np.hypot(colours[:, 1], colours[:, 2]).mean()),
                    "contrast": float(np.mean([picture.std() for picture in pictures])),
                    "residual": max(world.residual(place) for place in places),
                }
            )
    return found


def section(rows: Sequence[dict[str, float]], asked: Asked, paths: int) -> str:
    """The generated section in Markdown, without its marks."""
    lines = [
        "| depth | share of the prompt | lightness | chroma | contrast | largest error |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        share = f"{row['share']:.1%} ± {row['spread']:.1%}"
        lines.append(
            f"| {row['depth']} | {share} | {row['lightness']:.2f} | {row['chroma']:.3f} "
            f"| {row['contrast']:.0f} | {row['residual']:.2f} |"
        )
    told = (
        f"{paths} paths through {asked.grid} x {asked.grid} cells, the bundled model, "
        f"{asked.upscaler}, on {cpu_name()}. Share: of the noise's error that the prompt explains, "
        "± one standard error; lightness and chroma of the mean colour in OKLab; contrast, and the "
        "error in the band, in grey levels."
    )
    return "\n" + "\n".join(lines) + f"\n\n{told}\n"


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and writes where asked; returns what is written as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=16)
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS)
    parser.add_argument("--grid", type=int, default=64)
    parser.add_argument("--upscaler", default="lanczos")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page whose generated section to write")
    given = parser.parse_args(arguments)
    if given.paths < 2 or min(given.depths) < 1:
        parser.error("--paths must be at least 2, --depths at least 1")
    asked = Asked(given.grid, 480, 1, 0.0, False, given.upscaler)
    rows = fall(asked, given.paths, given.depths)
    text = section(rows, asked, given.paths)
    print(text)
    report = {"rows": rows, "paths": given.paths, "grid": given.grid}
    if given.out is not None:
        given.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if given.update is not None:
        update(given.update, text, "depth")
    return report


if __name__ == "__main__":
    main()
