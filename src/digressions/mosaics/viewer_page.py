"""The page of a mosaic: a pyramid to fly over, in any browser, from a disk or a web server."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from ..files import workshop, writing

STATIC = Path(__file__).parents[1] / "web" / "static"


class PagePhotos(NamedTuple):
    """The photos that a mosaic is made of, for its page.

    Attributes:
        names: Of their files.
        links: To their files, seen from the page; empty where there is none.
        shown: The number of the photo in each cell, row by row.
    """

    names: Sequence[str]
    links: Sequence[str]
    shown: Sequence[int]


def write_viewer(
    folder: str | Path,
    *,
    width: int,
    height: int,
    title: str,
    facts: Sequence[str] = (),
    name: str = "mosaic",
    tile_size: int = 512,
    rows: int | None = None,
    columns: int | None = None,
    seeds: Sequence[int] | None = None,
    photos: PagePhotos | None = None,
) -> Path:
    """Writes ``folder/index.html`` and ``folder/viewer/``: the page for a pyramid already there.

    The page reads its own scripts and the tiles beside it and nothing else, so it works from a
    disk (``file://``) and from any static web server.

    Args:
        title: shown large; as a rule the prompt. Any text is safe.
        facts: short phrases for one line: ``["4,096 pictures", "seed 7"]``.
        width, height, name, tile_size: as given to `write_deep_zoom`.
        rows, columns: the grid of cells; a page without one neither names cells nor flies.
        seeds: one per cell, row by row; shown for the cell under the pointer.
        photos: shown likewise; from a local disk a click on a cell that is near opens its photo.

    Returns:
        The path of ``index.html``.

    Raises:
        ValueError: ``seeds`` and the grid disagree.
        OutputError: the folder cannot be written.
    """
    folder = Path(folder)
    title = title.encode("utf-8", "replace").decode()  # a file's name may be no text
    grid = {"rows": rows, "columns": columns} if rows and columns else None
    if seeds is not None and len(seeds) != (rows or 0) * (columns or 0):
        raise ValueError(f"{len(seeds)} seeds for a grid of {rows} x {columns} cells")
    level = min(tile_size.bit_length() - 1, (max(width, height) - 1).bit_length())
    overview = f"{name}_files/{level}/0_0.jpg"  # the deepest level that is one tile
    data = {
        "title": title,
        "facts": list(facts),
        "width": width,
        "height": height,
        "tileSize": tile_size,
        "tiles": quote(f"{name}_files/"),
        "overview": quote(overview),
        "grid": grid,
        "seeds": [str(seed) for seed in seeds or ()],  # JavaScript's numbers end at 53 bits
        "photos": None if photos is None else photos._asdict(),
        "highlights": _highlights(folder / overview, rows, columns) if rows and columns else [],
    }
    text = json.dumps(data)  # ASCII
    for character in "<>&":  # so that no text can end the script element
        text = text.replace(character, f"\\u{ord(character):04x}")
    index = folder / "index.html"
    with writing(index), workshop(folder, index) as work:
        page = Template((STATIC / "index.html").read_text("utf-8")).substitute(
            title=html.escape(title), overview=quote(overview), data=text
        )
        (work / "index.html").write_text(page, "utf-8")
        skip = shutil.ignore_patterns("index.html")
        shutil.copytree(STATIC, folder / "viewer", ignore=skip, dirs_exist_ok=True)
        (work / "index.html").replace(index)
    return index


def _highlights(overview: Path, rows: int, columns: int, count: int = 24) -> list[list[int]]:
    """Cells worth a visit: rich in contrast and colour, far from each other, best first."""
    if not overview.exists():
        return []
    with Image.open(overview) as image:
        small = image.convert("RGB").resize((columns * 8, rows * 8), Image.Resampling.BOX)
    cells = np.asarray(small, np.float32).reshape(rows, 8, columns, 8, 3)
    interest = cells.std((1, 3)).mean(-1) * (32 + np.ptp(cells.mean((1, 3)), axis=-1))
    chosen: list[list[int]] = []
    for cell in np.argsort(-interest, axis=None):
        row, column = divmod(int(cell), columns)
        inside = 0 < row < rows - 1 and 0 < column < columns - 1
        clear = all(8 * max(abs(row - r), abs(column - c)) > min(rows, columns) for r, c in chosen)
        if inside and clear and len(chosen) < count:
            chosen.append([row, column])
    return chosen
