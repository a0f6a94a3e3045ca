"""Fields that no parameter declares, such as the photo that a job is about."""

from __future__ import annotations

from typing import Any

from ..errors import DigressionsError, InputError
from .forms import labelled, words


class Givens:
    """Such fields; what is wrong with one stands in its label.

    Args:
        fields: By the names that errors are about.
    """

    def __init__(self, **fields: Any) -> None:
        self._labels = {name: str(field.label) for name, field in fields.items()}
        self._fields = list(fields.values())

    @property
    def inputs(self) -> list[Any]:
        """As of `Form`."""
        return self._fields

    def marks(self, error: DigressionsError | None) -> list[Any]:
        """As of `Form`."""
        return [
            labelled(label, None if error is None or not self._is(name, error) else words(error))
            for name, label in self._labels.items()
        ]

    def has(self, error: DigressionsError) -> bool:
        """As of `Form`."""
        return any(self._is(name, error) for name in self._labels)

    def _is(self, name: str, error: DigressionsError) -> bool:
        return isinstance(error, InputError) and error.field == name
