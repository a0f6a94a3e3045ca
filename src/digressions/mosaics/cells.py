r"""Cells of a mosaic: cut from the base image, enlarged, painted over, made exact in the band.

    base image  ->  cells, enlarged  ->  painted over  ->  band corrected  ->  store
    store  ->  rows of pictures  ->  pyramid, preview, one big file, fidelity

A whole level is never held in memory: pictures go to the store batch by batch (see `production`),
and come back as rows.

*Exact in the band*: a picture averaged to b x b values equals its parent's cell, always. The
correction is a tone curve for each channel, :math:`x^\gamma`, whose exponent varies smoothly over
the picture and is solved for so that the box means agree. Black stays black, white stays white and
nothing clips, where adding a colour would wash out and clip.

Pictures are ``(B, 3, H, W)`` float32 in 0..1; bands are ``(B, 3, b, b)`` box means.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..generate.batching import Painter
from ..generate.job import Job, check
from ..generate.kinds import MAX_SEED
from ..generate.paint import batches
from ..geometry import Size
from ..images.image_files import from_png
from ..models.base import Model
from ..prompts.choices import variants
from ..prompts.scheduling import parsed
from .adapting import freedom_of
from .cell_place import flipped, is_mirrored, moved, place_of
from .fidelity import Banded
from .mosaic_spec import CELL_SIDE, Mosaic
from .store import Store

DARKEST = 1 / 512  # a tone curve cannot move 0 or 1, so the extremes begin half a grey level in
STEEPEST = 7.0  # of |log gamma|
TOLERANCE = 0.25 / 255
SWEEPS = 24
FADES = 0.125  # part of a painting that fades where there is ground beside it
CHECKED = 16  # prompts that are tried before anything is painted


class Corrected(NamedTuple):
    """Corrected pictures and what it took.

    Attributes:
        images: ``(B, 3, H, W)`` float32 in 0..1.
        change: ``(B,)``, mean absolute change of a value.
        shifted: ``(B,)``, the part of it that no tone curve reached; about 0 as a rule.
    """

    images: Tensor
    change: Tensor
    shifted: Tensor


def band_of(images: Tensor, b: int, across: int | None = None) -> Tensor:
    """Means over ``b x b`` equal boxes, or ``b`` down and so many across: ``(B, 3, b, across)``.
    Both sides must be multiples of them."""
    height, width = images.shape[-2] // b, images.shape[-1] // (across or b)
    return F.avg_pool2d(images, (height, width))


def correct_band(images: Tensor, band: Tensor) -> Corrected:
    r"""Bends the tones of pictures until their box means are those of ``band``.

    Newton's method on :math:`\log\gamma` at the box centres, bilinear between them: the derivative
    of a box mean by its own exponent is :math:`\overline{x^\gamma \gamma \ln x}`, the neighbours'
    share is left to the next sweep. What the curve cannot reach (a bright box in a black picture)
    is reached by shifting the box.

    Args:
        images: ``(B, 3, H, W)`` float32 in 0..1.
        band: ``(B, 3, down, across)`` in 0..1, the means to reach in so many boxes.

    Returns:
        Pictures whose box means agree to a quarter of a grey level. Rounding to 8 bits adds at most
        half a level, and that only in a flat box.
    """
    boxes, size = band.shape[-2:], images.shape[-2:]
    log_x = images.clamp(DARKEST, 1 - DARKEST).log()
    target = band.clamp(DARKEST, 1 - DARKEST)
    log_gamma = torch.zeros_like(target)
    left, logs = torch.arange(len(images), device=images.device), log_x  # pictures still at work
    for _ in range(SWEEPS):
        gamma = enlarge_band(log_gamma[left], size).exp()
        bent = (logs * gamma).exp()
        missing = target[left] - band_of(bent, *boxes)
        wrong = _are_wrong(missing)
        if not wrong.any():
            break
        if not wrong.all():
            working = (left, logs, gamma, bent, missing)
            left, logs, gamma, bent, missing = (each[wrong] for each in working)
        slope = band_of(bent * logs * gamma, *boxes)
        step = missing / slope.clamp(max=-1e-4)
        found = log_gamma[left] + step.clamp(-0.7, 0.7)
        log_gamma[left] = found.clamp(-STEEPEST, STEEPEST)
    bent = (log_x * enlarge_band(log_gamma, size).exp()).exp()
    bent, shifted = _reach(bent, band)
    return Corrected(bent, (bent - images).abs().mean((1, 2, 3)), shifted)


def enlarge_band(band: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Smooth enlargement of ``(B, C, b, b)`` to ``size``."""
    if band.shape[-2:] == (1, 1):
        return band.expand(*band.shape[:2], *size)
    return F.interpolate(band, tuple(size), mode="bilinear", align_corners=False)


def _reach(images: Tensor, band: Tensor) -> tuple[Tensor, Tensor]:
    """The last fraction of a grey level, and whatever no tone curve reaches.

    Each box is shifted, and clipped at black and white, until its mean is right: the mean grows
    with the shift from 0 to 1, so there is always one that fits.
    """
    boxes, shifted = band.shape[-2:], images.clone()
    left = torch.arange(len(images), device=images.device)
    for _ in range(SWEEPS):
        part = shifted[left]
        missing = band[left] - band_of(part, *boxes)
        wrong = _are_wrong(missing)
        if not wrong.any():
            break
        left, part, missing = left[wrong], part[wrong], missing[wrong]
        blocked = _boxes(missing, part.shape).sign() * (part - 0.5) >= 0.5
        room = 1 - band_of(blocked.float(), *boxes)
        step = _boxes(missing / room.clamp(min=0.02), part.shape)
        shifted[left] = (part + step).clamp(0, 1)
    return shifted, (shifted - images).abs().mean((1, 2, 3))


def _are_wrong(missing: Tensor) -> Tensor:
    """Which pictures lack something in their bands; the others are finished, after the same number
    of sweeps in any batch."""
    return missing.abs().amax((1, 2, 3)) >= TOLERANCE


def _boxes(band: Tensor, shape: torch.Size) -> Tensor:
    """Each value of a band filling its box of a picture."""
    down, across = (side // b for side, b in zip(shape[-2:], band.shape[-2:], strict=True))
    return band.repeat_interleave(down, -2).repeat_interleave(across, -1)


def to_bytes(images: Tensor) -> Tensor:
    """0..1 to uint8, rounded to nearest."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8)


def cell_seed(root: int, *path: int) -> int:
    """A cell's own seed: a hash of the root seed and the path of cells that leads to it.

    The top bit is masked off 8 bytes, where `Noise.for_members` takes 7: either must stay as it is,
    or a seed would paint another picture.
    """
    text = ":".join(str(number) for number in (root, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") & MAX_SEED


def cells_of(
    base: Tensor, mosaic: Mosaic, cells: Sequence[int], seeds: Sequence[int] | None = None
) -> Tensor:
    """Cells of a base image, each enlarged to a full picture.

    Bicubic, over the whole neighbourhood, so that a cell's gradient runs on into the next cell's.

    Args:
        base: ``(3, H, W)`` float32 in 0..1, of ``mosaic.base_size``.
        mosaic: Its grid and the shape of its pictures.
        cells: Indices into the grid.
        seeds: Theirs, to move the middle of each to that of the picture that is painted over it
            and shown off its middle (see `place_of`).

    Returns:
        ``(len(cells), 3, h, w)`` of ``mosaic.cell``, float32 in 0..1.
    """
    margin = 3  # the bicubic kernel reaches so far
    padded = F.pad(base[None], (margin,) * 4, mode="replicate")[0]
    patch = CELL_SIDE + 2 * margin
    cut = []
    for cell in cells:
        box = mosaic.grid.box(cell, CELL_SIDE)
        cut.append(padded[:, box.top : box.top + patch, box.left : box.left + patch])
    scales = [side / CELL_SIDE for side in (mosaic.cell.height, mosaic.cell.width)]
    full = [math.ceil(patch * scale) for scale in scales]
    enlarged = F.interpolate(torch.stack(cut), full, mode="bicubic", align_corners=False)
    down, right = (round(margin * scale) for scale in scales)
    height, width = mosaic.cell.height, mosaic.cell.width
    images = enlarged[..., down : down + height, right : right + width].clamp(0, 1)
    return images if seeds is None else moved(images, [place_of(mosaic, s).back for s in seeds])


def exact_cells(base: Tensor, mosaic: Banded, cells: Sequence[int]) -> Tensor:
    """The base image's own pixels in each cell: ``(len(cells), 3, CELL_SIDE, CELL_SIDE)``."""
    boxes = [mosaic.grid.box(cell, CELL_SIDE) for cell in cells]
    return torch.stack([base[:, b.top : b.bottom, b.left : b.right] for b in boxes])


def cell_job(mosaic: Mosaic, seed: int, image: Tensor) -> Job:
    """The job of one cell: its seed, and what is painted over, ``(3, h, w)`` in 0..1."""
    strength, anchor = freedom_of(mosaic, image)
    params = mosaic.params.but(seed=seed, prompt=mosaic.prompt_for(seed), strength=strength)
    return Job(params, image=image, anchor=anchor, band=mosaic.band or 1)


def paint_cells(painter: Painter, mosaic: Mosaic, seeds: Sequence[int], starts: Tensor) -> Tensor:
    """Paints over enlarged cells, not corrected yet.

    A cell that is mirrored is turned before it is painted and back after, so that what it shows
    looks the other way and its colours stay where they are. One whose thing stands off its middle
    is painted with it in the middle, and then moved (see `cell_place`). Where only the middle of a
    cell's picture is painted (``mosaic.shape``), the cell's own colours are around it.

    Args:
        painter: Paints a batch.
        mosaic: How cells are painted.
        seeds: One a cell.
        starts: The cells enlarged, as `cells_of` gives them for the seeds.

    Returns:
        ``(len(seeds), 3, h, w)`` float32 in 0..1.
    """
    mirrored = torch.tensor([is_mirrored(mosaic, seed) for seed in seeds])
    sides = flipped(starts, mirrored)
    middles = _middle(sides, mosaic.params.size)
    jobs = [cell_job(mosaic, seed, start) for seed, start in zip(seeds, middles, strict=True)]
    painted = torch.empty_like(middles, device="cpu")
    for alike in batches(jobs, len(jobs)):  # prompts of several kinds do not share a batch
        painted[alike] = painter([jobs[index] for index in alike]).cpu()
    painted = flipped(_on_ground(painted, sides.cpu()), mirrored)
    return moved(painted, [place_of(mosaic, seed) for seed in seeds])


def _middle(images: Tensor, size: Size) -> Tensor:
    """The middle of pictures, of a size: a view of them."""
    top, left = (images.shape[-2] - size.height) // 2, (images.shape[-1] - size.width) // 2
    return images[..., top : top + size.height, left : left + size.width]


def _on_ground(painted: Tensor, ground: Tensor) -> Tensor:
    """Paintings in the middle of larger pictures, into which their edges fade there."""
    if painted.shape == ground.shape:
        return painted
    height, width = painted.shape[-2:]
    share = torch.ones(height, width)
    if height < ground.shape[-2]:
        share = share * _fading(height)[:, None]
    if width < ground.shape[-1]:
        share = share * _fading(width)
    whole = ground.clone()
    middle = _middle(whole, Size(width, height))
    middle += share * (painted - middle)
    return whole


def _fading(side: int) -> Tensor:
    """1 in the middle of a side, and smoothly less towards its ends."""
    ends = (torch.arange(side) + 0.5).minimum(side - 0.5 - torch.arange(side))
    far = (ends / (FADES * side)).clamp(0, 1)
    return far * far * (3 - 2 * far)


def paint_over(
    painter: Painter, mosaic: Mosaic, seeds: Sequence[int], starts: Tensor, exact: Tensor
) -> Tensor:
    """Paints over enlarged cells, of one parent or of several, and makes them exact in the band.

    Args:
        painter: Paints a batch.
        mosaic: How cells are painted.
        seeds: One a cell.
        starts: The cells enlarged, as `cells_of` gives them for the seeds.
        exact: Their own pixels, as `exact_cells` gives them.

    Returns:
        ``(len(seeds), 3, h, w)`` uint8.
    """
    images = paint_cells(painter, mosaic, seeds, starts)
    if mosaic.band:
        images = correct_band(images, band_of(exact, mosaic.band)).images
    return to_bytes(images)


def check_cells(model: Model, mosaic: Mosaic) -> None:
    """Raises what painting the cells would raise, without painting."""
    mosaic.check()
    size = mosaic.params.size
    job = cell_job(mosaic, mosaic.params.seed, torch.zeros(3, size.height, size.width))
    texts = {str(each) for prompt in mosaic.prompts for each in variants(parsed(prompt))}
    # Of a list of thousands, the longest: a model takes so many tokens.
    for text in sorted(texts, key=len, reverse=True)[:CHECKED]:
        check(model, dataclasses.replace(job, params=job.params.but(prompt=text)))


def strips(store: Store, mosaic: Banded) -> Iterator[np.ndarray]:
    """The mosaic, a row of pictures at a time: ``(height, columns * width, 3)`` uint8."""
    for row in range(mosaic.grid.rows):
        pngs = store.get(mosaic.grid.row(row))
        yield np.concatenate([from_png(png, store.path) for png in pngs], axis=1)
