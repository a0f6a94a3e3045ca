"""Masked areas: what a network is shown and asked when it paints a part of a picture.

Around a masked area the picture is known, but at much noise a network sees nothing of it. So it is
shown the surroundings without noise from the first step on, as networks made for inpainting are,
and learns to go on with them. It needs no channel more: what has no noise is easily told from what
has. Whatever was taught so wants ``"clean_surroundings": true`` in its ``digressions.json``.
"""

import torch
from compose import smooth_noise
from torch import Tensor
from torch.nn import functional as F


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
