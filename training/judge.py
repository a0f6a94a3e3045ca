"""Train the judge that says what a picture shows and in which style, on the real drawings.

It learns from composites as the generator does, but never from the generator, and from other
drawings: `artsets.HELD_OUT` is the judge's alone, and `UNSEEN` is kept from the judge, so that what
real drawings of a strange artist score can be said beside every figure of the generator. Pictures
are bent and blurred on the way in, so that it goes by shape and not by sharpness.

`--steps` and not minutes say how long: a judge is the same on any machine.
"""

import argparse
import itertools
import json
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from checkpoints import write
from compose import composite
from dataset import load
from devices import has_fast_bf16
from torch import Tensor, nn

# The artist kept from the judge: its drawings are of nobody else's hand, and it draws 1,639 of
# Emojibase's 1,670 things, so hardly any concept goes without a figure to compare with.
UNSEEN = "twemoji"
SIDE = 128
STYLES = ("photo", "painting", "drawing", "cartoon", "ink")


class Verdict(NamedTuple):
    """Log-probabilities of concepts (B, concepts) and of `STYLES` (B, 5)."""

    concepts: Tensor
    styles: Tensor


def stage(before: int, width: int) -> nn.Sequential:
    """Two convolutions, the first of which halves the sides."""
    layers: list[nn.Module] = []
    for channels, stride in ((before, 2), (width, 1)):
        layers += [
            nn.Conv2d(channels, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class Judge(nn.Module):
    """A small convolutional classifier of pictures of `side` px, a power of two from 32 on.

    Pictures of another size are brought to that one first.
    """

    def __init__(self, concepts: list[str], width: int = 32, side: int = SIDE):
        super().__init__()
        self.names, self.width, self.side = concepts, width, side
        halvings = side.bit_length() - 3  # down to 4 x 4
        widths = (3, *(max(4, (8 * width) >> i) for i in reversed(range(halvings))))
        self.stages = nn.ModuleList(stage(a, b) for a, b in itertools.pairwise(widths))
        self.concepts = nn.Linear(8 * width, len(concepts))
        # A style is in the texture as well: means and deviations of every stage.
        self.styles = nn.Linear(2 * sum(widths[1:]), len(STYLES))

    def features(self, pictures: Tensor) -> list[Tensor]:
        """What each stage sees in pictures (B, 3, H, W), 0..1; the coarsest comes last."""
        x, seen = at_side(pictures, self.side).clamp(0, 1) * 4 - 2, []
        for one in self.stages:
            x = one(x)
            seen.append(x)
        return seen

    def forward(self, pictures: Tensor) -> Verdict:
        seen = self.features(pictures)
        dropped = F.dropout(seen[-1].mean((2, 3)), 0.2, self.training)
        # The root of nothing has no slope, and a channel may well see nothing.
        spreads = [(x.float().var((2, 3)) + 1e-4).sqrt() for x in seen]
        texture = [x.float().mean((2, 3)) for x in seen] + spreads
        return Verdict(
            self.concepts(dropped).float().log_softmax(1),
            self.styles(torch.cat(texture, 1)).float().log_softmax(1),
        )

    @torch.inference_mode()
    def judged(self, pictures: Tensor, batch: int = 128) -> Verdict:
        """Verdicts on any number of pictures, in float32."""
        verdicts = [self(part) for part in pictures.split(batch)]
        return Verdict(*(torch.cat(part) for part in zip(*verdicts, strict=True)))


def bent(pictures: Tensor, g: torch.Generator) -> Tensor:
    """Pictures mirrored, turned, stretched and shifted at random, (B, 3, H, W)."""
    n = len(pictures)

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=g)

    angle, size, aspect = between(-0.3, 0.3), between(0.8, 1.15), between(-0.15, 0.15).exp()
    mirror = torch.where(torch.rand(n, generator=g) < 0.5, -1.0, 1.0)
    rows = [
        torch.stack([size * aspect * angle.cos() * mirror, -size * angle.sin()], 1),
        torch.stack([size * angle.sin() * mirror, size / aspect * angle.cos()], 1),
    ]
    shift = torch.stack([between(-0.12, 0.12), between(-0.12, 0.12)], 1).unsqueeze(2)
    theta = torch.cat([torch.stack(rows, 1), shift], 2)
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def roughened(pictures: Tensor, rng: random.Random, g: torch.Generator) -> Tensor:
    """The first half of a batch blurred by up to a 25th of a side, and a little noise on all."""
    half, whole = len(pictures) // 2, pictures.shape[-1]
    side = rng.randrange(whole // 5, whole)
    small = F.interpolate(pictures[:half], (side, side), mode="bilinear", antialias=True)
    blurred = F.interpolate(small, (whole, whole), mode="bicubic")
    noise = torch.randn(pictures.shape, generator=g) * 0.04 * rng.random()
    return (torch.cat([blurred, pictures[half:]]) + noise).clamp(0, 1)


class Pool:
    """Composites (N, 3, side, side), uint8, renewed a few at a time: each is shown a few times."""

    def __init__(self, drawings: Tensor, weights: Tensor, size: int, side: int, g: torch.Generator):
        self.drawings, self.weights, self.g = drawings, weights, g
        self.pictures = torch.empty(size, 3, side, side, dtype=torch.uint8)
        self.index = torch.empty(size, dtype=torch.long)
        self.cursor = 0
        for _ in range(size // 64):
            self.renew(64)

    def renew(self, n: int) -> None:
        """Replace the `n` oldest."""
        if self.cursor + n > len(self.index):
            self.cursor = 0
        slot = slice(self.cursor, self.cursor + n)
        self.index[slot] = torch.multinomial(self.weights, n, replacement=True, generator=self.g)
        side = self.pictures.shape[-1]
        pictures = composite(self.drawings[self.index[slot]], self.g, side)
        self.pictures[slot] = (pictures * 255).round().to(torch.uint8)
        self.cursor += n

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """`n` pictures, float32 in 0..1, and the drawings they show."""
        choice = torch.randint(0, len(self.index) // 64 * 64, (n,), generator=self.g)
        return self.pictures[choice] / 255, self.index[choice]


def at_side(pictures: Tensor, side: int) -> Tensor:
    """Pictures (B, 3, H, W) brought to (B, 3, side, side)."""
    if pictures.shape[-2:] == (side, side):
        return pictures
    return F.interpolate(pictures, (side, side), mode="bicubic", antialias=True)


def concept_list(records: list[dict]) -> list[str]:
    """Every concept once, in the order of the dataset: the judge's classes."""
    return list(dict.fromkeys(record["concept"] for record in records))


def even_weights(records: list[dict]) -> Tensor:
    """Sampling weights (N,) that show every concept equally often."""
    count = Counter(record["concept"] for record in records)
    return torch.tensor([1 / count[record["concept"]] for record in records])


def train(judge: Judge, drawings: Tensor, records: list[dict], args) -> None:
    """Optimise `judge` in place for `args.steps` steps, going on from a checkpoint if any."""
    place = {name: i for i, name in enumerate(judge.names)}
    concept = torch.tensor([place[record["concept"]] for record in records])
    style = torch.tensor([STYLES.index(record["style"]) for record in records])
    judge.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=args.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, args.steps, pct_start=0.15)
    checkpoint, begun = args.out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        for part, name in ((judge, "judge"), (optimizer, "optimizer"), (schedule, "schedule")):
            part.load_state_dict(state[name])
        begun = state["step"]
    rng, g = random.Random(begun), torch.Generator().manual_seed(begun)
    pool = (
        Pool(drawings, even_weights(records), args.pool, args.size, g)
        if begun < args.steps
        else None
    )
    right = 0.0
    for step in range(begun, args.steps):
        pictures, index = pool.draw(args.batch)
        pool.renew(args.renew)
        pictures = roughened(bent(pictures, g), rng, g)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            verdict = judge(pictures)
        # The targets are smoothed by a tenth: a judge of few drawings is soon too sure.
        wanted = F.cross_entropy(verdict.concepts, concept[index], label_smoothing=0.1)
        # A blurred picture has lost its style: only the other half says what one looks like.
        sharp = slice(len(index) // 2, None)
        loss = wanted + 0.5 * F.nll_loss(verdict.styles[sharp], style[index[sharp]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        hit = (verdict.concepts.argmax(1) == concept[index]).float().mean().item()
        right = 0.98 * right + 0.02 * hit
        if (step + 1) % 100 == 0 or step + 1 == args.steps:
            print(f"{step + 1} loss {loss.item():.3f} right {right:.3f}", flush=True)
            state = {"judge": judge, "optimizer": optimizer, "schedule": schedule}
            saved = {name: part.state_dict() for name, part in state.items()}
            write(checkpoint, {**saved, "step": step + 1})
    judge.eval()


def save(judge: Judge, folder: Path, facts: dict) -> None:
    """Write the finished judge, and what is known about it, into `folder`."""
    torch.save(judge.state_dict(), folder / "judge.pt")
    about = {
        "concepts": judge.names,
        "width": judge.width,
        "side": judge.side,
        "unseen": UNSEEN,
        **facts,
    }
    (folder / "judge.json").write_text(json.dumps(about | facts, indent=1) + "\n")


def load_judge(folder: Path) -> Judge:
    """A finished judge, ready to judge.

    Raises:
        SystemExit: There is none in `folder`.
    """
    if not (folder / "judge.json").exists():
        raise SystemExit(f"{folder} has no finished judge: train one with judge.py --out {folder}")
    about = json.loads((folder / "judge.json").read_text())
    judge = Judge(about["concepts"], about["width"], about["side"])
    judge.load_state_dict(torch.load(folder / "judge.pt", weights_only=True))
    return judge.eval().to(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for the judge")
    parser.add_argument("--favourites", action="store_true", help="the things in concepts.json")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--size", type=int, default=SIDE, help="of what it sees, in pixels")
    parser.add_argument("--pool", type=int, default=8192, help="composites kept in memory")
    parser.add_argument("--renew", type=int, default=24, help="composites renewed every step")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=has_fast_bf16())
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    pictures, records, _ = load(args.data, held_out=True)
    seen = [
        i
        for i, record in enumerate(records)
        if record["art"] != UNSEEN and (record["favourite"] or not args.favourites)
    ]
    pictures, records = pictures[seen], [records[i] for i in seen]
    judge = Judge(concept_list(records), args.width, args.size)
    train(judge, torch.from_numpy(pictures), records, args)
    facts = {"steps": args.steps, "batch": args.batch, "drawings": len(seen)}
    save(judge, args.out, facts)


if __name__ == "__main__":
    main()
