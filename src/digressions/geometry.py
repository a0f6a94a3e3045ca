"""Sizes, boxes and grids in plain integers. No arrays, no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .errors import InputError

CellPath = tuple[int, ...]
"""The way to a picture of a world: a cell of the root, a cell of that cell's picture, and so on."""

MAX_SIDE = 16_384  # pixels of what is made


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def megapixels(self) -> str:
        """In words, such as ``"16.8 Mpx"``."""
        count = self.pixels / 1e6
        return f"{count:,.1f} Mpx" if count >= 1 else f"{count:.2g} Mpx"

    def times(self, factor: int) -> Size:
        """So many times as wide and high."""
        return Size(self.width * factor, self.height * factor)

    @classmethod
    def parse(cls, text: str, name: str = "size") -> Size:
        """Reads ``"512"`` (a square) or ``"768x512"`` (width x height).

        Args:
            text: The size as typed.
            name: Of the parameter, for the message.

        Raises:
            InputError: The text is neither, or a side is not positive.
        """
        return cls(*_parse_pair(text, name, "WIDTHxHEIGHT", f"{MAX_SIDE:,} pixels a side"))


class Box(NamedTuple):
    """Pixels ``left <= x < right``, ``top <= y < bottom``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return Size(self.right - self.left, self.bottom - self.top)


class Grid(NamedTuple):
    """Cells in reading order: number ``row * columns + column``."""

    columns: int
    rows: int

    def __str__(self) -> str:
        return f"{self.columns}x{self.rows}"

    @property
    def cells(self) -> int:
        return self.columns * self.rows

    def place(self, cell: int) -> tuple[int, int]:
        """Row and column of a cell."""
        return divmod(cell, self.columns)

    def box(self, cell: int, side: int) -> Box:
        """The cell's pixels in a picture whose cells are ``side`` pixels wide and high."""
        row, column = self.place(cell)
        return Box(column * side, row * side, (column + 1) * side, (row + 1) * side)

    def size(self, side: int) -> Size:
        """The whole picture when a cell is ``side`` pixels wide and high."""
        return Size(self.columns * side, self.rows * side)

    def over(self, cell: Size) -> Size:
        """The whole picture when a cell is of some size."""
        return Size(self.columns * cell.width, self.rows * cell.height)

    def row(self, row: int) -> Iterator[int]:
        """The indices of one row of cells, left to right."""
        return iter(range(row * self.columns, (row + 1) * self.columns))

    @classmethod
    def parse(cls, text: str, aspect: float | None = None) -> Grid:
        """Reads ``"64x48"`` (columns x rows), or ``"64"``: the longer side.

        Args:
            text: The grid as typed.
            aspect: Width / height of the picture that a single number is fitted to, so that
                cells are square; ``None`` for a square picture.

        Raises:
            InputError: The text is neither, or a side is not positive.
        """
        most = f"{10**_DIGITS - 1:,} cells a side"
        columns, rows = _parse_pair(text, "grid", "ACROSSxDOWN", most)
        if re.search("[xX×]", text):
            return cls(columns, rows)
        longer = columns
        aspect = aspect or 1.0
        if aspect >= 1:
            return cls(longer, max(1, round(longer / aspect)))
        return cls(max(1, round(longer * aspect)), longer)


def padded_size(picture: Size, size: Size) -> Size:
    """The smallest size of the aspect of another that holds a picture."""
    return Size(
        max(picture.width, round(picture.height * size.width / size.height)),
        max(picture.height, round(picture.width * size.height / size.width)),
    )


def contained(picture: Size, size: Size, multiple: int = 1) -> Size:
    """The largest size of a picture's aspect inside another, in multiples of some pixels."""
    scale = min(size.width / picture.width, size.height / picture.height)
    return Size(
        *(
            min(most // multiple, max(1, round(side * scale / multiple))) * multiple
            for side, most in zip(picture, size, strict=True)
        )
    )


_DIGITS = 7  # of a number of pixels or cells, at most


def _parse_pair(text: str, what: str, form: str, most: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d+)\s*(?:[xX×]\s*(\d+)\s*)?", text)
    if not match:
        raise InputError(f"`{what}` {text!r} is not a number or {form}, like 64 or 64x48")
    if any(len(each) > _DIGITS for each in match.groups("")):
        shown = repr(text) if len(text) < 40 else f"of {len(text)} characters"
        raise InputError(f"`{what}` {shown} is out of range: at most {most}")
    first = int(match[1])
    second = int(match[2] or match[1])
    if first < 1 or second < 1:
        raise InputError(f"`{what}` {text!r} must be at least 1x1")
    return first, second
