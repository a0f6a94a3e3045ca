"""The only door for pictures from outside, and the only way out.

Inside the package a picture on this side of torch is ``(H, W, 3)`` uint8, sRGB.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms, ImageOps

from .errors import ImageError, OutputError
from .texts import save_options, texts_of

if TYPE_CHECKING:
    from torch import Tensor

MAX_PIXELS = 200_000_000
_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}
_SUFFIXES |= {".tiff": "TIFF"}
_READ = (
    "PNG",
    "JPEG",
    "WEBP",
    "TIFF",
    "BMP",
    "GIF",
    "PPM",
    "AVIF",
    "JPEG2000",
    "ICO",
    "TGA",
)


def read_image(
    path: str | Path,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Reads a picture of any common kind as ``(H, W, 3)`` uint8 sRGB.

    EXIF orientation is applied, an embedded profile converted from, 16 bits scaled down, alpha
    composited over ``background`` (in sRGB values, as browsers do). Of an animation, the first
    picture.

    Raises:
        ImageError: No such file, not a picture, damaged, or of more than ``max_pixels``.
    """
    with _opened(Path(path), max_pixels) as image:
        image.load()
        return np.array(_to_rgb(image, background))


def read_text(path: str | Path) -> dict[str, str]:
    """The texts that `write_image` left in a file; empty where there are none.

    Raises:
        ImageError: As `read_image`.
    """
    with _opened(Path(path), MAX_PIXELS) as image:
        return texts_of(image)


@contextlib.contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator[Image.Image]:
    """A picture file whose header is read. What fails, here or in the block, is an `ImageError`."""
    try:
        # Our own limit decides, so Pillow's warning about large pictures has nothing to add.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise ImageError(f"{path} is not a file: give a picture")
            with Image.open(path, formats=_READ) as image:
                if image.width * image.height > max_pixels:
                    raise ImageError(
                        f"{path} has {image.width:,} x {image.height:,} pixels, more than the "
                        f"{max_pixels:,} that are read: make it smaller first"
                    )
                yield image
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} has too many pixels: make it smaller first") from error
    except FileNotFoundError as error:
        raise ImageError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder: give a picture") from error
    except PermissionError as error:
        raise ImageError(f"{path} may not be read: permission denied") from error
    except Image.UnidentifiedImageError as error:
        empty = path.is_file() and path.stat().st_size == 0
        reason = "is empty" if empty else "is not a picture, or of a kind that is not known here"
        raise ImageError(f"{path} {reason}: give a PNG, JPEG, WebP or TIFF") from error
    except Exception as error:  # decoders raise whatever they like on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path} is damaged ({reason}): save it anew") from error


def read_mask(path: str | Path) -> np.ndarray:
    """Reads a mask as ``(H, W)`` uint8: white (255) where to paint, black where to keep."""
    rgb = read_image(path, background=(0, 0, 0))
    return np.asarray(Image.fromarray(rgb).convert("L"))


def _to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):  # 16-bit grey comes as I;16 or I, floats as F
        values = np.asarray(image).astype(np.float64)
        values = values * 255 if image.mode == "F" else values / 257
        return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)).convert("RGB")
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        image = _to_srgb(image, profile)
    image = image.convert("RGB")
    if alpha is None:
        return image
    # The ground is in sRGB already, so it comes after the profile.
    return Image.composite(image, Image.new("RGB", image.size, background), alpha)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    image = image.convert("RGB") if image.mode == "RGBA" else image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that does not fit its picture says nothing about its colours
    return converted or image


def resample(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """To exactly ``width x height``: Lanczos, widened to filter when shrinking."""
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized)


def cover(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cuts the middle out in the aspect of ``width x height`` and resamples it to that."""
    fitted = ImageOps.fit(Image.fromarray(image), (width, height), Image.Resampling.LANCZOS)
    return np.asarray(fitted)


def write_image(path: str | Path, image: np.ndarray, text: Mapping[str, str] | None = None) -> Path:
    """Writes a picture, whole or not at all, with texts that `read_text` gives back.

    Args:
        path: ``.png``, ``.jpg`` (quality 95, colour not subsampled), ``.webp`` or ``.tif``.
        image: ``(H, W, 3)`` uint8 sRGB.

    Raises:
        OutputError: Another suffix, texts that do not fit, or a place that cannot be written.
    """
    path, text = Path(os.path.realpath(path)), dict(text or {})  # write through a link
    kind = check_suffix(path)
    options = save_options(kind, text)
    if kind == "JPEG":
        options |= {"quality": 95, "subsampling": 0}
    elif kind == "WEBP":
        options |= {"quality": 95}
    _write_whole(path, lambda beside: Image.fromarray(image).save(beside, kind, **options))
    return path


def write_film(
    path: str | Path, frames: Sequence[np.ndarray], seconds: float, text: Mapping[str, str]
) -> Path:
    """Writes a small film that runs for ever, whole or not at all: an animated WebP.

    Args:
        path: ``.webp``.
        frames: ``(H, W, 3)`` uint8 sRGB, at least one, of one size.
        seconds: That each frame is shown.

    Raises:
        OutputError: Another suffix, texts that do not fit, or a place that cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.suffix.lower() != ".webp":
        raise OutputError(f"{path}: a film is a .webp")
    options = save_options("WEBP", text) | {"quality": 90, "loop": 0, "save_all": True}
    first, *rest = map(Image.fromarray, frames)
    options |= {"append_images": rest, "duration": round(seconds * 1000)}
    _write_whole(path, lambda beside: first.save(beside, "WEBP", **options))
    return path


def _write_whole(path: Path, save: Callable[[Path], None]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(beside)
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def check_suffix(path: Path) -> str:
    """Pillow's name for the kind of file that a path asks for.

    Raises:
        OutputError: `write_image` would not write it.
    """
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise OutputError(f"{path}: cannot write {path.suffix!r}: use .png, .jpg, .webp or .tif")
    return kind


def to_tensor(image: np.ndarray) -> Tensor:
    """``(H, W, 3)`` uint8 to ``(3, H, W)`` float32 in 0..1."""
    import torch

    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def to_array(image: Tensor) -> np.ndarray:
    """``(3, H, W)`` float32 in 0..1 to ``(H, W, 3)`` uint8, rounded to nearest."""
    return np.rint(image.permute(1, 2, 0).numpy() * 255).clip(0, 255).astype(np.uint8)
