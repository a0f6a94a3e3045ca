"""A brush over a picture of the user's: what is painted becomes the file of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ..errors import DigressionsError
from .studio import Studio

CANVAS = 512  # pixels a side that is painted on, where no picture says
_EDITED = 1024  # pixels of the longer side of the picture that is painted over


def brush(
    label: str,
    elem_id: str,
    *,
    value: Any = None,
    colours: Sequence[str] = ("#1fb6a6",),
    width: int = 40,
) -> Any:
    """A field with a brush; made where Gradio's context is.

    Args:
        value: What it paints on at first.
        colours: That one may choose from, as ``#rrggbb``.
        width: Of a stroke in pixels.
    """
    return gr.ImageEditor(
        value,
        label=label,
        type="numpy",
        format="png",
        sources=[],
        transforms=[],
        layers=False,
        brush=gr.Brush(
            default_size=width,
            colors=[*colours],
            default_color=colours[0],
            color_mode="fixed",
        ),
        canvas_size=(CANVAS, CANVAS),
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
