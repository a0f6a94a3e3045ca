"""Many pictures on one sheet, to choose from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GROUND, INK = (24, 24, 27), (212, 212, 216)
LINE = 20  # pixels that a line of a label takes
LONGEST = 240  # pixels of a word, from which on it is broken
_FONT = 13
_LARGEST, _LARGE, _SMALL = 4096, 1024, 64  # pixels of a sheet, and of the pictures on it


def side_on_sheet(count: int) -> int:
    """Pixels of a picture's longer side on a sheet of so many, at most: a sheet is for choosing."""
    return min(_LARGE, max(_SMALL, _LARGEST // math.ceil(math.sqrt(count))))


def contact_sheet(
    images: Sequence[np.ndarray],
    columns: int | None = None,
    gap: int = 8,
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """Pictures in a neat grid on a dark ground, labelled below if asked.

    Smaller pictures stand in the middle of a place as large as the largest. No label is cut: it is
    broken into lines, and a place is as wide as the longest word.

    Args:
        images: ``(H, W, 3)`` uint8 each, of any sizes, at least one.
        columns: ``None`` for about as many as rows.

    Returns:
        ``(H', W', 3)`` uint8.
    """
    columns = columns or int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    font = ImageFont.load_default(size=_FONT)
    width, texts = _broken(labels or (), width, font)
    below = LINE * max(map(len, texts), default=0)
    size = (gap + columns * (width + gap), gap + rows * (height + below + gap))
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        left, top = gap + column * (width + gap), gap + row * (height + below + gap)
        middle = (left + (width - image.shape[1]) // 2, top + (height - image.shape[0]) // 2)
        sheet.paste(Image.fromarray(image), middle)
        for number, line in enumerate(texts[index] if labels else ()):
            x = left + (width - round(font.getlength(line))) // 2
            draw.text((x, top + height + 3 + LINE * number), line, INK, font)
    return np.asarray(sheet)


def comparison_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    across: Sequence[str],
    down: Sequence[str],
    gap: int = 8,
    least: int = 112,
) -> np.ndarray:
    """Pictures in a table: what they have in common is said once, above and to the left.

    Args:
        rows: ``(H, W, 3)`` uint8 each, all of one size.
        across: The heading of each column; long ones are broken into lines.
        down: The name of each row.
        least: Smaller pictures are enlarged to this width, so that headings have room. A column is
            as wide as the longest word of a heading.

    Returns:
        ``(H', W', 3)`` uint8.
    """
    height, width = rows[0][0].shape[:2]
    scale = max(1, least / width)
    height, width = round(height * scale), round(width * scale)
    font = ImageFont.load_default(size=_FONT)
    place, headings = _broken(across, width, font)
    top = gap + LINE * max(map(len, headings))
    left = gap + round(max(map(font.getlength, down))) + gap
    size = (left + len(across) * (place + gap), top + len(rows) * (height + gap))
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    for column, lines in enumerate(headings):
        x, y = left + column * (place + gap), top - LINE * len(lines)
        for number, line in enumerate(lines):
            draw.text((x, y + LINE * number), line, INK, font)
    for row, (name, pictures) in enumerate(zip(down, rows, strict=True)):
        y = top + row * (height + gap)
        draw.text((gap, y + height // 2 - LINE // 2), name, INK, font)
        for column, picture in enumerate(pictures):
            shown = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(shown, (left + column * (place + gap), y))
    return np.asarray(sheet)


def _broken(
    labels: Sequence[str], width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> tuple[int, list[list[str]]]:
    """Labels in lines that fit a width, which grows where a word does not fit.

    Returns:
        The width, and the lines of each label.
    """
    words = [[part for word in label.split() for part in _parts(word, font)] for label in labels]
    widest = max((font.getlength(word) for each in words for word in each), default=0.0)
    width = max(width, int(np.ceil(widest)))
    texts: list[list[str]] = []
    for each in words:
        lines: list[str] = []
        for word in each:
            if lines and font.getlength(f"{lines[-1]} {word}") <= width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        texts.append(lines)
    return width, texts


def _parts(word: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """A word, in parts where it is longer than `LONGEST`."""
    parts = [""]
    for character in word:
        if font.getlength(parts[-1] + character) > LONGEST:
            parts.append("")
        parts[-1] += character
    return parts
