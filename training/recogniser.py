"""Train a recogniser: a small network that says which thing noisy latents show.

It is for `distil.py --recogniser`, where a student learns to paint what can be recognised. It knows
only what the denoiser is trained on, the same drawings in the same composites, and never sees the
artist that is held out for the judge; so what it teaches is judged by somebody else.

`--steps` and not minutes say how long, since what comes out must be good enough and no more.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from compose import SIZE
from dataset import load
from devices import add_device, arithmetic
from diffusers import AutoencoderTiny
from judge import concept_list
from latents import LatentCache
from pipeline import load_tokenizer
from torch import Tensor, nn

WIDTHS = (96, 224)
NOISE = 0.7  # the most that is added to latents of unit deviation


class Block(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    def __init__(self, width: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in range(2))
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, layer in zip(self.norms, self.layers, strict=True):
            y = layer(F.silu(norm(y)))
        return x + y


class Recogniser(nn.Module):
    """Log-probabilities (B, things) of scaled latents (B, 16, h, w)."""

    def __init__(self, things: list[str], channels: int = 16):
        super().__init__()
        self.things = things
        near, far = WIDTHS
        self.body = nn.Sequential(
            nn.Conv2d(channels, near, 3, 1, 1),
            Block(near),
            nn.Conv2d(near, far, 3, 2, 1),
            Block(far),
            nn.GroupNorm(8, far),
            nn.SiLU(),
        )
        self.says = nn.Linear(far, len(things))

    def forward(self, latents: Tensor) -> Tensor:
        seen = F.dropout(self.body(latents).mean((2, 3)), 0.2, self.training)
        return self.says(seen).float().log_softmax(1)


def disturbed(latents: Tensor, g: torch.Generator) -> Tensor:
    """Latents shifted by up to one place, with noise of up to `NOISE`, each of its own strength."""
    down, right = (int(torch.randint(-1, 2, (1,), generator=g, device=g.device)) for _ in range(2))
    padded = F.pad(latents, (1, 1, 1, 1), mode="replicate")
    height, width = latents.shape[-2:]
    shifted = padded[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]
    device = latents.device
    spread = NOISE * torch.rand(len(latents), 1, 1, 1, generator=g, device=device)
    return shifted + spread * torch.randn(latents.shape, generator=g, device=device)


def train(
    recogniser: Recogniser, cache: LatentCache, things: Tensor, noise: torch.Generator, args
) -> None:
    """Optimise in place for `args.steps` steps; `things` (N,) says what each drawing shows."""
    optimizer = torch.optim.AdamW(recogniser.parameters(), lr=args.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, args.steps, pct_start=0.1)
    right = torch.zeros((), device=things.device)
    for step in range(args.steps):
        batch = cache.draw(args.batch)
        cache.renew(args.renew)
        wanted = things[batch.drawing]
        with arithmetic(args.device, args.bf16):
            says = recogniser(disturbed(batch.latents, noise))
        unlikely = F.nll_loss(
            0.9 * says + 0.1 * says.mean(1, keepdim=True), wanted, reduction="none"
        )
        loss = (unlikely * batch.alone).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        right = torch.lerp(right, (says.argmax(1) == wanted).float().mean(), 0.02)
        if (step + 1) % 200 == 0 or step + 1 == args.steps:
            print(f"{step + 1} loss {loss.item():.3f} right {right.item():.3f}", flush=True)


def load_recogniser(folder: Path) -> Recogniser:
    """A finished recogniser, frozen.

    Raises:
        SystemExit: There is none in `folder`.
    """
    if not (folder / "recogniser.json").exists():
        raise SystemExit(f"{folder} has no recogniser: train one with recogniser.py --out {folder}")
    about = json.loads((folder / "recogniser.json").read_text())
    recogniser = Recogniser(about["things"])
    recogniser.load_state_dict(torch.load(folder / "recogniser.pt", weights_only=True))
    return recogniser.eval().requires_grad_(False)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    known = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    known.add_argument("--vae", type=Path, required=True, help="folder of autoencoder.py")
    known.add_argument("--out", type=Path, required=True, help="folder for the recogniser")
    known.add_argument("--size", type=int, default=SIZE, help="of the pictures, in pixels")
    known.add_argument("--steps", type=int, default=6000)
    known.add_argument("--batch", type=int, default=64)
    known.add_argument("--lr", type=float, default=2e-3)
    known.add_argument("--cache", type=int, default=6400, help="latents kept in memory")
    known.add_argument("--renew", type=int, default=24, help="latents renewed every step")
    add_device(known, threads=1)
    known.add_argument("--seed", type=int, default=0)
    return known


def run(args: argparse.Namespace) -> None:
    """Train a recogniser and write it to `args.out`."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    pictures, records, vocabulary = load(args.data)
    names = concept_list(records)
    place = {name: i for i, name in enumerate(names)}
    things = torch.tensor([place[record["concept"]] for record in records])
    # Between how often the denoiser sees things and all alike: rare ones must be known as well.
    weights = torch.tensor([record["weight"] for record in records]).sqrt()
    vae = AutoencoderTiny.from_pretrained(args.vae, torch_dtype=torch.float32)
    vae = vae.eval().requires_grad_(False).to(args.device, memory_format=torch.channels_last)
    drawings = torch.from_numpy(pictures).to(args.device)
    tokenizer, g = load_tokenizer(records, vocabulary), torch.Generator().manual_seed(args.seed)
    cache = LatentCache(vae, tokenizer, drawings, records, weights, args, g)
    recogniser = Recogniser(names).to(args.device)
    noise = torch.Generator(args.device).manual_seed(args.seed)
    train(recogniser, cache, things.to(args.device), noise, args)
    torch.save(recogniser.cpu().state_dict(), args.out / "recogniser.pt")
    (args.out / "recogniser.json").write_text(json.dumps({"things": names}, indent=1) + "\n")


if __name__ == "__main__":
    run(parser().parse_args())
