"""How large painted pictures become: enlarged because somebody asks, or because they are small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import InputError, verbatim
from ..events import Note
from ..geometry import Size
from ..images.decoding import MAX_PIXELS
from ..images.upscale import Upscaler, check_upscaler, enlarge
from .metadata import Record
from .params import EnlargeParams
from .start import Inputs


def check_enlargement(larger: EnlargeParams, inputs: Inputs, *, given: bool) -> None:
    """Refuses what can be refused without a model.

    Args:
        given: Whether the user chose the size, and so has what was asked for.

    Raises:
        InputError: An upscaler that has nothing to do or is not there, or a result too large.
    """
    if inputs.mask is None:  # a masked area may be painted at fewer pixels than it has
        larger.check(sized=given)
    check_upscaler(larger.upscaler)
    if inputs.mask is not None:
        size = Size(1, 1)
        size = result_size(size, larger.times(size, given=True), inputs)
        if size.pixels > MAX_PIXELS:
            raise InputError(f"{size} has more than the {MAX_PIXELS:,} pixels that are written")


def with_enlargement(
    record: Record, larger: EnlargeParams, inputs: Inputs, *, given: bool
) -> Record:
    """A record of a picture that is enlarged after it is painted, all of it or its masked area, if
    it is.

    Args:
        given: As of `check_enlargement`.
    """
    size = record.params.size
    times = larger.times(size, given=given or inputs.mask is not None)
    area = inputs.area(size)
    if times > 1 or (area is not None and area.scale > 1):
        return record.but(enlarge=times, upscaler=larger.upscaler)
    return record


def notes_on_enlargement(record: Record, larger: EnlargeParams, inputs: Inputs) -> Iterator[Note]:
    """What is said where pictures are enlarged unasked, or an upscaler has nothing to do."""
    painted = record.params.size
    if record.enlarge > 1 and larger.enlarge is None:
        size = result_size(painted, record.enlarge, inputs)
        yield Note(
            f"painted at {painted}, and enlarged to {size} with {verbatim(record.upscaler)}; "
            "`enlarge` 1 leaves them as painted"
        )
    if record.upscaler is None and "upscaler" in larger.model_fields_set:
        why = f"{painted} is large enough, and `enlarge` is not given"
        if inputs.mask is not None:
            why = "the masked area is painted at all the pixels that it has"
        yield Note(f"`upscaler` does nothing: {why}", "note")


def enlarged(picture: np.ndarray, record: Record, upscaler: Upscaler) -> np.ndarray:
    """A picture as its record says: enlarged, or as it is."""
    if record.enlarge == 1:
        return picture
    height, width = (record.enlarge * side for side in picture.shape[:2])
    return enlarge(picture, width, height, upscaler)


def result_size(size: Size, times: int, inputs: Inputs) -> Size:
    """The size of a picture's file.

    Args:
        size: That it is painted at.
        times: That it is enlarged.
    """
    return Size(*(times * side for side in inputs.result_size(size)))
