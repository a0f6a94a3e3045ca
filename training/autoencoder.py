"""Train the autoencoder: pictures to latents of 16 channels and an eighth of the side, and back.

The network is diffusers' `AutoencoderTiny` without blocks at full resolution, where most of the
usual decoder's arithmetic goes. A quarter of each batch are bare colour fields, because
image-to-image starts from such fields and their colours must survive.
"""

import argparse
from pathlib import Path

import torch
from checkpoints import Minutes, write
from compose import SIZE, colour_field, composite
from dataset import check_size, load
from devices import has_fast_bf16
from diffusers import AutoencoderTiny
from torch import Tensor


def make_autoencoder(channels: int) -> AutoencoderTiny:
    """An untrained autoencoder, `channels` wide; pictures and reconstructions are in -1..1."""
    return AutoencoderTiny(
        encoder_block_out_channels=(channels,) * 4,
        decoder_block_out_channels=(channels,) * 4,
        num_encoder_blocks=(0, 1, 2, 3),
        num_decoder_blocks=(3, 3, 2, 0),
        latent_channels=16,
    )


def differences(x: Tensor) -> tuple[Tensor, Tensor]:
    """Vertical and horizontal finite differences of (B, C, H, W)."""
    return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]


def reconstruction_loss(y: Tensor, x: Tensor) -> Tensor:
    """L1 + 2 MSE + half the L1 of the finite differences, on pictures in 0..1."""
    edges = sum((a - b).abs().mean() for a, b in zip(differences(y), differences(x), strict=True))
    return (y - x).abs().mean() + 2 * (y - x).square().mean() + 0.5 * edges


def latent_penalty(z: Tensor) -> Tensor:
    """How far the latents (B, C, h, w) are from zero mean and unit deviation per channel."""
    return z.mean((0, 2, 3)).square().mean() + (z.std((0, 2, 3)) - 1).square().mean()


def psnr(y: Tensor, x: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of a batch in 0..1."""
    return -10 * (y.clamp(0, 1) - x).square().mean().log10().item()


def learning_rate(elapsed: float, total: float, step: int, peak: float) -> float:
    """Warm-up over 50 steps, flat for 45 % of the time, then linear to 1 %."""
    return peak * min(1, (step + 1) / 50, max(0.01, (1 - elapsed / total) / 0.55))


def training_pictures(
    drawings: Tensor, weights: Tensor, n: int, g: torch.Generator, side: int
) -> Tensor:
    """(n, 3, side, side), 0..1: a quarter bare colour fields first, then composites."""
    fields = n // 4
    index = torch.multinomial(weights, n - fields, replacement=True, generator=g)
    return torch.cat([colour_field(fields, g, side), composite(drawings[index], g, side)])


class Progress:
    """How far training an autoencoder has come, all restarts together; goes on from the checkpoint
    in a folder if there is one."""

    def __init__(self, vae: AutoencoderTiny, optimizer, g: torch.Generator, args):
        self.path, self.vae, self.optimizer = args.out / "checkpoint.pt", vae, optimizer
        self.step, self.minutes = 0, 0.0
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            vae.load_state_dict(state["vae"])
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.minutes = state["step"], state["minutes"]
            g.manual_seed(args.seed + self.step)
        self._clock, self._saved = Minutes(self.minutes), self.minutes
        self._first = self.step, self.minutes

    def rate(self, batch: int) -> float:
        """Pictures a second since the start or restart."""
        step, minutes = self._first
        return (self.step - step) * batch / (60 * (self.minutes - minutes) + 1e-9)

    def tick(self) -> None:
        """Call after every step; writes a checkpoint now and then."""
        self.step, self.minutes = self.step + 1, self._clock.tick()
        if self.minutes - self._saved > 2:
            self.save()
            self._saved = self.minutes

    def save(self) -> None:
        """Write the checkpoint."""
        state = {"vae": self.vae.state_dict(), "optimizer": self.optimizer.state_dict()}
        write(self.path, {**state, "step": self.step, "minutes": self.minutes})


def train(vae: AutoencoderTiny, drawings: Tensor, weights: Tensor, args) -> None:
    """Optimise `vae` in place for `args.minutes`, all restarts together; go on from the checkpoint
    in `args.out` if there is one."""
    g = torch.Generator().manual_seed(args.seed)
    trained = vae.decoder if args.decoder_only else vae
    optimizer = torch.optim.AdamW(
        trained.parameters(), lr=args.lr, weight_decay=1e-4, betas=(0.9, 0.99)
    )
    progress = Progress(vae, optimizer, g, args)
    while progress.minutes < args.minutes:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress.minutes, args.minutes, progress.step, args.lr)
        x = training_pictures(drawings, weights, args.batch, g, args.size)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            with torch.set_grad_enabled(not args.decoder_only):
                z = vae.encoder(x * 2 - 1).float()
            y = vae.decoder(z + 0.05 * torch.randn(z.shape, generator=g)).float() / 2 + 0.5
        loss = reconstruction_loss(y, x) + 1e-3 * latent_penalty(z)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        if progress.step % 100 == 0:
            k = args.batch // 4
            print(
                f"{progress.step} {progress.minutes:.1f} min loss {loss.item():.4f} "
                f"dB composites {psnr(y[k:], x[k:]):.1f} fields {psnr(y[:k], x[:k]):.1f} "
                f"latent std {z.std().item():.2f} {progress.rate(args.batch):.0f} pictures/s",
                flush=True,
            )
        progress.tick()
    progress.save()


@torch.no_grad()
def set_scaling_factor(vae: AutoencoderTiny, drawings: Tensor, weights: Tensor, args) -> None:
    """Record 1 / (deviation of the latents of composites), so that scaled latents have unit std."""
    g = torch.Generator().manual_seed(args.seed + 1)
    index = torch.multinomial(weights, 1024, replacement=True, generator=g)
    z = vae.encoder(composite(drawings[index], g, args.size) * 2 - 1)
    vae.register_to_config(scaling_factor=1 / z.std().item())


@torch.no_grad()
def rebuilt(vae: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in 0..1 to latents and back; not clamped."""
    parts = [vae.decoder(vae.encoder(part * 2 - 1)) for part in pictures.split(64)]
    return torch.cat(parts) / 2 + 0.5


@torch.no_grad()
def report(vae: AutoencoderTiny, drawings: Tensor, weights: Tensor, args) -> None:
    """Print the PSNR on composites and fields and the colour error of flat and smooth fields."""
    g = torch.Generator().manual_seed(args.seed + 2)
    index = torch.multinomial(weights, 512, replacement=True, generator=g)
    for name, x in (
        ("composites", composite(drawings[index], g, args.size)),
        ("fields", colour_field(512, g, args.size)),
    ):
        y = rebuilt(vae, x)
        mean_error = (y.clamp(0, 1) - x).mean((2, 3)).abs()
        print(
            f"{name}: {psnr(y, x):.2f} dB, mean colour off by {mean_error.mean().item():.4f} "
            f"(worst {mean_error.max().item():.4f})",
            flush=True,
        )


def parser(description: str, minutes: float, batch: int, lr: float) -> argparse.ArgumentParser:
    """The command line that everything which trains an autoencoder shares, with its defaults."""
    shared = argparse.ArgumentParser(description=description)
    shared.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    shared.add_argument("--out", type=Path, required=True, help="folder for the autoencoder")
    shared.add_argument("--size", type=int, default=SIZE, help="of the pictures, in pixels")
    shared.add_argument("--minutes", type=float, default=minutes)
    shared.add_argument("--batch", type=int, default=batch)
    shared.add_argument("--lr", type=float, default=lr)
    shared.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=has_fast_bf16())
    shared.add_argument("--threads", type=int, default=2)
    shared.add_argument("--seed", type=int, default=0)
    return shared


def prepared(args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Everything made ready for a run: the drawings, and how often each is shown."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    pictures, records, _ = load(args.data)
    check_size(args.size, pictures)
    weights = torch.tensor([record["weight"] for record in records], dtype=torch.float)
    return torch.from_numpy(pictures), weights


def main() -> None:
    known = parser(__doc__.splitlines()[0], minutes=20, batch=12, lr=7e-4)
    known.add_argument("--resume", type=Path, help="folder of an autoencoder to go on from")
    known.add_argument(
        "--decoder-only",
        action="store_true",
        help="leave the encoder, and so a denoiser's latents, as they are",
    )
    known.add_argument("--channels", type=int, default=64)
    args = known.parse_args()
    drawings, weights = prepared(args)
    if args.resume:
        vae = AutoencoderTiny.from_pretrained(args.resume)
    else:
        vae = make_autoencoder(args.channels)
    vae = vae.to(memory_format=torch.channels_last)
    train(vae, drawings, weights, args)
    if not args.decoder_only:
        set_scaling_factor(vae, drawings, weights, args)
    report(vae, drawings, weights, args)
    vae.save_pretrained(args.out)


if __name__ == "__main__":
    main()
