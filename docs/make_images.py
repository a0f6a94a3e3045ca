"""Makes the README's pictures from what `make demo` has left in out/.

python docs/make_images.py
"""

import io
import shutil
import sqlite3
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
OUT = HERE.parent / "out"
SIDE = 512
GRID, CELL, NEAR = 64, 64, 8  # cells across, pixels of a cell, cells across the nearer half


def demo(folder: Path) -> Image.Image:
    """The mosaic of a folder from afar and, beside it, its middle from near."""
    sheet = Image.new("RGB", (2 * SIDE + 8, SIDE), "white")
    afar = Image.open(folder / "preview.jpg").resize((SIDE, SIDE), Image.Resampling.BOX)
    sheet.paste(afar, (0, 0))
    sheet.paste(middle(folder), (SIDE + 8, 0))
    return sheet


def middle(folder: Path) -> Image.Image:
    """The cells in the middle of a mosaic, pixel by pixel."""
    near, first = Image.new("RGB", (NEAR * CELL, NEAR * CELL)), (GRID - NEAR) // 2
    with sqlite3.connect(folder / "pictures.sqlite") as store:
        for row in range(NEAR):
            for column in range(NEAR):
                cell = (first + row) * GRID + first + column
                (png,) = store.execute("select png from pictures where cell = ?", [cell]).fetchone()
                near.paste(Image.open(io.BytesIO(png)), (column * CELL, row * CELL))
    return near


if __name__ == "__main__":
    demo(OUT / "turtle").save(HERE / "images" / "demo.jpg", quality=88, optimize=True)
    shutil.copyfile(OUT / "turtle.gif", HERE / "images" / "turtle.gif")
