"""Medians of many short rows: by sorting, several times as fast as `numpy.median`."""

from __future__ import annotations

import numpy as np


def median(values: np.ndarray, axis: int) -> np.ndarray:
    """As `numpy.median`, for a few dozen values without NaN."""
    ordered = np.sort(values, axis)
    low, high = ((values.shape[axis] - by) // 2 for by in (1, 0))
    return (ordered.take(low, axis) + ordered.take(high, axis)) / 2


def median_of(values: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The median of some values of each row, ``(N, M)`` to ``(N,)``; 0 of none."""
    ordered = np.sort(np.where(which, values, np.inf), 1)
    count = which.sum(1)
    middle = np.stack([np.maximum(count - 1, 0) // 2, count // 2], 1)
    halves = np.take_along_axis(ordered, middle, 1)
    return np.where(count > 0, halves.mean(1), 0.0)
