"""The generated sections and pictures of pages of the docs."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

LARGEST = 300_000  # bytes of a picture: the history keeps every version of it


def marked(name: str = "") -> re.Pattern[str]:
    """What finds a section with its marks."""
    which = f"generated: {name}" if name else "generated"
    return re.compile(f"(<!-- {which} -->\n).*?(<!-- /{which} -->)", re.DOTALL)


def update(page: Path, text: str, name: str = "") -> None:
    """Replaces what is between the marks of a page.

    The marks are ``<!-- generated -->`` and ``<!-- /generated -->``; with a name, where a page has
    several sections, ``<!-- generated: NAME -->`` and ``<!-- /generated: NAME -->``.

    Raises:
        SystemExit: The page has no such marks.
    """
    which = f"generated: {name}" if name else "generated"
    new, count = marked(name).subn(
        lambda found: found[1] + text + found[2], page.read_text("utf-8")
    )
    if count != 1:
        raise SystemExit(f"{page} needs one pair of <!-- {which} --> and <!-- /{which} -->")
    page.write_text(new, "utf-8")


def write_jpeg(path: Path, picture: np.ndarray | Image.Image, largest: int = LARGEST) -> None:
    """Writes a picture for a page, at the best quality at which it is small enough.

    Args:
        picture: ``(H, W, 3)`` uint8, or an image.
        largest: Bytes.

    Raises:
        SystemExit: It is larger even at quality 40.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    for quality in range(88, 39, -3):
        image.save(content := io.BytesIO(), "JPEG", quality=quality, optimize=True)
        if content.tell() <= largest:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.getvalue())
            return
    raise SystemExit(f"{path}: over {largest:,} bytes at any quality: show less")
