"""What a denoiser is trained on: cached latents of composites, and noise of random strength."""

import random
from dataclasses import dataclass

import torch
from captions import caption
from compose import compose
from devices import arithmetic, sent
from text import tokenize
from torch import Tensor

UNTOLD = 0.1  # of captions are empty, so that the unconditional model is learnt as well


@dataclass(frozen=True)
class Batch:
    """What one step learns from; all of it on the device.

    Attributes:
        latents: Scaled, (B, 16, h, w).
        ids: Of the captions, (B, 24), int64.
        told: Whether there is a caption, (B,), bool; where not, `ids` are those of no text.
        drawing: Which drawing is shown, (B,), int64.
        alone: Whether nothing else is, (B,), bool.
    """

    latents: Tensor
    ids: Tensor
    told: Tensor
    drawing: Tensor
    alone: Tensor

    def __len__(self) -> int:
        return len(self.latents)


class LatentCache:
    """Scaled latents (N, 16, size / 8, size / 8) of random composites with captions, renewed a few
    at a time. `index[i]` says which drawing latent `i` shows."""

    def __init__(
        self, vae, tokenizer, drawings: Tensor, records: list[dict], weights: Tensor, args, g
    ):
        self.vae, self.tokenizer, self.drawings, self.records = vae, tokenizer, drawings, records
        self.weights, self.args, self.g, size = weights, args, g, args.cache
        self.rng, device = random.Random(args.seed), drawings.device
        self.untold = tokenize(tokenizer, [""]).to(device)
        side = args.size // 8
        self.latents = torch.empty(size, 16, side, side, device=device)
        self.ids = self.untold.repeat(size, 1)
        self.index = torch.empty(size, dtype=torch.long, device=device)
        self.alone = torch.ones(size, dtype=torch.bool, device=device)
        self.cursor = 0
        chunk = min(64, size) if device.type == "cpu" else 512
        while self.cursor + chunk <= size:
            self.renew(chunk)
        self.filled, self.cursor = self.cursor, 0

    @torch.no_grad()
    def renew(self, n: int) -> None:
        """Replace the `n` oldest latents."""
        if self.cursor + n > len(self.index):
            self.cursor = 0
        device = self.drawings.device
        index = torch.multinomial(self.weights, 2 * n, replacement=True, generator=self.g)
        shown = self.drawings[sent(index, device)]
        pictures, scenes = compose(shown[:n], self.g, self.args.size, others=shown[n:])
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        slot = slice(self.cursor, self.cursor + n)
        with arithmetic(device.type, self.args.bf16):
            latents = self.vae.encoder(pictures * 2 - 1)
        self.latents[slot] = latents.float() * self.vae.config.scaling_factor
        first, second = index.view(2, n).tolist()
        texts = [
            caption(self.records[i], self.rng, scene, self.records[j])
            for i, j, scene in zip(first, second, scenes, strict=True)
        ]
        self.ids[slot] = sent(tokenize(self.tokenizer, texts), device)
        self.index[slot] = sent(index[:n], device)
        self.alone[slot] = sent(torch.tensor([not scene.paired for scene in scenes]), device)
        self.cursor += n

    def draw(self, n: int) -> Batch:
        """`n` random latents and what they show, some of them without their captions."""
        device = self.drawings.device
        choice = sent(torch.randint(0, self.filled, (n,), generator=self.g), device)
        told = sent(torch.rand(n, generator=self.g) >= UNTOLD, device)
        ids = torch.where(told.unsqueeze(1), self.ids[choice], self.untold)
        return Batch(self.latents[choice], ids, told, self.index[choice], self.alone[choice])


def sample_times(n: int, size: int, g: torch.Generator) -> Tensor:
    """Time steps 0..999 (n,): logit-normal, where shapes are decided, with a fifth uniform.

    Pictures of more than 64 px a side need more noise, since what is averaged over more latents
    survives more of it.
    """
    centre = 0.2 if size <= 64 else 0.5
    normal = torch.sigmoid(1.1 * torch.randn(n, generator=g) + centre)
    uniform = torch.rand(n, generator=g)
    u = torch.where(torch.rand(n, generator=g) < 0.2, uniform, normal)
    return (u * 1000).long().clamp(0, 999)


def noisy_and_velocity(z: Tensor, noise: Tensor, alpha_bar: Tensor) -> tuple[Tensor, Tensor]:
    """``x_t = sqrt(a) z + sqrt(1 - a) e`` and ``v = sqrt(a) e - sqrt(1 - a) z``."""
    signal, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return signal * z + spread * noise, signal * noise - spread * z
