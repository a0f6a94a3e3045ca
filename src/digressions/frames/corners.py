"""Quads made of straight lines that meet at corners."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from .lines import Lines

MIN_SIDE = 24.0  # pixels
_NEAR = 14.0  # pixels of a line that tell whether an edge begins at a corner
_SLACK = 5.0  # pixels by which an edge may stop short of its corner
_MIN_SUPPORT = 0.4  # share of each side that must be an edge, except for one
_MIN_HIDDEN_SUPPORT = 0.15  # the same of that one: something stands before it
_MIN_ENDING = 0.7  # how clearly a side must end at its corners, both together
_SAME = 3.0  # pixels between corresponding corners of quads that count as one
_ONE_PLACE = 0.6  # intersection over union of boxes from which quads lie in one place
_PER_PLACE = 6  # quads that are kept of one place
_CHUNK_PAIRS = 1_000_000  # pairs of corners looked at in one go
_CHUNK_QUADS = 1000  # quads looked at in one go


class LineQuads(NamedTuple):
    """Quads made of lines, the best first.

    Attributes:
        corners: ``(N, 4, 2)`` pixels, clockwise from the top left.
        support: ``(N, 4)``: the share of each side (top, right, bottom, left) that is an edge.
        corner_scores: ``(N, 4)``: how clearly two edges begin at each corner, about -1..1.
    """

    corners: np.ndarray
    support: np.ndarray
    corner_scores: np.ndarray

    def take(self, which: np.ndarray) -> LineQuads:
        """Those that an index array or a mask picks."""
        return LineQuads(*(part[which] for part in self))


class _Sides(NamedTuple):
    """Stretches of lines that may be sides, ``(N,)`` each, ordered by line.

    Attributes:
        line: Which line.
        first, last: The crossing lines that it begins and ends at.
        support: The share of it that is an edge, 0..1.
    """

    line: np.ndarray
    first: np.ndarray
    last: np.ndarray
    support: np.ndarray

    def take(self, which: np.ndarray) -> _Sides:
        return _Sides(*(part[which] for part in self))


def line_quads(across: Lines, down: Lines, width: int, height: int, limit: int) -> LineQuads:
    """Quads of two lines across and two down whose sides are edges for much of their length.

    Args:
        across, down: As `straight_lines` gives them.
        width, height: Of the photo in pixels.
        limit: Quads, at most.
    """
    empty = np.zeros((0, 4))
    if len(across) < 2 or len(down) < 2:
        return LineQuads(np.zeros((0, 4, 2)), empty, empty)
    a, b = across.slope[:, None], across.offset[:, None]
    c, d = down.slope[None], down.offset[None]
    y = (a * d + b) / (1 - a * c)  # (H, V): where each two meet
    x = c * y + d
    inside = (x > -2) & (x < width + 2) & (y > -2) & (y < height + 2)
    begins_x, total_x = _edge_begins(across, x)
    begins_y, total_y = (part.T for part in _edge_begins(down, y.T))
    # Of the two edges that meet at a corner the less clear one decides.
    corner_scores = [
        np.minimum(begins_x, begins_y),
        np.minimum(-begins_x, begins_y),
        np.minimum(-begins_x, -begins_y),
        np.minimum(begins_x, -begins_y),
    ]
    with ThreadPoolExecutor() as pool:
        jobs = (x, y.T), (total_x, total_y.T), (begins_x, begins_y.T), (inside, inside.T)
        sides_x, sides_y = pool.map(_sides, *jobs)
        top, right, bottom, left = _closed(sides_x, sides_y, pool, *x.shape)
    pairs = [(top, left), (top, right), (bottom, right), (bottom, left)]
    quads = LineQuads(
        np.stack([np.stack([x[p], y[p]], -1) for p in pairs], 1),
        np.stack(
            [
                _support(at[last] - at[first], edge[last] - edge[first])
                for at, edge, first, last in (
                    (x, total_x, pairs[0], pairs[1]),
                    (y, total_y, pairs[1], pairs[2]),
                    (x, total_x, pairs[3], pairs[2]),
                    (y, total_y, pairs[0], pairs[3]),
                )
            ],
            1,
        ),
        np.stack([corner_scores[index][p] for index, p in enumerate(pairs)], 1),
    )
    quads = quads.take(np.sort(quads.support, 1)[:, 1] >= _MIN_SUPPORT)
    worth = quads.support.mean(1) + 0.5 * np.sort(quads.corner_scores, 1)[:, 1:].mean(1)
    order = np.argsort(-worth, kind="stable")
    return quads.take(order[_distinct(quads.corners[order], limit)])


def _edge_begins(lines: Lines, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How clearly an edge begins at positions on its line, and how much of it lies before them.

    Returns:
        ``(N, M)`` from -1 (the edge ends there) to 1 (it begins there), and ``(N, M)`` pixels.
    """
    offsets = (_SLACK, _SLACK + _NEAR, -_SLACK - _NEAR, -_SLACK, 0.0)
    edge = lines.edge_before(np.concatenate([at + offset for offset in offsets], 1))
    near, far, far_before, near_before, total = np.split(edge, len(offsets), 1)
    return (far - near - near_before + far_before) / _NEAR, total


def _sides(at: np.ndarray, edge: np.ndarray, begins: np.ndarray, inside: np.ndarray) -> _Sides:
    """Stretches between positions on lines that may be sides.

    A side is an edge in part, and ends at its corners, at one at least: the other may be hidden.

    Args:
        at, edge: ``(N, M)``: positions on each line, and how much edge lies before them, pixels.
        begins, inside: How clearly an edge begins there; whether it is in the photo.
    """
    line, crossing = np.nonzero(inside)
    order = np.lexsort([begins[line, crossing], line])
    line, crossing = line[order], crossing[order]
    begin, position, before = (part[line, crossing] for part in (begins, at, edge))
    # In this order all ends that go with a beginning are the first ones of its line. The factor
    # keeps lines further from each other than -1..1 can differ.
    key = 8.0 * line + begin
    since = np.searchsorted(line, line)
    count = np.maximum(np.searchsorted(key, key - _MIN_ENDING, side="right") - since, 0)
    found = []
    cuts = np.arange(_CHUNK_PAIRS, count.sum(), _CHUNK_PAIRS)
    for chunk in np.split(np.arange(len(line)), np.searchsorted(np.cumsum(count), cuts)):
        number = count[chunk]
        first = np.repeat(chunk, number)
        # The ends that go with each beginning: since, since + 1, ...
        last = np.arange(len(first)) + np.repeat(since[chunk] - np.cumsum(number) + number, number)
        long = np.flatnonzero(position[last] - position[first] >= MIN_SIDE)
        first, last = first[long], last[long]
        support = _support(position[last] - position[first], before[last] - before[first])
        clear = np.flatnonzero(support >= _MIN_HIDDEN_SUPPORT)
        first, last = first[clear], last[clear]
        found.append(_Sides(line[first], crossing[first], crossing[last], support[clear]))
    return _Sides(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _support(length: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """The share of sides that is an edge, 0..1, from pixels of both."""
    return np.minimum(edge / np.maximum(length - 2 * _SLACK, 1.0), 1.0)


def _closed(across: _Sides, down: _Sides, pool: Executor, height: int, width: int) -> np.ndarray:
    """Lines (top, right, bottom, left) whose sides meet, ``(4, N)``; at most one is faint.

    Args:
        pool: Threads to work in.
        height, width: How many lines there are across and down.
    """
    clear_x, clear_y = (sides.support >= _MIN_SUPPORT for sides in (across, down))
    clear, faint = down.take(clear_y), down.take(~clear_y)
    any_bits, clear_bits = (
        _reach_bits(part, height, width) for part in (across, across.take(clear_x))
    )
    clear_right, faint_right = (_side_table(part, height, width) for part in (clear, faint))
    jobs = (
        (clear, clear, faint),
        (any_bits, clear_bits, clear_bits),
        (clear_right, faint_right, clear_right),
    )
    return np.concatenate(list(pool.map(_closed_from_left, *jobs)), 1)


def _reach_bits(across: _Sides, height: int, width: int) -> np.ndarray:
    """Which lines down each line across is a side to, from each other one.

    Returns:
        ``(H, V, V / 64)`` uint64, rounded up: a bit for each line down.
    """
    reach = np.zeros((height, width, -(-width // 64) * 64), bool)
    reach[across.line, across.first, across.last] = True
    return np.packbits(reach, axis=2).view(np.uint64)


def _side_table(down: _Sides, height: int, width: int) -> np.ndarray:
    """Whether a line down is a side between two lines across, ``(V, H, H)``."""
    table = np.zeros((width, height, height), bool)
    table[down.line, down.first, down.last] = True
    return table


def _closed_from_left(left: _Sides, bits: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Lines (top, right, bottom, left) of the quads with these left sides, ``(4, N)``.

    Args:
        bits: As `_reach_bits` gives them of top and bottom.
        right: As `_side_table` gives it.
    """
    rows = bits.reshape(-1, bits.shape[2])
    both = rows[left.first * bits.shape[1] + left.line]
    both &= rows[left.last * bits.shape[1] + left.line]
    octets = both.view(np.uint8).ravel()
    filled = np.flatnonzero(octets)
    bit = np.flatnonzero(np.unpackbits(octets[filled]))
    side, other = np.divmod(8 * filled[bit // 8] + bit % 8, 64 * bits.shape[2])
    top, bottom = left.first[side], left.last[side]
    closed = np.flatnonzero(right[other, top, bottom])
    side = side[closed]
    return np.stack([top[closed], other[closed], bottom[closed], left.line[side]])


def _distinct(corners: np.ndarray, limit: int) -> np.ndarray:
    """Indices of quads ``(N, 4, 2)``, the first of all that agree to within some pixels.

    Only a few are kept of one place in the photo: moulding, shadow and mat make dozens of quads
    of one frame, which would leave no room for a fainter one.
    """
    kept: list[int] = []
    for start in range(0, len(corners), _CHUNK_QUADS):
        chunk = corners[start : start + _CHUNK_QUADS]
        places = np.ascontiguousarray(chunk.transpose(1, 2, 0))
        crowd = np.zeros(len(chunk), int)
        for quad in corners[kept]:
            crowd += _crowding(places, quad)
        for index, quad in enumerate(chunk):
            if crowd[index] >= _PER_PLACE:
                continue
            kept.append(start + index)
            if len(kept) == limit:
                return np.array(kept, int)
            crowd += _crowding(places, quad)
    return np.array(kept, int)


def _crowding(places: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """How much a quad that is kept adds to the crowd of others, ``(4, 2, N)`` to ``(N,)``.

    1 where they lie in one place; as much as fits there where they are the same quad.
    """
    quad = quad[..., None]
    same = np.abs(places - quad).reshape(8, -1).max(0) <= _SAME
    low, high = places.min(0), places.max(0)
    shared = np.minimum(high, quad.max(0)) - np.maximum(low, quad.min(0))
    both = shared.clip(0).prod(0)
    either = (high - low).prod(0) + np.ptp(quad, 0).prod() - both
    return np.where(same, _PER_PLACE, both > _ONE_PLACE * either)
