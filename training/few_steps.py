"""Compare models at few steps: what a judge recognises of the same things, styles and seeds.

``python few_steps.py start=guided:ddim taught=folder:lcm ...``: a name, a folder of `export.py` and
the package's sampler that suits it. Only the things in `concepts.json` are painted: models differ
in what they can paint at all, and what is never recognised tells nothing of steps.
"""

import argparse
from pathlib import Path

import torch
from bench import Bench, prompt
from dataset import load
from figures import by_animals
from judge import STYLES, load_judge

import digressions


def painted(bench: Bench, concepts: list[str]) -> torch.Tensor:
    """A picture of each concept, in the styles by turns but ink, which hardly reads."""
    styles = [style for style in STYLES if style != "ink"]
    names = [prompt(styles[i % len(styles)], bench.name(c)) for i, c in enumerate(concepts)]
    return bench.paint(names, first_seed=40_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="name=folder:sampler")
    parser.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    parser.add_argument("--judge", type=Path, required=True, help="folder of judge.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for sheets")
    parser.add_argument("--steps", type=int, nargs="+", default=(1, 2, 4))
    parser.add_argument("--per-concept", type=int, default=2, help="pictures of each concept")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    judge = load_judge(args.judge)
    _, records, _ = load(args.data, held_out=True)
    favourites = {record["concept"] for record in records if record["favourite"]}
    print("| model | steps | recognised | among the first five | animals |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    for word in args.models:
        name, _, rest = word.partition("=")
        folder, _, sampler = rest.rpartition(":")
        model = digressions.load(folder)
        for steps in args.steps:
            bench = Bench(model, judge, torch.empty(0), records, args.out, steps, sampler=sampler)
            concepts = [c for c in bench.place if c in favourites] * args.per_concept
            pictures = painted(bench, concepts)
            bench.sheet(f"{name}-{steps}", pictures, limit=64)
            found = by_animals(bench, judge.judged(pictures).concepts, concepts)
            shares = " | ".join(f"{100 * found[key]:.0f} %" for key in ("all", "top5", "animals"))
            print(f"| {name} | {steps} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
