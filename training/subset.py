"""Fewer things, each shown equally often: what a network of this size can learn well.

Reads a dataset of `data.py` and writes one of the same form. Kept are the things that
`concepts.json` tells of and those of the categories that people ask for pictures of: animals,
plants, food, vehicles, weather, landscapes, buildings, musical instruments, hearts. Clocks, flags,
hands, medals, signs and family groups go: a network this small learns few things well or many
badly.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

CATEGORIES = frozenset(
    {"animal", "plant", "fruit", "vegetable", "meal", "sweet", "drink", "vehicle", "boat"}
    | {"aircraft", "weather", "sky", "landscape", "building", "musical instrument", "heart"}
)
STYLE_WEIGHTS = {"photo": 2.0, "ink": 0.4}  # prompts ask for photos; ink reads poorly in colour
FAVOURITE, MASCOT = 2.0, ("turtle", 32.0)  # how often, beside a thing that is neither
ANIMAL = 1.75  # as well: animals are asked for most, and are the hardest to tell from each other


def is_kept(record: dict) -> bool:
    """Whether a record (a JSON object of `dataset.Record`) shows one of the things to learn."""
    return record["favourite"] or bool(CATEGORIES & set(record["categories"]))


def weigh(records: list[dict]) -> list[dict]:
    """The records with weights that add up to 1: things alike, photos more often than ink.

    What is held out for the judge weighs nothing.
    """
    styles = [
        0.0 if record["held_out"] else STYLE_WEIGHTS.get(record["style"], 1.0) for record in records
    ]
    total: Counter[str] = Counter()
    for record, weight in zip(records, styles, strict=True):
        total[record["concept"]] += weight
    shares = []
    for record, weight in zip(records, styles, strict=True):
        thing = FAVOURITE if record["favourite"] else 1.0
        thing = MASCOT[1] if record["concept"] == MASCOT[0] else thing
        thing *= ANIMAL if "animal" in record["categories"] else 1.0
        shares.append(thing * weight / total[record["concept"]] if weight else 0.0)
    return [
        record | {"weight": share / sum(shares)}
        for record, share in zip(records, shares, strict=True)
    ]


def write_subset(data: Path, out: Path) -> int:
    """Write the subset of the dataset `data` to `out`; how many drawings it holds."""
    with np.load(data) as file:
        records, vocabulary = json.loads(str(file["records"])), str(file["vocabulary"])
        kept = [i for i, record in enumerate(records) if is_kept(record)]
        pictures = file["pictures"][kept]
    records = weigh([records[i] for i in kept])
    part = out.with_suffix(".part.npz")
    np.savez(part, pictures=pictures, records=json.dumps(records), vocabulary=vocabulary)
    part.replace(out)
    return len(records)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    parser.add_argument("--out", type=Path, required=True, help="the smaller dataset file (.npz)")
    args = parser.parse_args()
    print(write_subset(args.data, args.out), "drawings")


if __name__ == "__main__":
    main()
