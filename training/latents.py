"""What a denoiser is trained on: cached latents of composites, and noise of random strength."""

import torch
from captions import Scene
from compose import compose
from torch import Tensor


class LatentCache:
    """Scaled latents (N, 16, size / 8, size / 8) of random composites, renewed a few at a time.

    `index[i]` says which drawing latent `i` shows, `scenes[i]` what stands around it.
    """

    def __init__(self, vae, drawings: Tensor, weights: Tensor, args, g: torch.Generator):
        self.vae, self.drawings, self.weights, self.g = vae, drawings, weights, g
        self.bf16, self.size, size = args.bf16, args.size, args.cache
        self.latents = torch.empty(size, 16, args.size // 8, args.size // 8)
        self.index = torch.empty(size, dtype=torch.long)
        self.scenes = [Scene()] * size
        self.cursor = 0
        while self.cursor + 64 <= size:
            self.renew(64)
        self.cursor = 0

    @torch.no_grad()
    def renew(self, n: int) -> None:
        """Replace the `n` oldest latents."""
        if self.cursor + n > len(self.index):
            self.cursor = 0
        index = torch.multinomial(self.weights, n, replacement=True, generator=self.g)
        pictures, scenes = compose(self.drawings[index], self.g, self.size)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        slot = slice(self.cursor, self.cursor + n)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            latents = self.vae.encoder(pictures * 2 - 1)
        self.latents[slot] = latents.float() * self.vae.config.scaling_factor
        self.index[slot] = index
        self.scenes[slot] = scenes
        self.cursor += n

    def draw(self, n: int) -> tuple[Tensor, list[tuple[int, Scene]]]:
        """`n` random latents, the drawings they show and their scenes."""
        choice = torch.randint(0, len(self.index) // 64 * 64, (n,), generator=self.g)
        shown = zip(self.index[choice].tolist(), choice.tolist(), strict=True)
        return self.latents[choice], [(drawing, self.scenes[i]) for drawing, i in shown]


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
