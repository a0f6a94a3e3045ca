"""Many pictures on one sheet, to choose from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GROUND, INK = (24, 24, 27), (212, 212, 216)
LINE = 20  # pixels that a label takes
LARGEST, LARGE, SMALL = 4096, 512, 64  # pixels of a sheet, and of the pictures on it


def for_sheet(image: np.ndarray, count: int) -> np.ndarray:
    """A picture as large as it is shown on a sheet of so many: a sheet stays within `LARGEST`
    pixels, and a picture on it within `LARGE`, whatever is enlarged."""
    side = min(LARGE, max(SMALL, LARGEST // math.ceil(math.sqrt(count))))
    shown = Image.fromarray(image)
    shown.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(shown)


def contact_sheet(
    images: Sequence[np.ndarray],
    columns: int | None = None,
    gap: int = 8,
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """Pictures in a neat grid on a dark ground, labelled below if asked.

    Smaller pictures stand in the middle of a place as large as the largest; a label that is wider
    than its place is cut.

    Args:
        images: ``(H, W, 3)`` uint8 each, of any sizes, at least one.
        columns: ``None`` for about as many as rows.

    Returns:
        ``(H', W', 3)`` uint8.
    """
    columns = columns or int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    line = LINE if labels else 0
    size = (gap + columns * (width + gap), gap + rows * (height + line + gap))
    sheet = Image.new("RGB", size, GROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        left, top = gap + column * (width + gap), gap + row * (height + line + gap)
        middle = (left + (width - image.shape[1]) // 2, top + (height - image.shape[0]) // 2)
        sheet.paste(Image.fromarray(image), middle)
        if labels:
            draw.text((left, top + height + 3), _cut(labels[index], width, font), INK, font)
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
        least: Smaller pictures are enlarged to this width, so that headings have room.

    Returns:
        ``(H', W', 3)`` uint8.
    """
    height, width = rows[0][0].shape[:2]
    scale = max(1, least / width)
    height, width = round(height * scale), round(width * scale)
    font = ImageFont.load_default(size=13)
    headings = [_broken(text, width, font) for text in across]
    top = gap + LINE * max(map(len, headings))
    left = gap + round(max(map(font.getlength, down))) + gap
    size = (left + len(across) * (width + gap), top + len(rows) * (height + gap))
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    for column, lines in enumerate(headings):
        place = (left + column * (width + gap), top - LINE * len(lines))
        for number, line in enumerate(lines):
            draw.text((place[0], place[1] + LINE * number), line, INK, font)
    for row, (name, pictures) in enumerate(zip(down, rows, strict=True)):
        y = top + row * (height + gap)
        draw.text((gap, y + height // 2 - LINE // 2), name, INK, font)
        for column, picture in enumerate(pictures):
            shown = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(shown, (left + column * (width + gap), y))
    return np.asarray(sheet)


def _broken(
    label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, most: int = 4
) -> list[str]:
    """A label in lines that fit a width; what does not fit into the last is cut."""
    lines: list[str] = []
    for word in label.split():
        if (lines and font.getlength(f"{lines[-1]} {word}") <= width) or len(lines) == most:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [_cut(line, width, font) for line in lines] or [""]


def _cut(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    label = " ".join(label.split())
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "\u2026") > width:
        label = label[:-1]
    return label + "\u2026"
