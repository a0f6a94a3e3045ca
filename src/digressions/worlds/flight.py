"""What a film is made of, and how its file remembers it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..geometry import CellPath, Size
from ..mosaics.mosaic import mosaic_from
from ..mosaics.primary import Primary
from ..pictures.metadata import Settings
from .bank import FiniteWorld
from .genesis import WorldSettings
from .zoom import Zoom


@dataclass(frozen=True)
class Flight:
    """A film to be made.

    Attributes:
        world: Where it flies.
        reuse: Pictures of the bank that the world is made of, or ``None`` for an endless one.
        levels: To fall through in a round.
        path: The first cells, as far as they are chosen; all ``levels`` of them is the loop.
        size, fps, count: Of the film's frames.
    """

    world: WorldSettings
    reuse: int | None
    levels: int
    path: CellPath
    size: Size
    fps: int
    count: int


def settings_of(flight: Flight, film: Zoom) -> Settings:
    """What the file of a film remembers: everything that `flight_from` asks for."""
    extra = {
        "cells": json.loads(flight.world.cells.job()),
        "deeper": list(flight.world.deeper),
        # A bank may have come out smaller than asked for, and would do so again.
        "reuse": flight.reuse if isinstance(film.world, FiniteWorld) else None,
        "loop": list(film.world.manifest.loop),
        "size": str(film.size),
        "fps": film.fps,
        "count": film.count,
    }
    return dataclasses.replace(
        flight.world.primary.settings,
        command="zoom",
        upscaler=flight.world.primary.upscaler,
        extra={"zoom": extra},
    )


def flight_from(settings: Settings, image: np.ndarray | None) -> Flight:
    """The film that settings remember.

    Args:
        image: The user's own picture that it started from, ``(H, W, 3)`` uint8, or ``None``.

    Raises:
        InputError: The settings are damaged.
    """
    try:
        found: dict[str, Any] = dict(settings.extra["zoom"])
        cells = mosaic_from(found["cells"])
        loop = tuple(int(cell) for cell in found["loop"])
        reuse = None if found["reuse"] is None else int(found["reuse"])
        deeper = tuple(str(prompt) for prompt in found["deeper"])
        size, fps, count = Size.parse(found["size"]), int(found["fps"]), int(found["count"])
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"the settings of the film are damaged: {error}") from error
    if not loop or fps < 1 or count < 1 or max(size) > 4096:
        raise InputError("the settings of the film are damaged: numbers that no film has")
    first = dataclasses.replace(settings, command="paint", upscaler=None, extra={})
    primary = Primary(first, image, settings.upscaler or "lanczos")
    world = WorldSettings(primary, cells, deeper)
    return Flight(world, reuse, len(loop), loop, size, fps, count)
