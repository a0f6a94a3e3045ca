"""How much memory something takes."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Peak:
    """The most memory that a block holds: the device's own count, or samples of this process."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.bytes = 0

    def __enter__(self) -> Peak:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return self
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self._device)
            return
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while True:
            resident = int(Path("/proc/self/statm").read_text("ascii").split()[1])
            self.bytes = max(self.bytes, resident * page)
            if self._over.wait(0.02):
                return


class Live(TorchDispatchMode):
    """The most bytes that tensors hold at once which are made while it is entered, counted one by
    one: what a card's allocator would count. Works with tensors without contents, too.

    Attributes:
        bytes: The most so far.
    """

    def __init__(self, others: Iterable[torch.Tensor] = ()) -> None:
        """``others`` were there before, such as weights: views of them are not new."""
        super().__init__()
        self.bytes = 0
        self._now = 0
        self._known = {each.untyped_storage()._cdata for each in others}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor):
                self._note(each.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self._now += size
        self.bytes = max(self.bytes, self._now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size
