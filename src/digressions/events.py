"""What a use case tells while it works: small frozen values, yielded one after the other.

A use case (`mosaics.build.build`, `frames.filling.fill_frames`, `worlds.film.make_film`, ...) is a
generator of these and prints nothing. The command line draws bars and lines from them, a web page
would show them live, a test reads them. Closing the generator cancels the work; what is finished is
kept.

    for event in dg.mosaic(model, "photo of a turtle", output="out/turtle"):
        match event:
            case Progress(task, done, total): ...
            case Saved(path): ...

Texts are plain sentences without a final full stop. Parameters are in backquotes, as in `errors`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    import numpy as np

Result = TypeVar("Result")


@dataclass(frozen=True)
class Estimate:
    """What the work will take, said before it begins.

    Attributes:
        text: In words.
        pictures: To paint, those that are done already left out.
        done: Pictures that an earlier run has finished.
        seconds: About how long it takes, or ``None`` where nothing tells yet.
        disk: About how many bytes it writes, or ``None``.
    """

    text: str
    pictures: int = 0
    done: int = 0
    seconds: float | None = None
    disk: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far a task is.

    Attributes:
        task: What is done, such as ``"painting"``. Another task is another bar.
        done: Units finished so far.
        total: Units in all, or ``None`` where nobody knows.
    """

    task: str
    done: int
    total: int | None = None


@dataclass(frozen=True, eq=False)
class Preview:
    """How something looks so far.

    Attributes:
        image: ``(H, W, 3)`` uint8.
        label: What it shows.
    """

    image: np.ndarray = field(repr=False)
    label: str = ""


@dataclass(frozen=True)
class Note:
    """Something that is good to know.

    Attributes:
        text: One sentence.
        level: ``"info"``, a result; ``"note"``, the result is not what one would expect;
            ``"warning"``, it may be useless.
    """

    text: str
    level: Literal["info", "note", "warning"] = "info"


@dataclass(frozen=True)
class SoFar:
    """What has been found so far. The next takes its place, and notes say the result.

    Attributes:
        lines: The best first.
    """

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Saved:
    """A file or folder is finished.

    Attributes:
        path: Where it is.
        text: What is worth saying about it, or nothing.
        details: Figures about it by name, for programs.
    """

    path: Path
    text: str = ""
    details: dict[str, Any] = field(default_factory=dict)


Event: TypeAlias = Estimate | Progress | Preview | Note | SoFar | Saved


def tracked(
    task: str, work: Generator[int, None, Result], total: int | None = None
) -> Generator[Progress, None, Result]:
    """Progress of work that yields how many units are finished so far, and what it returns.

    picture = yield from tracked("enlarging", enlarging(...), height)
    """
    with closing(work):
        while True:
            try:
                done = next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            yield Progress(task, done, total)


def completed(work: Generator[Any, None, Result]) -> Result:
    """Runs work to its end and gives what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result


def counted(number: int, thing: str) -> str:
    """Such as ``"1 picture"`` and ``"4,096 pictures"``."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """Such as ``"12 s"``, ``"3 min 20 s"`` and ``"2 h 5 min"``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def in_bytes(count: float) -> str:
    """Such as ``"37 MB"`` and ``"1.2 GB"``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
