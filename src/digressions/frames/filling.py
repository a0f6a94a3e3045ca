"""What goes into the openings of a photo: each picture as a function of settings, so that it can be
made again (`again.py`).

    candidate   painted at the model's size, upright
    picture     the candidate repainted if asked, and enlarged
    room        the photo with pictures in it
    print       a picture as a printer's file

All four remember the same settings, with ``extra["frame"]`` saying which of them they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ImageError, InputError
from ..geometry import Quad, Size
from ..job import Job
from ..models import Model
from ..pictures.images import read_image, read_text
from ..pictures.metadata import Settings, from_text
from ..pictures.palette import palette_again, started
from ..prints.order import Order
from ..upscale import load_upscaler
from .hang import insert
from .refine import Refinement, refined
from .rings import upright_size
from .scene import Scene, job_in, layout, scene

_LONGEST = 8192  # pixels of a finished picture that is for the photo alone


@dataclass(frozen=True)
class Place:
    """An opening to fill.

    Attributes:
        opening: In the photo.
        aspect: Its true width / height.
        lit: Whether the light on it can be seen in it, because it is blank.
        room: How much of the room the model sees, 0..1.
    """

    opening: Quad
    aspect: float
    lit: bool
    room: float

    def note(self) -> dict[str, Any]:
        """As JSON has it."""
        corners = [list(corner) for corner in self.opening]
        return dataclasses.asdict(self) | {"opening": corners}


class Filled(NamedTuple):
    """A finished picture, ``(h, w, 3)`` uint8, and how it was made."""

    pixels: np.ndarray
    settings: Settings


def candidate_settings(settings: Settings, model: Model, place: Place) -> Settings:
    """The settings of a picture for a place.

    Raises:
        InputError: As `scene.layout`.
    """
    canvas = layout(place.aspect, place.room, model.size, model.factor).canvas
    note = {"made": "candidate"} | place.note()
    return dataclasses.replace(
        settings,
        command="frame",
        width=canvas.width,
        height=canvas.height,
        extra={"frame": note},
    )


def scene_of(model: Model, photo: np.ndarray, settings: Settings) -> Scene:
    """What the model sees of a photo ``(H, W, 3)`` uint8, with the hole as painting starts from it.

    Raises:
        ImageError, InputError: The palette's picture is not there, or another by now.
    """
    place = place_of(settings)
    palette = None if settings.palette is None else palette_again(settings.palette)
    seen = scene(
        photo,
        place.opening,
        place.aspect,
        side=model.size,
        factor=model.factor,
        room=place.room,
    )
    mask = (seen.hole * 255).astype(np.uint8)
    return seen._replace(
        pixels=started(seen.pixels * np.float32(255), mask, settings.hole, palette) / 255
    )


def job_of_scene(seen: Scene, settings: Settings) -> Job:
    """The job that paints a candidate."""
    job = job_in(
        seen,
        settings.prompt,
        seed=settings.seed,
        steps=settings.steps,
        guidance=settings.guidance,
        sampler=settings.sampler,
        strength=1.0 if settings.strength is None else settings.strength,
        negative=settings.negative,
        how=settings.how,
    )
    return dataclasses.replace(job, hole=settings.hole, rescale=settings.rescale)


def picture_settings(
    candidate: Settings, size: Size, upscaler: str, refine: Refinement | None
) -> Settings:
    """The settings of a candidate's finished picture of a size."""
    plan = None if refine is None else dataclasses.asdict(refine)
    note = candidate.extra["frame"] | {"made": "picture", "size": list(size), "refine": plan}
    return dataclasses.replace(candidate, upscaler=upscaler, extra={"frame": note})


def repainted(
    model: Model,
    candidate: np.ndarray,
    settings: Settings,
    on_step: Callable[[int], None] | None = None,
) -> np.ndarray:
    """A candidate as it is before it is enlarged: ``(h, w, 3)`` uint8.

    Args:
        settings: Of the finished picture. Without a refinement the candidate stays as it is.
    """
    plan = settings.extra["frame"]["refine"]
    if plan is None:
        return candidate
    return refined(
        model,
        candidate,
        Refinement(**plan),
        load_upscaler(settings.upscaler or "lanczos"),
        on_step,
        seed=settings.seed,
        steps=settings.steps,
        guidance=settings.guidance,
        sampler=settings.sampler,
        negative=settings.negative,
        how=settings.how,
    )


def finished_size(place: Place, order: Order | None) -> Size:
    """The pixels of a finished picture: as many as the photo shows and the print takes."""
    wide, high = upright_size(place.opening, place.aspect, _LONGEST)
    if order is not None:
        # Of any size of this aspect the same share is printed.
        box, target = order.place(Size(10_000, max(1, round(10_000 / place.aspect))))
        wide = max(wide, round(10_000 * max(
            target.size.width / box.size.width, target.size.height / box.size.height
        )) + 1)  # fmt: skip
    return Size(wide, max(high, round(wide / place.aspect)))


def room_settings(pictures: Sequence[Settings]) -> Settings:
    """The settings of a photo with pictures in it."""
    note = {"made": "room", "pictures": [dataclasses.asdict(settings) for settings in pictures]}
    return dataclasses.replace(pictures[0], extra={"frame": note})


def hung(photo: np.ndarray, mask: np.ndarray | None, pictures: Sequence[Filled]) -> np.ndarray:
    """The photo ``(H, W, 3)`` uint8 with pictures in it; see `hang.insert`."""
    for pixels, settings in pictures:
        place = place_of(settings)
        photo = insert(photo, place.opening, pixels, place.aspect, mask=mask, lit=place.lit)
    return photo


def print_settings(picture: Settings, own: Size, order: Order) -> Settings:
    """The settings of a picture's print.

    Args:
        own: Pixels that it has of its own, before it was enlarged.
    """
    size = Size(*picture.extra["frame"]["size"])
    print_note = order.remembered(size) | {"effective_dpi": round(order.effective_dpi(own), 1)}
    note = picture.extra["frame"] | {"made": "print", "print": print_note}
    return dataclasses.replace(picture, extra={"frame": note})


def place_of(settings: Settings) -> Place:
    """The opening that settings are about.

    Raises:
        InputError: They are damaged.
    """
    try:
        note = settings.extra["frame"]
        corners = np.array(note["opening"], float).reshape(4, 2)
        return Place(
            Quad.trusted(corners), float(note["aspect"]), bool(note["lit"]), float(note["room"])
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged(error) from error


def kept(path: Path, settings: Settings) -> np.ndarray | None:
    """What a file holds, if it was made by the very same settings, else ``None``."""
    if not path.is_file():
        return None
    try:
        same = from_text(read_text(path)) == settings
        return read_image(path) if same else None
    except ImageError:  # another picture, or none
        return None


def damaged(error: Exception) -> InputError:
    """What is said of settings that do not hold what they should."""
    return InputError(f"the settings of the frame are damaged: {error!r:.120}")
