"""Lengths in millimetres, as people type them, and in pixels. Pure: no arrays, no torch."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import InputError

MM_PER_INCH = 25.4
POINTS_PER_INCH = 72  # of PostScript and PDF
_UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0}  # in millimetres; and px, which needs the DPI
_UNITS |= dict.fromkeys(("in", "inch", "inches", '"', "″"), MM_PER_INCH)
_NUMBER = r"\d{1,6}(?:[.,]\d{1,6})?|[.,]\d{1,6}"
_UNIT = r"""mm|cm|m|inches|inch|in|"|″|px"""
_LENGTH = rf"\s*({_NUMBER})\s*({_UNIT})?\s*"


class Extent(NamedTuple):
    """Width and height in millimetres."""

    width: float
    height: float

    def __str__(self) -> str:
        return f"{millimetres(self.width)} x {millimetres(self.height)} mm"

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
            raise InputError(f"size {text!r} is not like 21x29.7cm, 8x10in or A4")
        first, unit, second, last_unit = match.groups()
        if not last_unit:
            raise InputError(f"size {text!r} has no unit: write {text.strip()}cm, mm, in or px")
        width = _in_mm(first, unit or last_unit, dpi)
        height = _in_mm(second, last_unit, dpi)
        if min(width, height) <= 0:
            raise InputError(f"size {text!r} is nothing: give two lengths above 0")
        return cls(width, height)


def parse_length(text: str, dpi: float, what: str) -> float:
    """Reads ``"3mm"``, ``"0.125in"`` or ``"40px"`` as millimetres; ``"0"`` needs no unit.

    Args:
        text: As typed; a comma is a decimal point too.
        dpi: What a pixel is measured by.
        what: What it is the length of, for the message.

    Raises:
        InputError: The text is no length, or has no unit.
    """
    match = re.fullmatch(_LENGTH, text.lower())
    if not match:
        raise InputError(f"{what} {text!r} is not a length like 3mm or 0.125in")
    if not match[2] and _value(match[1]):
        raise InputError(f"{what} {text!r} has no unit: write {match[1]}mm, cm, in or px")
    return _in_mm(match[1], match[2] or "mm", dpi)


def pixels(mm: float, dpi: float) -> int:
    """The nearest whole number of pixels: off by at most half a pixel, 0.05 mm at 254 DPI."""
    return round(mm / MM_PER_INCH * dpi)


def points(mm: float) -> float:
    """Of 1/72 inch."""
    return mm / MM_PER_INCH * POINTS_PER_INCH


def millimetres(mm: float) -> str:
    """To a tenth, without a needless ``.0``."""
    return f"{mm:.1f}".removesuffix(".0")


def _in_mm(number: str, unit: str, dpi: float) -> float:
    return _value(number) * (MM_PER_INCH / dpi if unit == "px" else _UNITS[unit])


def _value(number: str) -> float:
    return float(number.replace(",", "."))
