"""Composite cut-out drawings over generated colour grounds, lit by them.

A mosaic asks a model for *this thing in these colours*, so every drawing is shown in every
palette: over grounds of any colour, and in about half of the pictures coloured by the ground as
well. All pictures are (B, 3, side, side), float32, 0..1. Chance does not know the side: one seed
means the same scene at every size.
"""

import math

import torch
import torch.nn.functional as F
from captions import Scene
from torch import Tensor

SIZE = 64
GRID = 8
NIGHT = torch.tensor([0.22, 0.27, 0.48])  # what is left of red, green and blue
MIRRORED = 0.2  # the drawings look left as a rule: one way is learnt sooner than two


def pick(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Choose per picture: `condition` (B,) against `yes` and `no` (B, ...)."""
    return torch.where(condition.view(-1, *[1] * (no.dim() - 1)), yes, no)


def palette(n: int, g: torch.Generator) -> Tensor:
    """Random colours (n, 3, 1, 1), from grey to saturated; one in eight is pure black or white."""
    colour = torch.rand(n, 3, 1, 1, generator=g)
    grey = colour.mean(1, keepdim=True)
    colour = grey + (colour - grey) * torch.rand(n, 1, 1, 1, generator=g) * 1.5
    extreme = (torch.rand(n, 1, 1, 1, generator=g) < 0.5).float().expand_as(colour)
    return pick(torch.rand(n, generator=g) < 0.125, extreme, colour).clamp(0, 1)


def smooth_noise(n: int, channels: int, g: torch.Generator) -> Tensor:
    """Band-limited unit noise (n, channels, 8, 8) of one random coarseness."""
    cells = 2 + int(torch.randint(0, 4, (1,), generator=g))
    noise = torch.randn(n, channels, cells, cells, generator=g)
    return F.interpolate(noise, (GRID, GRID), mode="bicubic", align_corners=False)


def gradient(n: int, g: torch.Generator) -> Tensor:
    """Linear ramps 0..1 (n, 1, 8, 8) in random directions."""
    axis = torch.linspace(-0.5, 0.5, GRID)
    angle = torch.rand(n, 1, 1, 1, generator=g) * 2 * math.pi
    return angle.cos() * axis.view(1, 1, 1, -1) + angle.sin() * axis.view(1, 1, -1, 1) + 0.5


def horizon(n: int, g: torch.Generator) -> Tensor:
    """Two colours (n, 3, 8, 8) above and below a line between a third and two thirds."""
    above, below = palette(n, g), palette(n, g)
    line = 1 / 3 + torch.rand(n, 1, 1, 1, generator=g) / 3
    rows = (torch.arange(GRID).view(1, 1, GRID, 1) + 0.5) / GRID
    return torch.lerp(above, below, (12 * (rows - line)).sigmoid()).expand(-1, -1, -1, GRID)


def colour_field(n: int, g: torch.Generator, side: int = SIZE) -> Tensor:
    """Random grounds (n, 3, side, side): flat, ramps, soft noise, horizons, or sharper scraps."""
    first, second = palette(n, g), palette(n, g)
    amplitude = torch.rand(n, 1, 1, 1, generator=g) ** 2 * 0.3
    noise = first + amplitude * smooth_noise(n, 3, g)
    ramp = torch.lerp(first, second, gradient(n, g).clamp(0, 1))
    scrap = torch.lerp(first, second, torch.sigmoid(4 * smooth_noise(n, 1, g)))
    kind = torch.rand(n, generator=g)
    field = pick(kind < 0.35, noise, ramp)
    field = pick(kind > 0.60, first.expand(-1, -1, GRID, GRID), field)
    field = pick(kind > 0.84, horizon(n, g), field)
    field = pick(kind > 0.90, scrap, field)
    field = F.interpolate(field.clamp(0, 1), (side, side), mode="bicubic", align_corners=False)
    return field.clamp(0, 1)


def place(
    drawings: Tensor,
    g: torch.Generator,
    side: int,
    size: float = 1,
    where: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scale, shift, mirror and tilt drawings a little.

    Args:
        drawings: (B, S, S, 4), uint8, straight alpha.
        g: Where chance comes from.
        side: Of the pictures, in pixels.
        size: How large they become; 1 fills the picture.
        where: Their middles, (B, 2), x and y from -1 to 1; the picture's middle if None.

    Returns:
        Premultiplied colour (B, 3, side, side) and alpha (B, 1, side, side), both 0..1.
    """
    n = len(drawings)
    rgba = drawings.permute(0, 3, 1, 2).float() / 255
    rgba = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)
    tilt = (torch.rand(n, generator=g) - 0.5) * 0.25 * (torch.rand(n, generator=g) < 0.4)
    scale = 1 / (size * (0.86 + 0.22 * torch.rand(n, generator=g)))
    mirror = torch.where(torch.rand(n, generator=g) < MIRRORED, -1.0, 1.0)
    cos, sin = torch.cos(tilt), torch.sin(tilt)
    matrix = torch.stack(
        [
            torch.stack([scale * cos * mirror, -scale * sin], 1),
            torch.stack([scale * sin * mirror, scale * cos], 1),
        ],
        1,
    )
    shift = (torch.rand(n, 2, 1, generator=g) - 0.5) * 0.16
    if where is not None:
        shift = shift - matrix @ where.unsqueeze(2)
    grid = F.affine_grid(torch.cat([matrix, shift], 2), (n, 4, side, side), align_corners=False)
    placed = F.grid_sample(rgba, grid, align_corners=False)
    return placed[:, :3], placed[:, 3:]


def place_several(
    drawings: Tensor, count: Tensor, g: torch.Generator, side: int
) -> tuple[Tensor, Tensor]:
    """Place each drawing `count` times (B,), 2 or 3, small and side by side; as `place` returns."""
    n = len(drawings)
    colour, alpha = torch.zeros(n, 3, side, side), torch.zeros(n, 1, side, side)
    for turn in range(int(count.max())):
        x = torch.where(count == 2, turn - 0.5, (turn % 2) - 0.5)
        y = torch.where(count == 2, 0.3 * (turn - 0.5), 0.5 if turn == 2 else -0.45)
        x = torch.where((count == 3) & (turn == 2), 0.0, x)
        front, cover = place(drawings, g, side, 0.56, torch.stack([x, y], 1))
        shown = (turn < count).float().view(-1, 1, 1, 1)
        front, cover = front * shown, cover * shown
        colour, alpha = front + colour * (1 - cover), cover + alpha * (1 - cover)
    return colour, alpha


def shadow(alpha: Tensor) -> Tensor:
    """How much light a thing takes from the ground below it (B, 1, side, side), 0..1."""
    side = alpha.shape[-1]
    reach, below = side // 16, 3 * side // 32
    soft = F.avg_pool2d(alpha, 2 * reach + 1, 1, reach, count_include_pad=False)
    return 0.6 * F.pad(soft, (0, 0, below, 0))[..., :side, :]


def light(colour: Tensor, alpha: Tensor, ground: Tensor, strength: Tensor) -> Tensor:
    """Colour an object by its surroundings.

    At strength 1 the object keeps only its lightness and takes its hue from the blurred ground,
    about as bright on average as that; at 0 it is unchanged. `strength` is (B, 1, 1, 1).
    """
    side = ground.shape[-1]
    ambient = F.interpolate(F.avg_pool2d(ground, side // 4), (side, side), mode="bilinear")
    tinted = ambient * (0.5 * alpha + colour.mean(1, keepdim=True))
    return torch.lerp(colour, tinted, strength)


def compose(drawings: Tensor, g: torch.Generator, side: int = SIZE) -> tuple[Tensor, list[Scene]]:
    """Training pictures (B, 3, side, side), 0..1, from drawings (B, S, S, 4), uint8, and their
    scenes.

    One in sixteen shows the thing two or three times, one in sixteen is night, one in six throws a
    shadow.
    """
    n = len(drawings)
    colour, alpha = place(drawings, g, side)
    count = torch.where(torch.rand(n, generator=g) < 1 / 16, 2, 1)
    count = count + (count > 1) * (torch.rand(n, generator=g) < 0.5)
    many = count > 1
    if many.any():
        colour[many], alpha[many] = place_several(drawings[many], count[many], g, side)
    ground = colour_field(n, g, side)
    even = ground.flatten(2).std(2).amax(1) < 0.04
    mean = ground.mean((2, 3))
    shaded = (torch.rand(n, 1, 1, 1, generator=g) < 1 / 6) * shadow(alpha)
    ground = ground * (1 - shaded)
    lit = torch.rand(n, 1, 1, 1, generator=g) < 0.5
    strength = 0.9 * torch.rand(n, 1, 1, 1, generator=g) * lit
    pictures = light(colour, alpha, ground, strength) + ground * (1 - alpha)
    night = torch.rand(n, generator=g) < 1 / 16
    pictures = pick(night, pictures * NIGHT.view(1, 3, 1, 1), pictures).clamp(0, 1)
    scenes = [
        Scene(tuple(rgb) if flat else None, dark, number)
        for rgb, flat, dark, number in zip(
            mean.tolist(), even.tolist(), night.tolist(), count.tolist(), strict=True
        )
    ]
    return pictures, scenes


def composite(drawings: Tensor, g: torch.Generator, side: int = SIZE) -> Tensor:
    """As `compose`, without the scenes."""
    return compose(drawings, g, side)[0]
