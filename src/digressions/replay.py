"""From what a file remembers to the job that makes it again.

A picture that was started from the user's own files remembers their paths and SHA-256 sums; they
must still be what they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .ensembles.regions import region_masks
from .errors import InputError
from .geometry import Size
from .jsontext import parsed
from .models import Model
from .mosaics.hypermosaic import Hypermosaic
from .mosaics.mosaic import mosaic_from
from .mosaics.primary import Primary, enlarged_primary
from .mosaics.sharing import Sharing
from .pictures.metadata import Settings
from .pictures.original import read_again
from .upscale import enlarge, load_upscaler


def started_from(settings: Settings) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The start picture ``(H, W, 3)`` and the mask ``(H, W)`` that settings name, uint8.

    Raises:
        ImageError: One of them cannot be read.
        InputError: One of them is not there, or another picture by now.
    """
    image = None if settings.image is None else read_again(settings.image).pixels
    mask = None if settings.mask is None else read_again(settings.mask, mask=True).pixels
    return image, mask


def model_for(settings: Settings, given: str | None, source: str) -> str:
    """The name of the model to make a picture again with: the given one, or the remembered one.

    Raises:
        InputError: There is neither.
    """
    if not (given or settings.model):
        raise InputError(
            f"{source} was made by another program and names no model that is known here: "
            "say which with --model"
        )
    return given or settings.model


def difference(settings: Settings, model_hash: str) -> str | None:
    """Why a picture made again with these weights will be another, or ``None`` if it will not."""
    if not settings.model_hash:
        return "was made by another program, which draws other noise: the picture will differ"
    if not model_hash.startswith(settings.model_hash):
        return (
            f"was made by other weights ({settings.model_hash[:10]}, not {model_hash[:10]}): "
            "the picture will differ"
        )
    return None


def regions_of(settings: Settings) -> np.ndarray | None:
    """Where each prompt counts, ``(prompts, H, W)`` uint8, or ``None`` for everywhere.

    Raises:
        ImageError, InputError: As `region_masks`.
    """
    if settings.regions is None:
        return None
    size = Size(settings.width, settings.height)
    try:
        return region_masks(settings.regions, size, settings.soft)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"the settings of the regions are damaged: {error}") from error


def enlarged(picture: np.ndarray, settings: Settings) -> np.ndarray:
    """A painted picture ``(H, W, 3)`` uint8, enlarged as often as its settings say."""
    times = settings.extra.get("enlarge", 1)
    if not isinstance(times, int) or not 1 <= times <= 16:
        raise InputError(f"the settings are damaged: enlarge is {times!r}")
    if times == 1:
        return picture
    upscaler = load_upscaler(settings.upscaler or "lanczos")
    return enlarge(picture, picture.shape[1] * times, picture.shape[0] * times, upscaler)


def primary_again(model: Model, settings: Settings) -> np.ndarray:
    """The primary picture ``(H, W, 3)`` uint8 of a mosaic."""
    try:
        size = Size(*(int(side) for side in settings.extra["enlarged"]))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the size of the primary is damaged: {error}") from error
    image, _ = started_from(settings)
    return enlarged_primary(model, settings, image, size, settings.upscaler or "lanczos")


def mosaic_again(model: Model, settings: Settings, folder: Path) -> Hypermosaic:
    """A mosaic, to be made in another folder."""
    try:
        plan = mosaic_from(settings.extra["mosaic"])
        shared = dict(settings.extra.get("sharing", {}))
        sharing = Sharing(
            _number(shared.get("reuse"), int), _number(shared.get("merge_similar"), float)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the settings of the mosaic are damaged: {error}") from error
    image, _ = started_from(settings)
    first = dataclasses.replace(settings, command="paint", upscaler=None, extra={})
    primary = Primary(first, image, settings.upscaler or "lanczos")
    return Hypermosaic(model, plan, primary, folder, sharing)


def _number(value: object, kind: type) -> Any:
    """A number of a kind, or ``None``. Raises `TypeError` for anything else."""
    if value is None or (isinstance(value, (int, kind)) and not isinstance(value, bool)):
        return value
    raise TypeError(f"{value!r:.80} is no number")


def upscaled_again(text: str, enlarge: Callable[[np.ndarray, Size, str], np.ndarray]) -> np.ndarray:
    """A picture file enlarged once more: ``(H, W, 3)`` uint8.

    Args:
        text: The JSON that the enlarged one remembers.

    Raises:
        InputError: It is damaged, or the picture is not there or another by now.
    """
    try:
        note = parsed(text)
        size = Size(*(int(side) for side in note["size"]))
        return enlarge(read_again(note["image"]).pixels, size, str(note["upscaler"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"the settings of the enlargement are damaged: {error!r}") from error
