"""Painting pictures, as a user sees it: parameters and files in, pictures with a memory out."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InputError, verbatim
from ..events import Event, Note, Progress, Saved
from ..files import check_file, check_folder, slug
from ..geometry import Size
from ..images.contact_sheet import SHEET_SIDE, contact_sheet
from ..images.decoding import MAX_PIXELS
from ..images.image_files import check_suffix, thumbnail, write_image
from ..images.upscale import check_upscaler, enlarge, load_upscaler
from ..models.base import Model
from .job import check
from .kinds import MAX_SEED
from .metadata import Record
from .notes import notes_on
from .outputs import FOLDER, chosen_output
from .paint import Painted, paint_jobs
from .params import PaintSpec, ResolvedParams
from .replay import ReplayRequest, repaints_kind, replays_kind, sheet_text
from .start import (
    Inputs,
    check_given,
    check_regions,
    finished,
    inputs_of,
    keep_sources,
    notes_on_inputs,
    read_inputs,
    record_for,
    resolve_with,
    start_job,
)

_BATCH, _BATCH_PIXELS = 16, 2**20  # at once, at most: pictures, and pixels of them together


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
        params = self.params
        return f"<Picture {params.prompt!r:.60} seed {params.seed}, {params.size} px>"

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
    idle = spec.larger.enlarge == 1 and inputs.mask is None
    if idle and "upscaler" in spec.larger.model_fields_set:
        raise InputError("`upscaler` needs `enlarge`, how many times to enlarge")
    check_upscaler(spec.larger.upscaler)
    if inputs.mask is not None:
        size = _result_size(Size(1, 1), spec.larger.enlarge, inputs)
        if size.pixels > MAX_PIXELS:
            raise InputError(f"{size} has more than the {MAX_PIXELS:,} pixels that are written")


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
    records = records_of(model, spec, inputs)
    yield from _notes(model, spec, records[0], inputs)
    yield from paint_records(model, records, inputs)


def records_of(model: Model, spec: PaintSpec, inputs: Inputs) -> list[Record]:
    """How the pictures are painted that a spec asks for, nothing left open.

    Raises:
        InputError: Parameters that contradict each other, or that the model cannot work with.
    """
    check_spec(spec, inputs)
    first = resolve_with(model, spec.params, inputs)
    if first.seed + spec.n - 1 > MAX_SEED:
        raise InputError(f"`seed` {first.seed} leaves no room for {spec.n} pictures")
    record = record_for(model, first, inputs)
    area = inputs.area(first.size)
    if spec.larger.enlarge > 1 or (area is not None and area.scale > 1):
        record = record.but(enlarge=spec.larger.enlarge, upscaler=spec.larger.upscaler)
    return [_with_seed(record, seed) for seed in range(first.seed, first.seed + spec.n)]


def _notes(model: Model, spec: PaintSpec, first: Record, inputs: Inputs) -> Iterator[Note]:
    """What a user should know before pictures are painted; ``first`` is the first of them."""
    if "upscaler" in spec.larger.model_fields_set and first.upscaler is None:
        text = "`upscaler` does nothing: the masked area is painted at all the pixels that it has"
        yield Note(text, "note")
    yield from notes_on(model, first.params)
    yield from notes_on_inputs(inputs, first.params.size)


def paint_records(
    model: Model, records: list[Record], inputs: Inputs
) -> Iterator[Progress | Picture]:
    """Paints the pictures of records that differ in their seeds; enlarges them if they say so."""
    first = start_job(records[0].params, inputs)
    jobs = [dataclasses.replace(first, params=record.params) for record in records]
    for job in jobs:
        check(model, job)
    upscaler = load_upscaler(records[0].upscaler or "lanczos")
    # Few large pictures at once: a stop loses a batch, and large ones gain little by company.
    batch_size = max(1, min(_BATCH, _BATCH_PIXELS // records[0].params.size.pixels))
    for found in paint_jobs(model, jobs, batch_size=batch_size):
        if isinstance(found, Painted):
            record, picture = records[found.job], finished(found.image, inputs, upscaler)
            if record.enlarge > 1:
                height, width = (record.enlarge * side for side in picture.shape[:2])
                picture = enlarge(picture, width, height, upscaler)
            yield Picture(picture, record)
        else:
            yield found


def check_target(
    target: Path | None, spec: PaintSpec, inputs: Inputs, usual: Size | None = None
) -> None:
    """Makes sure, before the model is loaded, that pictures can be written to a path.

    Args:
        target: As the user says it, if at all.
        inputs: What they start from.
        usual: Their size, if the spec does not say.

    Raises:
        OutputError: They cannot.
        InputError: A picture that they start from would be written over.
    """
    if target is None:
        check_folder(FOLDER)
        return
    size = spec.params.size or usual or Size(1, 1)
    check_suffix(target, *_result_size(size, spec.larger.enlarge, inputs))
    check_file(target)
    keep_sources(spec.start, target, several=spec.n > 1)


def paint_to_files(
    model: Model,
    spec: PaintSpec,
    target: Path | None = None,
    inputs: Inputs | None = None,
    *,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Paints pictures into files: the use case of ``digress paint``.

    Args:
        target: The file of a single picture; of several, each seed goes into its name, and a
            contact sheet comes beside them. A free name after the prompt, if not given.
        overwrite: As of `outputs.chosen_output`.
    """
    inputs = read_inputs(spec.start) if inputs is None else inputs
    check_target(target, spec, inputs, Size(model.size, model.size))
    records = records_of(model, spec, inputs)

    def plan(place: Path) -> dict[Path, dict[str, str]]:
        if spec.n == 1:
            return {place: records[0].to_text()}
        pictures = {_numbered(place, record): record.to_text() for record in records}
        return pictures | {
            _sheet(place): sheet_text(
                records[0].to_text(), "a contact sheet", place.parent, pictures
            )
        }

    usual = FOLDER / f"{slug(spec.params.prompt)}.png"
    target = chosen_output(target, usual, plan, overwrite=overwrite)
    yield from _notes(model, spec, records[0], inputs)
    found = paint_records(model, records, inputs)
    yield from saved(found, target, several=spec.n > 1)


def saved(found: Iterable[Event | Picture], target: Path, *, several: bool) -> Iterator[Event]:
    """Events with every picture among them written to a file, and a sheet of several."""
    pictures: list[Picture] = []
    for event in found:
        if not isinstance(event, Picture):
            yield event
            continue
        pictures.append(event)
        yield Saved(event.save(_numbered(target, event.record) if several else target))
    if several:
        pictures.sort(key=lambda picture: picture.params.seed)
        labels = [f"seed {picture.params.seed}" for picture in pictures]
        small = [thumbnail(picture.array, SHEET_SIDE) for picture in pictures]
        sheet = contact_sheet(small, labels=labels)
        names = [_numbered(target, picture.record) for picture in pictures]
        text = sheet_text(pictures[0].text, "a contact sheet", target.parent, names)
        yield Saved(write_image(_sheet(target), sheet, text))


def _numbered(target: Path, record: Record) -> Path:
    """The file of one of several pictures."""
    return target.with_stem(f"{target.stem}-{record.params.seed}")


def _sheet(target: Path) -> Path:
    return target.with_stem(f"{target.stem}-sheet")


def _result_size(size: Size, enlarge: int, inputs: Inputs) -> Size:
    """The size of a picture's file."""
    return Size(*(enlarge * side for side in inputs.result_size(size)))


def _with_seed(record: Record, seed: int) -> Record:
    return record.but(params=record.params.but(seed=seed))


@repaints_kind("picture")
def paint_again(model: Model, record: Record) -> Generator[Event, None, np.ndarray]:
    """The pixels of a painted picture again."""
    pixels: np.ndarray | None = None
    for event in paint_records(model, [record], inputs_of(record)):
        if isinstance(event, Picture):
            pixels = event.array
        else:
            yield event
    assert pixels is not None  # a record gives a picture
    return pixels


@replays_kind("picture")
def replay_picture(request: ReplayRequest, model: Model, record: Record) -> Iterator[Event]:
    """A painted picture again."""
    inputs = inputs_of(record)
    check_suffix(request.target, *_result_size(record.params.size, record.enlarge, inputs))
    told = verbatim(f"a picture of {record.params.prompt!r:.80}, seed {record.params.seed}")
    yield Note(told)
    found = paint_records(model, [record], inputs)
    yield from saved(found, request.target, several=False)
