"""An opening and the room around it, upright, as a model sees them; painting into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import torch

from ..errors import InputError
from ..geometry import Box, Quad, Size, homography
from ..job import Job
from ..models import Model
from ..paint import paint
from ..pictures.images import to_array
from .rings import pixel_corners, upright_size

ROOM = 0.25
"""How much of the room a model sees, if not said."""
_FINEST = 4096  # pixels of the longer side that a photo is looked at in, before it is averaged


class Layout(NamedTuple):
    """Where an opening lies on a canvas; both are whole numbers of pixels.

    Attributes:
        canvas: Multiples of the model's factor.
        hole: What is painted: the opening, filled up to whole latents.
        opening: At its true aspect, to half a pixel; in the middle of the hole.
    """

    canvas: Size
    hole: Box
    opening: Box


class Scene(NamedTuple):
    """An opening in a photo, upright at its true aspect, with a border of the room around it.

    Attributes:
        pixels: ``(H, W, 3)`` float32 in 0..1, sRGB, as photographed, also in the hole.
        hole: ``(H, W)`` float32, 1 where to paint, 0 where to keep: whole latents. 1 everywhere
            where nothing of the room is to be seen.
        opening: Where the opening lies in it.
        matrix: ``(3, 3)``, from its pixels to the photo's.
        room: 0..1, how much of the room there is around it; see `layout`.
    """

    pixels: np.ndarray
    hole: np.ndarray
    opening: Box
    matrix: np.ndarray
    room: float

    @property
    def size(self) -> Size:
        return Size(self.pixels.shape[1], self.pixels.shape[0])


def layout(aspect: float, room: float, side: int, factor: int) -> Layout:
    """The canvas of about ``side * side`` pixels that holds an opening best.

    A mask is only as fine as the latents. So the hole is made of whole latents, of such a shape
    that the opening fills it as well as can be, and is as large as it can be.

    Args:
        aspect: True width / height of the opening.
        room: 0..1: width of the border, as a share of the opening's shorter side; at least one
            latent, and none for 0.
        side: In pixels, the side that the model was trained at.
        factor: Pixels per latent, along a side.

    Raises:
        InputError: ``room`` is out of range, or the opening is too long and thin for this model.
    """
    if not 0 <= room <= 1:
        raise InputError(f"--room {room:g} is out of range: 0 to 1")
    most = (side // factor) ** 2
    best: tuple[float, Layout] | None = None
    for columns in range(1, most + 1):
        for rows in range(1, most // columns + 1):
            wide, high = columns * factor, rows * factor
            width = min(wide, max(1, round(high * aspect)))
            height = min(high, max(1, round(wide / aspect)))
            border = max(1, round(room * min(width, height) / factor)) if room else 0
            if (columns + 2 * border) * (rows + 2 * border) > most:
                break
            worth = (width * height) ** 2 / (wide * high)
            if min(width, height) < factor or (best is not None and worth <= best[0]):
                continue
            left, top = border * factor, border * factor
            hole = Box(left, top, left + wide, top + high)
            left, top = left + (wide - width) // 2, top + (high - height) // 2
            opening = Box(left, top, left + width, top + height)
            canvas = Size(wide + 2 * border * factor, high + 2 * border * factor)
            best = worth, Layout(canvas, hole, opening)
    if best is None:
        raise InputError(
            f"an opening of aspect {aspect:.2f} with --room {room:g} does not fit the {side} "
            "pixels of this model: lower --room, or take a larger model"
        )
    return best[1]


def scene(
    photo: np.ndarray,
    opening: Quad,
    aspect: float,
    *,
    side: int,
    factor: int,
    room: float = ROOM,
) -> Scene:
    """An opening as a model of a size sees it.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB. Beyond it its edge is repeated.
        opening: In the photo.
        aspect, room, side, factor: As of `layout`.

    Raises:
        InputError: As `layout`.
    """
    canvas, hole, place = layout(aspect, room, side, factor)
    corners = pixel_corners(*place.size) + np.array([place.left, place.top])
    matrix = homography(corners, opening.array)
    # Finer than the photo and then averaged, so that nothing of it is skipped.
    finer = math.ceil(max(upright_size(opening, aspect, math.inf)) / max(place.size))
    finer = max(1, min(finer, _FINEST // max(canvas)))
    shrink = np.array([[1 / finer, 0, (1 / finer - 1) / 2], [0, 1 / finer, (1 / finer - 1) / 2]])
    seen = cv2.warpPerspective(
        photo,
        matrix @ np.vstack([shrink, [0, 0, 1]]),
        (finer * canvas.width, finer * canvas.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    pixels = cv2.resize(seen.astype(np.float32) / 255, canvas, interpolation=cv2.INTER_AREA)
    mask = np.zeros(pixels.shape[:2], np.float32) if room else np.ones(pixels.shape[:2], np.float32)
    mask[hole.top : hole.bottom, hole.left : hole.right] = 1
    return Scene(pixels, mask, place, matrix, room)


def job_in(
    scene: Scene,
    prompt: str,
    *,
    seed: int,
    steps: int,
    guidance: float,
    sampler: str,
    strength: float = 1.0,
    negative: str = "",
    how: str = "mean",
) -> Job:
    """The job that paints a scene's hole.

    At strength 1 the hole starts from pure noise, so nothing of what was photographed there is
    left. Below, the painting starts from ``scene.pixels``: replace them to start from another
    filling of the hole.
    """
    return Job(
        prompt,
        seed=seed,
        width=scene.size.width,
        height=scene.size.height,
        steps=steps,
        guidance=guidance,
        sampler=sampler,
        negative=negative,
        image=torch.from_numpy(scene.pixels).permute(2, 0, 1).contiguous(),
        strength=strength,
        mask=torch.from_numpy(scene.hole)[None],
        how=how,
    )


def paint_in(
    model: Model, scene: Scene, job: Job, on_step: Callable[[int], None] | None = None
) -> np.ndarray:
    """The picture that a job paints into a scene's opening: ``(h, w, 3)`` uint8, upright.

    Raises:
        InputError, PromptError: The job cannot be painted.
    """
    (painted,) = paint(model, [job], on_step=on_step)
    return cut(scene, to_array(painted.image))


def cut(scene: Scene, canvas: np.ndarray) -> np.ndarray:
    """The opening's part of a painted canvas ``(H, W, 3)``: ``(h, w, 3)``."""
    box = scene.opening
    return canvas[box.top : box.bottom, box.left : box.right]
