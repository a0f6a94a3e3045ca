"""What is measured on pictures: plain functions of tensors, with no model in them but the judge.

Pictures are (B, 3, H, W), float32, 0..1; a box is (left, top, right, bottom) in pixels.
"""

import torch
import torch.nn.functional as F
from judge import Judge
from torch import Tensor

Box = tuple[int, int, int, int]


def share(hits: Tensor) -> float:
    """How many of some booleans are true, 0..1, to four digits."""
    return round(hits.float().mean().item(), 4)


def among_best(scores: Tensor, wanted: Tensor, k: int = 1) -> Tensor:
    """Whether `wanted` (B,) is among the `k` highest of `scores` (B, classes): (B,) booleans."""
    return (scores.topk(min(k, scores.shape[1]), 1).indices == wanted.unsqueeze(1)).any(1)


def colour_error(pictures: Tensor, starts: Tensor, boxes: int) -> float:
    """Mean absolute error of the colours of `boxes` x `boxes` boxes, in sRGB units 0..1."""
    means = [F.adaptive_avg_pool2d(x, boxes) for x in (pictures, starts)]
    return round((means[0] - means[1]).abs().mean().item(), 4)


def border(pictures: Tensor, width: int = 4) -> float:
    """Mean value of the outermost `width` pixels, where the ground is seen."""
    ring = torch.ones_like(pictures[:1, :1], dtype=torch.bool)
    ring[..., width:-width, width:-width] = False
    return round(pictures.mean(1)[:, ring[0, 0]].mean().item(), 4)


def gradient_energy(pictures: Tensor) -> float:
    """Mean squared difference of neighbouring pixels: how sharp pictures are."""
    down = (pictures[..., 1:, :] - pictures[..., :-1, :]).square().mean()
    across = (pictures[..., 1:] - pictures[..., :-1]).square().mean()
    return (down + across).item() / 2


def edge_step(pictures: Tensor, box: Box) -> float:
    """Mean absolute difference between the pixels on the two sides of a box's edge.

    The box must not touch the picture's border.
    """
    left, top, right, bottom = box
    rows, columns = slice(top, bottom), slice(left, right)
    steps = [pictures[..., y, columns] - pictures[..., y - 1, columns] for y in (top, bottom)]
    steps += [pictures[..., rows, x] - pictures[..., rows, x - 1] for x in (left, right)]
    return torch.cat([step.abs().flatten() for step in steps]).mean().item()


@torch.inference_mode()
def embedding(judge: Judge, pictures: Tensor, batch: int = 128) -> Tensor:
    """(B, D): the squared distance of two rows is an LPIPS-like distance of two pictures.

    As in Zhang et al. 2018 (https://arxiv.org/abs/1801.03924) features have unit length at every
    place and are compared place by place, averaged over places and over the two coarsest stages;
    but they are the judge's, and all channels count the same.
    """
    rows = []
    for part in pictures.split(batch):
        unit = [F.normalize(f.float(), dim=1) for f in judge.features(part)[-2:]]
        rows.append(torch.cat([f.flatten(1) / (2 * f[0, 0].numel()) ** 0.5 for f in unit], 1))
    return torch.cat(rows)


def pixels(pictures: Tensor) -> Tensor:
    """(B, D): the squared distance of two rows is the mean squared error of two pictures."""
    return pictures.flatten(1) / pictures[0].numel() ** 0.5


def mean_pairwise(rows: Tensor) -> float:
    """Mean squared distance of two different rows of (B, D)."""
    n = len(rows)
    return (torch.cdist(rows, rows).square().sum() / (n * (n - 1))).item()


def nearest(rows: Tensor, pool: Tensor) -> Tensor:
    """Squared distance (B,) of each row to the nearest row of a pool."""
    return torch.cdist(rows, pool).square().amin(1)


def corners(pictures: Tensor) -> Tensor:
    """The four corners of each picture, five eighths of a side, enlarged: (B, 4, 3, H, W)."""
    height, width = pictures.shape[-2:]
    tall, wide = 5 * height // 8, 5 * width // 8
    cut = [
        F.interpolate(part, (height, width), mode="bicubic").clamp(0, 1)
        for rows in (slice(0, tall), slice(height - tall, height))
        for columns in (slice(0, wide), slice(width - wide, width))
        for part in (pictures[..., rows, columns],)
    ]
    return torch.stack(cut, 1)
