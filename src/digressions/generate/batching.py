"""How many pictures to paint at once: the number that is fastest, and that memory holds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeAlias, cast

import torch
from torch import Tensor

from ..errors import InputError
from ..models.runtime import free_memory, is_out_of_memory, peak_memory, release_memory
from .job import Job

Painting: TypeAlias = Callable[[Sequence[Job]], Generator[int, None, Tensor]]
"""Jobs of one size to pictures, step by step: `paint.painting` with its model."""

Painter: TypeAlias = Callable[[Sequence[Job]], Tensor]
"""Jobs of one size to pictures ``(B, 3, H, W)`` float32 in 0..1."""

GAIN = 1.03  # a batch of twice the size is worth its memory from here on
PATIENCE = 2  # doublings without a gain before the search ends: one may be a disturbance
TRIES = 2  # batches of a size; the first of them also pays for what a kernel sets up
MOST = 256
LONGEST = 10.0  # seconds a batch: more would be lost with a kill, and Ctrl-C would wait for it
_SHARE = 0.8  # of the free memory that a batch may be expected to take


class BatchSize:
    """The number of pictures a batch that paints the most a second, found while painting.

    It begins with 1 and doubles, so the search costs nothing but some batches that could have been
    larger. No size is tried that would take more than 0.8 of the free memory or `LONGEST`, as far
    as the sizes before it tell: a batch twice as large grows by twice as much.

    Attributes:
        now: What to paint next.
        settled: Whether the search is over.
    """

    def __init__(self, device: torch.device, fixed: int | None = None, most: int = MOST) -> None:
        """``fixed`` for a size that is not searched for, but still shrinks where memory ends."""
        self.now = 1 if fixed is None else fixed
        self.settled = fixed is not None
        self._device = device
        self._most = most
        self._rates: dict[int, float] = {}
        self._tries = 0
        self._held = peak_memory(device)

    def note(self, pictures: int, seconds: float) -> None:
        """Takes in how long a batch took; ``pictures`` other than `now` tell nothing."""
        if self.settled or pictures != self.now:
            return
        self._tries += 1
        self._rates[self.now] = max(self._rates.get(self.now, 0), pictures / seconds)
        if self._tries < TRIES:
            return
        held = peak_memory(self._device)
        grown, self._held = held - self._held, held
        brief = 2 * self.now / self._rates[self.now] <= LONGEST
        if brief and self._gains() and 2 * self.now <= self._most and self._fits(2 * grown):
            self.now, self._tries = 2 * self.now, 0
        else:
            self._settle()

    def shrink(self, most: int) -> None:
        """No more than ``most`` from now on: memory ran out."""
        if most < self.now:
            self.now, self.settled = most, True

    def _gains(self) -> bool:
        """Whether one of the last doublings was worth it."""
        sizes = sorted(self._rates)
        recent, before = sizes[-PATIENCE:], sizes[:-PATIENCE]
        best = max((self._rates[size] for size in before), default=0.0)
        return any(self._rates[size] > GAIN * best for size in recent)

    def _fits(self, grown: int) -> bool:
        free = free_memory(self._device)
        return free is None or grown <= _SHARE * free

    def _settle(self) -> None:
        """The smallest size that is about as fast as the fastest."""
        fastest = max(self._rates.values())
        self.now = min(size for size, rate in self._rates.items() if rate * GAIN >= fastest)
        self.settled = True


class MemorySparingPainter:
    """A painter that paints in parts what memory does not hold as a whole.

    Attributes:
        most: Pictures that fit as far as is known, or ``None``.
    """

    def __init__(self, painting: Painting, device: torch.device) -> None:
        """Wraps a painter that works on ``device``."""
        self._painting, self._device = painting, device
        self.most: int | None = None

    def __call__(self, jobs: Sequence[Job]) -> Tensor:
        """Paints all jobs: `painting` without its steps."""
        steps = self.painting(jobs)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return cast(Tensor, end.value)

    def painting(self, jobs: Sequence[Job]) -> Generator[int, None, Tensor]:
        """Paints all jobs, in as few batches as fit.

        Yields:
            After every step, the pictures that took part in it; those of a batch that did not fit
            come again.

        Returns:
            ``(B, 3, H, W)`` float32 in 0..1.

        Raises:
            InputError: Not even one picture fits.
        """
        painted: list[Tensor] = []
        at = 0
        while at < len(jobs):
            part = jobs[at : at + (self.most or len(jobs))]
            images = yield from self._tried(part)
            if images is None:  # out here no traceback holds on to the tensors any more
                if len(part) == 1:
                    raise InputError(
                        f"one picture of {part[0].params.size} px does not fit into the memory of "
                        f"{self._device}: choose a smaller `size`, `dtype` float16, `offload`, "
                        "`quantize`, a tiny `vae` or another `device`"
                    )
                self.most = len(part) // 2
                release_memory(self._device)
                continue
            painted.append(images)
            at += len(part)
        return painted[0] if len(painted) == 1 else torch.cat(painted)

    def _tried(self, jobs: Sequence[Job]) -> Generator[int, None, Tensor | None]:
        try:
            return (yield from self._painting(jobs))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return None
