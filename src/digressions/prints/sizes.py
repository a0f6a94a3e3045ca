"""Lengths as people type them, in millimetres and in pixels; sizes of paper and frames by name.

Pure: no arrays, no torch.
"""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from ..errors import InputError

MM_PER_INCH = 25.4
POINTS_PER_INCH = 72  # of PostScript and PDF
_UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0}  # in millimetres; and px, which needs the DPI
_INCH_UNITS = ("in", "inch", "inches", '"', "″", "”", "“", "''")
_UNITS |= dict.fromkeys(_INCH_UNITS, MM_PER_INCH)
_NUMBER = r"\d{1,6}(?:[.,]\d{1,6})?|[.,]\d{1,6}"
_UNIT = r"""mm|cm|m|inches|inch|in|"|″|”|“|''|px"""
_LENGTH = rf"\s*({_NUMBER})\s*({_UNIT})?\s*"


class Length(NamedTuple):
    """A length as typed, such as ``3mm``; pixels become millimetres only with the DPI.

    Attributes:
        value: At least 0.
        unit: ``"mm"``, ``"cm"``, ``"m"``, ``"in"`` or ``"px"``.
    """

    value: float = 0.0
    unit: str = "mm"

    def __str__(self) -> str:
        number = f"{self.value:.6f}".rstrip("0").rstrip(".")
        return f"{number}{self.unit}" if self.value else "0"

    def millimetres(self, dpi: float) -> float:
        """In millimetres; a pixel is an inch / ``dpi``."""
        return _in_mm(self.value, self.unit, dpi)

    @classmethod
    def parse(cls, text: str, what: str = "length") -> Length:
        """Reads ``"3mm"``, ``"0.125in"`` or ``"40px"``; ``"0"`` needs no unit.

        Args:
            text: As typed; a comma is a decimal point too.
            what: The parameter that it is, for the message.

        Raises:
            InputError: The text is not a length, or has no unit.
        """
        match = re.fullmatch(_LENGTH, text.lower())
        if not match:
            raise InputError(f"`{what}` {text!r} is not a length like 3mm or 0.125in")
        value = _value(match[1])
        if not match[2] and value:
            raise InputError(f"`{what}` {text!r} has no unit: write {match[1]}mm, cm, in or px")
        unit = match[2] or "mm"
        return cls(value, "in" if unit in _INCH_UNITS else unit)


class Extent(NamedTuple):
    """Width and height in millimetres."""

    width: float
    height: float

    def __str__(self) -> str:
        return f"{in_millimetres(self.width)} x {in_millimetres(self.height)} mm"

    def turned(self) -> Extent:
        return Extent(self.height, self.width)

    @classmethod
    def parse(cls, text: str, dpi: float) -> Extent:
        """Reads ``"21x29.7cm"``, ``"8 x 10 in"``, ``"210mm x 29.7cm"`` or ``"2000x3000px"``.

        A unit behind the second length is the first one's too.

        Raises:
            InputError: The text is not two lengths with a unit, or one of them is nothing.
        """
        match = re.fullmatch(f"{_LENGTH}[x×*]{_LENGTH}", text.lower())
        if not match:
            raise InputError(f"`size` {text!r} is not like 21x29.7cm, 8x10in or A4")
        first, unit, second, last_unit = match.groups()
        if not last_unit:
            raise InputError(f"`size` {text!r} has no unit: write {text.strip()}cm, mm, in or px")
        width = _in_mm(_value(first), unit or last_unit, dpi)
        height = _in_mm(_value(second), last_unit, dpi)
        if min(width, height) <= 0:
            raise InputError(f"`size` {text!r} is nothing: give two lengths above 0")
        return cls(width, height)


def pixels(mm: float, dpi: float) -> int:
    """The nearest whole number of pixels: off by at most half a pixel, 0.05 mm at 254 DPI."""
    return round(mm / MM_PER_INCH * dpi)


def points(mm: float) -> float:
    """Of 1/72 inch."""
    return mm / MM_PER_INCH * POINTS_PER_INCH


def in_millimetres(mm: float) -> str:
    """To a tenth, without a needless ``.0``."""
    return f"{mm:.1f}".removesuffix(".0")


def _in_mm(value: float, unit: str, dpi: float) -> float:
    return value * (MM_PER_INCH / dpi if unit == "px" else _UNITS[unit])


def _value(number: str) -> float:
    return float(number.replace(",", "."))


_CM = ("9x13 10x15 13x18 15x20 18x24 20x20 20x25 20x30 21x30 24x30 25x25 30x30 30x40 30x45 40x40 "
       "40x50 40x60 50x50 50x60 50x70 60x80 60x90 61x91 70x100")  # fmt: skip
_INCH = "3.5x5 4x6 5x5 5x7 6x8 8x8 8x10 8x12 9x12 10x10 11x14 12x12 12x16 12x18 16x20 18x24 20x24"
_INCH += " 20x30 24x30 24x36 27x40"


def _inches(width: float, height: float) -> Extent:
    return Extent(width * MM_PER_INCH, height * MM_PER_INCH)


# Upright. ISO 216 rounds each size to whole millimetres; halving A0 on a computer does not.
PAPERS = {
    "A0": Extent(841, 1189),
    "A1": Extent(594, 841),
    "A2": Extent(420, 594),
    "A3": Extent(297, 420),
    "A4": Extent(210, 297),
    "A5": Extent(148, 210),
    "A6": Extent(105, 148),
    "A7": Extent(74, 105),
    "B0": Extent(1000, 1414),
    "B1": Extent(707, 1000),
    "B2": Extent(500, 707),
    "B3": Extent(353, 500),
    "B4": Extent(250, 353),
    "B5": Extent(176, 250),
    "SRA3": Extent(320, 450),
    "letter": _inches(8.5, 11),
    "legal": _inches(8.5, 14),
    "executive": _inches(7.25, 10.5),
    "tabloid": _inches(11, 17),
    "super-B": _inches(13, 19),
    "A3+": _inches(13, 19),
    "3R": _inches(3.5, 5),  # photo prints
    "4R": _inches(4, 6),
    "5R": _inches(5, 7),
    "6R": _inches(6, 8),
    "8R": _inches(8, 10),
    "S8R": _inches(8, 12),
    "11R": _inches(11, 14),
}
FRAMES = {
    f"{name}cm": Extent(*(float(side) * 10 for side in name.split("x"))) for name in _CM.split()
}
FRAMES |= {f"{name}in": _inches(*map(float, name.split("x"))) for name in _INCH.split()}
_LANDSCAPE, _PORTRAIT = "landscape", "portrait"
_TURN = re.compile(rf"(.*?)[\s-]*({_LANDSCAPE}|{_PORTRAIT})?", re.IGNORECASE | re.DOTALL)


def parse_paper(text: str, dpi: float, landscape: bool) -> Extent:
    """A size as typed: a name of `PAPERS`, or two lengths (see `Extent.parse`).

    Args:
        text: ``"A4"``, ``"letter landscape"``, ``"21x29.7cm"``, ...
        dpi: What a pixel is measured by.
        landscape: Which way a named paper is turned when its name does not say. Two lengths stay
            as they are.

    Raises:
        InputError: Neither; the message has the nearest name.
    """
    match = _TURN.fullmatch(text.strip())
    assert match is not None  # it takes any text
    by_name = {name.lower(): paper for name, paper in PAPERS.items()}
    paper = by_name.get(match[1].lower())
    if paper is not None:
        lies = match[2].lower() == _LANDSCAPE if match[2] else landscape
        return paper.turned() if lies else paper
    if re.match(r"\s*[\d.,]", text) and re.search("[x×*]", text.lower()):
        return Extent.parse(text, dpi)
    nearest = difflib.get_close_matches(match[1].lower(), by_name, 1, cutoff=0.0)[0]
    name = next(name for name in PAPERS if name.lower() == nearest)
    raise InputError(
        f"`size` {text!r} is not known: did you mean {name}? There are {', '.join(PAPERS)}, "
        "and sizes like 21x29.7cm"
    )


def turned_like(size: Extent, text: str, landscape: bool) -> Extent:
    """A size turned as a picture lies, unless the text that it was typed as says how it lies."""
    match = _TURN.fullmatch(text.strip())
    assert match is not None  # it takes any text
    across = size.width > size.height
    return size if match[2] or across == landscape else size.turned()


def nearest_frame(size: Extent) -> tuple[str, Extent]:
    """The size that frames are sold in, or paper, nearest to ``size``, turned as it is.

    Nearest in the ratio of widths and of heights, so that small sizes count like large ones.
    """

    def off(size_of: Extent) -> float:
        ratios = (size_of.width / size.width, size_of.height / size.height)
        return max(max(ratio, 1 / ratio) for ratio in ratios)

    lies = size.width > size.height
    sizes = {name: sold.turned() if lies else sold for name, sold in (PAPERS | FRAMES).items()}
    name = min(sizes, key=lambda name: off(sizes[name]))
    return name, sizes[name]
