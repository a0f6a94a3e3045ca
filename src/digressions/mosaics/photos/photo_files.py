"""The user's photos: which files, and each of them decoded as small as will do."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...errors import InputError
from ...images.decoding import MAX_PIXELS, decoded, is_file, opened, refusing

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic"),
        *(".heif", ".hif", ".bmp", ".gif", ".jp2"),
    )
)
_LISTS = (".txt", ".lst")
_WHITE = (255, 255, 255)


def photo_paths(tiles: Iterable[str]) -> list[Path]:
    """The files that may be photos, each once: of folders all within, in a stable order.

    Hidden files and folders are left out, and mosaics that this program has made. A text file has a
    path a line, of a photo or a folder, seen from its own folder.

    Raises:
        InputError: Something is not there, or there is no photo in all of it.
    """
    found: dict[Path, None] = {}
    for text in tiles:
        found |= dict.fromkeys(_paths_of(Path(text)))
    if not found:
        raise InputError(f"`tiles`: there are no photos in {', '.join(map(str, tiles))}")
    return list(found)


def _paths_of(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from _in_folder(place)
    elif not place.exists():
        raise InputError(f"`tiles` {place}: there is no such file or folder")
    elif place.suffix.lower() in _LISTS:
        yield from _in_list(place)
    else:
        yield _absolute(place)


def _in_folder(folder: Path) -> Iterator[Path]:
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InputError(f"`tiles` {folder}: the folder cannot be read")
    for home, folders, names in os.walk(folder):
        if _is_ours(Path(home)):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield _absolute(Path(home) / name)


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds a mosaic or a site of this program, whose tiles are no photos."""
    try:
        return '"kind": "digressions' in (folder / "manifest.json").read_text("utf-8")[:2000]
    except (OSError, ValueError):
        return False


def _in_list(file: Path) -> Iterator[Path]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"`tiles` {file} cannot be read: {error.strerror}") from error
    for line in _text(content).splitlines():
        if line.strip():
            path = file.parent / line.strip()
            if path.is_dir():
                yield from _in_folder(path)
            elif is_file(path):
                yield _absolute(path)
            else:
                raise InputError(f"`tiles` {file}: there is no photo or folder {path}")


def _text(content: bytes) -> str:
    """A list of paths, which Windows writes with a mark in front, and in UTF-16 at times."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return os.fsdecode(content.removeprefix(codecs.BOM_UTF8))


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  a link is a place of its own


class SmallPhoto(NamedTuple):
    """A photo decoded small.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 sRGB, upright.
        width, height: Of the whole photo, upright.
        sha256: Of its file.
    """

    pixels: np.ndarray
    width: int
    height: int
    sha256: str


def read_small(path: Path, least: int) -> SmallPhoto:
    """Reads a photo, as small as its kind of file decodes it quickly, but no smaller than asked.

    Args:
        path: The file.
        least: Pixels that the shorter side needs; a photo that has fewer stays as it is.

    Raises:
        ImageError: As `read_image`.
    """
    with refusing(path):
        content = path.read_bytes()
        with opened(path, io.BytesIO(content), MAX_PIXELS) as image:
            full = image.size
            scale = least / min(full)
            if scale < 1:  # a JPEG is decoded at a half, a quarter or an eighth
                image.draft(None, (round(full[0] * scale), round(full[1] * scale)))
            pixels = decoded(image, _WHITE)
    turned = (pixels.shape[1] > pixels.shape[0]) != (full[0] > full[1])
    width, height = full[::-1] if turned and full[0] != full[1] else full
    return SmallPhoto(pixels, width, height, hashlib.sha256(content).hexdigest())


def shrunk(pixels: np.ndarray, shorter: int) -> np.ndarray:
    """A picture ``(H, W, 3)`` uint8 whose shorter side is at most so many pixels."""
    height, width = pixels.shape[:2]
    scale = shorter / min(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
