"""Many pictures on one sheet, to choose from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GROUND, INK = (24, 24, 27), (212, 212, 216)
LINE = 20  # pixels that a label takes


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


def _cut(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    label = " ".join(label.split())
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "\u2026") > width:
        label = label[:-1]
    return label + "\u2026"
