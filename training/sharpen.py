"""Sharpen the decoder: teach it to draw edges that pass for real ones.

A decoder that minimises squared differences paints the mean of all that its latents may have been,
and that is a blur. Here a second network learns to tell patches of decoded pictures from patches of
real ones, and the decoder learns to deceive it, beside being as close as before (Isola et al. 2017,
https://arxiv.org/abs/1611.07004; the balance of the two by gradients is that of Esser et al. 2021,
https://arxiv.org/abs/2012.09841, equation 7). It must also call forth what the real picture calls
forth in every layer of that network (feature matching: Wang et al. 2018,
https://arxiv.org/abs/1711.11585).

The encoder stays as it is, so a denoiser's latents stay what they are. The schedule is in minutes,
kept across restarts.
"""

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from autoencoder import (
    parser,
    prepared,
    rebuilt,
    reconstruction_loss,
    report,
    training_pictures,
)
from checkpoints import Minutes, write
from compose import composite
from diffusers import AutoencoderTiny
from measures import gradient_energy
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WAIT = 200  # steps in which the critic learns alone
AVERAGE = 0.998  # of the decoder's moving average, a step
MEASURED = 512  # pictures that sharpness is measured on


class Critic(nn.Module):
    """Says of patches of pictures (B, 3, H, W), -1..1, how real they look; and what it saw."""

    def __init__(self, width: int = 48):
        super().__init__()
        shapes = ((3, width, 2), (width, 2 * width, 2), (2 * width, 4 * width, 1))
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride, 1))
            for before, after, stride in shapes
        )
        self.says = spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, seen = pictures, []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            seen.append(x)
        return self.says(x).float(), seen


def unlikeness(seen: list[Tensor], real: list[Tensor]) -> Tensor:
    """How differently a critic sees two batches, each layer relative to what it sees as a rule."""
    terms = [
        (a.float() - b.float().detach()).abs().mean() / b.float().detach().abs().mean()
        for a, b in zip(seen, real, strict=True)
    ]
    return torch.stack(terms).mean()


def balance(wanted: Tensor, other: Tensor, last: nn.Parameter) -> Tensor:
    """What to multiply loss `other` by, so that it pulls at the last layer as much as `wanted`."""
    pulls = [
        torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (wanted, other)
    ]
    return (pulls[0] / (pulls[1] + 1e-6)).clamp(max=1e3).detach()


class Sharpener:
    """A decoder, its moving average and its critic, and how far they have come."""

    def __init__(self, vae: AutoencoderTiny, drawings: Tensor, weights: Tensor, args):
        self.vae, self.drawings, self.weights, self.args = vae, drawings, weights, args
        self.critic = Critic()
        self.average = copy.deepcopy(vae.decoder).requires_grad_(False)
        self.last = [p for p in vae.decoder.parameters() if p.dim() == 4][-1]
        self.ours = torch.optim.AdamW(vae.decoder.parameters(), lr=args.lr, betas=(0.5, 0.99))
        self.theirs = torch.optim.AdamW(
            self.critic.parameters(), lr=2 * args.lr, betas=(0.5, 0.99), weight_decay=0
        )
        self.g = torch.Generator().manual_seed(args.seed)
        self.step, self.minutes = 0, 0.0

    def train_step(self) -> dict[str, float]:
        """A step of the critic, then one of the decoder; the losses by name."""
        args = self.args
        x = training_pictures(self.drawings, self.weights, args.batch, self.g, args.size)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            with torch.no_grad():
                z = self.vae.encoder(x * 2 - 1).float()
            # A denoiser's latents are a little off: every picture's have noise of its own.
            spread = 0.15 * torch.rand(len(z), 1, 1, 1, generator=self.g)
            y = self.vae.decoder(z + spread * torch.randn(z.shape, generator=self.g)).float()
            real, seen_real = self.critic(x * 2 - 1)
            fake, _ = self.critic(y.detach())
        hinge = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        self.theirs.zero_grad()
        hinge.backward()
        self.theirs.step()
        close = reconstruction_loss(y / 2 + 0.5, x)
        # What a box of eight pixels holds on average is exact in the latents: it stays so.
        close = close + 2 * F.l1_loss(F.avg_pool2d(y / 2 + 0.5, 8), F.avg_pool2d(x, 8))
        losses = {"close": close.item(), "critic": hinge.item()}
        loss = close
        if self.step >= WAIT:
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                said, seen = self.critic(y)
            sharp = 10 * unlikeness(seen, seen_real) - said.mean()
            loss = close + args.sharp * balance(close, sharp, self.last) * sharp
            losses["sharp"] = sharp.item()
            self.ours.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.vae.decoder.parameters(), 1.0)
            self.ours.step()
        with torch.no_grad():
            decay = min(AVERAGE, 1 - 1 / (1 + max(0, self.step - WAIT) / 10))
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.vae.decoder.parameters()), 1 - decay
            )
        self.step += 1
        return losses

    def averaged(self) -> AutoencoderTiny:
        """The autoencoder with the averaged decoder."""
        vae = copy.deepcopy(self.vae)
        vae.decoder.load_state_dict(self.average.state_dict())
        return vae.eval().requires_grad_(False)

    def save(self, path: Path) -> None:
        """Write a checkpoint that training can go on from."""
        state = {name: getattr(self, name).state_dict() for name in ("critic", "ours", "theirs")}
        state |= {"decoder": self.vae.decoder.state_dict(), "average": self.average.state_dict()}
        write(path, {**state, "step": self.step, "minutes": self.minutes})

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True)
        self.vae.decoder.load_state_dict(state["decoder"])
        for name in ("critic", "ours", "theirs", "average"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.minutes = state["step"], state["minutes"]


def train(sharpener: Sharpener, args) -> None:
    """Train until `args.minutes` have passed, all restarts together."""
    saved, clock, seen = sharpener.minutes, Minutes(sharpener.minutes), {}
    first, begun = sharpener.step, sharpener.minutes
    while sharpener.minutes < args.minutes:
        left = max(0.02, min(1, (1 - sharpener.minutes / args.minutes) / 0.4))
        for optimizer, peak in ((sharpener.ours, args.lr), (sharpener.theirs, 2 * args.lr)):
            for group in optimizer.param_groups:
                group["lr"] = peak * left
        for name, value in sharpener.train_step().items():
            seen[name] = 0.98 * seen.get(name, value) + 0.02 * value
        sharpener.minutes = clock.tick()
        if sharpener.step % 100 == 0:
            rate = (sharpener.step - first) * args.batch / (60 * (sharpener.minutes - begun))
            said = " ".join(f"{name} {value:.4f}" for name, value in seen.items())
            print(
                f"{sharpener.step} {sharpener.minutes:.1f} min {said} {rate:.0f} pictures/s",
                flush=True,
            )
        if sharpener.minutes - saved > 2:
            sharpener.save(args.out / "checkpoint.pt")
            saved = sharpener.minutes
    sharpener.save(args.out / "checkpoint.pt")


@torch.no_grad()
def sharpness(vae: AutoencoderTiny, drawings: Tensor, weights: Tensor, args) -> tuple[float, float]:
    """The gradient energy of composites, real and decoded."""
    g = torch.Generator().manual_seed(args.seed + 2)
    index = torch.multinomial(weights, MEASURED, replacement=True, generator=g)
    x = composite(drawings[index], g, args.size)
    return gradient_energy(x), gradient_energy(rebuilt(vae, x).clamp(0, 1))


def main() -> None:
    known = parser(__doc__.splitlines()[0], minutes=40, batch=16, lr=2e-4)
    known.add_argument("--start", type=Path, required=True, help="folder of autoencoder.py")
    known.add_argument(
        "--sharp", type=float, default=0.75, help="how much the critic pulls, beside closeness"
    )
    args = known.parse_args()
    drawings, weights = prepared(args)
    vae = AutoencoderTiny.from_pretrained(args.start).to(memory_format=torch.channels_last)
    vae.encoder.requires_grad_(False)
    real, before = sharpness(vae, drawings, weights, args)
    report(vae, drawings, weights, args)
    sharpener = Sharpener(vae, drawings, weights, args)
    if (args.out / "checkpoint.pt").exists():
        sharpener.restore(args.out / "checkpoint.pt")
    train(sharpener, args)
    done = sharpener.averaged()
    _, after = sharpness(done, drawings, weights, args)
    report(done, drawings, weights, args)
    print(f"gradient energy {before:.5f} before, {after:.5f} now, {real:.5f} of the real pictures")
    done.save_pretrained(args.out)


if __name__ == "__main__":
    main()
