"""Opening a picture file from outside: which kinds, how large, and what is said when it fails."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from ..errors import ImageError

MAX_PIXELS = 200_000_000
# Not among them: EPS and others that run programs.
_KINDS = (
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
_PILLOW = threading.Lock()


@contextlib.contextmanager
def opened(path: Path, source: Path | io.BytesIO, max_pixels: int) -> Iterator[Image.Image]:
    """A picture whose header is read, from a file or from its bytes.

    Args:
        path: What the file is called in a message.

    Raises:
        ImageError: It has more than ``max_pixels``.
        Exception: Whatever Pillow raises for what it cannot read; see `refusing`.
    """
    with _pillow_limit(max(max_pixels, MAX_PIXELS)):
        image = Image.open(source, formats=_KINDS)
    with image:
        if image.width * image.height > max_pixels:
            raise ImageError(
                f"{path} has {image.width:,} x {image.height:,} pixels, more than the "
                f"{max_pixels:,} that are read: make it smaller first"
            )
        yield image


@contextlib.contextmanager
def _pillow_limit(pixels: int) -> Iterator[None]:
    """Pillow's limit of pixels, one for the whole process, is another in the block.

    So that ours decides, and names the size. Pillow refuses twice as many, which guards what only
    it sees: the tiles of a TIFF, the pictures inside an icon.
    """
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def is_file(path: Path) -> bool:
    """Whether there is such a file; there is none whose name no system takes."""
    try:
        return path.is_file()
    except OSError:
        return False


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """What fails in the block is an `ImageError` about this file, and one line."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ImageError(f"{path} is not a file: give a picture")
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path} has more than the {MAX_PIXELS:,} pixels that are read: make it smaller first"
        ) from error
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
