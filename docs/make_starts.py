"""The pictures of the studio's starting points, in ``src/digressions/web/studio/starts/``.

    python -m docs.make_starts                      # all of them
    python -m docs.make_starts mosaic-turtle rooms  # some

Renders the rooms and paints the picture that starting points begin with, then opens a studio with
the bundled model, has each starting point made, and keeps a small picture of what came out. Needs
the extras ``studio`` and ``test``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import digressions as dg
from benchmarks.render import photograph
from benchmarks.rooms import HALF_DIAGONAL_35MM, Camera, Hanging, Rectangle, Room, rotation
from digressions.models.base import Model
from digressions.studio.starting_points import POINTS, STARTS
from digressions.studio.studio_job import Job
from tests.studios import made_from, open_studio

SIDE = 192  # pixels of a face: what the page shows, on a screen of two pixels a point
HEAVIEST = 10_000  # bytes of a face
OAK, WALNUT = (0.62, 0.45, 0.28), (0.30, 0.19, 0.13)
ROOMS = {
    "sage room": (28, (0.60, 0.67, 0.58), OAK, [(-600, -330, 460, 580), (70, -250, 500, 500)]),
    "clay room": (26, (0.74, 0.55, 0.46), WALNUT, [(-330, -330, 560, 560)]),
}
"""Of each: the seed of its light and furniture, its wall, its mouldings, and where frames hang:
left, top, width and height in mm."""


def living_room(name: str, width: int = 960) -> Room:
    """A wall with empty frames, 3:2."""
    seed, wall, wood, places = ROOMS[name]
    height = width * 2 // 3
    focal = 30 / HALF_DIAGONAL_35MM * float(np.hypot(width, height)) / 2
    turned = rotation(0, -2) @ rotation(1, -11)
    position = np.array([0, 60.0, 0]) - turned.T @ np.array([0, 0, 1950.0])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    camera = Camera(width, height, focal, middle, turned, position, 0.0)
    hangings = tuple(_frame(Rectangle(x, y, x + w, y + h), wood) for x, y, w, h in places)
    return Room(seed, camera, wall, "plain", hangings, (), 760.0, None, False, False)


def _frame(place: Rectangle, wood: tuple[float, float, float]) -> Hanging:
    return Hanging(
        kind="frame",
        opening=place,
        content="blank",
        colour=(0.93, 0.91, 0.86),
        mat=0.0,
        mat_below=0.0,
        mat_colour=(0.95, 0.94, 0.91),
        moulding=30.0,
        moulding_colour=wood,
        depth=22.0,
        rebate=7.0,
        rings=(1.0, 0.86, 1.06),
        ornate=False,
        glare=0.0,
        seed=11,
    )


def rooms() -> None:
    """The photos of rooms."""
    for name in ROOMS:
        photo = Image.fromarray(photograph(living_room(name)).pixels)
        keep(photo, STARTS / f"{name}.webp", 30_000)


def fox(model: Model) -> None:
    """The picture that is printed and painted over."""
    picture = dg.paint(model, "photo of a fox", seed=3)
    keep(Image.fromarray(picture.array), STARTS / "fox.webp", 16_000)


def keep(picture: Image.Image, place: Path, heaviest: int) -> None:
    """Writes a WebP of at most so many bytes."""
    for quality in range(90, 20, -4):
        picture.convert("RGB").save(place, quality=quality, method=6)
        if place.stat().st_size <= heaviest:
            print(f"{place.name}: {place.stat().st_size:,} bytes, quality {quality}")
            return
    raise SystemExit(f"{place.name} is too heavy")


def face(job: Job) -> Image.Image:
    """What a job has made, as a square: four of its pictures where it made several."""
    details = next((s.details for s in job.saved if s.details.get("sweep")), None)
    if details is not None:
        paths = [Path(each) for each in details["pictures"]]
        return beside([paths[0], paths[2], paths[3], paths[-1]])
    paths = [each.path for each in job.saved]
    if paths[-1].name == "index.html":
        return square(paths[-1].with_name("preview.jpg"))
    rooms = [path for path in paths if path.name == "room.png"]
    if rooms:
        return square(rooms[0])
    views = next((s.details["views"] for s in job.saved if "views" in s.details), None)
    if views is not None:
        return beside([Path(wall) for _, wall in views])
    proofs = [path for path in paths if path.stem.endswith("-proof")]
    if proofs:
        sheet = Image.open(proofs[0]).convert("RGB")
        return ImageOps.pad(sheet, (SIDE, SIDE), Image.Resampling.LANCZOS, color="white")
    return beside(paths) if len(paths) >= 4 else square(paths[0])


def square(path: Path, side: int = SIDE) -> Image.Image:
    """The middle of a picture."""
    return ImageOps.fit(Image.open(path).convert("RGB"), (side, side), Image.Resampling.LANCZOS)


def beside(paths: list[Path]) -> Image.Image:
    """Four pictures, two by two."""
    sheet, half = Image.new("RGB", (SIDE, SIDE)), SIDE // 2
    for number, path in enumerate(paths[:4]):
        sheet.paste(square(path, half), (half * (number % 2), half * (number // 2)))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="such as mosaic-turtle, rooms, fox; all if none")
    names = parser.parse_args().names
    STARTS.mkdir(exist_ok=True)
    if not names or "rooms" in names:
        rooms()
    model = dg.load(device="cpu", dtype="float32")
    if not names or "fox" in names:
        fox(model)
    wanted = [each for each in POINTS if not names or each.face.stem in names]
    with tempfile.TemporaryDirectory() as folder, open_studio(Path(folder) / "out", model) as found:
        for point in wanted:
            keep(face(made_from(found, point)), point.face, HEAVIEST)


if __name__ == "__main__":
    main()
