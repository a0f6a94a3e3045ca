"""Which photo goes into which cell, all at once, each photo a limited number of times.

The auction of Bertsekas ("Auction algorithms for network flow problems", 1992), with places that
are alike (Bertsekas and Castañon 1989, "The auction algorithm for the transportation problem"):
cells bid for photos, and a photo's price rises until as many cells want it as may have it. The sum
of all costs is at most `SLACK` of the least one's size above the optimum; measured, it is within a
thousandth. It takes a second where SciPy's `linear_sum_assignment`, which needs a column for each
place, takes a minute.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from ...events import Progress
from .pricing import Prices

SLACK = 0.02
AT_ONCE = 48_000_000  # costs in memory, at 4 bytes each
_BIDDERS = 1024  # cells that bid in one round


def assigned(prices: Prices, repeat: int) -> Generator[Progress, None, np.ndarray]:
    """The photo of each cell: ``(cells,)`` indices.

    Cells that are too many for memory are dealt into blocks, each spread over the whole picture,
    and the places of each photo with them.

    Args:
        prices: What photos cost in cells.
        repeat: How many times each may be used; all together at least as often as there are cells.
    """
    cells, photos = prices.cells, prices.photos
    blocks = max(1, -(-cells * photos // AT_ONCE))
    chosen, done = np.empty(cells, int), 0
    for block in range(blocks):
        mine = np.arange(block, cells, blocks)
        # Places are dealt as cards are: number `photo * repeat + k` to block `number % blocks`.
        ends = np.arange(photos + 1) * min(repeat, cells) + blocks - 1 - block
        chosen[mine] = auctioned(prices.costs(mine), np.diff(ends // blocks))
        done += len(mine)
        yield Progress("choosing photos", done, cells)
    return chosen


def auctioned(costs: np.ndarray, places: np.ndarray) -> np.ndarray:
    """For each row of costs ``(N, M)`` a column, each column in at most so many rows.

    Args:
        costs: Finite, 0 or more.
        places: ``(M,)``, together at least N.
    """
    count = len(costs)
    most = int(min(places.max(), count))
    paid = np.zeros((len(places), most), np.float32)  # cheapest place first
    paid[np.arange(most) >= places[:, None]] = np.inf
    paid.sort(1)
    price = paid[:, 0].copy()
    owner = np.full(paid.shape, -1)
    taken = np.full(count, -1)
    step = np.float32(max(SLACK * float(costs.min(1).mean()), 1e-9))
    waiting = np.arange(count)
    while len(waiting):
        bidders = waiting[:_BIDDERS]
        photo, bid = _bids(costs[bidders] + price, price, step)
        row, rank, bid, photo = _ranked(photo, bid, most)
        cell = bidders[row]
        better = bid > paid[photo, rank]
        photo, rank, bid, cell = photo[better], rank[better], bid[better], cell[better]
        outbid = owner[photo, rank]
        taken[outbid[outbid >= 0]] = -1
        paid[photo, rank], owner[photo, rank], taken[cell] = bid, cell, photo
        changed = np.unique(photo)
        order = paid[changed].argsort(1, kind="stable")
        paid[changed] = np.take_along_axis(paid[changed], order, 1)
        owner[changed] = np.take_along_axis(owner[changed], order, 1)
        price[changed] = paid[changed, 0]
        waiting = np.flatnonzero(taken < 0)
    return taken


def _bids(totals: np.ndarray, price: np.ndarray, step: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """For each bidder the photo that it wants most, and what it bids: so much that the second best
    would do as well. Changes ``totals``."""
    rows = np.arange(len(totals))
    photo = totals.argmin(1)
    best = totals[rows, photo]
    totals[rows, photo] = np.inf
    second = totals.min(1)
    second[~np.isfinite(second)] = best[~np.isfinite(second)]  # there is no other
    return photo, price[photo] + (second - best) + step


def _ranked(
    photo: np.ndarray, bid: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bids by photo, the highest first: which they are, their rank, themselves and their photo;
    those of a rank that can have no place are left out."""
    order = np.lexsort((-bid, photo))
    photo, bid = photo[order], bid[order]
    first = np.flatnonzero(np.r_[True, photo[1:] != photo[:-1]])
    rank = np.arange(len(photo)) - np.repeat(first, np.diff(np.r_[first, len(photo)]))
    some = rank < most
    return order[some], rank[some], bid[some], photo[some]
