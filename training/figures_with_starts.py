"""The figures that need more than a prompt: colour from a start picture, two prompts, masks."""

import math

import torch
from bench import Bench, prompt
from compose import gradient, palette
from measures import Box, among_best, border, colour_error, corners, edge_step, share
from torch import Tensor
from torch.nn import functional as F

STRENGTHS = (0.6, 0.75, 0.9)
MASKED = (0.2, 0.4, 0.6, 0.8)


def starts(n: int, side: int, g: torch.Generator) -> dict[str, Tensor]:
    """Pictures (n, 3, side, side) to start from: flat ones of any colour, and gradients."""
    first, second = palette(n, g), palette(n, g)
    ramp = torch.lerp(first, second, gradient(n, g).clamp(0, 1))
    return {
        "flat": first.expand(-1, -1, side, side).contiguous(),
        "gradient": F.interpolate(ramp, (side, side), mode="bilinear"),
    }


def colour(bench: Bench) -> dict:
    """Whether image-to-image keeps the colours of its start while the thing is recognised."""
    found: dict = {"kept": {}}
    for kind, pictures in starts(bench.pictures, bench.model.size, bench.seed(11)).items():
        concepts = bench.some_concepts(bench.pictures, bench.seed(12))
        texts = [prompt("photo", bench.name(c)) for c in concepts]
        for strength in STRENGTHS:
            painted = bench.paint(texts, 50_000, pictures, strength)
            bench.sheet(f"colour-{kind}-{strength}", painted, limit=32)
            scores = bench.judge.judged(painted).concepts
            found["kept"][f"{kind} {strength}"] = {
                "error": colour_error(painted, pictures, 1 if kind == "flat" else 2),
                "recognised": share(among_best(scores, bench.wanted(concepts))),
            }
    n = max(1, bench.pictures // 4)
    texts = [prompt("photo", bench.name(c)) for c in bench.some_concepts(n, bench.seed(13))]
    for value, name in ((0.0, "black"), (1.0, "white")):
        flat = torch.full((n, 3, bench.model.size, bench.model.size), value)
        words = bench.paint([f"{text} on a {name} ground" for text in texts], 60_000)
        begun = bench.paint(texts, 60_000, flat, 0.75)
        bench.sheet(f"ground-{name}", torch.cat([words, begun]))
        found[name] = {"from_words": border(words), "from_start": border(begun)}
    return found


def ensembles(bench: Bench) -> dict:
    """Whether two animals in one prompt give both, or a hybrid.

    *Hybrid*: both are among the judge's first three of the whole picture. *Both*: one is its first
    choice in one corner, the other in another. The control is the first animal's prompt alone,
    asked for the same two.
    """
    g = bench.seed(14)
    if len(bench.animals) < 2:
        return {}
    pairs = [torch.randperm(len(bench.animals), generator=g)[:2] for _ in range(bench.pictures)]
    both = [[bench.animals[i] for i in pair.tolist()] for pair in pairs]
    single = [[prompt("photo", bench.name(c)) for c in pair] for pair in both]
    wanted = torch.stack([bench.wanted(pair) for pair in both])
    together = bench.paint([f"{a} AND {b}" for a, b in single], 70_000)
    bench.sheet("ensembles", together)
    found = {"pairs": len(pairs), "together": _shown(bench, together, wanted)}
    alone = bench.paint([a for a, _ in single], 70_000)
    return found | {"alone": _shown(bench, alone, wanted)}


def _shown(bench: Bench, pictures: Tensor, wanted: Tensor) -> dict[str, float]:
    """Shares of hybrids, of both side by side, and of either; `wanted` is (B, 2)."""
    whole = bench.judge.judged(pictures).concepts
    hybrid = among_best(whole, wanted[:, 0], 3) & among_best(whole, wanted[:, 1], 3)
    parts = bench.judge.judged(corners(pictures).flatten(0, 1)).concepts.argmax(1).view(-1, 4)
    beside = (parts == wanted[:, :1]).any(1) & (parts == wanted[:, 1:]).any(1)
    return {"hybrid": share(hybrid), "both": share(beside), "either": share(hybrid | beside)}


def middle_box(side: int, part: float, factor: int) -> Box:
    """The middle square whose side is `part` of the picture's, rounded outwards to latents."""
    cells = side // factor
    wide = min(math.ceil(part * cells), cells - 2)
    low = (cells - wide) // 2
    return low * factor, low * factor, (low + wide) * factor, (low + wide) * factor


def inpainting(bench: Bench) -> dict:
    """Whether a painted masked area shows a seam, and the thing that was asked for.

    The picture around the area stays the original's, as in a hung frame. The seam is the step
    across the area's edge over the step at the same place of the untouched picture: 1 is none.
    *Within* is the same a latent further in, where no edge is: what is painted has more lines than
    most pictures, so it is the least that a seam can be. *Pasted* is the seam of an area filled
    from another picture, *left* what is recognised with the area left grey.
    """
    real, records = bench.real("unseen", bench.pictures, bench.seed(15))
    side = bench.model.size
    wanted = bench.wanted([record["concept"] for record in records])
    texts = [prompt(record["style"], record["names"][0]) for record in records]
    found = {}
    for part in MASKED:
        box = middle_box(side, part, bench.model.vae_scale_factor)
        left, top, right, bottom = box
        mask = torch.zeros(len(real), 1, side, side)
        mask[..., top:bottom, left:right] = 1
        painted = torch.lerp(real, bench.paint(texts, 80_000, real, 1.0, mask), mask)
        bench.sheet(f"masked-{part}", torch.cat([real[:16], painted[:16]]))
        grey = torch.lerp(real, torch.full_like(real, 0.5), mask)
        judged = [bench.judge.judged(x).concepts for x in (painted, real, grey)]
        hits = [share(among_best(scores, wanted)) for scores in judged]
        step = edge_step(real, box)
        f = bench.model.vae_scale_factor
        inner = (left + f, top + f, right - f, bottom - f)
        found[str(part)] = {
            "side": round((right - left) / side, 2),
            "seam": round(edge_step(painted, box) / step, 3),
            "within": round(edge_step(painted, inner) / edge_step(real, inner), 3),
            "pasted": round(edge_step(torch.lerp(real, real.roll(1, 0), mask), box) / step, 3),
            "recognised": hits[0],
            "real": hits[1],
            "left": hits[2],
        }
    return found
