"""What a model sees of an opening: upright, with the room around it; or a square, whose picture is
composed to the aspect of the opening."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch

from ..errors import InputError
from ..generate.job import Job
from ..generate.params import ResolvedParams
from ..geometry import Box, Size
from ..homography import Quad, homography, pixel_corners
from ..images import ComposeName
from ..images.colour import start_of_masked
from ..images.composing import Composed, composed
from ..models.base import FEW_PIXELS, Model
from .aspect import upright_size
from .frame_records import Opening
from .frame_spec import ROOM, FrameSpec

_FINEST = 4096  # pixels of the longer side that a photo is looked at in, before it is averaged


class Layout(NamedTuple):
    """Where an opening lies on a canvas; both are whole numbers of pixels.

    Attributes:
        canvas: Multiples of the model's pixels per latent.
        masked: What is painted: the opening, filled up to whole latents.
        opening: At its true aspect, to half a pixel; in the middle of the masked area.
    """

    canvas: Size
    masked: Box
    opening: Box


class Scene(NamedTuple):
    """An opening in a photo, upright at its true aspect, with a border of the room around it.

    Attributes:
        pixels: ``(H, W, 3)`` float32 in 0..1, sRGB, as photographed, also in the masked area.
        mask: ``(H, W)`` float32, 1 where to paint, 0 where to keep: whole latents. 1 everywhere
            where nothing of the room is to be seen.
        opening: Where the opening lies in it.
        matrix: ``(3, 3)``, from its pixels to the photo's.
        room: 0..1, how much of the room there is around it; see `layout`.
        aspect: Of the opening; ``None`` for that of its place in the scene.
        compose: How what is painted is brought to the aspect.
    """

    pixels: np.ndarray
    mask: np.ndarray
    opening: Box
    matrix: np.ndarray
    room: float
    aspect: float | None = None
    compose: ComposeName = "stretch"

    @property
    def size(self) -> Size:
        return Size(self.pixels.shape[1], self.pixels.shape[0])

    def started(self, content: str | None, palette: np.ndarray | None) -> Scene:
        """The scene as the painting of its masked area starts from it; see `start_of_masked`."""
        mask = (self.mask * 255).astype(np.uint8)
        pixels = start_of_masked(self.pixels * np.float32(255), mask, content, palette)
        return self._replace(pixels=pixels / 255)

    def job(self, params: ResolvedParams) -> Job:
        """The job that paints the masked area; its size is the scene's.

        From noise alone nothing of what was photographed there is left. Otherwise painting starts
        from the scene's pixels.
        """
        return Job(
            params.but(size=self.size),
            image=torch.from_numpy(self.pixels).permute(2, 0, 1).contiguous(),
            mask=torch.from_numpy(self.mask)[None],
        )

    @property
    def composed_size(self) -> Size:
        """Of a picture that is cut out, where it is cropped or stretched; in pixels."""
        width, height = self.opening.size
        if self.aspect is None or self.compose == "stretch":
            return self.opening.size
        extended = max(width, round(height * self.aspect)), max(height, round(width / self.aspect))
        cropped = min(width, round(height * self.aspect)), min(height, round(width / self.aspect))
        return Size(*(extended if self.compose == "extend" else cropped))

    def cut(self, canvas: np.ndarray) -> Composed:
        """The opening's part of a painted canvas ``(H, W, 3)``, at its aspect."""
        box = self.opening
        part = canvas[box.top : box.bottom, box.left : box.right]
        compose = "stretch" if self.aspect is None else self.compose
        return composed(part, self.aspect or 1.0, compose)


def room_for(model: Model) -> float:
    """How much of the room a model sees, if nobody says."""
    return ROOM if model.size >= FEW_PIXELS else 0.0


def layout(aspect: float, room: float, side: int, vae_scale_factor: int) -> Layout:
    """The canvas of about ``side * side`` pixels that holds an opening best.

    A mask is only as fine as the latents. So the masked area is made of whole latents, of such a
    shape that the opening fills it as well as can be, and is as large as it can be.

    Args:
        aspect: True width / height of the opening.
        room: 0..1: width of the border, as a share of the opening's shorter side; at least one
            latent, and none for 0.
        side: In pixels, the side that the model was trained at.
        vae_scale_factor: Pixels per latent, along a side.

    Raises:
        InputError: ``room`` is out of range, or the opening is too long and thin for this model.
    """
    if not 0 <= room <= 1:
        raise InputError(f"`room` {room:g} is out of range: 0 to 1")
    factor = vae_scale_factor
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
            masked = Box(left, top, left + wide, top + high)
            left, top = left + (wide - width) // 2, top + (high - height) // 2
            opening = Box(left, top, left + width, top + height)
            canvas = Size(wide + 2 * border * factor, high + 2 * border * factor)
            best = worth, Layout(canvas, masked, opening)
    if best is None:
        raise InputError(
            f"an opening of aspect {aspect:.2f} with `room` {room:g} does not fit the {side} "
            "pixels of this model: lower `room`, or take a larger `model`"
        )
    return best[1]


def compose_for(
    model: Model, spec: FrameSpec, params: ResolvedParams, aspect: float, room: float | None
) -> ComposeName:
    """How a picture for an opening of an aspect is composed.

    Where nobody says, it is painted in that aspect where the model can paint one thing in it, and
    where it is painted over what the frame shows or beside the room.

    Args:
        room: How much of the room is to be seen, if somebody says.

    Raises:
        InputError: It cannot be composed as the spec says.
    """
    over = params.masked_content != "noise" and spec.palette is None
    if spec.compose == "auto":
        wide = max(aspect, 1 / aspect) > model.widest_aspect
        return "auto" if wide and not over and not room else "stretch"
    if spec.compose != "stretch" and (over or room):
        what = "what the frame shows" if over else "the `room`"
        raise InputError(
            f"`compose` {spec.compose} paints on a square that shows nothing of {what}: give "
            "`compose` stretch"
        )
    return spec.compose


def scene(
    photo: np.ndarray,
    opening: Quad,
    aspect: float,
    *,
    side: int,
    vae_scale_factor: int,
    room: float = ROOM,
) -> Scene:
    """An opening as a model of a size sees it.

    Args:
        photo: ``(H, W, 3)`` uint8 sRGB. Beyond it its edge is repeated.
        opening: In the photo.
        aspect, room, side, vae_scale_factor: As of `layout`.

    Raises:
        InputError: As `layout`.
    """
    canvas, masked, place = layout(aspect, room, side, vae_scale_factor)
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
    mask[masked.top : masked.bottom, masked.left : masked.right] = 1
    return Scene(pixels, mask, place, matrix, room)


def scene_of(
    model: Model,
    photo: np.ndarray,
    opening: Opening,
    params: ResolvedParams,
    palette: np.ndarray | None,
) -> Scene:
    """What a model sees of a photo, as the painting of the masked area starts from it.

    Args:
        photo: ``(H, W, 3)`` uint8.
        opening: Where to paint.
        params: By which.
        palette: ``(h, w, 3)`` uint8 to paint from, or ``None``.

    Raises:
        InputError: As `layout`.
    """
    seen = scene(
        photo,
        opening.corners,
        opening.painted_aspect,
        side=model.size,
        vae_scale_factor=model.vae_scale_factor,
        room=opening.room,
    )
    seen = seen._replace(aspect=opening.aspect, compose=opening.compose)
    return seen.started(params.masked_content, palette)
