"""What a parsed prompt is: weighted terms, each a text that may change from step to step.

    Ensemble            "a giraffe AND a frog :0.7"
    └── Term            one prompt: pieces, weight, range of the steps
        └── Piece       str | Weighted | Switch | Alternate | Choice, nested at will

`prompts.parse` builds these; a `Choice` is drawn (`prompts.choices`) before a prompt is asked for.
Everything is immutable and can be compared, and ``str()`` writes what parses back to an equal
structure. For that the pieces must be as `prompts.parse` leaves them: no empty text, no two texts
side by side, no white space at the outer ends of a term, at least two options in an `Alternate`.

A step is an integer ``0..steps-1``, 0 the noisiest.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypeAlias

Piece: TypeAlias = "str | Weighted | Switch | Alternate | Choice"
Pieces: TypeAlias = tuple[Piece, ...]

ROUND = 1.1
"""What ``(word)`` multiplies attention with; ``[word]`` divides by it (A1111)."""


class Segment(NamedTuple):
    """A stretch of plain text and the attention that it gets; 1 is none in particular."""

    text: str
    attention: float


Plain: TypeAlias = tuple[Segment, ...]


class Active(NamedTuple):
    """A prompt as it is at one step."""

    weight: float
    text: Plain


@dataclass(frozen=True)
class Weighted:
    """``(word:1.3)``: more or less attention, times that of what it stands in."""

    pieces: Pieces
    attention: float

    def __str__(self) -> str:
        inner = _written(self.pieces, inside=True)
        if self.attention == ROUND:
            return f"({inner})"
        if self.attention == 1 / ROUND:
            return f"[{inner}]"
        return f"({inner}:{number(self.attention)})"


@dataclass(frozen=True)
class Switch:
    """``[a:b:0.4]``: ``before`` for the first ``when`` of the steps, then ``after``.

    Attributes:
        when: A fraction of the steps, 0..1, or their number if ``counted``. A fraction of a step
            is rounded down.
    """

    before: Pieces
    after: Pieces
    when: float
    counted: bool = False

    def __str__(self) -> str:
        before, after = (_written(pieces, inside=True) for pieces in (self.before, self.after))
        when = str(int(self.when)) if self.counted else f"{Decimal(repr(float(self.when))):f}"
        return f"[{before}:{after}:{when}]"


@dataclass(frozen=True)
class Alternate:
    """``[a|b]``: the options take turns, a step each."""

    options: tuple[Pieces, ...]

    def __str__(self) -> str:
        return f"[{'|'.join(_written(option, inside=True) for option in self.options)}]"


class Option(NamedTuple):
    """One of a `Choice`: how likely it is beside the others, and what it says."""

    chance: float
    pieces: Pieces


SEPARATOR = ", "
"""Between several that are chosen, unless another is given (sd-dynamic-prompts)."""


@dataclass(frozen=True)
class Choice:
    """``{a|b|c}``: one of the options, or several, drawn for each picture from its seed.

    Attributes:
        options: At least one.
        low, high: How many different ones are taken, ``1 <= low <= high <= len(options)``.
        separator: Between them; `SEPARATOR` where one is taken.
    """

    options: tuple[Option, ...]
    low: int = 1
    high: int = 1
    separator: str = SEPARATOR

    def __str__(self) -> str:
        count = ""
        if self.high > 1:
            own = "" if self.separator == SEPARATOR else f"{self.separator}$$"
            count = f"{self.low}$$" if self.low == self.high else f"{self.low}-{self.high}$$"
            count += own
        options = (
            f"{'' if chance == 1 else f'{number(chance)}::'}{_written(pieces, inside=True)}"
            for chance, pieces in self.options
        )
        return f"{{{count}{'|'.join(options)}}}"


class LoraTag(NamedTuple):
    """``<lora:name:0.8>``: a LoRA that the picture is painted with, and how much it counts."""

    name: str
    strength: float

    def __str__(self) -> str:
        return f"<lora:{self.name}:{number(self.strength)}>"


@dataclass(frozen=True)
class Term:
    """One prompt of an ensemble.

    Attributes:
        pieces: Its text.
        weight: How much it counts; negative for "away from"; 0 for inactive.
        start, end: It counts from this fraction of the steps up to that one,
            ``0 <= start < end <= 1``, both rounded down to a step. So ranges that meet leave no
            step out and share none. A range narrower than a step may be empty.
        loras: That it names.
    """

    pieces: Pieces
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    loras: tuple[LoraTag, ...] = ()

    def __str__(self) -> str:
        parts = [_written(self.pieces, inside=False), *map(str, self.loras)]
        if self.weight != 1:
            parts.append(f":{number(self.weight)}")
        if (self.start, self.end) != (0, 1):
            parts.append(f"@{number(self.start)}-{number(self.end)}")
        return " ".join(part for part in parts if part)

    def at(self, step: int, steps: int) -> Active | None:
        """Weight and text at a step, or ``None`` where it is inactive."""
        counts = _passed(self.start, steps) <= step < _passed(self.end, steps)
        if not counts or self.weight == 0:
            return None
        return Active(self.weight, _joined(_segments(self.pieces, step, steps, 1.0)))

    @property
    def changes(self) -> bool:
        """Whether the text changes from step to step."""
        return any(_changes(piece) for piece in self.pieces)


@dataclass(frozen=True)
class Ensemble:
    """Prompts that work on one picture together. At least one."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return " AND ".join(map(str, self.terms))

    def at(self, step: int, steps: int) -> tuple[Active, ...]:
        """The terms that count at a step, in their order. Empty where all are inactive."""
        found = (term.at(step, steps) for term in self.terms)
        return tuple(active for active in found if active is not None)

    def texts(self, steps: int) -> tuple[Plain, ...]:
        """The different texts that a run of so many steps needs, the first term's first."""
        run = (term.at(step, steps) for term in self.terms for step in range(steps))
        return tuple(dict.fromkeys(active.text for active in run if active is not None))


def number(value: float) -> str:
    """A finite number in digits, without an exponent; ``float`` reads the same value back."""
    text = f"{Decimal(repr(float(value))):f}"
    return text.removesuffix(".0")


def _passed(fraction: float, steps: int) -> int:
    """How many whole steps a fraction of them is."""
    # 0.29 * 100 is a hair below 29 in floating point, and 29 is meant.
    return math.floor(fraction * steps + 1e-9)


def _segments(pieces: Pieces, step: int, steps: int, attention: float) -> list[Segment]:
    found: list[Segment] = []
    for piece in pieces:
        if isinstance(piece, str):
            found.append(Segment(piece, attention))
        elif isinstance(piece, Weighted):
            found += _segments(piece.pieces, step, steps, attention * piece.attention)
        elif isinstance(piece, Switch):
            first = piece.when if piece.counted else _passed(piece.when, steps)
            chosen = piece.before if step < first else piece.after
            found += _segments(chosen, step, steps, attention)
        elif isinstance(piece, Choice):
            raise TypeError("a choice is drawn before a prompt is asked for: see prompts.choices")
        else:
            option = piece.options[step % len(piece.options)]
            found += _segments(option, step, steps, attention)
    return found


def _joined(segments: list[Segment]) -> Plain:
    """Neighbours of the same attention as one."""
    groups = itertools.groupby(segments, key=lambda segment: segment.attention)
    texts = (("".join(part.text for part in group), attention) for attention, group in groups)
    return tuple(Segment(text, attention) for text, attention in texts if text)


def _changes(piece: Piece) -> bool:
    if isinstance(piece, Weighted):
        return any(map(_changes, piece.pieces))
    if isinstance(piece, Choice):
        return any(_changes(each) for option in piece.options for each in option.pieces)
    return not isinstance(piece, str)


def _written(pieces: Pieces, inside: bool) -> str:
    """Pieces as they are typed; ``inside`` brackets more characters need a backslash."""
    return "".join(_escaped(p, inside) if isinstance(p, str) else str(p) for p in pieces)


def _escaped(text: str, inside: bool) -> str:
    # Outside brackets a colon or @ means something only before a number, and | nothing: a prompt
    # without special syntax comes back as it was typed.
    special = (
        r"[\\()\[\]{}:|]|\$(?=\$)|__(?=\w)|\bAND\b"
        if inside
        else r"[\\()\[\]{}]|[:@](?=\s*[-+.,\d])|\bAND\b|__(?=\w)"
    )
    return re.sub(special, lambda found: "\\" + found[0], text)


def joined_texts(pieces: Iterable[Piece]) -> Pieces:
    """Pieces in which neighbouring texts are one."""
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        else:
            found.append(piece)
    return tuple(found)


def stripped(pieces: Pieces) -> Pieces:
    """Pieces of a term without white space at its ends."""
    ends = list(pieces)
    if ends and isinstance(ends[0], str):
        ends[0] = ends[0].lstrip()
    if ends and isinstance(ends[-1], str):
        ends[-1] = ends[-1].rstrip()
    return tuple(piece for piece in ends if piece != "")
