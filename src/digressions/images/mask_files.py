"""Masks that the user gives: white where to paint, black where to keep, as large as their picture.

Every command reads them here, so that a mask that selects nothing or does not fit is refused alike
everywhere, before a model is loaded. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputError, errors_about, verbatim
from ..images import MaskAlpha
from .decoding import over
from .source_image import (
    Layers,
    PictureLike,
    SourceImage,
    grey,
    in_memory,
    read_layers,
    remembered_path,
    unchanged,
    values_of,
)

_BLACK = (0, 0, 0)
_WHITE = 128  # what is as bright as this counts as painted white
_NOISE = 8  # levels by which the black and the white of a JPEG may be off
_COLOURED = 24  # levels between the channels of what is no grey
_MANY, _MOSTLY = 48, 0.2  # so many colours, in this share of a picture, are a photo and no mask


def read_mask(
    mask: PictureLike, picture: SourceImage, alpha: MaskAlpha | None = None
) -> SourceImage:
    """A mask of a picture.

    Args:
        mask: See `PictureLike`.
        picture: What it is a mask of.
        alpha: As of `source_mask`.

    Raises:
        ImageError: It cannot be read.
        InputError: It is not of the picture's size, or nothing in it is white.
    """
    found = source_mask(mask, alpha)
    _check_size(found, picture)
    return found


def remembered_mask(origin: Mapping[str, str | None], picture: SourceImage) -> SourceImage:
    """The mask that something was painted by, which must still be what it was.

    Args:
        origin: As `SourceImage.origin` of a `source_mask`.
        picture: What it is a mask of.

    Raises:
        ImageError: It cannot be read.
        InputError: It is missing or has changed, it never was a file, or it does not fit.
    """
    mask = source_mask(remembered_path(origin), _alpha_in(origin), remembered=True)
    found = unchanged(mask, origin)
    _check_size(found, picture)
    return found


def source_mask(
    picture: PictureLike,
    alpha: MaskAlpha | None = None,
    name: str = "mask",
    *,
    remembered: bool = False,
) -> SourceImage:
    """A mask in any form: white (255) where to paint, black where to keep.

    Args:
        picture: See `PictureLike`.
        alpha: Which of its parts are to be painted, if not the white ones. Without it, what is
            transparent is black. ``origin`` remembers it, by this name.
        name: Of the parameter.
        remembered: Something was painted by it: then a photo is taken by its brightness, as it was.

    Returns:
        Its pixels are ``(H, W)``; what is nearly black or white is so wholly.

    Raises:
        ImageError: It cannot be read, or is no picture.
        InputError: Nothing in it is white, it is a photo, or its transparency is to be taken and it
            has none.
    """
    with errors_about(name):
        found = _source_mask(picture, alpha, None if remembered else name)
    _check_white(found, name)
    return found._replace(pixels=_firm(found.pixels))


def _source_mask(picture: PictureLike, alpha: MaskAlpha | None, asked: str | None) -> SourceImage:
    if not isinstance(picture, (str, Path, Image.Image)):
        if alpha is not None:
            raise InputError(
                "`mask_alpha` is about a transparent picture, and an array has no transparency",
                field="mask_alpha",
            )
        return in_memory(values_of(picture, mask=True))
    read = read_layers(picture)
    if alpha is not None:
        if read.alpha is None:
            called = verbatim(read.origin["path"] or "the mask")
            raise InputError(
                f"`mask_alpha` {alpha}: {called} is nowhere transparent", field="mask_alpha"
            )
        pixels = read.alpha if alpha == "opaque" else 255 - read.alpha
        return SourceImage(pixels, read.origin | {"alpha": alpha})
    if asked is not None:
        _check_no_photo(read, asked)
    if read.alpha is None:
        return SourceImage(grey(read.colours), read.origin)
    layer = np.dstack([read.colours, read.alpha])
    return SourceImage(grey(over(_BLACK, read.colours, read.alpha)), read.origin, layer)


def _check_no_photo(read: Layers, name: str) -> None:
    """Refuses a picture of many colours, as when a photo is given whose hole is transparent: its
    brightness says nothing of what is to be painted."""
    low, high = read.colours.min(-1), read.colours.max(-1)
    coloured = high - low >= _COLOURED
    if coloured.mean() < _MOSTLY:
        return
    coarse = read.colours[coloured].astype(int) // 8
    kinds = np.unique(coarse @ np.array([1, 32, 1024]))
    if len(kinds) < _MANY:
        return
    transparent = read.alpha is not None
    raise InputError(
        f"`{name}`{_called(read.origin)} is a picture in colours, and a mask is black and white: "
        + _mend(name, transparent=transparent),
        field=name,
    )


def _check_white(mask: SourceImage, name: str) -> None:
    most = int(mask.pixels.max())
    if most >= _WHITE:
        return
    raise InputError(
        f"`{name}`{_called(mask.origin)} has nothing white in it, its brightest value is {most} of "
        f"255: {_mend(name, transparent=mask.layer is not None)}",
        field=name,
    )


def _called(origin: Mapping[str, str | None]) -> str:
    return verbatim(f" {origin['path']}") if origin["path"] else ""


def _mend(name: str, *, transparent: bool) -> str:
    """What to do about a mask that is none."""
    mend = "make white (255) what is to be painted"
    if transparent and name == "mask":
        mend += ", or say with `mask_alpha` which of its parts is, the transparent or the opaque"
    return mend


def _firm(mask: np.ndarray) -> np.ndarray:
    """A mask ``(H, W)`` uint8 whose black is 0 and whose white is 255."""
    return np.where(mask < _NOISE, 0, np.where(mask > 255 - _NOISE, 255, mask)).astype(np.uint8)


def _check_size(mask: SourceImage, picture: SourceImage) -> None:
    (rows, columns), (high, wide) = mask.pixels.shape, picture.pixels.shape[:2]
    if (rows, columns) != (high, wide):
        name = verbatim(mask.origin["path"] or "the mask")
        raise InputError(
            f"{name} is {columns} x {rows} pixels, {picture.name} is {wide} x {high}: a mask "
            "needs the size of its photo",
            field="mask",
        )


def _alpha_in(origin: Mapping[str, str | None]) -> MaskAlpha | None:
    match origin.get("alpha"):
        case None:
            return None
        case "transparent":
            return "transparent"
        case "opaque":
            return "opaque"
        case other:
            raise InputError(f"the settings of the mask are damaged: its alpha is {other!r:.40}")
