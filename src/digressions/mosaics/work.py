"""What a mosaic will take, and what painting it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .factory import Tally


@dataclass(frozen=True)
class Estimate:
    """What a mosaic will take.

    Attributes:
        pictures: In all.
        done: How many of them are done already.
        to_paint: How many the network has to paint for the rest: fewer where cells share.
        pixels: Of the whole mosaic.
        disk: Bytes.
    """

    pictures: int
    done: int
    to_paint: int
    pixels: int
    disk: int


class Work(NamedTuple):
    """What a stretch of painting came to.

    Attributes:
        seconds: In all.
        inside: Seconds inside the model's networks.
        tally: Of the pictures.
    """

    seconds: float
    inside: float
    tally: Tally

    @classmethod
    def none(cls) -> Work:
        """Nothing yet."""
        return cls(0.0, 0.0, Tally())

    @property
    def pictures(self) -> int:
        """Cells that got their picture."""
        return self.tally.placed

    @property
    def rate(self) -> float:
        """Pictures painted a second."""
        return self.tally.painted / self.seconds

    def plus(self, other: Work) -> Work:
        """Both stretches together."""
        return Work(
            self.seconds + other.seconds,
            self.inside + other.inside,
            self.tally.plus(other.tally),
        )
