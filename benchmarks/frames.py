"""How many frames are found in photos, and how exactly, beside the usual recipe.

    python -m benchmarks.frames --out out/frames --update docs/frames.md

Renders rooms by seed (`rooms.py`, `render.py`) and looks for their frames with `find_frames` and
with Canny edges and polygons. What a room gave is kept; the same command goes on after a stop. With
``--photos`` photos are kept too, so that another version of the finder is soon measured on the same
ones.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.machine import cpu_name
from benchmarks.page import update, write_jpeg
from benchmarks.render import Photo, photograph
from benchmarks.rooms import Room, room
from digressions.errors import InputError
from digressions.files import whole_file, write_json
from digressions.frames.find import find_frames, thumbnail
from digressions.homography import Quad
from digressions.images.contact_sheet import contact_sheet

TUNED_ON = "0 to 57, 1000 to 1119, 3000 to 3099 and 4000 to 5909"  # seeds
FIRST = 2000  # the first seed that nothing was chosen with
FOUND = 0.9  # overlap from which an opening is found
SEEN = 0.75  # share of an opening that must be visible for it to count
SHOWN = 6  # scenes of each kind on the sheet


class Guess(NamedTuple):
    """A quad that a finder takes for an opening, and its width / height."""

    opening: Quad
    aspect: float


Finder = Callable[[np.ndarray, float | None], list[Guess]]


def ours(photo: np.ndarray, focal_35mm: float | None) -> list[Guess]:
    """This package."""
    return [Guess(frame.opening, frame.aspect.value) for frame in find_frames(photo, focal_35mm)]


def recipe(photo: np.ndarray, focal_35mm: float | None) -> list[Guess]:
    """What tutorials do: Canny edges, contours, those whose polygon has four corners.

    Of polygons that lie in one another all are kept, and each true opening is compared with the
    one that fits it best. The aspect is that of the lengths of the sides.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    edges = cv2.dilate(cv2.Canny(grey, 50, 150), np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    guesses = []
    for outline in outlines:
        polygon = cv2.approxPolyDP(outline, 0.02 * cv2.arcLength(outline, True), True)
        if len(polygon) != 4 or not cv2.isContourConvex(polygon):
            continue
        if cv2.contourArea(polygon) < 0.001 * grey.size:
            continue
        try:
            quad = Quad.of(polygon[:, 0])
        except InputError:
            continue
        top, right, bottom, left = quad.sides
        guesses.append(Guess(quad, float((top + bottom) / (right + left))))
    return guesses


FINDERS: dict[str, Finder] = {"digressions": ours, "Canny + approxPolyDP": recipe}


def measured(scene: Room, photo: Photo, finder: Finder) -> dict[str, object]:
    """What a finder makes of a photo, as JSON holds it."""
    focal = float(round(scene.camera.focal_35mm)) if scene.exif else None
    begun, used = time.perf_counter(), time.process_time()
    guesses = finder(photo.pixels, focal)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    unit = max(photo.pixels.shape) / 1600
    rows, matched = [], set()
    for hanging, visible in zip(scene.hangings, photo.visible, strict=True):
        truth = Quad.trusted(scene.corners(hanging))
        overlaps = [guess.opening.overlap(truth) for guess in guesses]
        best = int(np.argmax(overlaps)) if overlaps else -1
        overlap = overlaps[best] if overlaps else 0.0
        matched |= {i for i, value in enumerate(overlaps) if value > 0.5}
        if visible < SEEN:
            continue
        row: dict[str, object] = {"kind": hanging.kind, "content": hanging.content}
        row |= {"hidden": visible < 0.995, "overlap": overlap}
        if overlap >= FOUND:
            guess = guesses[best]
            off = np.linalg.norm(guess.opening.array - truth.array, axis=1) / unit
            row |= {"corners": off.tolist(), "aspect": abs(guess.aspect / hanging.aspect - 1)}
        rows.append(row)
    return {
        "seconds": seconds,
        "cpu": cpu,
        "others": len(guesses) - len(matched),
        "frames": rows,
        "openings": [guess.opening for guess in guesses],
    }


def photo_of(scene: Room, photos: Path | None) -> Photo:
    """A room's photo, from the folder of photos if it is there, and kept there if not."""
    if photos is None:
        return photograph(scene)
    kept = photos / f"{scene.seed}-{max(scene.camera.width, scene.camera.height)}.npz"
    if kept.exists():
        with np.load(kept) as stored:
            return Photo(stored["pixels"], tuple(stored["visible"].tolist()))
    photo = photograph(scene)
    with whole_file(kept) as part, part.open("wb") as file:
        np.savez(file, pixels=photo.pixels, visible=np.array(photo.visible))
    return photo


def study(
    seeds: Iterable[int], width: int, folder: Path, photos: Path | None = None
) -> dict[int, dict[str, dict]]:
    """Measures every finder on every room that is not in the folder yet."""
    results = {}
    for seed in seeds:
        note = folder / f"{seed}-{width}.json"
        if not note.exists():
            scene = room(seed, width)
            photo = photo_of(scene, photos)
            result = {name: measured(scene, photo, finder) for name, finder in FINDERS.items()}
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(_drawn(scene, photo, result["digressions"])).save(
                note.with_suffix(".jpg"), quality=85
            )
            write_json(note, result)
        results[seed] = json.loads(note.read_text("utf-8"))
    return results


def speed(
    seeds: Sequence[int], width: int, folder: Path, photos: Path | None = None
) -> list[float]:
    """Seconds that each of some large photos takes; medians of three."""
    note = folder / f"seconds-{seeds[0]}-{seeds[-1]}-{width}.json"
    if not note.exists():
        seconds = []
        for seed in seeds:
            scene = room(seed, width)
            pixels = photo_of(scene, photos).pixels
            taken = []
            for _ in range(3):
                begun = time.perf_counter()
                ours(pixels, float(round(scene.camera.focal_35mm)) if scene.exif else None)
                taken.append(time.perf_counter() - begun)
            seconds.append(float(np.median(taken)))
        write_json(note, seconds)
    return json.loads(note.read_text("utf-8"))


def _drawn(scene: Room, photo: Photo, result: dict) -> np.ndarray:
    """The photo, small, with true openings in green and found ones in red."""
    small = thumbnail(photo.pixels, 480)
    factor = max(small.shape) / max(photo.pixels.shape)
    image = Image.fromarray(small)
    draw = ImageDraw.Draw(image)
    for hanging in scene.hangings:
        points = Quad.trusted(scene.corners(hanging)).scaled(factor)
        draw.line([*points, points[0]], (40, 220, 60), 3)
    for corners in result["openings"]:
        points = Quad.trusted(np.array(corners)).scaled(factor)
        draw.line([*points, points[0]], (230, 40, 40), 1)
    return np.asarray(image)


def table(results: dict[int, dict[str, dict]]) -> str:
    """A Markdown table: a row for each finder, then one for each kind of frame."""
    heads = (
        "finder, and what is looked for | openings | found | corner error: median | 90 % "
        "| aspect error: median | 90 % | others a scene | CPU s"
    )
    lines = [f"| {heads} |", "| --- |" + " ---: |" * heads.count("|")]
    for name in FINDERS:
        scenes = [result[name] for result in results.values()]
        every = [row for scene in scenes for row in scene["frames"]]
        others = f"{np.mean([scene['others'] for scene in scenes]):.1f}"
        cpu = f"{np.median([scene['cpu'] for scene in scenes]):.2f}"
        lines.append(_row(f"**{name}**, all", every, others, cpu))
        for words, chosen in _kinds(every):
            lines.append(_row(f"{name}, {words}", chosen, "", ""))
    return "\n".join(lines)


def _kinds(rows: list[dict]) -> list[tuple[str, list[dict]]]:
    kinds = {
        "empty frames": lambda r: r["kind"] == "frame" and r["content"] == "blank",
        "empty frames with a mat": lambda r: r["kind"] == "mat" and r["content"] == "blank",
        "frames with a picture": lambda r: r["kind"] in ("frame", "mat") and r["content"] == "art",
        "posters": lambda r: r["kind"] == "poster",
        "screens": lambda r: r["kind"] == "screen",
        "partly hidden": lambda r: r["hidden"],
    }
    return [(words, [row for row in rows if fits(row)]) for words, fits in kinds.items()]


def _row(words: str, rows: list[dict], others: str, cpu: str) -> str:
    found = [row for row in rows if row["overlap"] >= FOUND]
    values = [f"{len(rows):,}", f"{len(found) / len(rows):.0%}" if rows else "–"]
    corners = [value for row in found for value in row["corners"]]
    aspect = [100 * row["aspect"] for row in found]
    for numbers, unit in ((corners, " px"), (aspect, " %")):
        for percent in (50, 90):
            values.append(f"{np.percentile(numbers, percent):.2f}{unit}" if numbers else "–")
    return f"| {words} | " + " | ".join([*values, others, cpu]) + " |"


def sheet(results: dict[int, dict[str, dict]], width: int, folder: Path) -> np.ndarray:
    """Scenes where all was found, and as many where something was missed."""
    missed = [
        seed
        for seed, result in results.items()
        if any(row["overlap"] < FOUND for row in result["digressions"]["frames"])
    ]
    whole = [seed for seed in results if seed not in missed]
    chosen = [(s, "all found") for s in whole[:SHOWN]] + [(s, "missed") for s in missed[:SHOWN]]
    images = [np.asarray(Image.open(folder / f"{seed}-{width}.jpg")) for seed, _ in chosen]
    return contact_sheet(images, columns=3, labels=[f"seed {s}: {words}" for s, words in chosen])


def section(
    results: dict[int, dict[str, dict]], width: int, large: int, seconds: list[float]
) -> str:
    """The generated part of the page."""
    seeds = sorted(results)
    slow = max(result["digressions"]["cpu"] for result in results.values())
    return (
        f"Seeds {seeds[0]} to {seeds[-1]} ({len(seeds)} scenes), {width} px wide, on "
        f"{cpu_name()}; OpenCV {cv2.__version__}. Settings were chosen and networks trained "
        f"on seeds {TUNED_ON}, which do not count here.\n\n{table(results)}\n\n"
        f"The slowest of these scenes took {slow:.2f} s of processor time. Photos of "
        f"{large * large * 3 // 4 / 1e6:.0f} megapixels of the first {len(seconds)} scenes: median "
        f"{np.median(seconds):.2f} s, {max(seconds):.2f} s the slowest, on {os.cpu_count()} cores; "
        "of each the median of three.\n\n"
        "Some scenes where everything was found, and some where something was missed; true "
        "openings are green, found ones red:\n\n![Found and missed scenes](images/frames.jpg)\n"
    )


def main(arguments: Sequence[str] | None = None) -> str:
    """Runs the study, and gives back the generated part of the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/frames"))
    parser.add_argument("--update", type=Path, help="page to write the result into")
    parser.add_argument("--photos", type=Path, help="folder of photos to keep and use again")
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed")
    parser.add_argument("--width", type=int, default=1600, help="of the photos in pixels")
    parser.add_argument(
        "--large", type=int, default=4000, help="width of the photos that are timed"
    )
    parser.add_argument("--timed", type=int, default=16, help="how many of them")
    asked = parser.parse_args(arguments)
    if min(asked.scenes, asked.timed) < 1 or min(asked.width, asked.large) < 400:
        parser.error("--scenes and --timed must be at least 1, --width and --large at least 400")
    results = study(
        range(asked.first, asked.first + asked.scenes), asked.width, asked.out, asked.photos
    )
    timed = range(asked.first, asked.first + asked.timed)
    seconds = speed(timed, asked.large, asked.out, asked.photos)
    text = section(results, asked.width, asked.large, seconds)
    print(text)
    images = (asked.update.parent if asked.update else asked.out) / "images"
    write_jpeg(images / "frames.jpg", sheet(results, asked.width, asked.out))
    if asked.update:
        update(asked.update, text)
    return text


if __name__ == "__main__":
    main()
