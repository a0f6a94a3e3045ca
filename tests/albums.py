"""Folders of made-up photos for tests."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def photo(number: int, width: int = 96, height: int = 72) -> np.ndarray:
    """A photo with its own colours, gradient and blobs: ``(height, width, 3)`` uint8."""
    chance = np.random.default_rng(number)
    corners = chance.integers(0, 256, (3, 3, 3)).astype(np.uint8)
    smooth = Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)
    blobs = Image.fromarray(chance.integers(0, 256, (9, 12), dtype=np.uint8))
    fine = np.asarray(blobs.resize((width, height), Image.Resampling.BICUBIC), float) - 128
    return np.clip(np.asarray(smooth) + 0.3 * fine[..., None], 0, 255).astype(np.uint8)


def album(folder: Path, count: int, first: int = 0) -> Path:
    """A folder with so many photos."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        Image.fromarray(photo(number)).save(folder / f"{number:04d}.jpg", quality=90)
    return folder


def picture(path: Path, width: int = 160, height: int = 120) -> Path:
    """The picture that mosaics show: gradients, and a disc with an edge."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [255 * x / width, 255 * y / height, 128 + 100 * np.sin(x / 17)]
    image = np.stack(planes, -1)
    image[np.hypot(x - width / 2, y - height / 2) < height / 4] = (235, 220, 40)
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)
    return path


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)  # type: ignore[arg-type]
    return content.getvalue()
