"""What Python gets of a use case: its pictures or its files. What it notes becomes warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import in_words
from ..events import Event, Note, Saved

if TYPE_CHECKING:
    from .pictures import Picture


def pictures_among(found: Iterable[Event | Picture]) -> Iterator[Picture]:
    """The pictures among events; notes that are no results become warnings."""
    from .pictures import Picture  # with torch

    for event in found:
        if isinstance(event, Picture):
            yield event
        else:
            warn(event, 1)


def finish(found: Iterable[Event]) -> list[Path]:
    """Runs a use case to its end and returns the files that it saved. Notes that are no results
    become warnings."""
    saved = []
    for event in found:
        warn(event, 1)
        if isinstance(event, Saved):
            saved.append(event.path)
    return saved


def warn(event: Event, depth: int) -> None:
    """Warns of what is not a result, as if from so many frames above the caller."""
    if isinstance(event, Note) and event.level != "info":
        warnings.warn(in_words(event.text, str), stacklevel=depth + 2)
