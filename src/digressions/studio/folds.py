"""The folds that fields are in: one opens where something in it is wrong, since what is in a closed
one is not there to be marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from .forms import WRONG


class Folds:
    """The folds around some fields.

    Made with the page: Gradio forgets what a field is in once the field has changed.

    Attributes:
        blocks: The folds, each once.
    """

    def __init__(self, fields: Sequence[Any]) -> None:
        self._around = [_around(field) for field in fields]
        self.blocks = list(dict.fromkeys(fold for folds in self._around for fold in folds))

    def opened(self, marks: Sequence[Any]) -> list[Any]:
        """Updates of `blocks` that open those in which something is wrong.

        Args:
            marks: Updates of the fields; see `forms.Form.marks`.
        """
        opens = {
            fold
            for folds, mark in zip(self._around, marks, strict=True)
            if isinstance(mark, dict) and mark.get("elem_classes") == [WRONG]
            for fold in folds
        }
        return [gr.update(open=True) if fold in opens else gr.skip() for fold in self.blocks]


def _around(field: Any) -> list[Any]:
    found, block = [], field.parent
    while block is not None:
        if isinstance(block, gr.Accordion):
            found.append(block)
        block = block.parent
    return found
