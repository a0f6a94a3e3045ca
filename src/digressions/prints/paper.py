"""A picture on paper: where it is cut, what is seen of it, and the pixels that this takes.

Distances are in millimetres from the line where the sheet is cut, inwards; pixels are whole::

    -outside ─ crop marks ─ -bleed ─ the cut: 0 ─ mat ─ what is seen
                                           └─ safe ─ what must not be hidden
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from ..errors import InputError
from ..geometry import Box, Size
from ..images.decoding import MAX_PIXELS
from ..images.rows import Rows
from .sizes import Extent, in_millimetres, pixels

MAX_SIDE = 5080.0  # mm: the longest side of a page of PDF, 14,400 points
MAX_DPI = 2400
MARK_LENGTH = 5.0
MARK_GAP = 3.0  # from the cut to a mark, or the bleed where it is wider
MARK_WIDTH = 0.25 * 25.4 / 72  # a quarter of a point, the hairline of printers
FitName = Literal["cover", "contain"]
EdgeName = Literal["mirror", "picture"]
FITS, EDGES = get_args(FitName), get_args(EdgeName)


@dataclass(frozen=True)
class Sheet:
    """A sheet to print and to cut.

    Attributes:
        trim: The paper as cut.
        dpi: Pixels per inch of the file.
        bleed: What is printed beyond the cut, for a knife that is off.
        safe: Within this distance of the cut nothing that matters is put.
        mat: What a mat or a frame hides.
        marks: Whether crop marks stand outside the bleed.
    """

    trim: Extent
    dpi: int
    bleed: float = 0.0
    safe: float = 0.0
    mat: float = 0.0
    marks: bool = False

    def __post_init__(self) -> None:
        """
        Raises:
            InputError: Nothing would be seen, or the sheet is larger than files or memory allow.
        """
        if not 1 <= self.dpi <= MAX_DPI:
            raise InputError(f"`dpi` {self.dpi} is out of range: 1 to {MAX_DPI}")
        short = min(self.trim)
        for name, inset in (("safe", self.safe), ("mat", self.mat)):
            if 2 * inset >= short:
                raise InputError(
                    f"`{name}` {in_millimetres(inset)}mm on both sides leaves nothing of "
                    f"{self.trim}"
                )
        if 2 * self.bleed > short:
            raise InputError(f"`bleed` {in_millimetres(self.bleed)}mm is too wide for {self.trim}")
        if max(self.trim) + 2 * self.outside > MAX_SIDE:
            raise InputError(
                f"`size` {self.trim} is too large: a page has at most {MAX_SIDE:.0f} mm"
            )
        if min(self.inner(max(self.safe, self.mat)).size) < 1:
            raise InputError(
                f"{self.trim} at {self.dpi} DPI is less than a pixel: raise `dpi`", field="dpi"
            )
        if self.media.pixels > MAX_PIXELS:
            most = int(self.dpi * (MAX_PIXELS / self.media.pixels) ** 0.5)
            raise InputError(
                f"{self.trim} at {self.dpi} DPI has {self.media.pixels / 1e6:,.0f} megapixels, "
                f"more than {MAX_PIXELS / 1e6:.0f}: `dpi` {most} fits"
            )

    @property
    def outside(self) -> float:
        """From the cut to the edge of the file's page."""
        return self._gap + MARK_LENGTH if self.marks else self.bleed

    @property
    def page(self) -> Extent:
        """The whole of the file."""
        return Extent(*(side + 2 * self.outside for side in self.trim))

    @property
    def media(self) -> Size:
        """The whole of the file, in pixels."""
        return self.inner(-self.outside).size

    def inner(self, inset: float) -> Box:
        """What lies at least ``inset`` inside the cut, in pixels of the file."""
        ends = (self.outside + side - inset for side in self.trim)
        start = pixels(self.outside + inset, self.dpi)
        right, bottom = (pixels(end, self.dpi) for end in ends)
        return Box(start, start, right, bottom)

    def mark_lines(self) -> Iterator[tuple[float, float, float, float]]:
        """The crop marks, ``(x0, y0, x1, y1)`` in millimetres from the page's upper left."""
        if not self.marks:
            return
        width, height = self.page
        for x in (self.outside, width - self.outside):
            for start, end in ((0.0, MARK_LENGTH), (height - MARK_LENGTH, height)):
                yield x, start, x, end
        for y in (self.outside, height - self.outside):
            for start, end in ((0.0, MARK_LENGTH), (width - MARK_LENGTH, width)):
                yield start, y, end, y

    @property
    def _gap(self) -> float:
        return max(self.bleed, MARK_GAP)


class Placement(NamedTuple):
    """Which part of a picture goes where on a sheet.

    Attributes:
        crop: In pixels of the picture.
        target: In pixels of the sheet.
    """

    crop: Box
    target: Box

    @property
    def enlargement(self) -> float:
        """Pixels of the sheet for one of the picture, along a side."""
        return max(
            there / here for there, here in zip(self.target.size, self.crop.size, strict=True)
        )


def placement(sheet: Sheet, picture: Size, fit: str = "cover", edge: str = "mirror") -> Placement:
    """Where a picture goes.

    Args:
        sheet: What it is printed on.
        picture: The size of the picture.
        fit: ``"cover"`` cuts off what sticks out, equally on both sides; ``"contain"`` leaves paper
            free instead, and stays within the safe area.
        edge: ``"mirror"`` shows all of the picture and mirrors it into what a mat hides and a
            knife cuts off; ``"picture"`` gives these a part of the picture.

    Raises:
        InputError: An unknown ``fit`` or ``edge``.
    """
    if fit not in FITS or edge not in EDGES:
        raise InputError(
            f"`fit` {fit!r} and `edge` {edge!r} are not known: choose a `fit` of "
            f"{', '.join(FITS)} and an `edge` of {', '.join(EDGES)}"
        )
    whole = Box(0, 0, *picture)
    if fit == "contain":
        room = sheet.inner(max(sheet.safe, sheet.mat))
        return Placement(whole, _middle(room, picture))
    room = sheet.inner(sheet.mat if edge == "mirror" else -sheet.bleed)
    return Placement(_middle(whole, room.size), room)


def _middle(box: Box, aspect: Size) -> Box:
    """The largest box of an aspect in the middle of another one."""
    width, height = box.size
    if width * aspect.height > height * aspect.width:
        width = max(1, round(height * aspect.width / aspect.height))
    else:
        height = max(1, round(width * aspect.height / aspect.width))
    left = box.left + (box.size.width - width) // 2
    top = box.top + (box.size.height - height) // 2
    return Box(left, top, left + width, top + height)


def to_bleed(sheet: Sheet, placed: Rows, target: Box, blank: int | None) -> Rows:
    """Everything up to the bleed, around what was placed.

    Args:
        sheet: What it lies on.
        placed: The pixels of ``target``.
        target: Where they lie.
        blank: The value of free paper, or ``None`` to go on with the picture, mirrored.
    """
    whole = sheet.inner(-sheet.bleed)
    left, top = whole.left - target.left, whole.top - target.top
    if whole == target:
        return placed
    columns = np.arange(left, left + whole.size.width)
    inside = (columns >= 0) & (columns < placed.size.width)
    columns = _mirrored(columns, placed.size.width)

    def get(first: int, last: int) -> np.ndarray:
        rows = np.arange(top + first, top + last)
        seen = (rows >= 0) & (rows < placed.size.height)
        if blank is not None and not seen.any():
            return np.full((last - first, len(columns), placed.channels), blank, np.uint8)
        rows = _mirrored(rows, placed.size.height)
        wanted = rows if blank is None else rows[seen]
        start = int(wanted.min())
        band = placed.get(start, int(wanted.max()) + 1)
        out = band[(rows - start).clip(0, len(band) - 1)][:, columns]
        if blank is not None:
            out[~seen], out[:, ~inside] = blank, blank
        return out

    return Rows(whole.size, placed.channels, get)


def _mirrored(places: np.ndarray, count: int) -> np.ndarray:
    """Places along an axis of so many pixels, those beyond its ends mirrored into it."""
    places = places % (2 * count)
    return np.where(places < count, places, 2 * count - 1 - places)


def with_marks(sheet: Sheet, bled: Rows, blank: int, black: tuple[int, ...]) -> Rows:
    """The whole of a file that has no lines of its own: free paper and crop marks in pixels.

    Args:
        sheet: What is printed.
        bled: What `to_bleed` returns.
        blank: The value of free paper.
        black: The marks' colour, one value a channel.
    """
    if not sheet.marks:
        return bled
    size, inner = sheet.media, sheet.inner(-sheet.bleed)
    lines = [_mark_box(line, sheet.dpi) for line in sheet.mark_lines()]

    def get(first: int, last: int) -> np.ndarray:
        page = np.full((last - first, size.width, bled.channels), blank, np.uint8)
        top, bottom = max(first, inner.top), min(last, inner.bottom)
        if top < bottom:
            band = bled.get(top - inner.top, bottom - inner.top)
            page[top - first : bottom - first, inner.left : inner.right] = band
        for line in lines:
            high, low = max(0, line.top - first), max(0, line.bottom - first)
            page[high:low, line.left : line.right] = black
        return page

    return Rows(size, bled.channels, get)


def _mark_box(line: tuple[float, float, float, float], dpi: int) -> Box:
    """The pixels of a crop mark."""
    width = max(1, pixels(MARK_WIDTH, dpi))
    x0, y0, x1, y1 = (pixels(value, dpi) for value in line)
    if x0 == x1:
        x0, x1 = x0 - width // 2, x0 - width // 2 + width
    else:
        y0, y1 = y0 - width // 2, y0 - width // 2 + width
    return Box(x0, y0, x1, y1)
