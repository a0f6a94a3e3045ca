"""Makes the README's pictures: from what `make demo` has left in out/, from the mosaic of photos in
out/astronaut/ (its command is in docs/photos.md), of a rendered room, and by the bundled model.

python -m docs.make_images [demo|portrait|hung|photos|frames|things|ensemble]
"""

import io
import itertools
import math
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from PIL import Image

from benchmarks.page import write_jpeg

HERE = Path(__file__).parent
OUT = HERE.parent / "out"
SIDE, NEAR = 512, 4  # pixels of each half, cells across the nearer one
FACE = (0.19, 0.42)  # of the portrait: where what is shown from near begins, down and across
THINGS = (
    *("frog", "fox", "panda", "mouse", "rabbit", "dog", "lion", "koala"),
    *("raccoon", "bear", "monkey", "unicorn", "pig", "owl", "penguin", "parrot"),
    *("duck", "swan", "flamingo", "fish", "crab", "giraffe", "deer", "wolf"),
)


def demo(folder: Path, first: tuple[float, float] = (0.45, 0.45)) -> Image.Image:
    """The mosaic of a folder, a square one, from afar and, beside it, some of its cells from near.

    Args:
        first: Where the first of them is, down and across, in parts of its sides.
    """
    sheet = Image.new("RGB", (2 * SIDE + 8, SIDE), "white")
    afar = Image.open(folder / "preview.jpg").resize((SIDE, SIDE), Image.Resampling.BOX)
    sheet.paste(afar, (0, 0))
    sheet.paste(near_cells(folder, first), (SIDE + 8, 0))
    return sheet


def near_cells(folder: Path, first: tuple[float, float]) -> Image.Image:
    """Some cells of a mosaic."""
    side = SIDE // NEAR
    near = Image.new("RGB", (SIDE, SIDE))
    with sqlite3.connect(folder / "pictures.sqlite") as store:
        columns = math.isqrt(store.execute("select count(*) from pictures").fetchone()[0])
        top, left = (int(part * columns) for part in first)
        for row, column in itertools.product(range(NEAR), range(NEAR)):
            cell = (top + row) * columns + left + column
            (png,) = store.execute("select png from pictures where cell = ?", [cell]).fetchone()
            tile = Image.open(io.BytesIO(png)).resize((side, side), Image.Resampling.LANCZOS)
            near.paste(tile, (column * side, row * side))
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


def hung(folder: Path) -> Image.Image:
    """The portrait in the frame of a rendered room, hung by ``digress frame --insert``."""
    from benchmarks.render import photograph
    from benchmarks.rooms import room

    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photograph(room(50038, 1600)).pixels).save(folder / "wall.png")
    command = (sys.executable, "-m", "digressions", "frame", folder / "wall.png")
    own = ("--insert", OUT / "portrait", "-o", folder, "--overwrite")
    subprocess.run((*command, *own), check=True)
    shown = Image.open(folder / "room.png").convert("RGB")
    shown.thumbnail((1200, 1200), Image.Resampling.LANCZOS)
    return shown


def things() -> Image.Image:
    """What the bundled model is good at, each with a seed of its own."""
    import digressions as dg
    from digressions.images.contact_sheet import contact_sheet

    model = dg.load(dtype="float32")
    painted = [dg.paint(model, f"photo of a {thing}", seed=1, enlarge=1).array for thing in THINGS]
    return Image.fromarray(contact_sheet(painted, 8, labels=THINGS))


def ensemble() -> Image.Image:
    """Two animals and both at once, in every way."""
    pair = ("photo of a frog", "photo of a fox")
    command = (sys.executable, "-m", "digressions", "ensemble", *pair, "--compare", "-n", "2")
    target = OUT / "ensemble-compare.png"
    subprocess.run((*command, "--seed", "1", "-o", target, "--overwrite"), check=True)
    return Image.open(target).convert("RGB")


if __name__ == "__main__":
    wanted = sys.argv[1:] or [
        *("demo", "portrait", "hung", "photos", "frames", "things", "ensemble")
    ]
    if "portrait" in wanted:
        write_jpeg(HERE / "images" / "portrait.jpg", demo(OUT / "portrait", FACE))
    if "hung" in wanted:
        write_jpeg(HERE / "images" / "hung.jpg", hung(OUT / "hung"))
    if "things" in wanted:
        write_jpeg(HERE / "images" / "things.jpg", things())
    if "ensemble" in wanted:
        write_jpeg(HERE / "images" / "ensemble.jpg", ensemble())
    if "frames" in wanted:
        write_jpeg(HERE / "images" / "filled.jpg", filled(OUT / "filled"))
    if "photos" in wanted:
        write_jpeg(HERE / "images" / "photo-mosaic.jpg", demo(OUT / "astronaut"))
    if "demo" in wanted:
        write_jpeg(HERE / "images" / "demo.jpg", demo(OUT / "turtle"))
        shutil.copyfile(OUT / "turtle.webp", HERE / "images" / "turtle.webp")
