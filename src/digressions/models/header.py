"""The header of a safetensors file: names, dtypes and shapes of what is in it, without reading any
of it.

The format (https://github.com/huggingface/safetensors): eight bytes, little-endian, say how long
the header is; then JSON; then the tensors, without gaps. Needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from ..errors import ModelError, verbatim
from ..files import parsed

MOST_BYTES = 100_000_000  # of a header, as in the library
_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8} | {
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


class Stored(NamedTuple):
    """A tensor as it is stored: its dtype by the format's name, such as ``"F16"``, and shape."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        path: The file.
        metadata: Free text by name, such as ``modelspec.title``.
        tensors: By name.
    """

    path: Path
    metadata: Mapping[str, str]
    tensors: Mapping[str, Stored]

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def has(self, *starts: str) -> bool:
        """Whether any tensor's name starts with one of these."""
        return any(name.startswith(starts) for name in self.tensors)

    def holds(self, *parts: str) -> bool:
        """Whether any tensor's name has one of these in it."""
        return any(part in name for name in self.tensors for part in parts)


def read_header(path: Path) -> Header:
    """Reads the header of a file.

    Raises:
        ModelError: The file cannot be read, is no safetensors file, or is cut off.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little") if len(start) == 8 else 0
            if not 2 <= length <= MOST_BYTES:
                raise ModelError(f"{_shown(path)} is no safetensors file, whatever its name says")
            text = file.read(length)
            size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{_shown(path)} cannot be read: {error.strerror or error}") from error
    if len(text) < length:
        raise ModelError(f"{_shown(path)} is cut off: it ends within its header")
    try:
        return _header(path, parsed(text), size - 8 - length)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{_shown(path)} is no safetensors file: its header is damaged") from error


def _header(path: Path, content: Any, present: int) -> Header:
    """Raises `ValueError` for what is no header."""
    if not isinstance(content, dict):
        raise ValueError("no object")
    metadata = content.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("metadata is no text")
    tensors, spans = {}, []
    for name, entry in content.items():
        tensors[name], span = _tensor(entry)
        spans.append(span)
    end = 0
    for begin, after in sorted(spans):
        if begin != end:
            raise ValueError("tensors overlap, or leave a gap")
        end = after
    if present < end:
        raise ModelError(
            f"{_shown(path)} is cut off: {present:,} of its {end:,} bytes are there; "
            "fetch or copy it again"
        )
    return Header(path, metadata, tensors)


def _tensor(entry: Any) -> tuple[Stored, tuple[int, int]]:
    if not isinstance(entry, dict):
        raise ValueError("no tensor")
    dtype, shape, span = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise ValueError("no dtype")
    if not _whole(shape) or not _whole(span) or len(span) != 2:
        raise ValueError("no shape")
    if math.prod(shape) * _BITS[dtype] != (span[1] - span[0]) * 8:
        raise ValueError("another size than its shape")
    return Stored(dtype, tuple(shape)), (span[0], span[1])


def _whole(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**62 for n in value)


def _shown(path: Path) -> str:
    return verbatim(str(path))
