"""What a stopped run goes on from: files that are whole or not there, and the time spent."""

import time
from pathlib import Path

import torch

PUT_ASIDE = 10  # seconds: a step that took longer waited for someone else


def write(path: Path, state: dict) -> None:
    """Replace a checkpoint, never leaving half of one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


class Minutes:
    """Minutes of training, all restarts together; of a step that was put aside only the start."""

    def __init__(self, before: float = 0.0):
        self.spent, self._seen = before, time.monotonic()

    def tick(self) -> float:
        """Call after every step: the minutes so far."""
        now = time.monotonic()
        self.spent, self._seen = self.spent + min(now - self._seen, PUT_ASIDE) / 60, now
        return self.spent
