"""Two models beside each other for eyes that do not know which is which.

Both paint the same prompts with the same seeds, each by its own defaults; every pair is one row of
a sheet, in an order that chance decides. ``key.json`` says which is which: open it last.

    python blind.py OLD NEW --data DATA --out FOLDER

writes ``sheet-0.png`` and so on, pairs numbered from 1, left and right; then
``python blind.py --out FOLDER --preferred LRLL...`` counts (``=`` for neither).
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
from bench import prompt
from dataset import load
from PIL import Image, ImageDraw

import digressions

SIDE, COLUMNS, ROWS = 192, 4, 6


def painted(model: str, prompts: list[str], seed: int) -> list[Image.Image]:
    """A picture of every prompt by a model's own defaults, `SIDE` px."""
    pictures = []
    loaded = digressions.load(model)
    for i, text in enumerate(prompts):
        picture = digressions.paint(loaded, text, seed=seed + i)
        pictures.append(picture.image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return pictures


def sheets(pairs: list[tuple[Image.Image, Image.Image]]) -> list[Image.Image]:
    """Numbered pairs, left and right, `COLUMNS` pairs a row."""
    pages, wide = [], 2 * SIDE + 24
    for begin in range(0, len(pairs), COLUMNS * ROWS):
        page = Image.new("RGB", (COLUMNS * wide, ROWS * (SIDE + 24)), "white")
        draw = ImageDraw.Draw(page)
        for i, (left, right) in enumerate(pairs[begin : begin + COLUMNS * ROWS]):
            x, y = i % COLUMNS * wide, i // COLUMNS * (SIDE + 24)
            draw.text((x + 4, y + 2), str(begin + i + 1), fill="black", font_size=18)
            page.paste(left, (x, y + 24))
            page.paste(right, (x + SIDE + 4, y + 24))
        pages.append(page)
    return pages


def paint(args: argparse.Namespace) -> None:
    """Paint and shuffle; write sheets and key."""
    rng = random.Random(args.seed)
    _, records, _ = load(args.data)
    things = sorted({(record["names"][0]) for record in records if record["favourite"]})
    prompts = [prompt("photo", name) for name in rng.sample(things, min(args.pairs, len(things)))]
    old, new = (painted(model, prompts, args.seed) for model in (args.old, args.new))
    swapped = [rng.random() < 0.5 for _ in prompts]
    pairs = [(b, a) if swap else (a, b) for a, b, swap in zip(old, new, swapped, strict=True)]
    for i, page in enumerate(sheets(pairs)):
        page.save(args.out / f"sheet-{i}.png")
    new_is = ["L" if swap else "R" for swap in swapped]
    key = {"old": args.old, "new": args.new, "prompts": prompts, "new is": "".join(new_is)}
    (args.out / "key.json").write_text(json.dumps(key, indent=1) + "\n")


def count(preferred: str, new_is: str) -> tuple[int, int]:
    """How often the new one was preferred, and how often neither.

    Raises:
        SystemExit: There is not one answer, L, R or =, for every pair.
    """
    if len(preferred) != len(new_is) or set(preferred) - set("LR="):
        raise SystemExit(f"{len(new_is)} answers are needed, each L, R or =")
    answers = np.array(list(preferred))
    return int((answers == np.array(list(new_is))).sum()), int((answers == "=").sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?", help="folder of export.py, or bundled")
    parser.add_argument("new", nargs="?", help="folder of export.py, or bundled")
    parser.add_argument("--data", type=Path, help="dataset file of data.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for sheets and key")
    parser.add_argument("--pairs", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preferred", help="an answer for every pair: L, R or =")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.preferred:
        key = json.loads((args.out / "key.json").read_text())
        new, neither = count(args.preferred, key["new is"])
        print(f"new preferred in {new} of {len(args.preferred)}, neither in {neither}")
    elif None in (args.old, args.new, args.data):
        parser.error("OLD, NEW and --data are needed to paint, --preferred to count")
    else:
        paint(args)


if __name__ == "__main__":
    main()
