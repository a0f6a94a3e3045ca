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
_LOOKED_AT = 128  # photos that a cell bids among before it looks at all of them again


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
    wanted = _Wanted(costs)
    waiting = np.arange(count)
    while len(waiting):
        bidders = waiting[:_BIDDERS]
        photo, bid = wanted.bids(bidders, price, step)
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


class _Wanted:
    """The photos that each cell may want next.

    Prices only rise. So what all but a cell's cheapest photos cost it together with their prices is
    never less than it once was, and as long as its two best are below that, nothing else need be
    looked at. A cell for which they are not looks at all photos anew.
    """

    def __init__(self, costs: np.ndarray) -> None:
        """``costs`` is as of `auctioned`."""
        self._costs = costs
        self._some = min(_LOOKED_AT, costs.shape[1])
        self._photos = np.zeros((len(costs), self._some), np.int32)
        self._own = np.zeros((len(costs), self._some), np.float32)  # costs of these
        self._least = np.full(len(costs), -np.inf, np.float32)  # of all others, with their prices

    def bids(
        self, bidders: np.ndarray, price: np.ndarray, step: np.float32
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each bidder the photo that it wants most, and what it bids: so much that the second
        best would do as well."""
        place, best, second = self._best(bidders, price)
        old = np.flatnonzero((second >= self._least[bidders]) & (self._least[bidders] < np.inf))
        if len(old):
            self._look(bidders[old], price)
            place[old], best[old], second[old] = self._best(bidders[old], price)
        photo = self._photos[bidders, place]
        second[~np.isfinite(second)] = best[~np.isfinite(second)]  # there is no other
        return photo, price[photo] + (second - best) + step

    def _best(
        self, bidders: np.ndarray, price: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where among its photos each bidder's best is, and the totals of that and the second."""
        totals = self._own[bidders] + price[self._photos[bidders]]
        rows, place = np.arange(len(totals)), totals.argmin(1)
        best = totals[rows, place]
        totals[rows, place] = np.inf
        return place, best, totals.min(1)

    def _look(self, cells: np.ndarray, price: np.ndarray) -> None:
        """Finds the cells' cheapest photos at these prices."""
        some = self._some
        for start in range(0, len(cells), _BIDDERS):
            mine = cells[start : start + _BIDDERS]
            if some == self._costs.shape[1]:
                found = np.tile(np.arange(some), (len(mine), 1))
                self._least[mine] = np.inf
            else:
                totals = self._costs[mine] + price
                order = np.argpartition(totals, some, axis=1)
                self._least[mine] = np.take_along_axis(totals, order[:, some : some + 1], 1)[:, 0]
                found = np.sort(order[:, :some], axis=1)  # of equal ones the first is taken
            self._photos[mine] = found
            self._own[mine] = np.take_along_axis(self._costs[mine], found, 1)


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
