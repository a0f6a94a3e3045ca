"""How a film falls into a world, and who may open a world's page, whatever it is made of. Needs no
torch."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from ..errors import InputError
from ..generate.declare import Params, option
from ..geometry import CellPath, Size

SECONDS_A_LEVEL = 5.0
MAX_SECONDS, MAX_FPS = 3600, 120
MIN_FRAME_SIDE, MAX_FRAME_SIDE = 32, 4096


def _read_frame(value: Any) -> str:
    text = "x".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
    size = Size.parse(text, "frame_size")
    if not MIN_FRAME_SIDE <= min(size) <= max(size) <= MAX_FRAME_SIDE:
        raise InputError(
            f"`frame_size` {size} is out of range: {MIN_FRAME_SIDE} to {MAX_FRAME_SIDE} a side"
        )
    return text


def _read_cells(value: Any) -> str:
    text = "/".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
    if not re.fullmatch(r"(\d{1,6}(/\d{1,6})*)?", text, re.ASCII):
        raise InputError(f"`into` {text!r}: give numbers of cells, like 1500/2200")
    return text


FrameSize = Annotated[str, BeforeValidator(_read_frame)]
"""Of the frames of a film: ``"640x360"``, or ``"480"``, the longer side in a world's aspect. Reads
``(640, 360)`` too."""

CellsText = Annotated[str, BeforeValidator(_read_cells)]
"""Numbers of cells on the way down, such as ``"1500/2200"``. Reads ``(1500, 2200)`` too."""


class FlightParams(Params):
    """How a film falls into a world."""

    levels: int = option(2, "Pictures to fall through in one round.", group="Film", ge=1, le=1000)
    seconds: float | None = option(
        None,
        "Length of one round.",
        group="Film",
        default_from=f"{SECONDS_A_LEVEL:g} a level",
        gt=0,
        le=MAX_SECONDS,
    )
    fps: int = option(25, "Frames per second.", group="Film", ge=1, le=MAX_FPS)
    frame_size: FrameSize = option(
        "480",
        "Size of a frame: WIDTHxHEIGHT in pixels, or one number, the longer side in the world's "
        "aspect.",
        group="Film",
    )
    into: CellsText = option(
        "", "Numbers of the first cells to fall into, like 1500/2200.", group="Film"
    )
    max_mb: float | None = option(
        None,
        "Size limit of a GIF in megabytes; it is made smaller until it fits.",
        group="Film",
        default_from="no limit",
        gt=0,
    )

    @property
    def first_cells(self) -> CellPath:
        """The cells to fall into, as far as they are chosen."""
        return tuple(map(int, self.into.split("/"))) if self.into else ()

    def frame_for(self, picture: Size) -> Size:
        """The size of a frame, in a world of such pictures."""
        size, most = Size.parse(self.frame_size, "frame_size"), max(picture)
        if re.search("[xX×]", self.frame_size):
            return size
        # Even numbers: kinds of film keep colours for two pixels together.
        shorter = max(2, round(min(picture) * max(size) / most / 2) * 2)
        return Size(*(max(size) if side == most else shorter for side in picture))

    @property
    def count(self) -> int:
        """Frames in a round."""
        seconds = SECONDS_A_LEVEL * self.levels if self.seconds is None else self.seconds
        return max(1, round(seconds * self.fps))


class PageParams(Params):
    """Who may open the page of a world, and where."""

    host: str = option(
        "127.0.0.1",
        "Address to listen on; 0.0.0.0 for every machine of the network.",
        group="Page",
    )
    port: int = option(8064, "0 for any that is free.", group="Page", ge=0, le=65535)
    name: list[str] | None = option(
        None,
        "A host name that the page may be reached under, besides localhost.",
        group="Page",
        default_from="localhost alone",
    )
