"""How fields of the page read what they are sent."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable
from typing import Any


def reads_by(field: Any, read: Callable[[Any], Any]) -> None:
    """Has a field read what the page sends by a function, for good.

    Gradio makes a field anew from its class and its arguments whenever an event has written it, so
    it is the class that has to know; and a class of Gradio's kind writes a stub file, as this one
    must not.
    """
    kind = type(field)
    attributes = {
        "__module__": kind.__module__,  # by which, and by its name, the browser knows it
        "preprocess": lambda self, payload: read(payload),
    }
    field.__class__ = ABCMeta.__new__(type(kind), kind.__name__, (kind,), attributes)


def as_it_is(payload: Any) -> Any:
    """Reads nothing into it."""
    return payload


def path_of(payload: Any) -> str | None:
    """The path of a file."""
    return None if payload is None else str(payload.path)
