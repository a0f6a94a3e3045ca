"""How strongly a cause pulls the colours of pictures: slopes and differences with their error.

Every trial is painted with the same seeds, so all is compared within a seed, and the spread over
the seeds is the error. Plain arrays; colours are OKLab.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""97.5 % quantiles of Student's t for 1 to 30 degrees of freedom."""


class Estimate(NamedTuple):
    """A number with its error.

    Attributes:
        value: The mean over the seeds.
        error: Half the width of its 95 % interval.
    """

    value: float
    error: float

    @property
    def low(self) -> float:
        return self.value - self.error

    @property
    def high(self) -> float:
        return self.value + self.error

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def t95(freedom: int) -> float:
    """The 97.5 % quantile of Student's t; past 30 by Cornish and Fisher's expansion."""
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """The mean of at least two values, one a seed, with Student's interval."""
    values = np.asarray(values, np.float64)
    error = values.std(ddof=1) / math.sqrt(len(values)) * t95(len(values) - 1)
    return Estimate(float(values.mean()), float(error))


def slope(given: np.ndarray, painted: np.ndarray) -> Estimate:
    """How much of a change in a given colour comes through in the painted one.

    For each seed a line is fitted by least squares, with one slope for all channels and an
    intercept for each; the estimate is over the seeds.

    Args:
        given: ``(T, C)``, what was changed, one row a trial.
        painted: ``(T, S, C)``, what came out, for each seed.

    Raises:
        ValueError: Nothing was changed.
    """
    x = given - given.mean(0)
    spread = float((x**2).sum())
    if spread < 1e-12:
        raise ValueError("the given colours are all the same: no line goes through one point")
    y = painted - painted.mean(0)
    return estimate((x[:, None] * y).sum((0, 2)) / spread)


def share_of(values: np.ndarray, whole: np.ndarray) -> Estimate:
    """The ratio of two means over the same seeds, ``(S,)`` each.

    By the delta method (the spread of ``values - ratio * whole``), which holds where the whole is
    well away from 0.
    """
    ratio = float(values.mean() / whole.mean())
    off = estimate((values - ratio * whole) / whole.mean())
    return Estimate(ratio, off.error)


def moved(before: np.ndarray, after: np.ndarray) -> Estimate:
    """How far apart two trials' mean colours are, in OKLab.

    The distance of two means that are the same is above 0 by chance alone; its square is corrected
    for that, and is 0 where it is less than chance makes it.

    Args:
        before, after: ``(S, 3)``, paired by seed.
    """
    shift = after - before
    mean = shift.mean(0)
    count = len(shift)
    by_chance = float(shift.var(0, ddof=1).sum()) / count
    distance = math.sqrt(max(float(mean @ mean) - by_chance, 0.0))
    length = math.sqrt(float(mean @ mean))
    along = shift @ mean / length if length > 1e-9 else np.linalg.norm(shift, axis=1)
    return Estimate(distance, estimate(along).error)
