"""A large picture through a function that takes small ones: tiles that overlap and fade over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np


class Span(NamedTuple):
    """A tile along one axis: the pixels that are seen, and those of them that are kept."""

    seen: slice
    kept: slice


def in_tiles(
    enlarge: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    scale: int,
    *,
    tile: int,
    overlap: int,
    feather: int = 0,
) -> np.ndarray:
    """What ``enlarge`` makes of a picture, made of tiles where the picture is larger than one.

    Tiles start at multiples of ``tile`` less ``overlap``. ``enlarge`` sees at most
    ``tile + 2 * overlap`` pixels a side.

    Args:
        enlarge: ``(h, w, C)`` to ``(scale * h, scale * w, D)``, uint8 or floating point.
        image: ``(H, W, C)``.
        tile: Pixels a side of what is kept of a tile.
        overlap: Pixels that a tile sees further on each side.
        feather: Of these, the pixels that are kept as well. Neighbours fade over linearly in
            twice as many.

    Returns:
        ``(scale * H, scale * W, D)``, of the type that ``enlarge`` returns.
    """
    height, width = image.shape[:2]
    out: np.ndarray | None = None
    for rows in spans(height, tile, overlap, feather):
        strip: np.ndarray | None = None
        for columns in spans(width, tile, overlap, feather):
            part = enlarge(image[rows.seen, columns.seen])
            top = (rows.kept.start - rows.seen.start) * scale
            part = part[top : top + (rows.kept.stop - rows.kept.start) * scale]
            if strip is None:
                strip = np.empty((part.shape[0], width * scale, part.shape[2]), part.dtype)
            _lay(strip.swapaxes(0, 1), part.swapaxes(0, 1), columns, scale, feather)
        assert strip is not None
        if out is None:
            out = np.empty((height * scale, *strip.shape[1:]), strip.dtype)
        _lay(out, strip, Span(rows.kept, rows.kept), scale, feather)
    assert out is not None
    return out


def spans(length: int, tile: int, overlap: int, feather: int) -> Iterator[Span]:
    """The tiles along an axis of ``length`` pixels; one where it fits a tile with its overlap."""
    if length <= tile + 2 * overlap:
        yield Span(slice(0, length), slice(0, length))
        return
    for start in range(0, length, tile):
        seen, kept = (
            slice(max(start - more, 0), min(start + tile + more, length))
            for more in (overlap, feather)
        )
        yield Span(seen, kept)


def _lay(out: np.ndarray, part: np.ndarray, span: Span, scale: int, feather: int) -> None:
    """Lays an enlarged tile into ``out``, fading over from what lies there along axis 0."""
    skip = (span.kept.start - span.seen.start) * scale
    target = out[span.kept.start * scale : span.kept.stop * scale]
    part = part[skip : skip + len(target)]
    fade = min(2 * feather * scale, len(target)) if span.kept.start else 0
    if fade:
        weight = ((np.arange(fade, dtype=np.float32) + 0.5) / (2 * feather * scale))[:, None, None]
        mixed = target[:fade] * (1 - weight) + part[:fade] * weight
        target[:fade] = np.rint(mixed) if out.dtype == np.uint8 else mixed
    target[fade:] = part[fade:]
