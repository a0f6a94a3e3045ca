"""The page that flies through a world: its files, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..mosaics.viewer_page import STATIC

PAGE = Path(__file__).parents[1] / "web" / "world"
PER_REQUEST = 16  # pictures that the page asks a server for at once, at most


@dataclass(frozen=True)
class WorldInfo:
    """What the page knows of its world: its ``world.json``.

    Attributes:
        title: The prompt.
        columns: Of the grid, and as many rows.
        width, height: Of a picture in pixels.
        canvas: Width and height of its other form, which has 8 x 8 values a cell.
        per_request: Pictures that one request may ask for.
    """

    title: str
    columns: int
    width: int
    height: int
    canvas: int
    per_request: int = PER_REQUEST


def page_files() -> dict[str, Path]:
    """The files of the page by name; all but ``index.html`` lie in ``page/`` beside it."""
    paths = (*PAGE.iterdir(), STATIC / "viewer.css")
    return {path.name: path for path in sorted(paths) if path.suffix}
