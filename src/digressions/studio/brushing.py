"""A brush over a picture of the user's: what is painted becomes the file of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ..errors import DigressionsError
from .studio import Studio

_EDITED = 1024  # pixels of the longer side of the picture that is painted over


def brush(label: str, elem_id: str) -> Any:
    """A field with a brush; made where Gradio's context is."""
    return gr.ImageEditor(
        label=label,
        type="numpy",
        format="png",
        sources=[],
        transforms=[],
        layers=False,
        brush=gr.Brush(default_size=40, colors=["#1fb6a6"], color_mode="fixed"),
        canvas_size=(512, 512),
        elem_id=elem_id,
        interactive=True,
    )


def for_brush(path: str | None) -> Any:
    """A picture for the brush to paint over; nothing where it cannot be read, which the job says at
    its field."""
    if path is None:
        return None
    from ..images.image_files import thumbnail
    from ..images.source_image import source_image

    try:
        return thumbnail(source_image(path).pixels, _EDITED)
    except DigressionsError:
        return None


def mask_over(studio: Studio, image: str, layers: Sequence[Any]) -> str | None:
    """The file of a mask out of what was painted over a picture; ``None`` where nothing was."""
    from ..images.brush import brushed, kept_mask
    from ..images.source_image import source_image

    mask = brushed(layers, source_image(image).size)
    return None if mask is None else str(kept_mask(mask, studio.uploads))
