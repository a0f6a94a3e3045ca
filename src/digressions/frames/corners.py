"""Quads of straight lines that meet."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .lines import Lines

_NEAR = 14.0  # pixels of a line that tell whether it begins at a corner
_SLACK = 5.0  # pixels that an edge may stop short of its corner
_SUPPORT = 0.4  # the share of each side that must be seen, but for one
_LEAST_SUPPORT = 0.15  # of that one: something stands before it
_ENDING = 0.7  # how clearly a side must end at its corners, both together
_SMALLEST = 24.0  # pixels of a side
_SAME = 3.0  # pixels that corners of one quad may be apart
_ONE_PLACE = 0.6  # intersection over union of boxes from which quads lie in one place
_OF_ONE_PLACE = 6  # quads that are kept of it


class Candidates(NamedTuple):
    """Quads that lines make, the best first.

    Attributes:
        corners: ``(N, 4, 2)``, clockwise from the top left.
        support: ``(N, 4)``: the share of each side (top, right, bottom, left) that is an edge.
        ends: ``(N, 4)``: how well each corner is one, where two edges begin: about -1..1.
        signs: ``(N, 4)``: 1 or -1 as a side is darker inside or out; 0 where both.
    """

    corners: np.ndarray
    support: np.ndarray
    ends: np.ndarray
    signs: np.ndarray

    def only(self, which: np.ndarray) -> Candidates:
        return Candidates(*(part[which] for part in self))


def candidates(across: Lines, down: Lines, width: int, height: int, most: int = 120) -> Candidates:
    """Quads of two lines across and two down that are edges along much of their sides."""
    if len(across) < 2 or len(down) < 2:
        return _none()
    a, b = across.slope[:, None], across.offset[:, None]
    c, d = down.slope[None], down.offset[None]
    y = (a * d + b) / (1 - a * c)  # (H, V): where each two meet
    x = c * y + d
    inside = (x > -2) & (x < width + 2) & (y > -2) & (y < height + 2)
    after_x, before_x, total_x = _beside(across, x)
    below, above, total_y = (part.T for part in _beside(down, y.T))
    begins, stops = after_x - before_x, before_x - after_x
    starts, finishes = below - above, above - below
    # As corners: the weaker of the two edges decides.
    ends = [
        np.minimum(begins, starts),
        np.minimum(stops, starts),
        np.minimum(stops, finishes),
        np.minimum(begins, finishes),
    ]
    sides_x = _sides(x, total_x, begins, stops, inside)
    sides_y = _sides(y.T, total_y.T, starts.T, finishes.T, inside.T)
    top, right, bottom, left = _closed(sides_x, sides_y)
    if not len(top):
        return _none()
    pairs = [(top, left), (top, right), (bottom, right), (bottom, left)]
    quads = Candidates(
        np.stack([np.stack([x[p], y[p]], -1) for p in pairs], 1),
        np.stack(
            [
                sides_x[top, left, right],
                sides_y[right, top, bottom],
                sides_x[bottom, left, right],
                sides_y[left, top, bottom],
            ],
            1,
        ),
        np.stack([ends[index][p] for index, p in enumerate(pairs)], 1),
        np.stack([across.sign[top], down.sign[right], -across.sign[bottom], -down.sign[left]], 1),
    )
    quads = quads.only(np.sort(quads.support, 1)[:, 1] >= _SUPPORT)
    worth = quads.support.mean(1) + 0.5 * np.sort(quads.ends, 1)[:, 1:].mean(1)
    order = np.argsort(-worth)
    return quads.only(order[_apart(quads.corners[order], most)])


def _beside(lines: Lines, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much of a line is an edge just after, just before, and altogether before places on it."""
    after = (lines.seen(at + _NEAR + _SLACK) - lines.seen(at + _SLACK)) / _NEAR
    before = (lines.seen(at - _SLACK) - lines.seen(at - _SLACK - _NEAR)) / _NEAR
    return after, before, lines.seen(at)


def _none() -> Candidates:
    empty = np.zeros((0, 4))
    return Candidates(np.zeros((0, 4, 2)), empty, empty, empty)


def _sides(
    at: np.ndarray, seen: np.ndarray, begins: np.ndarray, stops: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """The share of edge between places on lines; 0 where it is no side.

    A side is seen in part and ends at its corners, at one at least: the other may be hidden.

    Args:
        at, seen: ``(N, M)``: places on each line, and how much edge is before them.
        begins, stops, inside: How well an edge begins and ends there; whether it is in the photo.

    Returns:
        ``(N, M, M)`` float32.
    """
    share = np.zeros((*at.shape, at.shape[1]), np.float32)
    for line in range(len(at)):  # one by one: all at once is hundreds of megabytes
        kept = np.flatnonzero(inside[line])
        x, edge = at[line, kept].astype(np.float32), seen[line, kept].astype(np.float32)
        begin, stop = begins[line, kept], stops[line, kept]
        all_of_them = np.arange(len(kept))
        # Of two that reach the sum together, one at least reaches half of it.
        plain_begin, plain_stop = begin >= _ENDING / 2, stop >= _ENDING / 2
        for first, last in (
            (np.flatnonzero(plain_begin), all_of_them),
            (np.flatnonzero(~plain_begin), np.flatnonzero(plain_stop)),
        ):
            length = x[last][None, :] - x[first][:, None]
            part = (edge[last][None, :] - edge[first][:, None]) / np.maximum(
                length - 2 * _SLACK, 1.0
            )
            valid = (length >= _SMALLEST) & (part >= _LEAST_SUPPORT)
            valid &= begin[first][:, None] + stop[last][None, :] >= _ENDING
            one, other = np.nonzero(valid)
            share[line, kept[first[one]], kept[last[other]]] = np.minimum(part[one, other], 1.0)
    return share


def _closed(
    sides_x: np.ndarray, sides_y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lines (top, right, bottom, left) whose sides meet, ``(N,)`` each; one is faint at most.

    Args:
        sides_x: ``(H, V, V)``: what is not 0 is a side of a line across between two down.
        sides_y: ``(V, H, H)``: the same of a line down.
    """
    sure_x, sure_y = sides_x >= _SUPPORT, sides_y >= _SUPPORT
    faint_y = (sides_y > 0) & ~sure_y
    any_bits, sure_bits = (np.packbits(part, axis=2) for part in (sides_x > 0, sure_x))
    found = [np.zeros((4, 0), int)]
    for left in range(len(sides_y)):
        sure, faint = np.nonzero(sure_y[left]), np.nonzero(faint_y[left])
        found.append(_closing(left, sure, any_bits[:, left], sure_y))
        found.append(_closing(left, sure, sure_bits[:, left], faint_y))
        found.append(_closing(left, faint, sure_bits[:, left], sure_y))
    top, right, bottom, left = np.concatenate(found, 1)
    return top, right, bottom, left


def _apart(corners: np.ndarray, most: int) -> np.ndarray:
    """Indices of the first of all quads that agree to within some pixels.

    Of one place in the photo no more than some: moulding, shadow and mat make dozens of quads of
    one frame, which would leave no room for a fainter one.
    """
    kept: list[int] = []
    low, high = corners.min(1), corners.max(1)
    size = (high - low).prod(1)
    crowd = np.zeros(len(corners), int)
    free = np.ones(len(corners), bool)
    for index in range(len(corners)):
        if not free[index] or crowd[index] >= _OF_ONE_PLACE:
            continue
        kept.append(index)
        if len(kept) == most:
            break
        free &= np.abs(corners - corners[index]).max((1, 2)) > _SAME
        shared = np.minimum(high, high[index]) - np.maximum(low, low[index])
        both = shared.clip(0).prod(1)
        crowd += both > _ONE_PLACE * (size + size[index] - both)
    return np.array(kept, int)


def _closing(
    left: int, pairs: tuple[np.ndarray, ...], between: np.ndarray, shut: np.ndarray
) -> np.ndarray:
    """Quads ``(4, N)`` with this line as their left side.

    Args:
        pairs: The lines across, top and bottom, between which it is a side.
        between: ``(H, V / 8)`` bits: which lines across are a side from it to another line down.
        shut: ``(V, H, H)``: between which lines across each line down is a side.
    """
    top, bottom = pairs
    both = between[top] & between[bottom]
    some = np.flatnonzero(both.any(1))
    pair, right = np.nonzero(np.unpackbits(both[some], axis=1, count=len(shut)))
    top, bottom = top[some][pair], bottom[some][pair]
    closed = np.flatnonzero(shut[right, top, bottom])
    return np.stack([top[closed], right[closed], bottom[closed], np.full(len(closed), left)])
