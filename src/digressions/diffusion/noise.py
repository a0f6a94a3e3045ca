"""Noise of pictures, each from its own seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


class Noise:
    """One random generator a picture, so that its noise does not depend on its batch.

    Drawn on the CPU whatever the device, so that a seed means the same picture everywhere.
    """

    def __init__(self, seeds: Sequence[int], shape: tuple[int, int, int]) -> None:
        """Seeds are ``0 .. 2**63 - 1``, one per picture; ``shape`` is ``(C, h, w)``."""
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._shape = shape

    def draw(self, rows: Tensor | None = None) -> Tensor:
        """The next normal noise of the chosen rows (a ``(B,)`` mask): ``(rows, C, h, w)``."""
        chosen = range(len(self._generators)) if rows is None else rows.nonzero()[:, 0].tolist()
        return torch.stack(
            [torch.randn(self._shape, generator=self._generators[i]) for i in chosen]
        )

    def for_members(self, picture: Sequence[int], member: Sequence[int]) -> Noise:
        """Noise for rows that are members of pictures, each with a stream of its own.

        Member 0 continues its picture's stream. The others' seeds are 7 bytes of a hash, which
        is below ``2**63``; `mosaics.cells.cell_seed` masks 8 instead. Either must stay as it is,
        or a seed would paint another picture.

        Args:
            picture, member: Each row's picture ``0..B-1``, and its number among the members of it.
        """
        noise = Noise([], self._shape)
        for i, number in zip(picture, member, strict=True):
            own = self._generators[i]
            text = f"{own.initial_seed()}:member {number}".encode()
            seed = int.from_bytes(hashlib.sha256(text).digest()[:7], "big")
            noise._generators.append(torch.Generator().manual_seed(seed) if number else own)
        return noise
