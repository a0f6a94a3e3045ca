"""Quads of straight lines that meet."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from .lines import Lines

_NEAR = 14.0  # pixels of a line that tell whether it begins at a corner
_SLACK = 5.0  # pixels that an edge may stop short of its corner
_SUPPORT = 0.4  # the share of each side that must be seen, but for one
_LEAST_SUPPORT = 0.15  # of that one: something stands before it
_ENDING = 0.7  # how clearly a side must end at its corners, both together
SMALLEST = 24.0  # pixels of a side
_SAME = 3.0  # pixels that corners of one quad may be apart
_ONE_PLACE = 0.6  # intersection over union of boxes from which quads lie in one place
_OF_ONE_PLACE = 6  # quads that are kept of it
_PAIRS = 1_000_000  # looked at in one go
_BLOCK = 1000  # quads looked at in one go


class Candidates(NamedTuple):
    """Quads that lines make, the best first.

    Attributes:
        corners: ``(N, 4, 2)``, clockwise from the top left.
        support: ``(N, 4)``: the share of each side (top, right, bottom, left) that is an edge.
        ends: ``(N, 4)``: how well each corner is one, where two edges begin: about -1..1.
    """

    corners: np.ndarray
    support: np.ndarray
    ends: np.ndarray

    def only(self, which: np.ndarray) -> Candidates:
        return Candidates(*(part[which] for part in self))


class _Sides(NamedTuple):
    """Stretches of lines that may be sides, ``(N,)`` each, ordered by line.

    Attributes:
        line: Which line.
        first, last: The lines that it begins and ends at.
        share: How much of it is an edge, 0..1.
    """

    line: np.ndarray
    first: np.ndarray
    last: np.ndarray
    share: np.ndarray

    def only(self, which: np.ndarray) -> _Sides:
        return _Sides(*(part[which] for part in self))


def candidates(across: Lines, down: Lines, width: int, height: int, most: int) -> Candidates:
    """Quads of two lines across and two down that are edges along much of their sides.

    Args:
        width, height: The photo's, in pixels.
        most: So many at most.
    """
    empty = np.zeros((0, 4))
    if len(across) < 2 or len(down) < 2:
        return Candidates(np.zeros((0, 4, 2)), empty, empty)
    a, b = across.slope[:, None], across.offset[:, None]
    c, d = down.slope[None], down.offset[None]
    y = (a * d + b) / (1 - a * c)  # (H, V): where each two meet
    x = c * y + d
    inside = (x > -2) & (x < width + 2) & (y > -2) & (y < height + 2)
    begins, total_x = _beside(across, x)
    starts, total_y = (part.T for part in _beside(down, y.T))
    # As corners: the weaker of the two edges decides.
    ends = [
        np.minimum(begins, starts),
        np.minimum(-begins, starts),
        np.minimum(-begins, -starts),
        np.minimum(begins, -starts),
    ]
    with ThreadPoolExecutor() as pool:
        jobs = (x, y.T), (total_x, total_y.T), (begins, starts.T), (inside, inside.T)
        sides_x, sides_y = pool.map(_sides, *jobs)
        top, right, bottom, left = _closed(sides_x, sides_y, pool, *x.shape)
    pairs = [(top, left), (top, right), (bottom, right), (bottom, left)]
    quads = Candidates(
        np.stack([np.stack([x[p], y[p]], -1) for p in pairs], 1),
        np.stack(
            [
                _share(at[last] - at[first], seen[last] - seen[first])
                for at, seen, first, last in (
                    (x, total_x, pairs[0], pairs[1]),
                    (y, total_y, pairs[1], pairs[2]),
                    (x, total_x, pairs[3], pairs[2]),
                    (y, total_y, pairs[0], pairs[3]),
                )
            ],
            1,
        ),
        np.stack([ends[index][p] for index, p in enumerate(pairs)], 1),
    )
    quads = quads.only(np.sort(quads.support, 1)[:, 1] >= _SUPPORT)
    worth = quads.support.mean(1) + 0.5 * np.sort(quads.ends, 1)[:, 1:].mean(1)
    order = np.argsort(-worth, kind="stable")
    return quads.only(order[_apart(quads.corners[order], most)])


def _beside(lines: Lines, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How well an edge begins at places on its line, -1 (it ends) to 1; how much is before them."""
    offsets = (_SLACK, _SLACK + _NEAR, -_SLACK - _NEAR, -_SLACK, 0.0)
    seen = lines.seen(np.concatenate([at + offset for offset in offsets], 1))
    near, far, far_before, near_before, total = np.split(seen, len(offsets), 1)
    return (far - near - near_before + far_before) / _NEAR, total


def _sides(at: np.ndarray, seen: np.ndarray, begins: np.ndarray, inside: np.ndarray) -> _Sides:
    """Stretches between places on lines that are sides.

    A side is seen in part and ends at its corners, at one at least: the other may be hidden.

    Args:
        at, seen: ``(N, M)``: places on each line, and how much edge is before them.
        begins, inside: How well an edge begins there; whether it is in the photo.
    """
    line, meets = np.nonzero(inside)
    order = np.lexsort([begins[line, meets], line])
    line, meets = line[order], meets[order]
    begin, place, edge = (part[line, meets] for part in (begins, at, seen))
    # In this order all places that go with a beginning are the first ones of its line; lines lie
    # further apart than what -1..1 can differ by.
    key = 8.0 * line + begin
    since = np.searchsorted(line, line)
    count = np.maximum(np.searchsorted(key, key - _ENDING, side="right") - since, 0)
    found = []
    goes = np.arange(_PAIRS, count.sum(), _PAIRS)
    for some in np.split(np.arange(len(line)), np.searchsorted(np.cumsum(count), goes)):
        number = count[some]
        first = np.repeat(some, number)
        # Of each one's own places: since, since + 1, ...
        last = np.arange(len(first)) + np.repeat(since[some] - np.cumsum(number) + number, number)
        long = np.flatnonzero(place[last] - place[first] >= SMALLEST)
        first, last = first[long], last[long]
        share = _share(place[last] - place[first], edge[last] - edge[first])
        plain = np.flatnonzero(share >= _LEAST_SUPPORT)
        first, last = first[plain], last[plain]
        found.append(_Sides(line[first], meets[first], meets[last], share[plain]))
    return _Sides(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _share(length: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """How much of sides is an edge, 0..1, from pixels."""
    return np.minimum(edge / np.maximum(length - 2 * _SLACK, 1.0), 1.0)


def _closed(across: _Sides, down: _Sides, pool: Executor, height: int, width: int) -> np.ndarray:
    """Lines (top, right, bottom, left) whose sides meet, ``(4, N)``; one is faint at most.

    Args:
        pool: Threads to work in.
        height, width: How many lines there are across and down.
    """
    sure_x, sure_y = (sides.share >= _SUPPORT for sides in (across, down))
    sure, faint = down.only(sure_y), down.only(~sure_y)
    any_bits, sure_bits = (_reach(part, height, width) for part in (across, across.only(sure_x)))
    sure_right, faint_right = (_between(part, height, width) for part in (sure, faint))
    jobs = (
        (sure, sure, faint),
        (any_bits, sure_bits, sure_bits),
        (sure_right, faint_right, sure_right),
    )
    return np.concatenate(list(pool.map(_closing, *jobs)), 1)


def _reach(across: _Sides, height: int, width: int) -> np.ndarray:
    """To which lines down each line across is a side from each.

    Returns:
        ``(H, V, V / 64)`` uint64, rounded up: a bit for each line down.
    """
    reach = np.zeros((height, width, -(-width // 64) * 64), bool)
    reach[across.line, across.first, across.last] = True
    return np.packbits(reach, axis=2).view(np.uint64)


def _between(down: _Sides, height: int, width: int) -> np.ndarray:
    """Whether a line down is a side between two lines across, ``(V, H, H)``."""
    between = np.zeros((width, height, height), bool)
    between[down.line, down.first, down.last] = True
    return between


def _closing(left: _Sides, bits: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Lines (top, right, bottom, left) of quads with these left sides, ``(4, N)``.

    Args:
        bits: As `_reach` has them of top and bottom.
        right: As `_between` has it.
    """
    rows = bits.reshape(-1, bits.shape[2])
    both = rows[left.first * bits.shape[1] + left.line]
    both &= rows[left.last * bits.shape[1] + left.line]
    octets = both.view(np.uint8).ravel()
    some = np.flatnonzero(octets)
    bit = np.flatnonzero(np.unpackbits(octets[some]))
    side, other = np.divmod(8 * some[bit // 8] + bit % 8, 64 * bits.shape[2])
    top, bottom = left.first[side], left.last[side]
    closed = np.flatnonzero(right[other, top, bottom])
    side = side[closed]
    return np.stack([top[closed], other[closed], bottom[closed], left.line[side]])


def _apart(corners: np.ndarray, most: int) -> np.ndarray:
    """Indices of the first of all quads that agree to within some pixels.

    Of one place in the photo no more than some: moulding, shadow and mat make dozens of quads of
    one frame, which would leave no room for a fainter one.
    """
    kept: list[int] = []
    for start in range(0, len(corners), _BLOCK):
        block = corners[start : start + _BLOCK]
        places = np.ascontiguousarray(block.transpose(1, 2, 0))
        crowd = np.zeros(len(block), int)
        for quad in corners[kept]:
            crowd += _crowding(places, quad)
        for index, quad in enumerate(block):
            if crowd[index] >= _OF_ONE_PLACE:
                continue
            kept.append(start + index)
            if len(kept) == most:
                return np.array(kept, int)
            crowd += _crowding(places, quad)
    return np.array(kept, int)


def _crowding(places: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """How full a quad that is kept makes the places of others, ``(4, 2, N)`` to ``(N,)``.

    1 where they lie in one place; as much as there is room for where they are the same.
    """
    quad = quad[..., None]
    same = np.abs(places - quad).reshape(8, -1).max(0) <= _SAME
    low, high = places.min(0), places.max(0)
    shared = np.minimum(high, quad.max(0)) - np.maximum(low, quad.min(0))
    both = shared.clip(0).prod(0)
    either = (high - low).prod(0) + np.ptp(quad, 0).prod() - both
    return np.where(same, _OF_ONE_PLACE, both > _ONE_PLACE * either)
