"""Whether the config of a network can be one, before anything is built of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import ModelError

MOST_LAYERS = 1000
_MOST = 2**31  # of any whole number


def check_network(config: dict[str, Any], path: Path) -> None:
    """Refuses numbers that would be built of, layer by layer, until memory ends.

    Raises:
        ModelError: More than `MOST_LAYERS` layers or blocks, or a number past all sizes.
    """
    for name, value in config.items():
        layers = "layers" in name or name.endswith("_blocks")
        for number in _whole_numbers(value):
            if abs(number) > (MOST_LAYERS if layers else _MOST):
                raise ModelError(f"{path}: {name} is larger than any network's")


def _whole_numbers(value: Any) -> list[int]:
    if isinstance(value, list):
        return [number for each in value for number in _whole_numbers(each)]
    return [value] if isinstance(value, int) else []
