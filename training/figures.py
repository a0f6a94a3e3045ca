"""The figures of a text-to-image model: is it recognised, in what style, how varied, how sharp.

Each function measures one section of the table and returns its figures, shares of 0..1 as a rule;
beside them is what real drawings give. `figures_with_starts.py` has those that start from pictures.
"""

import time
from collections import Counter

import torch
from bench import Bench, literal, prompt
from captions import STYLELESS, with_article
from judge import STYLES
from measures import (
    among_best,
    embedding,
    gradient_energy,
    mean_pairwise,
    nearest,
    pixels,
    share,
)
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from digressions.models.checkpoint import find


def by_animals(bench: Bench, scores: Tensor, concepts: list[str]) -> dict[str, float]:
    """Top-1 and top-5 over all, and top-1 over animals, of pictures of `concepts`."""
    wanted = bench.wanted(concepts)
    first = among_best(scores, wanted)
    animal = torch.tensor([concept in bench.animals for concept in concepts])
    found = {"all": share(first), "top5": share(among_best(scores, wanted, 5)), "n": len(first)}
    return found | ({"animals": share(first[animal])} if animal.any() else {})


def recognised(bench: Bench) -> dict:
    """What the judge says of every concept, in the styles by turns, beside real drawings."""
    concepts = list(bench.place) * bench.per_concept
    each = len(bench.place)
    styles = [STYLES[(i % each + i // each) % len(STYLES)] for i in range(len(concepts))]
    painted = bench.paint([prompt(s, bench.name(c)) for s, c in zip(styles, concepts, strict=True)])
    bench.sheet("concepts", painted, limit=each)
    scores = bench.judge.judged(painted).concepts
    first = among_best(scores, bench.wanted(concepts))
    right = Counter(c for c, hit in zip(concepts, first.tolist(), strict=True) if hit)
    found: dict = {"painted": by_animals(bench, scores, concepts) | {"things": each}}
    found["by_style"] = {
        style: share(first[torch.tensor([s == style for s in styles])])
        for style in STYLES
        if style in styles
    }
    found["never"] = sorted(c for c in bench.place if not right[c])
    g = bench.seed(1)
    real, records = bench.real("unseen", 4 * bench.pictures, g)
    of = [record["concept"] for record in records]
    found["real"] = by_animals(bench, bench.judge.judged(real).concepts, of)
    rebuilt = bench.through_autoencoder(real)
    found["real_autoencoder"] = by_animals(bench, bench.judge.judged(rebuilt).concepts, of)
    seen, records = bench.real("judge", 4 * bench.pictures, g)
    of = [record["concept"] for record in records]
    found["training"] = by_animals(bench, bench.judge.judged(seen).concepts, of)
    return found


def synonyms(bench: Bench) -> dict:
    """The same for synonyms and for tags that mean one concept only."""
    owners: dict[str, set[str]] = {}
    for record in bench.records:
        for word in (*record["names"], *record["tags"]):
            owners.setdefault(word, set()).add(record["concept"])
    found: dict[str, dict] = {}
    for kind, first in (("names", 1), ("tags", 0)):
        words = [
            (word, concept)
            for concept, record in bench.known.items()
            for word in record[kind][first:]
            if concept in bench.place and owners[word] == {concept}
        ]
        if not words:
            found[kind] = {}
            continue
        order = torch.randperm(len(words), generator=bench.seed(2)).tolist()
        words = [words[i] for i in order[: 4 * bench.pictures]]
        painted = bench.paint([prompt("photo", word) for word, _ in words], 10_000)
        scores = bench.judge.judged(painted).concepts
        found[kind] = by_animals(bench, scores, [concept for _, concept in words])
    return found


def styles(bench: Bench) -> dict:
    """Which style the judge sees where a word asks for one; "icon" is taught as a drawing."""
    found: dict = {"told": {}}
    for word, style in (*((s, s) for s in STYLES), ("icon", "drawing")):
        names = [bench.name(c) for c in bench.some_concepts(bench.pictures, bench.seed(3))]
        texts = [
            f"icon of {with_article(literal(name))}" if word == "icon" else prompt(style, name)
            for name in names
        ]
        painted = bench.paint(texts, 20_000)
        bench.sheet(f"style-{word}", painted, limit=32)
        said = bench.judge.judged(painted).styles.argmax(1)
        seen = Counter(STYLES[i] for i in said.tolist())
        found["told"][word] = {"right": share(said == STYLES.index(style)), "as": dict(seen)}
    real, records = bench.real("judge", 4 * bench.pictures, bench.seed(4))
    truth = torch.tensor([STYLES.index(record["style"]) for record in records])
    said = bench.judge.judged(real).styles.argmax(1)
    found["training"] = {
        s: share(said[truth == i] == i) for i, s in enumerate(STYLES) if (truth == i).any()
    }
    rebuilt = bench.judge.judged(bench.through_autoencoder(real)).styles.argmax(1)
    found["training_autoencoder"] = {
        s: share(rebuilt[truth == STYLES.index(s)] == STYLES.index(s)) for s in found["training"]
    }
    strange, records = bench.real("unseen", 4 * bench.pictures, bench.seed(4))
    truth = torch.tensor([STYLES.index(record["style"]) for record in records])
    found["real"] = share(bench.judge.judged(strange).styles.argmax(1) == truth)
    return found


def categories(bench: Bench) -> dict:
    """Whether "an animal" is any animal: the judge's first choice is of that kind."""
    found = {}
    for kind in ("animal", "food", "plant", "vehicle", "building"):
        members = [kind in bench.known[c]["categories"] for c in bench.place]
        if not any(members):
            continue
        texts = [STYLELESS[1].format(with_article(kind))] * bench.pictures
        painted = bench.paint(texts, 30_000)
        bench.sheet(f"category-{kind}", painted, limit=32)
        said = bench.judge.judged(painted).concepts.argmax(1)
        right = torch.tensor(members)[said]
        chance = round(sum(members) / len(members), 4)
        found[kind] = {"right": share(right), "different": len(set(said.tolist())), "any": chance}
    return found


def variety(bench: Bench) -> dict:
    """How far pictures of one prompt are from one another, and from the training pictures.

    Beside them are training pictures of the same things and style; and, for the nearest training
    picture, a second composite of the same drawings: as near as anything but a copy comes.
    """
    g, seeds = bench.seed(5), 8
    photos = {r["concept"]: i for i, r in enumerate(bench.records) if r["style"] == "photo"}
    order = torch.randperm(len(photos), generator=g).tolist()
    concepts = [list(photos)[i] for i in order[: max(1, bench.pictures // seeds)]]
    texts = [prompt("photo", bench.name(c)) for c in concepts for _ in range(seeds)]
    painted = bench.paint(texts, 40_000)
    bench.sheet("variety", painted, columns=seeds)
    drawings = bench.drawings[[photos[c] for c in concepts for _ in range(seeds)]]
    fresh, again = (bench.composites(drawings, g) for _ in range(2))
    pool = torch.cat([bench.real("generator", 16 * bench.pictures, g)[0], again])
    found = {}
    for name, rows_of in (("lpips", lambda x: embedding(bench.judge, x)), ("pixels", pixels)):
        ours, theirs, stock = rows_of(painted), rows_of(fresh), rows_of(pool)
        found[name] = {
            "painted": _within(ours, seeds),
            "training": _within(theirs, seeds),
            "nearest": round(nearest(ours, stock).mean().item(), 4),
            "nearest_of_all": round(nearest(ours, stock).min().item(), 4),
            "nearest_training": round(nearest(theirs, stock).mean().item(), 4),
        }
    return found


def _within(rows: Tensor, seeds: int) -> float:
    """Mean pairwise squared distance within groups of `seeds` rows."""
    groups = rows.split(seeds)
    return round(sum(mean_pairwise(group) for group in groups) / len(groups), 4)


def cost(bench: Bench) -> dict:
    """Megabytes, arithmetic and seconds of a picture, pixels and sharpness."""
    model, n = bench.model, bench.batch
    files = [f for f in find(model.name).rglob("*") if f.is_file() and f.suffix != ".md"]
    with FlopCounterMode(display=False) as counter:
        bench.paint([prompt("photo", bench.name(next(iter(bench.place))))])
    begun = time.perf_counter(), model.seconds
    painted = bench.paint([prompt("photo", bench.name(c)) for c in list(bench.place)[:n]])
    real = bench.real("generator", bench.pictures, bench.seed(6))[0]
    return {
        "megabytes": round(sum(f.stat().st_size for f in files) / 1e6, 1),
        "passes": bench.steps,
        "gflop": round(counter.get_total_flops() / 1e9, 2),
        "milliseconds": round(1000 * (time.perf_counter() - begun[0]) / len(painted), 1),
        "threads": torch.get_num_threads(),
        "side": painted.shape[-1],
        "sharpness": {
            "painted": round(gradient_energy(painted), 5),
            "autoencoder": round(gradient_energy(bench.through_autoencoder(real)), 5),
            "drawings": round(gradient_energy(real), 5),
        },
    }
