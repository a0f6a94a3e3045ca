"""The tabs of the studio, a module each, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable

from ..live import Shared
from ..sending import TabParts
from ..studio import Studio
from . import (
    ensemble_tab,
    frame_tab,
    gallery_tab,
    models_tab,
    mosaic_tab,
    paint_tab,
    print_tab,
)

TABS: dict[str, Callable[[Studio, Shared], TabParts]] = {
    "Mosaic": mosaic_tab.build,
    "Ensemble": ensemble_tab.build,
    "Frame": frame_tab.build,
    "Print": print_tab.build,
    "Paint": paint_tab.build,
    "Gallery": gallery_tab.build,
    "Models": models_tab.build,
}
"""What builds each tab within Gradio's context, by its name. Its id is the name in lower case."""
