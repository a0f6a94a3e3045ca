"""Distil the autoencoder into one of a third of the arithmetic that speaks the same latents.

A denoiser knows its latents, so they must stay what they are: the new encoder learns to say what
the old one says (mean squared difference of the latents), and the new decoder learns to paint the
pictures themselves from the old one's latents, a little noise on them, as it does in
`autoencoder.py`. It is half as wide and has more blocks at low resolution, where they are cheap.
`sharpen.py` gives the decoder its edges afterwards. The schedule is in minutes, kept across
restarts.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from autoencoder import (
    Progress,
    learning_rate,
    parser,
    prepared,
    psnr,
    reconstruction_loss,
    report,
    training_pictures,
)
from diffusers import AutoencoderTiny
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


def make_slim(old: AutoencoderTiny, channels: int) -> AutoencoderTiny:
    """An untrained autoencoder, `channels` wide, for the latents of `old`."""
    return AutoencoderTiny(
        encoder_block_out_channels=(channels,) * 4,
        decoder_block_out_channels=(channels,) * 4,
        num_encoder_blocks=(0, 1, 3, 4),
        num_decoder_blocks=(4, 4, 3, 0),
        latent_channels=old.config.latent_channels,
        scaling_factor=old.config.scaling_factor,
    )


@torch.no_grad()
def latent_error(slim: AutoencoderTiny, old: AutoencoderTiny, x: Tensor) -> float:
    """How far the latents of pictures (B, 3, H, W), 0..1, are from the old encoder's: the root of
    the mean square, over the old latents' deviation."""
    z, known = slim.encoder(x * 2 - 1), old.encoder(x * 2 - 1)
    return ((z - known).square().mean().sqrt() / known.std()).item()


@torch.no_grad()
def arithmetic(vae: AutoencoderTiny, size: int) -> tuple[float, float]:
    """GFLOP of the encoder and of the decoder for a picture of `size` a side."""
    needed, x = [], torch.zeros(1, 3, size, size)
    for half in (vae.encoder, vae.decoder):
        with FlopCounterMode(display=False) as counter:
            x = half(x)
        needed.append(counter.get_total_flops() / 1e9)
    return needed[0], needed[1]


def train(
    slim: AutoencoderTiny, old: AutoencoderTiny, drawings: Tensor, weights: Tensor, args
) -> None:
    """Optimise `slim` in place for `args.minutes`, all restarts together; go on from the checkpoint
    in `args.out` if there is one."""
    g = torch.Generator().manual_seed(args.seed)
    optimizer = torch.optim.AdamW(
        slim.parameters(), lr=args.lr, weight_decay=1e-4, betas=(0.9, 0.99)
    )
    progress = Progress(slim, optimizer, g, args)
    while progress.minutes < args.minutes:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress.minutes, args.minutes, progress.step, args.lr)
        x = training_pictures(drawings, weights, args.batch, g, args.size)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            with torch.no_grad():
                known = old.encoder(x * 2 - 1).float()
            z = slim.encoder(x * 2 - 1).float()
            spread = 0.1 * torch.rand(len(x), 1, 1, 1, generator=g)
            y = slim.decoder(known + spread * torch.randn(known.shape, generator=g))
        y = y.float() / 2 + 0.5
        boxes = F.l1_loss(F.avg_pool2d(y, 8), F.avg_pool2d(x, 8))
        loss = F.mse_loss(z, known) + reconstruction_loss(y, x) + 2 * boxes
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(slim.parameters(), 1.0)
        optimizer.step()
        if progress.step % 100 == 0:
            k = args.batch // 4
            off = [latent_error(slim, old, part) for part in (x[k:], x[:k])]
            print(
                f"{progress.step} {progress.minutes:.1f} min loss {loss.item():.4f} "
                f"latents off by {off[0]:.3f}, of fields {off[1]:.3f} "
                f"dB composites {psnr(y[k:], x[k:]):.1f} fields {psnr(y[:k], x[:k]):.1f} "
                f"{progress.rate(args.batch):.0f} pictures/s",
                flush=True,
            )
        progress.tick()
    progress.save()


def main() -> None:
    known = parser(__doc__.splitlines()[0], minutes=45, batch=16, lr=1e-3)
    known.add_argument("--start", type=Path, required=True, help="folder of the old autoencoder")
    known.add_argument("--channels", type=int, default=32)
    args = known.parse_args()
    drawings, weights = prepared(args)
    old = AutoencoderTiny.from_pretrained(args.start).eval().requires_grad_(False)
    old = old.to(memory_format=torch.channels_last)
    slim = make_slim(old, args.channels).to(memory_format=torch.channels_last)
    for name, vae in (("old", old), ("slim", slim)):
        encoding, decoding = arithmetic(vae, args.size)
        print(f"{name}: {encoding:.2f} GFLOP to encode, {decoding:.2f} to decode", flush=True)
    train(slim, old, drawings, weights, args)
    report(slim, drawings, weights, args)
    slim.save_pretrained(args.out)


if __name__ == "__main__":
    main()
