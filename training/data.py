"""Make the dataset: openly licensed drawings with names, in one file, and who drew them.

The drawings of the things in `concepts.py` are fetched and rendered (`artsets.py`) and stored, with
their captions' raw material, in the file that `dataset.py` tells of.

One artist's drawings are never shown to the generator (``held_out``): they are for the judge.
"""

import argparse
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from artsets import (
    ART_SETS,
    HELD_OUT,
    LABELS,
    check_license,
    fetch,
    open_art_set,
)
from compose import SIZE
from concepts import FAVOURITES, Concept, choose, read
from dataset import Record, drawing_side

DIRECTORY = Path(__file__).parent
STYLE_WEIGHTS = {"photo": 3.0, "ink": 0.5}  # prompts ask for photos; ink reads poorly in colour


def render(concept: Concept, favourite: bool, emojis: dict, art, art_set):
    """Return (picture, Record) of one concept in one art set, or None if it is not drawn there."""
    if art_set.name in concept.skip:
        return None
    for label in concept.drawings:
        picture = art.render(emojis[label]) if label in emojis else None
        if picture is not None and picture[..., 3].mean() > 8:
            style = "photo" if art_set.name in concept.photo else art_set.style
            weight = concept.weight * STYLE_WEIGHTS.get(style, 1)
            told = (concept.label, concept.names, concept.tags, concept.categories)
            return picture, Record(
                *told, style, art_set.name, favourite, art_set == HELD_OUT, weight
            )
    return None


def weigh(records: list[Record]) -> list[Record]:
    """Scale the weights: favourites get their share, the rest the rest, held-out drawings none."""
    total: Counter[bool] = Counter()
    for record in records:
        total[record.favourite] += 0 if record.held_out else record.weight
    share = {True: FAVOURITES, False: 1 - FAVOURITES}
    if not total[False]:
        share[True] = 1.0
    return [
        replace(r, weight=0 if r.held_out else r.weight * share[r.favourite] / total[r.favourite])
        for r in records
    ]


def emoji_vocabulary(emojis: list[dict]) -> list[str]:
    """Every label and tag, so that concepts added later tokenise into whole words."""
    words = [emoji["label"] for emoji in emojis]
    words += [tag for emoji in emojis for tag in emoji.get("tags", ())]
    return sorted({word.lower() for word in words})


def write_notice(path: Path, notices: list[dict], side: int) -> None:
    """Write the attributions that the licences ask for."""
    lines = [
        "# Where the training pictures come from",
        "",
        "The model was trained on drawings from these packages, composited over generated colour",
        "fields. The drawings are not part of this repository; `training/data.py` fetches them.",
        f"Changes made: rendered to {side} x {side} px, recoloured, mirrored, scaled and "
        "composited.",
        f"{HELD_OUT.package} was kept from the model; only its judge saw it.",
        "",
        "| package | version | author | licence |",
        "| --- | --- | --- | --- |",
    ]
    for n in notices:
        author = f"[{n['author']}]({n['url']})" if n["url"] else n["author"]
        licence = f"[{n['license']}]({n['license_url']})" if n["license_url"] else n["license"]
        lines.append(f"| {n['package']} | {n['version']} | {author} | {licence} |")
    path.write_text("\n".join(lines) + "\n")


def build(
    cache: Path, told: dict, side: int, favourites: bool = False
) -> tuple[np.ndarray, list[Record], list[str], list[dict]]:
    """Fetch, check and render everything: pictures, records, vocabulary, attributions.

    `favourites`: only the things that `told` tells of.
    """
    folders = {art_set: fetch(art_set, cache) for art_set in (*ART_SETS, HELD_OUT, LABELS)}
    notices = [check_license(folder) for folder in folders.values()]
    emojis = json.loads((folders[LABELS] / "en" / "data.json").read_text())
    by_label = {emoji["label"]: emoji for emoji in emojis}
    concepts, rendered = choose(emojis, told), []
    if favourites:
        concepts = [concept for concept in concepts if concept.label in told]
    for art_set in (*ART_SETS, HELD_OUT):
        art = open_art_set(folders[art_set], side)
        found = (render(c, c.label in told, by_label, art, art_set) for c in concepts)
        rendered += [item for item in found if item is not None]
    pictures, records = zip(*rendered, strict=True)
    return np.stack(pictures), weigh(list(records)), emoji_vocabulary(emojis), notices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder for the packages")
    parser.add_argument("--out", type=Path, required=True, help="the dataset file (.npz)")
    parser.add_argument(
        "--size", type=int, default=SIZE, help="pixels a side of the pictures made of them"
    )
    parser.add_argument("--favourites", action="store_true", help="the things in concepts.json")
    parser.add_argument("--concepts", type=Path, default=DIRECTORY / "concepts.json")
    parser.add_argument("--notice", type=Path, default=DIRECTORY / "NOTICE.md")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    told = read(args.concepts)
    side = drawing_side(args.size)
    pictures, records, vocabulary, notices = build(args.cache, told, side, args.favourites)
    np.savez_compressed(
        args.out,
        pictures=pictures,
        records=json.dumps([asdict(record) for record in records]),
        vocabulary=json.dumps(vocabulary),
    )
    write_notice(args.notice, notices, side)
    drawn = {record.concept for record in records if not record.held_out}
    animals = {record.concept for record in records if record.is_animal}
    missing = sorted(set(told) - drawn)
    print(f"{len(records)} pictures of {len(drawn)} concepts, {len(animals)} of them animals;")
    print(f"{sum(record.held_out for record in records)} are held out; not drawn: {missing}")


if __name__ == "__main__":
    main()
