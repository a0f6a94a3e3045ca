"""What files of pictures in frames remember besides how they were painted.

A candidate is painted at the model's size, upright. A picture is a candidate repainted if that was
asked for, and enlarged. A room is the photo with pictures in it, a print a picture as a printer's
file. All of them have a `Record` of the kind ``"frame"``, whose details say which of them they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, PlainSerializer

from ..errors import ImageError, InputError
from ..generate.declare import Params, option
from ..generate.kinds import PictureSize, Share
from ..generate.metadata import JsonObject, Record
from ..generate.params import ResolvedParams
from ..generate.record_reading import record_of
from ..homography import Quad
from ..images import ComposeName
from ..images.decoding import MAX_PIXELS
from ..images.image_files import read_image, read_text
from ..images.xmp import SourceType, marked

KIND = "frame"
"""The kind of all these records."""


_FARTHEST = 1e6  # pixels that a corner may lie from a photo's first one


def _read_quad(value: Any) -> Quad:
    try:
        corners = np.array(value, float).reshape(4, 2)
    except (TypeError, OverflowError) as error:
        raise ValueError("these are not four corners") from error
    if not np.abs(corners).max() < _FARTHEST:
        raise ValueError("a corner is far away from the photo")
    Quad.of(corners)  # or it says that they are not those of a convex shape
    return Quad.trusted(corners)


OrderedCorners = Annotated[
    Quad, BeforeValidator(_read_quad), PlainSerializer(lambda quad: [list(point) for point in quad])
]
"""A `Quad`; reads four pairs of numbers, clockwise from the top left."""


class Opening(Params):
    """An opening in a photo, and how a model sees it.

    Attributes:
        corners: In pixels of the photo.
        aspect: Its true width / height.
        lit: Whether the light on it can be seen in it, because it is blank.
        room: How much of the room the model sees; see `scene.layout`.
        compose: How the picture is brought to the aspect: ``stretch`` where it is painted in it.
    """

    corners: OrderedCorners
    aspect: float = option(..., "Width / height.", ge=0.001, le=1000)
    lit: bool
    room: Share
    compose: ComposeName = "stretch"

    @property
    def painted_aspect(self) -> float:
        """Width / height of what is painted: a square where it is composed."""
        return self.aspect if self.compose == "stretch" else 1.0


class PictureDetails(Params):
    """What a candidate, a picture or a print remembers.

    Attributes:
        made: Which of them it is.
        opening: That it was painted for.
        size: Of the finished picture in pixels; ``None`` of a candidate.
        refine: How it was repainted, or ``None``; the size is that of the repainted picture.
        print: How it is printed; see `PrintJob.remembered`.
    """

    made: Literal["candidate", "picture", "print"]
    opening: Opening
    size: PictureSize | None = None
    refine: ResolvedParams | None = None
    print: JsonObject | None = None


class RoomDetails(Params):
    """What a photo with pictures in it remembers.

    Attributes:
        made: That it is one.
        pictures: The records of the pictures in it, in the order of their hanging.
    """

    made: Literal["room"] = "room"
    pictures: list[Record]


def with_details(record: Record, details: PictureDetails | RoomDetails, **changes: Any) -> Record:
    """A record with other details, and perhaps other changes."""
    return record.but(kind=KIND, details=details.json_object(), **changes)


def texts_of(record: Record) -> dict[str, str]:
    """The texts of a file of any of these kinds.

    The photo is part of a room. Of a picture it is only if it was painted over what hung there.
    """
    alone = record.details.get("made") != "room" and record.params.masked_content == "noise"
    return marked(record.to_text(), SourceType.TRAINED) if alone else record.to_text()


def picture_details(record: Record) -> PictureDetails:
    """The details of a candidate, a picture or a print.

    Raises:
        InputError: They are damaged.
    """
    try:
        details = PictureDetails.from_json_object(record.details)
    except InputError as error:
        raise damaged(error) from error
    if details.made != "candidate" and (details.size is None or details.size.pixels > MAX_PIXELS):
        raise InputError(f"the settings of the frame are damaged: its size is {details.size}")
    if details.made == "print" and details.print is None:
        raise InputError("the settings of the frame are damaged: they do not say how to print it")
    return details


def room_details(record: Record) -> RoomDetails | None:
    """The details of a photo with pictures in it; ``None`` of anything else.

    Raises:
        InputError: They are damaged.
    """
    if record.details.get("made") != "room":
        return None
    try:
        details = RoomDetails.from_json_object(record.details)
    except InputError as error:
        raise damaged(error) from error
    if not details.pictures:
        raise InputError("the settings of the frame are damaged: no picture is in it")
    return details


def damaged(error: Exception) -> InputError:
    """The error for settings that are damaged."""
    return InputError(f"the settings of the frame are damaged: {error!s:.120}")


def kept(path: Path, record: Record) -> np.ndarray | None:
    """What a file holds, ``(H, W, 3)`` uint8, if it was made by the very same settings."""
    if not path.is_file():
        return None
    try:
        return read_image(path) if record_of(read_text(path)) == record else None
    except ImageError:  # another picture, or none
        return None
