"""Use case: all that is asked for of the frames in a photo, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..events import Event
from ..images.source_image import PictureLike
from ..models.base import Model
from .choosing import read_frames
from .explain import explain_frame
from .filling import fill_frames
from .frame_spec import FrameSpec
from .inserting import save_found, save_inserted


def use_frames(
    model: Model,
    photo: PictureLike,
    spec: FrameSpec,
    folder: Path | None = None,
    *,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Shows where frames are, hangs the user's own pictures, explains colours or paints pictures.

    Args:
        model: Paints, where something is painted.
        photo: A path, a PIL image or an array.
        spec: What to do with its frames.
        folder: As of `filling.fill_frames`.
        overwrite: As of `outputs.chosen_output`.

    Raises:
        InputError, PromptError, ImageError, OutputError: As of the use cases that it is made of.
    """
    inputs = read_frames(photo, spec, folder)
    if spec.find:
        yield from save_found(inputs, folder, overwrite=overwrite)
    if spec.insert:
        yield from save_inserted(inputs, spec.paper, folder, overwrite=overwrite)
    if spec.explain:
        place = None if folder is None else folder / "explain"
        yield from explain_frame(model, photo, spec, place, inputs, overwrite=overwrite)
    elif spec.prompts:
        yield from fill_frames(model, photo, spec, folder, inputs, overwrite=overwrite)
