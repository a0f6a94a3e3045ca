"""Which of a model's networks are on its device: all of them, or only the one at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .runtime import release_memory

HOME = torch.device("cpu")  # where networks wait


class Placement:
    """Keeps a model's networks on its device; with offloading, only those at work, while the others
    wait in main memory.

    Whoever comes in sends out who was there before, so the denoising network stays from step to
    step and moves twice a batch. Moving changes no number.

    Attributes:
        device: Where networks work.
        offload: Whether they wait elsewhere.
    """

    def __init__(self, device: torch.device, *, offload: bool = False) -> None:
        self.device, self.offload = device, offload
        self._there: list[Any] = []
        self._turn = threading.RLock()  # one at a time, whoever asks

    def placed(self, network: Any, layout: torch.memory_format = torch.preserve_format) -> Any:
        """A network where it stays, or waits, with its weights in a memory layout."""
        return network.to(HOME if self.offload else self.device, memory_format=layout)

    @contextmanager
    def using(self, *networks: Any) -> Iterator[None]:
        """Has these networks, and no others, on the device while the block runs.

        They stay there afterwards, until others are wanted. Without offloading it does nothing.
        """
        if not self.offload:
            yield
            return
        with self._turn:
            self._leave_but(networks)
            for network in networks:
                if not any(network is other for other in self._there):
                    self._there.append(network)  # first: memory may run out half-way
                    _move(network, self.device)
            yield

    def _leave_but(self, networks: tuple[Any, ...]) -> None:
        leaving = [each for each in self._there if not any(each is other for other in networks)]
        for network in leaving:
            _move(network, HOME)
            self._there = [each for each in self._there if each is not network]
        if leaving:
            release_memory(self.device)


def _move(network: Any, device: torch.device) -> None:
    with torch.inference_mode(False):  # weights that were made in it could not be moved again
        network.to(device)
