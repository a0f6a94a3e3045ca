"""Sizes of paper and of frames by name. Pure: no arrays, no torch."""

from __future__ import annotations

import difflib
import re

from ..errors import InputError
from .lengths import MM_PER_INCH, Extent

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
_LIES, _STANDS = "landscape", "portrait"
_WAY = re.compile(rf"(.*?)[\s-]*({_LIES}|{_STANDS})?", re.IGNORECASE | re.DOTALL)


def parse_size(text: str, dpi: float, landscape: bool) -> Extent:
    """A size as typed: a name of `PAPERS`, or two lengths (see `Extent.parse`).

    Args:
        text: ``"A4"``, ``"letter landscape"``, ``"21x29.7cm"``, ...
        dpi: What a pixel is measured by.
        landscape: Which way a name lies that does not say so itself. Two lengths stay as they are.

    Raises:
        InputError: Neither; the message has the nearest name.
    """
    match = _WAY.fullmatch(text.strip())
    assert match is not None  # it takes any text
    by_name = {name.lower(): paper for name, paper in PAPERS.items()}
    paper = by_name.get(match[1].lower())
    if paper is not None:
        lies = match[2].lower() == _LIES if match[2] else landscape
        return paper.turned() if lies else paper
    if re.match(r"\s*[\d.,]", text) and re.search("[x×*]", text.lower()):
        return Extent.parse(text, dpi)
    nearest = difflib.get_close_matches(match[1].lower(), by_name, 1, cutoff=0.0)[0]
    name = next(name for name in PAPERS if name.lower() == nearest)
    raise InputError(
        f"unknown paper {text!r}: did you mean {name}? There are {', '.join(PAPERS)}, "
        "and sizes like 21x29.7cm"
    )


def laid(size: Extent, text: str, landscape: bool) -> Extent:
    """A size as a picture lies, unless the text that it was typed as says how it lies itself."""
    match = _WAY.fullmatch(text.strip())
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
