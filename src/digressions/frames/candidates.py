"""What a model sees of an opening, upright with the room around it, and the candidates that are
painted into it: kept as files, shown on a sheet."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from ..errors import InputError
from ..events import Event, Preview, Progress
from ..files import slug
from ..generate.job import Job
from ..generate.metadata import Record
from ..generate.paint import Painted, paint_jobs
from ..generate.params import ResolvedParams
from ..generate.pictures import Picture
from ..geometry import Box, Size
from ..homography import Quad, homography, pixel_corners
from ..images.colour import start_of_masked
from ..images.contact_sheet import contact_sheet
from ..images.image_files import resample, to_array, write_image
from ..interrupts import interrupts_held
from ..models.base import Model
from ..prints.print_spec import PrintJob
from .aspect import upright_size
from .choosing import FrameInputs
from .find import Frame, surroundings
from .frame_records import Opening, kept, picture_details, texts_of
from .frame_spec import ROOM
from .hang import hang

_SMALL = 256  # pixels: a model of fewer has none to spare for the room
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
    """

    pixels: np.ndarray
    mask: np.ndarray
    opening: Box
    matrix: np.ndarray
    room: float

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

    def cut(self, canvas: np.ndarray) -> np.ndarray:
        """The opening's part of a painted canvas ``(H, W, 3)``: ``(h, w, 3)``."""
        box = self.opening
        return canvas[box.top : box.bottom, box.left : box.right]


def room_for(model: Model) -> float:
    """How much of the room a model sees, if nobody says."""
    return ROOM if model.size >= _SMALL else 0.0


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


BATCH = 8  # pictures that a kill can cost
_SHEET_ROW = 300  # pixels


@dataclass(frozen=True)
class FrameTask:
    """What one frame shall get.

    Attributes:
        number: Of the frame, from 1, as `choosing.numbered` gives them.
        frame: Where it is.
        opening: The same as files remember it.
        record: Of the first candidate; those of the others have the seeds that follow.
        count: How many candidates.
        pick: Which of them to finish, from 1; ``None`` to have them shown.
        refine: What the picked one is repainted by, or ``None``; the seed is that of the candidate.
        print_job: How to print it, or ``None``.
    """

    number: int
    frame: Frame
    opening: Opening
    record: Record
    count: int
    pick: int | None
    refine: ResolvedParams | None
    print_job: PrintJob | None

    @property
    def records(self) -> list[Record]:
        """Of all candidates, or of the one that is picked."""
        numbers = range(1, self.count + 1) if self.pick is None else [self.pick]
        first = self.record.params
        return [
            self.record.but(params=first.but(seed=first.seed + number - 1)) for number in numbers
        ]

    def paths(self, folder: Path) -> list[Path]:
        """Where the candidates of `records` are kept in an output folder."""
        stem = f"{self.number}-{slug(self.record.params.prompt)[:40]}"
        return [
            folder / "candidates" / f"{stem}-{record.params.seed}.png" for record in self.records
        ]

    def kept(self, folder: Path) -> dict[int, np.ndarray]:
        """The candidates that an earlier run has painted by the same settings, by their place in
        `records`."""
        found = zip(self.paths(folder), self.records, strict=True)
        pixels = {i: kept(path, record) for i, (path, record) in enumerate(found)}
        return {i: each for i, each in pixels.items() if each is not None}


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
        opening.aspect,
        side=model.size,
        vae_scale_factor=model.vae_scale_factor,
        room=opening.room,
    )
    return seen.started(params.masked_content, palette)


def paint_candidates(
    model: Model, task: FrameTask, seen: Scene, folder: Path
) -> Generator[Event, None, list[Picture]]:
    """Paints the candidates of a frame that an output folder does not hold yet.

    Each is on disk before the next batch begins.

    Args:
        seen: What `scene_of` gives for the task.

    Returns:
        The pictures of ``task.records``.
    """
    records, paths, found = task.records, task.paths(folder), task.kept(folder)
    missing = [i for i in range(len(records)) if i not in found]
    jobs = [seen.job(records[i].params) for i in missing]
    painting = paint_jobs(model, jobs, batch_size=BATCH, finishing=interrupts_held)
    for event in painting if jobs else ():
        if isinstance(event, Painted):
            i = missing[event.job]
            found[i] = seen.cut(to_array(event.image))
            write_image(paths[i], found[i], texts_of(records[i]))
            yield Preview(found[i], f"frame {task.number}, seed {records[i].params.seed}")
        else:
            yield Progress(f"painting frame {task.number}", event.done, event.total)
    return [Picture(found[i], record) for i, record in enumerate(records)]


def candidate_sheet(
    inputs: FrameInputs, task: FrameTask, pictures: Sequence[Picture]
) -> np.ndarray:
    """A contact sheet: every candidate alone and on its wall, ``(H, W, 3)`` uint8."""
    photo = inputs.photo.pixels
    rows, columns = surroundings(task.frame, photo.shape)
    pairs = []
    for picture in pictures:
        wall = hung(photo, inputs.mask_pixels, [picture])[rows, columns]
        wide = max(1, round(_SHEET_ROW * wall.shape[1] / wall.shape[0]))
        alone = max(1, round(_SHEET_ROW * task.opening.aspect))
        both = resample(picture.array, alone, _SHEET_ROW), resample(wall, wide, _SHEET_ROW)
        pairs.append(np.hstack(both))
    labels = [f"{i}: seed {picture.params.seed}" for i, picture in enumerate(pictures, 1)]
    return contact_sheet(pairs, labels=labels)


def hung(photo: np.ndarray, mask: np.ndarray | None, pictures: Sequence[Picture]) -> np.ndarray:
    """A photo ``(H, W, 3)`` uint8 with pictures in the openings that they were painted for."""
    for picture in pictures:
        opening = picture_details(picture.record).opening
        photo = hang(
            photo, opening.corners, picture.array, opening.aspect, mask=mask, lit=opening.lit
        )
    return photo
