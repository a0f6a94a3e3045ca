"""A file of the user's own that a picture starts from: what is in it, and how it is remembered.

The one place where such a file becomes pixels and a SHA-256 sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .images import read_image_and_hash, read_mask_and_hash
from .opening import is_file


class Original(NamedTuple):
    """A start picture or a mask, read.

    Attributes:
        pixels: ``(H, W, 3)`` of a picture, ``(H, W)`` of a mask; uint8.
        origin: ``{"path": ..., "sha256": ...}``, as `metadata.Settings` keeps it.
    """

    pixels: np.ndarray
    origin: dict[str, str]


def read_original(path: Path, *, mask: bool = False) -> Original:
    """Reads a picture, or a mask (see `images.read_mask`).

    Raises:
        ImageError: It cannot be read.
    """
    pixels, digest = read_mask_and_hash(path) if mask else read_image_and_hash(path)
    return Original(pixels, {"path": str(path), "sha256": digest})


def read_again(origin: Mapping[str, str], *, mask: bool = False) -> Original:
    """Reads a file that a picture was started from, which must still be what it was.

    Raises:
        ImageError: It cannot be read.
        InputError: It is not there, or another picture by now.
    """
    path = Path(str(origin.get("path", "")))
    if not is_file(path):
        here = "" if path.is_absolute() else ": it is looked for from the folder that you are in"
        raise InputError(f"{path}, which this was started from, is not there{here}")
    found = read_original(path, mask=mask)
    if found.origin["sha256"] != origin.get("sha256"):
        raise InputError(f"{path} is not the picture it was when this was made")
    return found
