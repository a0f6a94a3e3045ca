"""Pictures in frames once more, from what their files remember."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..geometry import Quad, Size
from ..job import Job
from ..jsontext import parsed
from ..models import Model
from ..pictures.images import to_array
from ..pictures.metadata import KEY, Settings, from_text
from ..pictures.original import read_again
from ..prints.order import Order, from_note
from ..upscale import enlarge, load_upscaler
from .filling import Filled, damaged, hung, job_of_scene, repainted, scene_of
from .hang import insert
from .scene import cut
from .sketch import frame_of, sketch


class Again(NamedTuple):
    """A file to be made once more.

    Attributes:
        pixels: ``(H, W, 3)`` uint8.
        order: How to print them, or ``None`` for a picture file.
    """

    pixels: np.ndarray
    order: Order | None


def make_again(
    model: Model,
    photo: np.ndarray,
    mask: np.ndarray | None,
    settings: Settings,
    paint: Callable[[Job], Any],
) -> Again:
    """Any of the four, from the photo on.

    Args:
        paint: A job to a picture ``(3, H, W)`` in 0..1.

    Raises:
        InputError: The settings are damaged.
    """

    def picture(settings: Settings) -> np.ndarray:
        seen = scene_of(model, photo, settings)
        painted = cut(seen, to_array(paint(job_of_scene(seen, settings))))
        note = settings.extra["frame"]
        if note["made"] == "candidate":
            return painted
        size = Size(*(int(side) for side in note["size"]))
        upscaler = load_upscaler(settings.upscaler or "lanczos")
        return enlarge(repainted(model, painted, settings), *size, upscaler)

    try:
        note = settings.extra["frame"]
        if note["made"] == "room":
            each = [from_text({KEY: json.dumps(found)}) for found in note["pictures"]]
            return Again(hung(photo, mask, [Filled(picture(own), own) for own in each]), None)
        order = from_note(note["print"]) if note["made"] == "print" else None
        return Again(picture(settings), order)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged(error) from error


def find_again(text: str) -> np.ndarray:
    """A photo with its frames drawn, once more: ``(H, W, 3)`` uint8.

    Args:
        text: The JSON that it remembers: ``photo``, a file with its SHA-256, and ``frames``.

    Raises:
        InputError: It is damaged, or the photo is not there or another by now.
    """
    try:
        note = parsed(text)
        frames = [frame_of(each) for each in note["frames"]]
        return sketch(read_again(note["photo"]).pixels, frames)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(error) from error


def hang_again(text: str) -> np.ndarray:
    """A photo that the user's own pictures were hung into, once more: ``(H, W, 3)`` uint8.

    Args:
        text: The JSON that it remembers: ``photo``, ``mask`` and ``hung``, a list of openings with
            their aspect, whether they are ``lit``, and the picture; files with their SHA-256.

    Raises:
        InputError: It is damaged, or a file is not there or another by now.
    """
    try:
        note = parsed(text)
        room = read_again(note["photo"]).pixels
        mask = None if note["mask"] is None else read_again(note["mask"], mask=True).pixels
        for one in note["hung"]:
            opening = Quad.trusted(np.array(one["opening"], float).reshape(4, 2))
            picture = read_again(one["picture"]).pixels
            lit, aspect = bool(one["lit"]), float(one["aspect"])
            room = insert(room, opening, picture, aspect, mask=mask, lit=lit)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(error) from error
    return room
