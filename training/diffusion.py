"""Train the denoiser and the text encoder on cached latents of composites.

v-prediction with zero terminal SNR (Lin et al. 2023, https://arxiv.org/abs/2305.08891). The
schedule is in minutes, kept across restarts: the learning rate falls to zero over the last part
of `--minutes`, where most of the shapes appear.
"""

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path

import torch
from areas import masked_areas
from checkpoints import Minutes, write
from compose import SIZE
from dataset import check_size, load
from devices import add_device, arithmetic, sent
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from latents import Batch, LatentCache, noisy_and_velocity, sample_times
from optimizers import OPTIMIZERS, make_optimizer
from PIL import Image
from pipeline import (
    contact_sheet,
    load_models,
    load_tokenizer,
    make_models,
    make_pipeline,
    make_scheduler,
    picture_size,
)
from torch import Tensor, nn


def encode(text_encoder, ids: Tensor) -> Tensor:
    """Text states (B, 24, WIDTH); on the CPU each distinct caption is encoded once."""
    if ids.device.type == "cuda":  # counting would wait for the GPU
        return text_encoder(ids)[0]
    distinct, inverse = torch.unique(ids, dim=0, return_inverse=True)
    return text_encoder(distinct)[0][inverse]


def learning_rate(elapsed: float, total: float, step: int, peak: float) -> float:
    """Warm-up over 100 steps, flat for half the time, then linear to zero."""
    return peak * min(1, (step + 1) / 100, max(0.005, (1 - elapsed / total) / 0.5))


class Trainer:
    """The models, their optimiser and moving averages, and how far they have come."""

    def __init__(self, vae, records: list[dict], vocabulary: list[str], args):
        self.vae, self.records, self.args = vae, records, args
        if args.start:
            self.tokenizer, self.models = load_models(args.start)
            unet = self.models["unet"]
            args.widths = unet.config.block_out_channels
            args.size = args.size or picture_size(unet)
            unet.register_to_config(sample_size=args.size // 8)
        else:
            self.tokenizer = load_tokenizer(records, vocabulary)
            args.size = args.size or SIZE
            self.models = make_models(args.widths, len(self.tokenizer), args.size)
        self.models = self.models.to(args.device)
        self.channels_last = args.device == "cuda" or not args.bf16  # the CPU's bf16 is slower so
        if self.channels_last:
            self.models = self.models.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.models).requires_grad_(False).eval()
        unet = self.models["unet"]
        self.unet = torch.compile(unet) if args.compile else unet
        self.scheduler = make_scheduler()
        self.alphas_cumprod = self.scheduler.alphas_cumprod.to(args.device)
        self.optimizer = make_optimizer(args.optimizer, self.models, args.lr)
        self.g = torch.Generator().manual_seed(args.seed)
        on_cpu = args.device == "cpu"
        self.noise = self.g if on_cpu else torch.Generator(args.device).manual_seed(args.seed)
        self.step, self.minutes = 0, 0.0

    def train_step(self, batch: Batch) -> Tensor:
        """One optimiser step; the loss, on the device."""
        device = self.args.device
        x_t, v, t = self.noisy(batch)
        if self.channels_last:
            x_t = x_t.contiguous(memory_format=torch.channels_last)
        with arithmetic(device, self.args.bf16):
            states = encode(self.models["text"], batch.ids)
            predicted = self.unet(x_t, t, states, return_dict=False)[0]
            wanted = self.target(x_t, v, t, batch)
        loss = self.loss(predicted.float(), wanted, x_t, t, batch)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.models.parameters(), 1.0)
        self.optimizer.step()
        self.update_average()
        self.step += 1
        return loss.detach()

    def noisy(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """What the network is shown: noisy latents, their velocities, and the times.

        Of the last rows only masked areas are noisy, a quarter of them noise alone. Keeps `mask`,
        (B, 1, h, w), which is 0 in what is around them.
        """
        times = sample_times(len(batch), self.args.size, self.g)
        areas = self.areas(len(batch))
        n = areas.stop - areas.start
        all_noise = torch.rand(n, generator=self.g) < 0.25
        times[areas] = torch.where(all_noise, len(self.alphas_cumprod) - 1, times[areas])
        t = sent(times, self.args.device)
        x_t, v = self.noised(batch.latents, t)
        self.mask = x_t.new_ones(len(batch), 1, *x_t.shape[-2:])
        self.mask[areas] = sent(masked_areas(n, x_t.shape[-1], self.g), self.args.device)
        return torch.lerp(batch.latents, x_t, self.mask), v, t

    def areas(self, batch: int) -> slice:
        """The rows of a batch in which an area is masked."""
        return slice(batch - int(self.args.masked * batch), batch)

    def noised(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Latents with fresh noise at times (B,), and their velocities."""
        alpha_bar = self.alphas_cumprod[t].view(-1, 1, 1, 1)
        noise = torch.randn(z.shape, generator=self.noise, device=self.args.device)
        return noisy_and_velocity(z, noise, alpha_bar)

    def target(self, x_t: Tensor, v: Tensor, t: Tensor, batch: Batch) -> Tensor:
        """What the network should say (B, 16, h, w): here the velocity of the data."""
        return v

    def loss(
        self, predicted: Tensor, wanted: Tensor, x_t: Tensor, t: Tensor, batch: Batch
    ) -> Tensor:
        """What is made small: here how far what the network says is from what it should, where
        the mask is 1."""
        area = self.mask.mean((1, 2, 3)).clamp(min=0.1)
        wrong = (predicted - wanted).square() * self.mask
        return (wrong.mean((1, 2, 3)) / area).mean()

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average whose span grows to 1,000 steps."""
        decay = min(0.999, 1 - 1 / (1 + self.step / 10))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.models.parameters()), 1 - decay
        )

    def pipeline(self) -> StableDiffusionPipeline:
        """The averaged models as a diffusers pipeline."""
        return make_pipeline(
            self.vae, self.tokenizer, self.average["text"], self.average["unet"], self.scheduler
        )

    def sheet(self) -> Image.Image:
        """Pictures to look at."""
        return contact_sheet(self.pipeline())

    def save(self, path: Path) -> None:
        """Write a checkpoint that training can go on from."""
        state = {
            "models": self.models.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "minutes": self.minutes,
            "widths": list(self.args.widths),
            "size": self.args.size,
            "guidance": vars(self.args).get("guidance"),
            "consistency": vars(self.args).get("consistency"),
            "clean_surroundings": self.args.masked > 0,
        }
        write(path, state)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, map_location=self.args.device, weights_only=True)
        for name in ("models", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        for parameter, moments in self.optimizer.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                moments[name] = torch.empty_like(parameter).copy_(moments[name])
        self.step, self.minutes = state["step"], state["minutes"]


def train(trainer: Trainer, cache: LatentCache, args) -> None:
    """Train until `args.minutes` of training have passed, all restarts together."""
    last_save = last_sheet = trainer.minutes
    average = None
    clock, first = Minutes(trainer.minutes), (trainer.step, trainer.minutes)
    while trainer.minutes < args.minutes:
        for group in trainer.optimizer.param_groups:
            group["lr"] = learning_rate(trainer.minutes, args.minutes, trainer.step, args.lr)
        loss = trainer.train_step(cache.draw(args.batch))
        average = loss if average is None else torch.lerp(average, loss, 0.02)
        if trainer.step % 2 == 0:
            cache.renew(args.renew)
        trainer.minutes = clock.tick()
        if trainer.step % 50 == 0:
            spent = 60 * (trainer.minutes - first[1])
            rate = (trainer.step - first[0]) * args.batch / spent
            print(
                f"{trainer.step} {trainer.minutes:.1f} min loss {average.item():.4f} "
                f"{rate:.1f} pictures/s",
                flush=True,
            )
        if trainer.minutes - last_save > args.save_every:
            trainer.save(args.out / "checkpoint.pt")
            last_save = trainer.minutes
        if trainer.minutes - last_sheet > args.sheet_every:
            trainer.sheet().save(args.out / f"sheet-{trainer.step:06d}.png")
            last_sheet = trainer.minutes
    trainer.save(args.out / "checkpoint.pt")
    trainer.sheet().save(args.out / "sheet-final.png")


def parser(description: str) -> argparse.ArgumentParser:
    """The command line that everything which trains a denoiser shares."""
    shared = argparse.ArgumentParser(description=description)
    shared.add_argument("--data", type=Path, required=True, help="dataset file of data.py")
    shared.add_argument("--vae", type=Path, required=True, help="folder of autoencoder.py")
    shared.add_argument("--out", type=Path, required=True, help="folder for checkpoint and sheets")
    shared.add_argument("--start", type=Path, help="exported folder to go on from")
    shared.add_argument("--size", type=int, help=f"of the pictures; that of --start, or {SIZE}")
    shared.add_argument("--minutes", type=float, default=50)
    shared.add_argument("--widths", type=int, nargs=2, default=(128, 256))
    shared.add_argument("--batch", type=int, default=64)
    shared.add_argument("--lr", type=float, default=6e-4)
    shared.add_argument(
        "--masked", type=float, default=0.25, help="of a batch: pictures with a masked area"
    )
    shared.add_argument("--optimizer", choices=OPTIMIZERS, default=OPTIMIZERS[0])
    shared.add_argument("--cache", type=int, default=12800, help="latents kept in memory")
    shared.add_argument("--renew", type=int, default=24, help="latents renewed every second step")
    shared.add_argument("--save-every", type=float, default=3, help="minutes")
    shared.add_argument("--sheet-every", type=float, default=10, help="minutes")
    shared.add_argument("--compile", action="store_true", help="the network, for a GPU")
    add_device(shared, threads=2)
    shared.add_argument("--seed", type=int, default=0)
    return shared


def run(make_trainer: Callable[..., Trainer], args: argparse.Namespace) -> None:
    """Train with a `Trainer` or one of its kind, from the last checkpoint in `args.out` if any."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    pictures, records, vocabulary = load(args.data)
    drawings = torch.from_numpy(pictures).to(args.device)
    weights = torch.tensor([record["weight"] for record in records], dtype=torch.float)
    vae = AutoencoderTiny.from_pretrained(args.vae, torch_dtype=torch.float32)
    vae = vae.eval().requires_grad_(False).to(args.device, memory_format=torch.channels_last)
    trainer = make_trainer(vae, records, vocabulary, args)
    check_size(args.size, pictures)
    if (args.out / "checkpoint.pt").exists():
        trainer.restore(args.out / "checkpoint.pt")
    for name, model in trainer.models.items():
        print(name, sum(p.numel() for p in model.parameters()) / 1e6, "M parameters", flush=True)
    start = time.monotonic()
    cache = LatentCache(vae, trainer.tokenizer, drawings, records, weights, args, trainer.g)
    print(f"{args.cache} latents cached in {time.monotonic() - start:.0f} s", flush=True)
    train(trainer, cache, args)


if __name__ == "__main__":
    run(Trainer, parser(__doc__.splitlines()[0]).parse_args())
