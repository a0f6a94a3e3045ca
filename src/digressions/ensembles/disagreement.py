r"""Where the prompts of an ensemble disagree about a picture, a by-product of painting it.

At every step each prompt has guessed a picture. The map is the spread of these guesses: their
standard deviation over the prompts (root mean square over channels and steps), in units of
latents. Where it is high the model is torn; where it is low the prompts want the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..diffusion.sample import Step
from ..events import Estimate, Event, Preview, Progress, counted
from ..generate.hires import first_job, holding
from ..generate.job import Job, check
from ..generate.metadata import Record
from ..generate.paint import batches, decode_batch, sample_batch
from ..generate.previews import PaintPreviews
from ..generate.start import Inputs
from ..interrupts import Holding, interrupts_held
from ..models.base import Model
from ..prompts.scheduling import network_rows

# From calm to torn, over a grey picture: nothing, dark red, orange, near white.
HEAT = np.array([[0, 0, 0], [120, 10, 30], [250, 120, 20], [255, 245, 200]], np.float64)


class PaintedWithMap(NamedTuple):
    """A finished picture and where its prompts disagreed.

    Attributes:
        job: Its place in the list of jobs.
        image: ``(3, H, W)`` float32 in 0..1.
        spread: ``(h, w)`` float32, at the size of the latents; ``None`` where no prompts were asked
            side by side: a plain prompt, or a way that asks one text a step.
    """

    job: int
    image: Tensor
    spread: Tensor | None


def paint_with_maps(
    model: Model,
    jobs: Sequence[Job],
    *,
    batch_size: int = 16,
    finishing: Holding = nullcontext,
    previews: PaintPreviews | None = None,
) -> Iterator[Progress | Preview | PaintedWithMap]:
    """As `generate.paint.paint_jobs`, with a map of every picture."""
    for job in jobs:
        check(model, job)
    done, total = 0, sum(job.num_steps for job in jobs)
    for batch in batches(jobs, batch_size):
        own = [jobs[i] for i in batch]
        spread, x = Spread(len(batch), model.device), None
        for step in sample_batch(model, own):
            x = step.x
            spread.add(step)
            done += int(step.active.sum())
            yield Progress("painting", done, total)
            if previews is not None:
                previews.note(step)
                if (preview := previews.due()) is not None:
                    yield preview
        assert x is not None  # a grid has at least one step
        images = decode_batch(model, own, x)
        with finishing():
            for i, image, found in zip(batch, images, spread.maps(), strict=True):
                yield PaintedWithMap(i, image, found)


def painting_records(
    model: Model,
    records: Sequence[Record],
    inputs: Inputs,
    previews: PaintPreviews | None = None,
) -> Iterator[Event | PaintedWithMap]:
    """Paints records, having said what they cost. Ctrl-C waits until the caller has kept the
    pictures of a batch. ``previews`` are as of `generate.paint.paint_jobs`."""
    without = inputs._replace(regions=None)
    jobs = [first_job(r, inputs if r.regions is not None else without) for r in records]
    for job in jobs:
        check(model, job)
    cost = sum(network_rows(job.sub_prompts, job.params.combine) for job in jobs)
    yield Estimate(
        f"{counted(len(jobs), 'picture')}; the network is asked {counted(cost, 'time')}",
        pictures=len(jobs),
    )
    finishing = holding(records[0], interrupts_held)
    yield from paint_with_maps(model, jobs, finishing=finishing, previews=previews)


class Spread:
    """Gathers the spread of the prompts' guesses over the steps of one batch."""

    def __init__(self, count: int, device: torch.device) -> None:
        self._steps = torch.zeros(count, device=device)
        self._squares: Tensor | None = None

    def add(self, step: Step) -> None:
        """Takes in one step."""
        seen = step.directions
        if seen is None or seen.d.shape[1] < 2:
            return
        if self._squares is None:
            self._squares = seen.d.new_zeros(len(self._steps), *seen.d.shape[3:])
        variance, differ = variance_over_prompts(seen.d, seen.w)
        rows = step.active.nonzero()[:, 0][differ]
        self._squares[rows] += variance[differ].mean(1)
        self._steps[rows] += 1

    def maps(self) -> list[Tensor | None]:
        """``(h, w)`` for each picture of the batch, or ``None``."""
        steps = self._steps.tolist()
        if self._squares is None:
            return [None] * len(steps)
        pairs = zip(self._squares.cpu(), steps, strict=True)
        return [(squares / n).sqrt() if n else None for squares, n in pairs]


def variance_over_prompts(d: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Variance of the guesses of the prompts that are active, whatever their weights.

    Args:
        d, w: As in `combine`.

    Returns:
        ``(B, C, h, w)``, and ``(B,)`` whether a picture has two or more prompts to differ.
    """
    active = (w != 0).flatten(2).any(2)
    count = active.sum(1).clamp(min=1)[:, None, None, None]
    part = active[:, :, None, None, None]
    mean = (d * part).sum(1) / count
    variance = ((d - mean[:, None]).square() * part).sum(1) / count
    return variance, active.sum(1) > 1


def overlay(picture: np.ndarray, spread: Tensor, most: float | None = None) -> np.ndarray:
    """A picture in grey under the map of its disagreement.

    Args:
        picture: ``(H, W, 3)`` uint8.
        spread: ``(h, w)``.
        most: The spread that is shown brightest; its own largest if not said.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    top = float(spread.max()) if most is None else most
    shown = (spread[None, None] / max(top, 1e-12)).clamp(0, 1)
    size = (picture.shape[0], picture.shape[1])
    heat = F.interpolate(shown, size, mode="bilinear", align_corners=False)[0, 0].double().numpy()
    stops = np.linspace(0, 1, len(HEAT))
    colour = np.stack([np.interp(heat, stops, HEAT[:, i]) for i in range(3)], -1)
    grey = picture.astype(np.float64).mean(-1, keepdims=True)
    share = 0.75 * heat[..., None]
    return np.rint(grey * (1 - share) + colour * share).astype(np.uint8)
