"""Work on all cores, a few items at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def on_all_cores(work: Callable[[_In], _Out], items: Iterable[_In]) -> Generator[_Out, None, None]:
    """What the work makes of each item, in their order.

    Two items a core are on their way at once, so memory stays small however many there are. It is
    meant for work that leaves the interpreter: decoding, resampling, compressing.
    """
    cores = os.cpu_count() or 1
    left, sent = iter(items), deque[Future[_Out]]()
    with ThreadPoolExecutor(cores, "photos") as pool:
        try:
            sent += [pool.submit(work, item) for item in islice(left, 2 * cores)]
            while sent:
                found = sent.popleft().result()
                sent += [pool.submit(work, item) for item in islice(left, 1)]
                yield found
        finally:
            for future in sent:
                future.cancel()
