"""Rooms where equal frames hang in rows, each from its seed, beside windows, doors and cupboards.

In `rooms.py` and `lived_in.py` frames hang anywhere, so that whatever stands in a row there is a
pane or a panel. People hang equal frames in rows too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.lived_in import dressed, surface_of
from benchmarks.rooms import Hanging, Rectangle, Room, camera_at, room

_ARRANGEMENTS = ((2, 1), (3, 1), (4, 1), (1, 2), (1, 3), (2, 2), (3, 2))  # columns and rows
_APART = (0.03, 0.9)  # from frame to frame, as a share of a frame's shorter side


def gallery(seed: int, width: int = 1600) -> Room:
    """The room of a seed, photographed ``width`` pixels wide, 4:3 or 3:4.

    The first frame of the room of `rooms.py` hangs there two to six times, each time with something
    else in it.
    """
    rng = np.random.default_rng([seed, 6])
    first = room(seed, width)
    hangings = _in_rows(first.hangings[0], rng)
    every = np.array([each.outer for each in hangings])
    whole = Rectangle(*every[:, :2].min(0), *every[:, 2:].max(0))
    taken = [each.outer.grown(30) for each in hangings]
    others = tuple(
        (kind, place)
        for kind, place in first.others
        if not any(place.overlaps(frame) for frame in taken)
    )
    hung = replace(
        first,
        hangings=hangings,
        others=others,
        camera=camera_at(rng, whole, width, len(hangings)),
        floor=float(max(first.floor, whole.bottom + 100)),
        corner=None,
    )
    found = dressed(hung, rng, alike=True)
    return replace(found, hangings=tuple(_own_picture(each, rng) for each in found.hangings))


def _in_rows(one: Hanging, rng: np.random.Generator) -> tuple[Hanging, ...]:
    """A frame several times, evenly apart."""
    columns, rows = _ARRANGEMENTS[int(rng.integers(len(_ARRANGEMENTS)))]
    outer, old = one.outer, one.opening
    apart = float(np.exp(rng.uniform(*np.log(_APART)))) * min(outer.width, outer.height)
    places = []
    for row in range(rows):
        for column in range(columns):
            x, y = column * (outer.width + apart), row * (outer.height + apart)
            places.append(Rectangle(old.left + x, old.top + y, old.right + x, old.bottom + y))
    return tuple(replace(one, opening=place) for place in places)


def _own_picture(hanging: Hanging, rng: np.random.Generator) -> Hanging:
    """A frame of the same surface with something else in it."""
    surface = surface_of(hanging)
    while True:
        new = replace(hanging, seed=int(rng.integers(2**31)))
        if surface_of(new) == surface:
            return new
