"""A picture brought to another aspect: cut, kept whole, or continued; and what is said about it.

The names are Pillow's and CSS's: *cover* cuts off what sticks out, *contain* makes the result
smaller instead, in the picture's aspect, *pad* puts the colours of its edges around it.
"""

from __future__ import annotations

import numpy as np

from ..events import Note
from ..geometry import Box, Size, padded_size
from . import Fit
from .colour import filled_from_around
from .image_files import cover

_TO_SAY = 0.005  # a smaller share that is cut off is rounding


def fitted(image: np.ndarray, size: Size, fit: Fit) -> np.ndarray:
    """A picture at exactly a size.

    Args:
        image: ``(H, W, 3)`` uint8.
        size: For *contain*, what `geometry.contained` gives.
        fit: How it comes to the aspect of ``size``.

    Returns:
        ``(size.height, size.width, 3)`` uint8.
    """
    return cover(padded(image, size) if fit == "pad" else image, *size)


def padded(image: np.ndarray, size: Size) -> np.ndarray:
    """A picture ``(H, W, 3)`` uint8 in the middle of one that has the aspect of a size, the colours
    of its edges around it."""
    picture = Size(image.shape[1], image.shape[0])
    whole = padded_size(picture, size)
    left, top = (whole.width - picture.width) // 2, (whole.height - picture.height) // 2
    canvas = np.zeros((whole.height, whole.width, 3), np.uint8)
    free = np.full((whole.height, whole.width), 255, np.uint8)
    box = slice(top, top + picture.height), slice(left, left + picture.width)
    canvas[box], free[box] = image, 0
    return filled_from_around(canvas, free)


def cut(image: np.ndarray, box: Box, *, mirrored: bool = True) -> np.ndarray:
    """The part of a picture ``(H, W, ...)`` that lies in a box; beyond its edges it is mirrored, as
    often as that takes, or 0."""
    height, width = image.shape[:2]
    inside = Box(max(box.left, 0), max(box.top, 0), min(box.right, width), min(box.bottom, height))
    if inside == box:
        return image[box.top : box.bottom, box.left : box.right]
    if mirrored:
        rows = _mirrored(np.arange(box.top, box.bottom), height)
        return image[rows][:, _mirrored(np.arange(box.left, box.right), width)]
    found = np.zeros((*box.size[::-1], *image.shape[2:]), image.dtype)
    there = found[inside.top - box.top :, inside.left - box.left :]
    part = image[inside.top : inside.bottom, inside.left : inside.right]
    there[: part.shape[0], : part.shape[1]] = part
    return found


def cut_note(name: str, picture: Size, aspect: float, to: str, mend: str = "") -> list[Note]:
    """What a user should know of what *cover* cuts off a picture.

    Args:
        name: Of the picture.
        picture: Its size.
        aspect: Width / height that it is brought to.
        to: What has this aspect, in words.
        mend: What would keep all of it, in words.
    """
    side, first, second = picture.width, "left", "right"
    lost = side - round(picture.height * aspect)
    if lost < 0:
        side, first, second = picture.height, "top", "bottom"
        lost = side - round(picture.width / aspect)
    if lost < _TO_SAY * side:
        return []
    are = "is" if lost // 2 == 1 else "are"
    words = (
        f"{name} is {picture}: {lost // 2:,} px {are} cut off at its {first} and "
        f"{lost - lost // 2:,} px at its {second} to fit {to}"
    )
    return [Note(f"{words} ({mend})" if mend else words, "note")]


def _mirrored(places: np.ndarray, side: int) -> np.ndarray:
    """Places along a side, those beyond its ends mirrored into it."""
    there = places % (2 * side)
    return np.where(there < side, there, 2 * side - 1 - there)
