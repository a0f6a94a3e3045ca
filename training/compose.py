"""Composite cut-out drawings over generated colour grounds, lit by them.

A mosaic asks a model for *this thing in these colours*, so every drawing is shown in every
palette: over grounds of any colour, in about half of the pictures coloured by the ground as well,
and now and then in a colour of its own that the caption tells. All pictures are (B, 3, side, side),
float32, 0..1, on the device of the drawings. Chance is drawn on the CPU and does not know the side:
one seed means the same scene at every size and on every device.
"""

import math

import torch
import torch.nn.functional as F
from captions import Scene
from devices import sent
from torch import Tensor

SIZE = 128
GRID = 8
NIGHT = torch.tensor([0.22, 0.27, 0.48])  # what is left of red, green and blue
MIRRORED = 0.25  # the drawings look left as a rule; captions say where the others look


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


def colour_grid(n: int, g: torch.Generator) -> Tensor:
    """Random grounds (n, 3, 8, 8), 0..1: flat, ramps, soft noise, horizons, or sharper scraps."""
    first, second = palette(n, g), palette(n, g)
    amplitude = torch.rand(n, 1, 1, 1, generator=g) ** 2 * 0.3
    noise = first + amplitude * smooth_noise(n, 3, g)
    ramp = torch.lerp(first, second, gradient(n, g).clamp(0, 1))
    scrap = torch.lerp(first, second, torch.sigmoid(4 * smooth_noise(n, 1, g)))
    kind = torch.rand(n, generator=g)
    field = pick(kind < 0.35, noise, ramp)
    field = pick(kind > 0.60, first.expand(-1, -1, GRID, GRID), field)
    field = pick(kind > 0.84, horizon(n, g), field)
    return pick(kind > 0.90, scrap, field).clamp(0, 1)


def enlarged(grid: Tensor, side: int) -> Tensor:
    """Grounds (n, 3, side, side) of grids (n, 3, 8, 8)."""
    field = F.interpolate(grid, (side, side), mode="bicubic", align_corners=False)
    return field.clamp(0, 1)


def colour_field(n: int, g: torch.Generator, side: int = SIZE) -> Tensor:
    """Random grounds (n, 3, side, side), 0..1."""
    return enlarged(colour_grid(n, g), side)


def place(
    drawings: Tensor,
    g: torch.Generator,
    side: int,
    size: Tensor | float = 1,
    where: Tensor | None = None,
    mirrored: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scale, shift, mirror and tilt drawings a little.

    Args:
        drawings: (B, S, S, 4), uint8, straight alpha.
        g: Where chance comes from.
        side: Of the pictures, in pixels.
        size: How large they become, one or (B,); 1 fills the picture.
        where: Their middles, (B, 2), x and y from -1 to 1; the picture's middle if None.
        mirrored: Which are mirrored, (B,); chance says if None.

    Returns:
        Premultiplied colour (B, 3, side, side) and alpha (B, 1, side, side), both 0..1.
    """
    n = len(drawings)
    rgba = drawings.permute(0, 3, 1, 2).float() / 255
    rgba = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)
    tilt = (torch.rand(n, generator=g) - 0.5) * 0.25 * (torch.rand(n, generator=g) < 0.4)
    scale = 1 / (size * (0.86 + 0.22 * torch.rand(n, generator=g)))
    mirrored = torch.rand(n, generator=g) < MIRRORED if mirrored is None else mirrored
    mirror = torch.where(mirrored, -1.0, 1.0)
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
    matrix = sent(torch.cat([matrix, shift], 2), drawings.device)
    grid = F.affine_grid(matrix, [n, 4, side, side], align_corners=False)
    placed = F.grid_sample(rgba, grid, align_corners=False)
    return placed[:, :3], placed[:, 3:]


def place_several(
    drawings: tuple[Tensor, Tensor], count: Tensor, g: torch.Generator, side: int
) -> tuple[Tensor, Tensor]:
    """Place drawings `count` times (B,), 2 or 3, small and side by side; as `place` returns.

    The second of each is of the second batch of `drawings`, the others are of the first.
    """
    n, device = len(count), drawings[0].device
    colour = torch.zeros(n, 3, side, side, device=device)
    alpha = torch.zeros(n, 1, side, side, device=device)
    for turn in range(int(count.max())):
        x = torch.where(count == 2, turn - 0.5, (turn % 2) - 0.5)
        y = torch.where(count == 2, 0.3 * (turn - 0.5), 0.5 if turn == 2 else -0.45)
        x = torch.where((count == 3) & (turn == 2), 0.0, x)
        middle = torch.stack([x, y], 1)
        front, cover = place(drawings[turn % 2], g, side, 0.56, middle)
        shown = sent((turn < count).float().view(-1, 1, 1, 1), device)
        front, cover = front * shown, cover * shown
        colour, alpha = front + colour * (1 - cover), cover + alpha * (1 - cover)
    return colour, alpha


def framing(n: int, g: torch.Generator) -> tuple[Tensor, Tensor, list[str]]:
    """How large things are (n,), where their middles are (n, 2), and what captions call it.

    One in sixteen is small and stands anywhere, one in twenty is seen close up, partly out of
    sight.
    """
    chance, u = torch.rand(n, generator=g), torch.rand(n, generator=g)
    small, close = chance < 1 / 16, chance > 1 - 1 / 20
    size = torch.where(small, 0.45 + 0.25 * u, torch.where(close, 1.2 + 0.35 * u, torch.ones(n)))
    reach = torch.where(small, 0.9 * (1 - size), 0.4 * close.float()).unsqueeze(1)
    where = (2 * torch.rand(n, 2, generator=g) - 1) * reach
    called = ["small" if s else "close" if c else "" for s, c in zip(small, close, strict=True)]
    return size, where, called


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


def coated(colour: Tensor, alpha: Tensor, coat: Tensor) -> Tensor:
    """A thing (premultiplied) that keeps its lightness, as if painted in one colour."""
    return coat * (0.3 * alpha + 0.75 * colour.mean(1, keepdim=True))


def coats(n: int, g: torch.Generator) -> Tensor:
    """Colours (n, 3, 1, 1) that one would paint a thing in: of any hue, seldom pale or dark."""
    hue = torch.rand(n, 1, generator=g) * 6
    away = (hue - torch.tensor([[0.0, 2.0, 4.0]]) + 3) % 6 - 3  # from red, green and blue
    pure = (2 - away.abs()).clamp(0, 1)
    grey = torch.rand(n, 1, generator=g)
    saturation = torch.where(torch.rand(n, 1, generator=g) < 0.2, 0.0, 0.85)
    return torch.lerp(grey.expand(-1, 3), pure, saturation).view(n, 3, 1, 1)


def compose(
    drawings: Tensor,
    g: torch.Generator,
    side: int = SIZE,
    others: Tensor | None = None,
) -> tuple[Tensor, list[Scene]]:
    """Training pictures (B, 3, side, side), 0..1, of things in scenes, and those scenes.

    One in sixteen shows the thing two or three times, one in twenty-four another thing beside it if
    there are `others`; one in sixteen is small and one in twenty close up; one in sixteen has a
    coat of a colour of its own; one in sixteen is night; one in six throws a shadow.

    Args:
        drawings: (B, S, S, 4), uint8, straight alpha.
        g: Where chance comes from, on the CPU.
        side: Of the pictures, in pixels.
        others: What may stand beside each, as `drawings`.
    """
    n, device = len(drawings), drawings.device
    size, where, framed = framing(n, g)
    mirrored = torch.rand(n, generator=g) < MIRRORED
    colour, alpha = place(drawings, g, side, size, where, mirrored)
    count = torch.where(torch.rand(n, generator=g) < 1 / 16, 2, 1)
    count = count + (count > 1) * (torch.rand(n, generator=g) < 0.5)
    paired = torch.rand(n, generator=g) < (1 / 24 if others is not None else 0)
    count = torch.where(paired, 2, count)
    many = count > 1
    if many.any():
        chosen = sent(many.nonzero()[:, 0], device)
        second = drawings if others is None else pick(sent(paired, device), others, drawings)
        several = place_several((drawings[chosen], second[chosen]), count[many], g, side)
        colour[chosen], alpha[chosen] = several
    coat, own = coats(n, g), torch.rand(n, generator=g) < 1 / 16
    colour = pick(sent(own, device), coated(colour, alpha, sent(coat, device)), colour)
    grid = colour_grid(n, g)
    even = grid.flatten(2).std(2).amax(1) < 0.04
    mean = grid.mean((2, 3))
    shaded = sent(torch.rand(n, 1, 1, 1, generator=g) < 1 / 6, device) * shadow(alpha)
    ground = enlarged(sent(grid, device), side) * (1 - shaded)
    lit = (torch.rand(n, 1, 1, 1, generator=g) < 0.5) & ~own.view(-1, 1, 1, 1)
    strength = sent(0.9 * torch.rand(n, 1, 1, 1, generator=g) * lit, device)
    pictures = light(colour, alpha, ground, strength) + ground * (1 - alpha)
    night = torch.rand(n, generator=g) < 1 / 16
    dark = pictures * sent(NIGHT.view(1, 3, 1, 1), device)
    pictures = pick(sent(night, device), dark, pictures).clamp(0, 1)
    columns = (mean, even, night, count, paired, coat.view(n, 3), own, mirrored)
    rows = zip(framed, *(column.tolist() for column in columns), strict=True)
    scenes = [
        Scene(
            ground=tuple(rgb) if flat else None,
            night=dim,
            count=number,
            framing="" if number > 1 else frame,
            coat=tuple(paint) if has else None,
            paired=two,
            mirrored=turned and number == 1,
        )
        for frame, rgb, flat, dim, number, two, paint, has, turned in rows
    ]
    return pictures, scenes


def composite(drawings: Tensor, g: torch.Generator, side: int = SIZE) -> Tensor:
    """As `compose`, without the scenes."""
    return compose(drawings, g, side)[0]
