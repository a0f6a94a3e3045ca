"""Time training steps at several picture sizes, taking turns: how long a run would take at each.

Turns, because a machine has other things to do: what slows one size down slows the others as well.
Latents are encoded while a denoiser trains (``--renew``), so that is timed too.
"""

import statistics
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

import torch
from dataset import check_size, load
from devices import add_device
from diffusers import AutoencoderTiny
from diffusion import Trainer
from latents import LatentCache


def turn(trainer: Trainer, cache: LatentCache, args: Namespace) -> tuple[float, float]:
    """Seconds of one training step, and of encoding `args.batch` new latents."""
    batch = cache.draw(args.batch)
    trainer.args.size = cache.args.size
    begun = time.perf_counter()
    trainer.train_step(batch)
    between = time.perf_counter()
    cache.renew(args.batch)
    return between - begun, time.perf_counter() - between


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    parser.add_argument("--vae", type=Path, required=True, help="folder of autoencoder.py")
    parser.add_argument("--start", type=Path, required=True, help="exported folder to go on from")
    parser.add_argument("--sizes", type=int, nargs="+", default=(64, 128))
    parser.add_argument("--turns", type=int, default=9, help="of each size; the first is lost")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--renew", type=int, default=24, help="latents renewed every second step")
    add_device(parser, threads=1)
    args = parser.parse_args(namespace=Namespace(lr=0.0, seed=0, size=None, compile=False))
    torch.set_num_threads(args.threads)
    pictures, records, vocabulary = load(args.data)
    drawings = torch.from_numpy(pictures).to(args.device)
    vae = AutoencoderTiny.from_pretrained(args.vae, torch_dtype=torch.float32)
    vae = vae.eval().requires_grad_(False).to(args.device, memory_format=torch.channels_last)
    trainer = Trainer(vae, records, vocabulary, args)
    caches = []
    for size in args.sizes:
        check_size(size, pictures)
        one = Namespace(bf16=args.bf16, cache=args.batch, size=size, seed=args.seed)
        alike = torch.ones(len(records))
        caches.append(LatentCache(vae, trainer.tokenizer, drawings, records, alike, one, trainer.g))
    turns = [[turn(trainer, cache, args) for cache in caches] for _ in range(args.turns)][1:]
    for size, seconds in zip(args.sizes, zip(*turns, strict=True), strict=True):
        step, encoding = (statistics.median(column) for column in zip(*seconds, strict=True))
        every = step + encoding * args.renew / 2 / args.batch  # renewed every second step
        print(
            f"{size} px: {args.batch / step:.1f} pictures/s in steps, {args.batch / encoding:.1f} "
            f"latents/s, {args.batch / every:.1f} pictures/s in all (median of {len(seconds)})"
        )


if __name__ == "__main__":
    main()
