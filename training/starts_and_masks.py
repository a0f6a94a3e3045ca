"""Teach a distilled student what it does beside painting from noise.

**Starts.** A mosaic's cell begins as a noisy flat colour, which no drawing is: a student that was
taught on noisy drawings sees an empty ground there and paints too little on it. Here it walks from
such a start itself, some of its own steps far, and is then told what its teacher says with
guidance at that place (imitation on the learner's own states: Ross et al. 2011, DAgger,
https://arxiv.org/abs/1011.0686), how unlikely a recogniser finds the thing in what it sees, and
how far the colours have gone from the start's.

**Masked areas.** The teacher knows them (see `areas.py`), so its guidance goes with what is around.
What is painted there must also meet it: the steps from pixel to pixel across the edge are compared
with the picture's own.

The rest of a batch is distilled as by `distil.py`, from whose student this goes on: ``--student``
and ``--before`` as there, with the same teacher twice if it has learnt nothing since.
"""

import argparse

import torch
from areas import edge_error
from compose import gradient, palette
from devices import arithmetic, sent
from diffusion import run
from distil import Distiller, arguments, checked
from latents import Batch
from torch import Tensor
from torch.nn import functional as F

STEPS = 4  # of the walk from a start
STARTS = 3 / 8  # of a batch
COLOUR = 12.0  # how much the squared error of colours counts, in 0..1
EDGE = 6.0  # how much the squared error of steps across the edges of masked areas counts
LATEST, EARLIEST = 0.95, 0.65  # where walks begin, of the way to noise


def flat_starts(pictures: Tensor, g: torch.Generator) -> Tensor:
    """Pictures (B, 3, S, S) in 0..1 without a thing: flat colours and gradients, of the palette or
    of the pictures themselves by turns."""
    n, side, device = len(pictures), pictures.shape[-1], pictures.device
    own = F.adaptive_avg_pool2d(pictures, 2).cpu()
    mean = own.mean((2, 3), keepdim=True)
    ramp = torch.lerp(palette(n, g), palette(n, g), gradient(n, g)[..., ::7, ::7].clamp(0, 1))
    kinds = torch.stack([mean.expand_as(own), own, palette(n, g).expand_as(own), ramp])
    chosen = kinds[torch.arange(n) % len(kinds), torch.arange(n)]
    return F.interpolate(sent(chosen, device), (side, side), mode="bilinear").clamp(0, 1)


class Practice(Distiller):
    """A `Distiller`, three eighths of whose batches are walks from starts.

    `noisy` keeps what the loss must know of it: `starts`, the pictures that the first rows began
    with.
    """

    def noisy(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Walks from starts first; noisy latents, and masked areas last."""
        x_t, v, t = super().noisy(batch)
        n = int(STARTS * len(batch))
        x_t[:n], t[:n] = self.walk(batch, n)
        return x_t, v, t

    @torch.no_grad()
    def walk(self, batch: Batch, n: int) -> tuple[Tensor, Tensor]:
        """Where the student comes to from starts of the first `n`, and when."""
        device, scale = self.args.device, self.vae.config.scaling_factor
        total = len(self.alphas_cumprod)
        self.starts = flat_starts(self.decoded(batch.latents[:n]).clamp(0, 1), self.g)
        with arithmetic(device, self.args.bf16):
            begun = self.vae.encoder(self.starts * 2 - 1).float() * scale
            first = EARLIEST + (LATEST - EARLIEST) * torch.rand(n, generator=self.g)
            first = sent((first * total).long(), device)
            z, _ = self.noised(begun, first)
            student = self.says(self.models, batch.ids[:n])
            t = first
            for i in range(int(torch.randint(0, STEPS, (), generator=self.g))):
                later = first * (STEPS - 1 - i) // STEPS
                z, t = self.levels.step(student, z, t, later), later
        return z, t

    def loss(
        self, predicted: Tensor, wanted: Tensor, x_t: Tensor, t: Tensor, batch: Batch
    ) -> Tensor:
        """That of a `Distiller`, the starts' colours, and the edges of masked areas."""
        loss = super().loss(predicted, wanted, x_t, t, batch)
        clean, n = self.seen(predicted, x_t, t, batch), len(self.starts)
        shown = self.decoded(clean[:n])
        moved = F.adaptive_avg_pool2d(shown, 2) - F.adaptive_avg_pool2d(self.starts, 2)
        loss = loss + COLOUR * moved.square().mean() * n / len(batch)
        areas = self.areas(len(batch))
        with torch.no_grad():
            real = self.decoded(batch.latents[areas])
        step = edge_error(self.decoded(clean[areas]), real, self.mask[areas])
        return loss + EDGE * step * len(real) / len(batch)

    def decoded(self, latents: Tensor) -> Tensor:
        """Pictures (B, 3, S, S), around 0..1, of scaled latents."""
        with arithmetic(self.args.device, self.args.bf16):
            return self.vae.decoder(latents / self.vae.config.scaling_factor).float() / 2 + 0.5


def parser() -> argparse.ArgumentParser:
    """The command line: that of `distil.py`, where being recognised and masked areas count more."""
    known = arguments()
    known.set_defaults(recognition=0.06, masked=3 / 8)
    return known


def main() -> None:
    known = parser()
    args = checked(known)
    if args.recogniser is None:
        known.error("--recogniser: the folder of one is needed")
    run(Practice, args)


if __name__ == "__main__":
    main()
