"""The page that flies through a world: its files, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..mosaics.viewer import STATIC

PAGE = Path(__file__).parents[1] / "web" / "world"
TOGETHER = 16  # pictures in an order, at most


@dataclass(frozen=True)
class Facts:
    """What the page knows of its world.

    Attributes:
        title: The prompt.
        columns: Of the grid, and as many rows.
        picture, canvas: Width of both forms of a picture in pixels.
        together: Pictures that one request may ask for.
    """

    title: str
    columns: int
    picture: int
    canvas: int
    together: int = TOGETHER


def page_files() -> dict[str, Path]:
    """The files of the page by name; all but ``index.html`` lie in ``page/`` beside it."""
    paths = (*PAGE.iterdir(), STATIC / "viewer.css")
    return {path.name: path for path in sorted(paths) if path.suffix}
