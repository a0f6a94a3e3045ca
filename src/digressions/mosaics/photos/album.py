"""The photos that a mosaic is chosen from: each once, and what was left out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import InputError, verbatim
from ...events import counted
from ...geometry import Size
from ...images.colour import oklab
from .photo_index import LEAST_SIDE, TINY, IndexedPhoto

SAME_BITS = 6  # of 56 in which hashes of the same picture may differ
SAME_COLOURS = 0.03  # in OKLab
_ROWS = 1024


class Album(NamedTuple):
    """Photos to choose from.

    Attributes:
        photos: Each once, in the order that they were found in.
        unreadable: Files that are no photos, with what is wrong.
        tiny, copies, similar: How many files are too small, hold the same bytes as another, or look
            like another.
    """

    photos: list[IndexedPhoto]
    unreadable: list[tuple[Path, str]]
    tiny: int
    copies: int
    similar: int

    @property
    def coarse(self) -> np.ndarray:
        """``(photos, 8, 8, 3)`` uint8."""
        return np.stack([photo.coarse for photo in self.photos])

    @property
    def digest(self) -> str:
        """Tells these photos from others, wherever they are."""
        sums = "\n".join(sorted(photo.sha256 for photo in self.photos))
        return hashlib.sha256(sums.encode()).hexdigest()

    def enlarged(self, cell: Size) -> int:
        """How many have fewer pixels than a cell."""
        low, high = min(cell), max(cell)
        return sum(min(photo.size) < low or max(photo.size) < high for photo in self.photos)

    def skipped(self) -> str:
        """What was left out, in words; empty where nothing was."""
        parts = []
        if self.unreadable:
            (path, problem), count = self.unreadable[0], len(self.unreadable)
            such = "" if count == 1 else "such as "
            reason = problem.removeprefix(f"{path} ").removeprefix(f"{path}: ")
            cannot = "cannot be read" if count > 1 else "that cannot be read"
            parts.append(f"{counted(count, 'file')} {cannot} ({such}{path.name}: {reason})")
        if self.tiny:
            parts.append(f"{counted(self.tiny, 'photo')} of less than {LEAST_SIDE} pixels a side")
        if self.copies:
            parts.append(counted(self.copies, "copy").replace("copys", "copies"))
        if self.similar:
            parts.append(f"{self.similar:,} that look like another one")
        return verbatim("; ".join(parts))


def album_of(
    found: Sequence[IndexedPhoto], bad: Sequence[tuple[Path, str]], *, keep_similar: bool
) -> Album:
    """The photos among files, each once.

    Args:
        found: Those that are photos.
        bad: The others, and what is wrong with them.
        keep_similar: Whether photos that look like another one stay.

    Raises:
        InputError: None is left.
    """
    tiny = sum(problem == TINY for _, problem in bad)
    unreadable = [(path, problem) for path, problem in bad if problem != TINY]
    first: dict[str, IndexedPhoto] = {}
    for photo in found:
        first.setdefault(photo.sha256, photo)
    once = list(first.values())
    kept = once if keep_similar else distinct(once)
    album = Album(kept, unreadable, tiny, len(found) - len(once), len(once) - len(kept))
    if not kept:
        raise InputError(f"`tiles`: none of the photos can be used: {album.skipped()}")
    return album


def distinct(photos: Sequence[IndexedPhoto]) -> list[IndexedPhoto]:
    """Photos of which none looks like a larger one, in their order.

    Two look alike when their hashes agree, which say where lightness grows from left to right
    (Krawetz 2013, "Kind of like that"), and their colours do.
    """
    if not photos:
        return []
    order = sorted(range(len(photos)), key=lambda k: -photos[k].size.pixels)
    coarse = np.stack([photos[k].coarse for k in order])
    lab = oklab(coarse)
    bits = np.where(np.diff(lab[..., 0], axis=2) > 0, np.float32(1), np.float32(-1))
    bits = bits.reshape(len(photos), -1)
    colours = lab.reshape(len(photos), -1) / 8  # so that a distance is root mean square
    least = bits.shape[1] - 2 * SAME_BITS
    kept = np.ones(len(photos), bool)
    for start in range(0, len(photos), _ROWS):
        rows, others = np.nonzero(bits[start : start + _ROWS] @ bits.T >= least)
        rows += start
        later = rows < others
        rows, others = rows[later], others[later]
        near = np.linalg.norm(colours[rows] - colours[others], axis=1) <= SAME_COLOURS
        for row, other in zip(rows[near].tolist(), others[near].tolist(), strict=True):
            if kept[row]:
                kept[other] = False
    chosen = sorted(order[place] for place in np.flatnonzero(kept).tolist())
    return [photos[k] for k in chosen]
