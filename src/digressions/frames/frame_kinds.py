"""The kinds of values that parameters of frames have: given once for all, or once for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from numbers import Real
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from ..errors import InputError, verbatim
from ..generate.kinds import Named, PictureInput
from ..homography import Quad
from ..prompts.wildcards import with_lists

AUTO = "auto"
"""A room that is as usual."""
MAX_CANDIDATES = 999  # of a frame


def _listed(value: Any) -> Any:
    """A list where somebody gives one thing, or several in another way."""
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return list(value)
    return [value]


def _read_openings(value: Any) -> Any:
    """A list of openings where somebody gives one, or several."""
    if isinstance(value, str):
        return [value]
    with suppress(TypeError):
        value = list(value)
        if any(map(_is_point, value)):
            return [value]
    return value


def _is_point(value: Any) -> bool:
    if isinstance(value, str):
        return len(value.split()) == 1
    return not isinstance(value, Iterable) or all(isinstance(each, Real) for each in value)


def _read_corners(value: Any) -> tuple[str, ...]:
    """Corners as somebody would type them."""
    if isinstance(value, str):
        value = value.split()
    try:
        points = tuple(
            point if isinstance(point, str) else ",".join(str(float(side)) for side in point)
            for point in value
        )
    except (TypeError, ValueError):
        raise InputError(f"`corners` {value!r:.80}: give four points, x,y x,y x,y x,y") from None
    Quad.parse(points)  # raises what is wrong with them
    return points


def _read_room(value: Any) -> float | None:
    """How much room is seen; ``None`` for what is usual."""
    if value is None or (isinstance(value, str) and value.strip().lower() == AUTO):
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        room = float(value)
    except (TypeError, ValueError):
        shown = verbatim(f"{value!r:.80}")
        raise InputError(f"`room` is {shown}: it must be a number from 0 to 1, or {AUTO}") from None
    if not 0 <= room <= 1:
        raise InputError(f"`room` {room} is out of range: 0 to 1")
    return room


Numbers = Annotated[list[int], BeforeValidator(_listed)]
Counts = Annotated[list[Annotated[int, Field(ge=1, le=MAX_CANDIDATES)]], BeforeValidator(_listed)]
Rooms = Annotated[
    list[Annotated[float | None, BeforeValidator(_read_room)]], BeforeValidator(_listed)
]
"""Shares from 0 to 1; reads text too, and ``"auto"`` as ``None``, which is what is usual."""

Texts = Annotated[list[str], BeforeValidator(_listed)]
Prompts = Annotated[
    Texts, AfterValidator(lambda texts: [with_lists(text, "prompts") for text in texts])
]
Pictures = Annotated[list[PictureInput], BeforeValidator(_listed)]
Palettes = Annotated[list[Named], BeforeValidator(lambda value: [*map(str, _listed(value))])]
Corners = Annotated[tuple[str, str, str, str], BeforeValidator(_read_corners)]
"""Four corners in any order; reads ``"x,y"``, pairs of numbers and a `Quad`."""

Openings = Annotated[list[Corners], BeforeValidator(_read_openings)]
"""Corners of an opening, or of several."""
