"""Painting pictures, as a user sees it: parameters and files in, pictures with a memory out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InputError
from ..events import Event, Note, Progress, Saved
from ..geometry import Size
from ..images.contact_sheet import contact_sheet, for_sheet
from ..images.image_files import check_suffix, to_array, write_image
from ..images.upscale import Upscaler, check_upscaler, enlarge, load_upscaler
from ..models.base import Model
from ..prompts.choices import drawn
from .job import check
from .kinds import MAX_SEED
from .metadata import Record
from .notes import notes_on
from .paint import Painted, paint_jobs
from .params import EnlargeParams, PaintSpec, ResolvedParams
from .presets import notes_on_preset
from .replay import ReplayRequest, replays_kind
from .start import (
    Inputs,
    check_given,
    check_regions,
    inputs_of,
    keep_sources,
    read_inputs,
    record_for,
    resolve,
    start_job,
)


class MadePicture:
    """A picture in memory and what its file will remember. Stands wherever a picture is taken.

    Attributes:
        array: ``(H, W, 3)`` uint8, sRGB.
        text: What its file remembers, for people, other tools and `replay`.
    """

    def __init__(self, array: np.ndarray, text: Mapping[str, str]) -> None:
        self.array, self.text = array, text

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.array if dtype is None else self.array.astype(dtype)

    @property
    def image(self) -> Image.Image:
        """As a PIL image."""
        return Image.fromarray(self.array)

    def save(self, path: str | Path) -> Path:
        """Writes it as PNG, JPEG, WebP or TIFF.

        Raises:
            OutputError: Another suffix, or a place that cannot be written.
        """
        return write_image(path, self.array, self.text)


class Picture(MadePicture):
    """A painted picture.

    Attributes:
        record: How it was made.
    """

    def __init__(self, array: np.ndarray, record: Record) -> None:
        super().__init__(array, record.to_text())
        self.record = record

    def __repr__(self) -> str:
        params, size = self.params, Size(self.array.shape[1], self.array.shape[0])
        return f"<Picture {params.prompt!r:.60} seed {params.seed}, {size} px>"

    @property
    def params(self) -> ResolvedParams:
        """Its parameters, nothing left open."""
        return self.record.params


def check_spec(spec: PaintSpec, inputs: Inputs) -> None:
    """Refuses what can be refused without a model.

    Raises:
        InputError: Parameters that contradict each other or would do nothing.
    """
    check_regions(spec.params.prompt, inputs)
    check_given(spec.params, image=inputs.image is not None, mask=inputs.mask is not None)
    spec.larger.check(sized=spec.params.size is not None or inputs.mask is not None)
    check_upscaler(spec.larger.upscaler)


def paint_pictures(
    model: Model, spec: PaintSpec, inputs: Inputs | None = None
) -> Iterator[Event | Picture]:
    """Paints pictures, and yields each as soon as it is finished.

    Args:
        model: Paints them.
        spec: What they are.
        inputs: What `read_inputs` made of ``spec.start``, if the caller has it already.

    Raises:
        InputError, PromptError, ImageError: Something cannot be painted, before anything is.
    """
    inputs = read_inputs(spec.start) if inputs is None else inputs
    check_spec(spec, inputs)
    masked, coloured = inputs.mask is not None, inputs.palette is not None
    first = resolve(model, spec.params, mask=masked, palette=coloured)
    if first.seed + spec.n - 1 > MAX_SEED:
        raise InputError(f"`seed` {first.seed} leaves no room for {spec.n} pictures")
    record = record_for(model, first, inputs)
    record = with_enlargement(record, spec.larger, given=spec.params.size is not None or masked)
    seeds = range(first.seed, first.seed + spec.n)
    yield from notes_on(model, first)
    check(model, start_job(first, inputs))  # before anything is said that is no note
    yield from notes_on_preset(spec, preset=spec.preset)
    yield from notes_on_enlargement(record, spec.larger)
    yield from paint_records(model, [with_seed(record, seed) for seed in seeds], inputs)


def paint_records(
    model: Model, records: list[Record], inputs: Inputs
) -> Iterator[Progress | Picture]:
    """Paints the pictures of records that share their inputs; enlarges those that say so."""
    jobs = [start_job(record.params, inputs) for record in records]
    for job in jobs:
        check(model, job)
    upscaler = load_upscaler(records[0].upscaler or "lanczos")
    for found in paint_jobs(model, jobs):
        if isinstance(found, Painted):
            yield enlarged(Picture(to_array(found.image), records[found.job]), upscaler)
        else:
            yield found


def with_enlargement(record: Record, larger: EnlargeParams, *, given: bool) -> Record:
    """A record of a picture that is enlarged after it is painted, if it is.

    Args:
        given: As of `EnlargeParams.times`.
    """
    times = larger.times(record.params.size, given=given)
    return record.but(enlarge=times, upscaler=larger.upscaler) if times > 1 else record


def notes_on_enlargement(record: Record, larger: EnlargeParams) -> Iterator[Note]:
    """What is said where pictures are enlarged unasked, or an upscaler has nothing to do."""
    if record.enlarge > 1 and larger.enlarge is None:
        size = Size(*(record.enlarge * side for side in record.params.size))
        yield Note(
            f"painted at {record.params.size}, and enlarged to {size} with {record.upscaler}; "
            "`enlarge` 1 leaves them as painted"
        )
    if record.enlarge == 1 and "upscaler" in larger.model_fields_set:
        yield Note(
            f"`upscaler` does nothing: {record.params.size} is large enough, and `enlarge` is not "
            "given",
            "note",
        )


def enlarged(picture: Picture, upscaler: Upscaler) -> Picture:
    """A picture as its record says: enlarged, or as it is."""
    record = picture.record
    if record.enlarge == 1:
        return picture
    height, width = (record.enlarge * side for side in picture.array.shape[:2])
    return Picture(enlarge(picture.array, width, height, upscaler), record)


def check_target(target: Path, spec: PaintSpec, usual: Size | None = None) -> None:
    """Makes sure, before anything is painted, that the pictures can be written to a path.

    Args:
        usual: Their size, if the spec does not say.

    Raises:
        OutputError: They cannot.
        InputError: A picture that they start from would be written over.
    """
    size = spec.params.size or usual or Size(1, 1)
    known = spec.params.size is not None or spec.start.mask is not None or usual is None
    times = spec.larger.times(size, given=known)
    check_suffix(target, *(times * side for side in size))
    keep_sources(spec.start, target, several=spec.n > 1)


def paint_to_files(
    model: Model, spec: PaintSpec, target: Path, inputs: Inputs | None = None
) -> Iterator[Event]:
    """Paints pictures into files: the use case of ``digress paint``.

    Args:
        target: The file of a single picture; of several, each seed goes into its name, and a
            contact sheet comes beside them.
    """
    check_target(target, spec, Size(model.size, model.size))
    yield from saved(paint_pictures(model, spec, inputs), target, count=spec.n)


def saved(found: Iterable[Event | Picture], target: Path, *, count: int) -> Iterator[Event]:
    """Events with every picture among them written to a file, and a sheet of several.

    Args:
        count: How many there are.
    """
    several, shown = count > 1, list[tuple[Record, np.ndarray]]()
    for event in found:
        if not isinstance(event, Picture):
            yield event
            continue
        shown.append((event.record, for_sheet(event.array, count)))
        path = target.with_stem(f"{target.stem}-{event.params.seed}") if several else target
        yield Saved(event.save(path))
    if several:
        shown.sort(key=lambda each: each[0].params.seed)
        records, arrays = zip(*shown, strict=True)
        sheet = contact_sheet(arrays, labels=sheet_labels(records))
        seeds = {"seeds": str([record.params.seed for record in records])}
        path = target.with_stem(f"{target.stem}-sheet")
        yield Saved(write_image(path, sheet, records[0].to_text() | seeds))


def sheet_labels(records: Sequence[Record]) -> list[str]:
    """What stands below pictures on a sheet: the seed, and what was drawn where that differs."""
    differ = len({record.params.prompt for record in records}) > 1
    return [
        f"seed {record.params.seed}" + (f": {record.params.prompt}" if differ else "")
        for record in records
    ]


def with_seed(record: Record, seed: int) -> Record:
    """A record of the same picture from another seed, with the choices that it draws."""
    params = record.params
    prompt, negative = drawn(params.prompt, seed), drawn(params.negative, seed, "negative")
    return record.but(params=params.but(seed=seed, prompt=prompt, negative=negative))


@replays_kind("picture")
def replay_picture(request: ReplayRequest, model: Model, record: Record) -> Iterator[Event]:
    """A painted picture again."""
    check_suffix(request.target, *(record.enlarge * side for side in record.params.size))
    found = paint_records(model, [record], inputs_of(record))
    yield from saved(found, request.target, count=1)
