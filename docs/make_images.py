"""Makes the README's pictures: from what `make demo` has left in out/, from the mosaic of photos in
out/astronaut/ (its command is in docs/photos.md), and of a rendered room.

python -m docs.make_images [demo|photos|frames]
"""

import io
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
OUT = HERE.parent / "out"
SIDE = 512
GRID, CELL, NEAR = 40, 128, 4  # cells across, pixels of a cell, cells across the nearer half


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


def filled(folder: Path) -> Image.Image:
    """A rendered room before and after two pictures were painted into its frames."""
    from benchmarks.render import photograph
    from benchmarks.rooms import room

    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photograph(room(1003, 1600)).pixels).save(folder / "wall.png")
    prompts, picks = ("photo of a fox", "photo of a parrot"), ("--pick", "5", "--pick", "4")
    command = (sys.executable, "-m", "digressions", "frame", folder / "wall.png", *prompts, *picks)
    subprocess.run((*command, "--dtype", "float32", "-o", folder), check=True)
    both = Image.open(folder / "before-after.jpg")
    both.thumbnail((1400, 1400), Image.Resampling.LANCZOS)
    return both


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["demo", "photos", "frames"]
    if "frames" in wanted:
        filled(OUT / "filled").save(HERE / "images" / "filled.jpg", quality=85, optimize=True)
    if "photos" in wanted:
        sheet = demo(OUT / "astronaut")
        sheet.save(HERE / "images" / "photo-mosaic.jpg", quality=85, optimize=True)
    if "demo" in wanted:
        demo(OUT / "turtle").save(HERE / "images" / "demo.jpg", quality=88, optimize=True)
        shutil.copyfile(OUT / "turtle.gif", HERE / "images" / "turtle.gif")
