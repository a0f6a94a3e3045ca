"""Train a denoiser for a few hundred steps in several ways, on the same pictures, and compare.

    python trials.py adamw muon min-snr align --data ... --vae ... --start ... --out ...

Every way begins with the models of `--start` and sees the same latents, times and noise; the
learning rate rises and falls as in `diffusion.py`. What counts is the plain loss on latents that
none was trained on, by moving averages of two lengths.

``muon`` is that of `optimizers.py`. ``min-snr``: times at which little noise is left count less
(Hang et al. 2023, https://arxiv.org/abs/2303.09556). ``align``: what the middle of the network
holds must also tell what a recogniser sees in the clean latents (REPA: Yu et al. 2024,
https://arxiv.org/abs/2410.06940).
"""

import copy
import time
from argparse import Namespace
from pathlib import Path

import torch
import torch.nn.functional as F
from dataset import load
from devices import arithmetic
from diffusers import AutoencoderTiny
from diffusion import Trainer, encode, learning_rate, parser
from latents import Batch, LatentCache, noisy_and_velocity, sample_times
from recogniser import load_recogniser
from torch import Tensor, nn

HELD = 1024  # latents that losses are measured on
GAMMA = 5.0  # of min-SNR
ALIGNED = 0.5  # how much the likeness to the recogniser counts
DECAYS = {"1,000 steps": 0.999, "100 steps": 0.99}


class Trial(Trainer):
    """A `Trainer` that trains as `args.way` says and keeps a second, shorter average."""

    def __init__(self, vae, records: list[dict], vocabulary: list[str], args):
        args.optimizer = "muon" if args.way == "muon" else "adamw"
        super().__init__(vae, records, vocabulary, args)
        self.shorter = copy.deepcopy(self.average)
        if args.way == "align":
            self.recogniser = load_recogniser(args.recogniser).to(args.device)
            unet = self.models["unet"]
            width = unet.config.block_out_channels[-1]
            seen = self.recogniser.says.in_features
            self.head = nn.Sequential(nn.Conv2d(width, 256, 1), nn.SiLU(), nn.Conv2d(256, seen, 1))
            self.optimizer.add_param_group({"params": list(self.head.parameters())})
            unet.mid_block.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        self.middle = output

    def loss(
        self, predicted: Tensor, wanted: Tensor, x_t: Tensor, t: Tensor, batch: Batch
    ) -> Tensor:
        """That of a `Trainer`, weighed or added to."""
        if self.args.way == "min-snr":
            alpha_bar = self.alphas_cumprod[t]
            snr = alpha_bar / (1 - alpha_bar)
            weight = snr.clamp(max=GAMMA) / (snr + 1)
            each = (predicted - wanted).square().mean((1, 2, 3))
            return (weight * each).mean() / weight.mean()
        loss = super().loss(predicted, wanted, x_t, t, batch)
        if self.args.way == "align":
            with torch.no_grad():
                seen = F.adaptive_avg_pool2d(
                    self.recogniser.body(batch.latents), self.middle.shape[-2:]
                )
            likeness = F.cosine_similarity(self.head(self.middle.float()), seen, dim=1).mean()
            loss = loss + ALIGNED * (1 - likeness)
        return loss

    @torch.no_grad()
    def update_average(self) -> None:
        """Both averages."""
        for average, most in zip((self.average, self.shorter), DECAYS.values(), strict=True):
            decay = min(most, 1 - 1 / (1 + self.step / 10))
            torch._foreach_lerp_(
                list(average.parameters()), list(self.models.parameters()), 1 - decay
            )


@torch.no_grad()
def held_out_loss(models: nn.ModuleDict, trial: Trial, held: Batch) -> float:
    """The mean squared difference of velocities on latents, times and noise that stay the same."""
    args, g = trial.args, torch.Generator().manual_seed(99)
    t = sample_times(len(held), args.size, g)
    noise = torch.randn(held.latents.shape, generator=g)
    total = 0.0
    for i in range(0, len(held), 64):
        part = slice(i, i + 64)
        alpha_bar = trial.alphas_cumprod[t[part]].view(-1, 1, 1, 1)
        x_t, v = noisy_and_velocity(held.latents[part], noise[part], alpha_bar)
        with arithmetic(args.device, args.bf16):
            states = encode(models["text"], held.ids[part])
            predicted = models["unet"](x_t, t[part], states, return_dict=False)[0]
        total += (predicted.float() - v).square().mean((1, 2, 3)).sum().item()
    return total / len(held)


def compare(args: Namespace) -> None:
    """Print a table row for each way; `args.steps` steps each."""
    pictures, records, vocabulary = load(args.data)
    drawings = torch.from_numpy(pictures)
    weights = torch.tensor([record["weight"] for record in records], dtype=torch.float)
    vae = AutoencoderTiny.from_pretrained(args.vae).eval().requires_grad_(False)
    vae = vae.to(memory_format=torch.channels_last)
    held = None
    lengths = " | ".join(f"average over {length}" for length in DECAYS)
    print(f"| way | seconds a step | last | {lengths} |")
    print("| --- | ---: | ---: |" + " ---: |" * len(DECAYS), flush=True)
    for way in args.ways:
        torch.manual_seed(args.seed)
        trial = Trial(vae, records, vocabulary, Namespace(**vars(args), way=way))
        if held is None:
            other = Namespace(**{**vars(args), "cache": HELD, "seed": args.seed + 1})
            g = torch.Generator().manual_seed(other.seed)
            rest = LatentCache(vae, trial.tokenizer, drawings, records, weights, other, g)
            held = rest.draw(HELD)
            rows = [held_out_loss(trial.models, trial, held)] * 3
            print("| start | | " + " | ".join(f"{x:.4f}" for x in rows) + " |", flush=True)
        cache = LatentCache(vae, trial.tokenizer, drawings, records, weights, args, trial.g)
        spent = 0.0
        for step in range(args.steps):
            for group in trial.optimizer.param_groups:
                group["lr"] = learning_rate(step, args.steps, step, args.lr)
            batch = cache.draw(args.batch)
            begun = time.monotonic()
            trial.train_step(batch)
            spent += time.monotonic() - begun
            if step % 2:
                cache.renew(args.renew)
        rows = [
            held_out_loss(models.eval(), trial, held)
            for models in (trial.models, trial.average, trial.shorter)
        ]
        losses = " | ".join(f"{x:.4f}" for x in rows)
        print(f"| {way} | {spent / args.steps:.2f} | {losses} |", flush=True)


def main() -> None:
    known = parser(__doc__.splitlines()[0])
    known.set_defaults(masked=0.0)  # what counts is the loss on whole pictures
    known.add_argument("ways", nargs="+", choices=("adamw", "muon", "min-snr", "align"))
    known.add_argument("--steps", type=int, default=300)
    known.add_argument("--recogniser", type=Path, help="folder of recogniser.py, for align")
    args = known.parse_args()
    torch.set_num_threads(args.threads)
    compare(args)


if __name__ == "__main__":
    main()
