"""What each frame gets of what was given once for all frames, or once for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from ..errors import InputError
from .frame_kinds import MAX_CANDIDATES
from .frame_spec import FrameSpec

Given = TypeVar("Given")


class Asked(NamedTuple):
    """What is asked of one frame.

    Attributes:
        room: How much of the room is seen, 0..1; ``None`` for what is usual.
        candidates: How many.
        pick: Which of them to finish, from 1; ``None`` to have them shown.
    """

    room: float | None
    candidates: int
    pick: int | None


def asked_of_each(spec: FrameSpec, frames: int) -> list[Asked]:
    """What is asked of each frame.

    Raises:
        InputError: Something was given neither once nor once for each frame, or there is no such
            candidate.
    """
    rooms = for_each("room", spec.room or [None], frames)
    counts = for_each("n", spec.n or [1], frames)
    picks = for_each("pick", spec.pick or [None], frames)
    most = counts if spec.n else [MAX_CANDIDATES] * frames
    for number, count in zip(picks, most, strict=True):
        if number is not None and not 1 <= number <= count:
            raise InputError(f"`pick` {number} is out of range: 1 to {count} candidates")
    return [Asked(*each) for each in zip(rooms, counts, picks, strict=True)]


def for_each(name: str, given: Sequence[Given], frames: int) -> list[Given]:
    """What each frame gets of what was given once for all, or once for each.

    Raises:
        InputError: It was given some other times.
    """
    if len(given) not in (1, frames):
        raise InputError(
            f"{len(given)} times `{name}` for {frames} frames: give it once for all, or once for "
            "each"
        )
    return [*given] if len(given) == frames else [given[0]] * frames
