"""Rooms that are harder than those of `rooms.py`, nearer to what phones see, each from its seed.

Walls are dark or papered, mouldings gilded, carved or grained, most frames have a picture in them,
some are cut off by the edge of the photo, and there are windows, doors and cupboards, which are not
frames. `lived_in_photo.py` takes the photo.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.rooms import Camera, Hanging, Rectangle, Room, room

_GILT = ((0.72, 0.54, 0.24), (0.60, 0.42, 0.16), (0.80, 0.66, 0.38), (0.45, 0.30, 0.12))
_WOOD = ((0.35, 0.20, 0.10), (0.20, 0.11, 0.06), (0.55, 0.38, 0.22), (0.10, 0.07, 0.05))
_SIZES = {  # mm
    "window": np.array([1000.0, 1300.0]),
    "door": np.array([850.0, 2050.0]),
    "cupboard": np.array([900.0, 900.0]),
}
PATTERNS = ("plain", "plaster", "paper", "stripes", "brick", "panels")
SURFACES = ("plain", "gilt", "grain")


def lived_in(seed: int, width: int = 1600) -> Room:
    """The room of a seed, photographed ``width`` pixels wide, 4:3 or 3:4."""
    return dressed(room(seed, width), np.random.default_rng([seed, 3]))


def dressed(first: Room, rng: np.random.Generator, *, alike: bool = False) -> Room:
    """An ordinary room with another wall and other frames in the places of its own.

    Args:
        alike: All frames get the same moulding, as equal ones have; else each its own.
    """
    wall = np.array(first.wall)
    dark = rng.random() < 0.35
    if dark:
        wall = np.clip(rng.uniform(0.03, 0.22) + rng.normal(0, 0.05, 3), 0.02, 0.4)
    if alike:
        of_all = int(rng.integers(2**31))
        hangings = tuple(_worn(each, np.random.default_rng(of_all)) for each in first.hangings)
    else:
        hangings = tuple(_worn(each, rng) for each in first.hangings)
    cut = bool(rng.random() < 0.3)
    return replace(
        first,
        wall=tuple(wall),
        pattern=str(rng.choice(PATTERNS, p=[0.25, 0.3, 0.25, 0.08, 0.06, 0.06])),
        hangings=hangings,
        others=(*first.others, *_openings_of_the_house(first, rng)),
        camera=_cropped(first, hangings, rng) if cut else first.camera,
        exif=first.exif and not cut,
    )


def surface_of(hanging: Hanging) -> str:
    """What the moulding of a hanging is made of, one of `SURFACES`, by its seed."""
    return SURFACES[int(np.random.default_rng([hanging.seed, 5]).choice(3, p=[0.3, 0.4, 0.3]))]


def _worn(hanging: Hanging, rng: np.random.Generator) -> Hanging:
    """The same frame with another moulding and, as a rule, a picture."""
    content = hanging.content
    if hanging.kind != "screen":
        content = "art" if rng.random() < 0.6 else "blank"
    if hanging.kind not in ("frame", "mat"):
        return replace(hanging, content=content)
    surface = surface_of(hanging)
    colours = {"gilt": _GILT, "grain": _WOOD}.get(surface)
    colour = np.array(hanging.moulding_colour)
    if colours is not None:
        colour = np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.7, 1.15)
    wide = float(rng.uniform(12, 45))
    if surface == "gilt":
        wide = float(rng.uniform(25, 130)) * min(1.0, min(hanging.opening[2:]) / 300 + 0.5)
    around = hanging.outer  # neighbours still have their place
    wide = min(wide, 0.25 * min(around.width, around.height))
    return replace(
        hanging,
        content=content,
        opening=_shrunk(hanging, wide),
        moulding=wide,
        moulding_colour=tuple(np.clip(colour, 0.02, 0.97)),
        rings=tuple(rng.uniform(0.6, 1.2, int(rng.integers(1, 7)))),
        depth=float(rng.uniform(8, 60)),
        rebate=float(rng.uniform(2, 20)),
        glare=float(rng.uniform(0.1, 0.8)) if rng.random() < 0.5 else 0.0,
    )


def _shrunk(hanging: Hanging, moulding: float) -> Rectangle:
    """The opening that leaves the outside of the frame where it is."""
    by = moulding - hanging.moulding
    old = hanging.opening
    by = min(by, 0.3 * old.width, 0.3 * old.height)
    return Rectangle(old.left + by, old.top + by, old.right - by, old.bottom - by)


def _openings_of_the_house(first: Room, rng: np.random.Generator) -> list[tuple[str, Rectangle]]:
    """Windows, doors and cupboards beside what hangs there, most of them in sight."""
    taken = [hanging.outer.grown(30) for hanging in first.hangings]
    taken += [place for _, place in first.others]
    outer = np.array([hanging.outer for hanging in first.hangings])
    (left, top), (right, bottom) = outer[:, :2].min(0), outer[:, 2:].max(0)
    new: list[tuple[str, Rectangle]] = []
    for _ in range(12):
        if len(new) == 2:
            break
        kind = str(rng.choice(list(_SIZES), p=[0.5, 0.3, 0.2]))
        wide, high = _SIZES[kind] * rng.uniform(0.35, 1.2, 2)
        if kind == "door":
            high = max(high, 1.6 * wide)
        beside = rng.uniform(20, 200)
        at = right + beside if rng.random() < 0.5 else left - beside - wide
        if rng.random() < 0.3:
            at = rng.uniform(left, right)
        over = first.floor - high if kind == "door" else rng.uniform(top - 0.8 * high, bottom)
        place = Rectangle(at, over, at + wide, over + high)
        if not any(place.overlaps(old) for old in taken):
            new.append((f"real {kind}", place))
            taken.append(place.grown(60))
    return new


def _cropped(first: Room, hangings: tuple[Hanging, ...], rng: np.random.Generator) -> Camera:
    """A part of the photo that shows one of the frames whole, and cuts off what is beside it."""
    camera = first.camera
    shown = hangings[int(rng.integers(len(hangings)))]
    size = np.array([camera.width, camera.height])
    corners = camera.straight(shown.outer.at(-shown.depth))
    low, high = corners.min(0), corners.max(0)
    most = float((0.9 * size / (high - low)).min())
    zoom = float(rng.uniform(1, min(max(most, 1.0), 2.5)))
    slack = size - zoom * (high - low)
    shift = zoom * low - rng.uniform(0.04, 0.96, 2) * slack
    return camera._replace(focal=zoom * camera.focal, centre=zoom * camera.centre - shift)
