"""Teach a distilled student the two things it does beside painting from noise.

**Starts.** A mosaic's cell begins as a noisy flat colour, which no drawing is: a student that was
taught on noisy drawings sees an empty ground there and paints too little on it. Here it walks from
such a start itself, some of its own steps far, and is then told what its teacher says with
guidance at that place (imitation on the learner's own states: Ross et al. 2011, DAgger,
https://arxiv.org/abs/1011.0686), how unlikely a recogniser finds the thing in what it sees, and
how far the colours have gone from the start's.

**Masked areas.** Around a masked area the picture is known, but at much noise a network sees
nothing of it. So this one is shown the surroundings without noise from the first step on, as
networks made for inpainting are, and learns to go on with them. It needs no channel more: what has
no noise is easily told from what has. A student so taught wants ``"clean_surroundings": true`` in
its ``digressions.json``. There is no teacher for this, so the target is the data's velocity, plus
a part of what guidance adds to it in the teacher's view of the same latents with noise everywhere:
all of it would paint a whole thing into every area, whatever is around.

What is painted there must also meet what is around: the steps from pixel to pixel across the edge
are compared with the picture's own.

The rest of a batch is distilled as by `distil.py`, from whose student this goes on: ``--student``
and ``--before`` as there, with the same teacher twice if it has learnt nothing since.
"""

import argparse

import torch
from compose import gradient, palette, smooth_noise
from devices import arithmetic, sent
from diffusion import run
from distil import Distiller, arguments, checked
from latents import Batch
from torch import Tensor
from torch.nn import functional as F

STEPS = 4  # of the walk from a start
COLOUR = 12.0  # how much the squared error of colours counts, in 0..1
EDGE = 6.0  # how much the squared error of steps across the edges of masked areas counts
CONTINUED = 0.35  # how much of what guidance adds counts in masked areas: it ignores surroundings
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


def masked_areas(n: int, side: int, g: torch.Generator) -> Tensor:
    """Masks (n, 1, side, side), 1 where to paint: boxes, strips at an edge and blobs, by turns."""
    masks = torch.zeros(n, 1, side, side)
    for i in range(n):
        if i % 2 == 0:
            high, wide = (int(side * (0.2 + 0.6 * torch.rand((), generator=g))) for _ in range(2))
            top, left = (
                int(torch.randint(0, side - length + 1, (), generator=g)) for length in (high, wide)
            )
            masks[i, :, top : top + high, left : left + wide] = 1
        elif i % 4 == 1:
            wide = int(side * (0.2 + 0.5 * torch.rand((), generator=g)))
            masks[i, :, :wide] = 1
            turns = int(torch.randint(0, 4, (), generator=g))
            masks[i] = masks[i].rot90(turns, (1, 2))
        else:
            noise = F.interpolate(smooth_noise(1, 1, g), (side, side), mode="bilinear")
            masks[i] = (noise[0] > noise.quantile(0.3 + 0.4 * torch.rand((), generator=g))).float()
    return masks


def edge_error(shown: Tensor, real: Tensor, mask: Tensor) -> Tensor:
    """How far the steps from pixel to pixel across the edges of masks are from those of `real`: the
    mean squared error, of pictures (B, 3, S, S) and masks (B, 1, s, s) of a part of their side."""
    mask = F.interpolate(mask, shown.shape[-2:], mode="nearest")
    total, places = shown.new_zeros(()), shown.new_zeros(())
    for axis in (-2, -1):
        crossed = mask.diff(dim=axis).abs()
        total = total + ((shown - real).diff(dim=axis).square() * crossed).sum() / shown.shape[1]
        places = places + crossed.sum()
    return total / places.clamp(min=1)


class Practice(Distiller):
    """A `Distiller`, three eighths of whose batches are walks from starts, and three masked areas.

    `noisy` chooses what is shown and keeps what the target and the loss must know of it:
    `everywhere`, the latents as the teacher sees them, `mask`, which is 1 in whatever is not the
    surroundings of a masked area, and `starts`, the pictures that the first rows began with.
    """

    clean_surroundings = True

    def noisy(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Walks from starts first, then masked areas, then noisy latents."""
        x_t, v, t = super().noisy(batch)
        n, g, device = 3 * len(batch) // 8, self.g, self.args.device
        walks, areas = slice(0, n), slice(n, 2 * n)
        x_t[walks], t[walks] = self.walk(batch, n)
        all_noise = sent(torch.rand(n, generator=g) < 0.25, device)
        self.mask = x_t.new_ones(len(batch), 1, *x_t.shape[-2:])
        self.mask[areas] = sent(masked_areas(n, x_t.shape[-1], g), device)
        last = len(self.alphas_cumprod) - 1
        t[areas] = torch.where(all_noise, last, t[areas])
        x_t[areas], v[areas] = self.noised(batch.latents[areas], t[areas])
        self.everywhere = x_t.clone()
        return torch.lerp(batch.latents, x_t, self.mask), v, t

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

    @torch.no_grad()
    def target(self, x_t: Tensor, v: Tensor, t: Tensor, batch: Batch) -> Tensor:
        """The teacher's guided velocity; in masked areas the data's, and what guidance adds."""
        asked, empty = self.with_and_without(batch.ids)(self.everywhere, t)
        inpainted = (self.mask == 0).any(-1, keepdim=True).any(-2, keepdim=True)
        added = (self.args.guidance - 1) * (asked - empty)
        return torch.where(inpainted, v + CONTINUED * added, asked + added)

    def loss(
        self, predicted: Tensor, wanted: Tensor, x_t: Tensor, t: Tensor, batch: Batch
    ) -> Tensor:
        """What is said inside the masks; the recogniser's surprise; the starts' colours."""
        area = self.mask.mean((1, 2, 3)).clamp(min=0.1)
        each = ((predicted - wanted).square() * self.mask).mean((1, 2, 3)) / area
        clean = self.levels.signal(t) * x_t - self.levels.spread(t) * predicted
        clean = torch.lerp(batch.latents, clean, self.mask)
        loss = each.mean() + self.args.recognition * self.unlikely(clean, batch).mean()
        n = len(self.starts)
        shown = self.decoded(clean[: 2 * n])
        moved = F.adaptive_avg_pool2d(shown[:n], 2) - F.adaptive_avg_pool2d(self.starts, 2)
        with torch.no_grad():
            real = self.decoded(batch.latents[n : 2 * n])
        step = edge_error(shown[n:], real, self.mask[n : 2 * n])
        return loss + (COLOUR * moved.square().mean() + EDGE * step) * n / len(batch)

    def decoded(self, latents: Tensor) -> Tensor:
        """Pictures (B, 3, S, S), around 0..1, of scaled latents."""
        with arithmetic(self.args.device, self.args.bf16):
            return self.vae.decoder(latents / self.vae.config.scaling_factor).float() / 2 + 0.5


def parser() -> argparse.ArgumentParser:
    """The command line: that of `distil.py`, where being recognised counts more."""
    known = arguments()
    known.set_defaults(recognition=0.06)
    return known


def main() -> None:
    known = parser()
    args = checked(known)
    if args.recogniser is None:
        known.error("--recogniser: the folder of one is needed")
    run(Practice, args)


if __name__ == "__main__":
    main()
