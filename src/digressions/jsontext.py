"""JSON from outside: what cannot be read is always a `ValueError`."""

from __future__ import annotations

import json
from typing import Any


def parsed(text: str | bytes) -> Any:
    """The value that a JSON text stands for.

    Raises:
        ValueError: It is no JSON, or nested more deeply than Python can follow.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
