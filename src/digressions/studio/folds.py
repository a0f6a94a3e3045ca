"""The folds that fields are in: one opens where something in it is wrong, since what is in a closed
one is not there to be marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from .forms import WRONG


def folds_of(fields: Sequence[Any]) -> list[Any]:
    """The folds that some fields are in, each once."""
    return list(dict.fromkeys(fold for field in fields for fold in _around(field)))


def unfolded(folds: Sequence[Any], fields: Sequence[Any], marks: Sequence[Any]) -> list[Any]:
    """Updates of folds that open those in which something is wrong.

    Args:
        folds: What `folds_of` gives of the fields.
        marks: Updates of the fields; see `forms.Form.marks`.
    """
    opens = {
        fold
        for field, mark in zip(fields, marks, strict=True)
        if isinstance(mark, dict) and mark.get("elem_classes") == [WRONG]
        for fold in _around(field)
    }
    return [gr.update(open=True) if fold in opens else gr.skip() for fold in folds]


def _around(field: Any) -> list[Any]:
    found, block = [], field.parent
    while block is not None:
        if isinstance(block, gr.Accordion):
            found.append(block)
        block = block.parent
    return found
