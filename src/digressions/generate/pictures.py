"""Painting pictures, as a user sees it: parameters and files in, pictures with a memory out."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InputError, verbatim
from ..events import Event, Note, Saved
from ..files import check_file, check_folder, slug
from ..geometry import Size
from ..images.carried import NOTHING, Carried
from ..images.contact_sheet import contact_sheet, side_on_sheet
from ..images.image_files import check_suffix, thumbnail, write_image
from ..images.upscale import load_upscaler
from ..interrupts import Holding, interrupts_held
from ..models.base import Model
from ..prompts.choices import drawn
from .enlarging import (
    check_enlargement,
    enlarged,
    notes_on_enlargement,
    result_size,
    with_enlargement,
)
from .hires import (
    first_job,
    first_params,
    holding,
    is_repainted,
    made_large,
    notes_on_hires,
    with_hires,
)
from .job import check
from .kinds import MAX_SEED
from .metadata import Record
from .notes import notes_on
from .outputs import FOLDER, chosen_output
from .paint import Painted, paint_jobs
from .params import PaintSpec, ResolvedParams
from .presets import notes_on_preset
from .previews import PaintPreviews
from .replay import ReplayRequest, repaints_kind, replays_kind, sheet_text
from .start import (
    Inputs,
    finished,
    inputs_of,
    notes_on_inputs,
    read_inputs,
    record_for,
    resolve_with,
)
from .start_checks import check_given, check_regions, keep_sources

_BATCH, _BATCH_PIXELS = 16, 2**20  # at once, at most: pictures, and pixels of them together


class MadePicture:
    """A picture in memory and what its file will remember. Stands wherever a picture is taken.

    Attributes:
        array: ``(H, W, 3)`` uint8, sRGB.
        text: What its file remembers, for people, other tools and `replay`.
        carried: What goes along from the file of the photo that it was made of.
    """

    def __init__(
        self, array: np.ndarray, text: Mapping[str, str], carried: Carried = NOTHING
    ) -> None:
        self.array, self.text, self.carried = array, text, carried

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
        return write_image(path, self.array, self.text, self.carried)


class Picture(MadePicture):
    """A painted picture.

    Attributes:
        record: How it was made.
    """

    def __init__(self, array: np.ndarray, record: Record, carried: Carried = NOTHING) -> None:
        super().__init__(array, record.to_text(), carried)
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
    check_enlargement(spec.larger, inputs, given=spec.params.size is not None)


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
    record = with_hires(model, record_for(model, first, inputs), inputs, spec.larger.upscaler)
    record = with_enlargement(record, spec.larger, inputs, given=spec.params.size is not None)
    return [with_seed(record, seed) for seed in range(first.seed, first.seed + spec.n)]


def _notes(model: Model, spec: PaintSpec, first: Record, inputs: Inputs) -> Iterator[Note]:
    """What a user should know before pictures are painted; ``first`` is the first of them."""
    asked = first.params.but(prompt=spec.params.prompt, negative=spec.params.negative)
    yield from notes_on(model, asked)
    yield from notes_on_inputs(inputs, asked.size)
    check(model, first_job(first.but(params=asked), inputs))  # before what is no note
    yield from notes_on_preset(spec, preset=spec.preset)
    yield from notes_on_hires(model, first, inputs)
    yield from notes_on_enlargement(first, spec.larger, inputs)


def paint_records(
    model: Model,
    records: list[Record],
    inputs: Inputs,
    *,
    finishing: Holding = nullcontext,
    previews: PaintPreviews | None = None,
) -> Iterator[Event | Picture]:
    """Paints the pictures of records that differ in their seeds; enlarges them if they say so.

    ``finishing`` and ``previews`` are as of `paint.paint_jobs`.
    """
    first = first_job(records[0], inputs)
    jobs = [dataclasses.replace(first, params=first_params(record)) for record in records]
    for job in jobs:
        check(model, job)
    upscaler = load_upscaler(records[0].upscaler or "lanczos")
    # Few large pictures at once: a stop loses a batch, and large ones gain little by company.
    size = records[0].params.size if is_repainted(records[0]) else first.params.size
    batch_size = max(1, min(_BATCH, _BATCH_PIXELS // size.pixels))
    finishing = holding(records[0], finishing)
    painting = paint_jobs(
        model, jobs, batch_size=batch_size, finishing=finishing, previews=previews
    )
    for found in painting:
        if isinstance(found, Painted):
            record = records[found.job]
            picture = finished(found.image, inputs, upscaler)
            picture = yield from made_large(model, picture, record, upscaler)
            yield Picture(enlarged(picture, record, upscaler), record, inputs.carried)
        else:
            yield found


def check_target(
    target: Path | None,
    spec: PaintSpec,
    inputs: Inputs,
    usual: Size | None = None,
    folder: Path = FOLDER,
) -> None:
    """Makes sure, before the model is loaded, that pictures can be written to a path.

    Args:
        target: As the user says it, if at all.
        inputs: What they start from.
        usual: Their size, if the spec does not say.
        folder: Where they go if no target is said.

    Raises:
        OutputError: They cannot.
        InputError: A picture that they start from would be written over.
    """
    if target is None:
        check_folder(folder)
        return
    size = spec.params.size or usual or Size(1, 1)
    known = spec.params.size is not None or inputs.mask is not None or usual is None
    times = spec.larger.times(size, given=known)
    check_suffix(target, *result_size(size, times, inputs))
    check_file(target)
    keep_sources(spec.start, target, several=spec.n > 1)


def paint_to_files(
    model: Model,
    spec: PaintSpec,
    target: Path | None = None,
    inputs: Inputs | None = None,
    *,
    overwrite: bool = False,
    folder: Path = FOLDER,
    previews: PaintPreviews | None = None,
) -> Iterator[Event]:
    """Paints pictures into files: the use case of ``digress paint``.

    Args:
        target: The file of a single picture; of several, each seed goes into its name, and a
            contact sheet comes beside them. A free name after the prompt, if not given.
        overwrite: As of `outputs.chosen_output`.
        folder: Where a name after the prompt goes.
        previews: As of `paint.paint_jobs`.
    """
    inputs = read_inputs(spec.start) if inputs is None else inputs
    check_target(target, spec, inputs, Size(model.size, model.size), folder)
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

    usual = folder / f"{slug(spec.params.prompt)}.png"
    target = chosen_output(target, usual, plan, overwrite=overwrite)
    yield from _notes(model, spec, records[0], inputs)
    found = paint_records(model, records, inputs, finishing=interrupts_held, previews=previews)
    yield from saved(found, target, count=spec.n)


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
        record = event.record
        shown.append((record, thumbnail(event.array, side_on_sheet(count))))
        yield Saved(event.save(_numbered(target, record) if several else target))
    if several:
        shown.sort(key=lambda each: each[0].params.seed)
        records, small = zip(*shown, strict=True)
        sheet = contact_sheet(small, labels=sheet_labels(records))
        names = [_numbered(target, record) for record in records]
        text = sheet_text(records[0].to_text(), "a contact sheet", target.parent, names)
        yield Saved(write_image(_sheet(target), sheet, text))


def _numbered(target: Path, record: Record) -> Path:
    """The file of one of several pictures."""
    return target.with_stem(f"{target.stem}-{record.params.seed}")


def _sheet(target: Path) -> Path:
    return target.with_stem(f"{target.stem}-sheet")


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
    check_suffix(request.target, *result_size(record.params.size, record.enlarge, inputs))
    told = verbatim(f"a picture of {record.params.prompt!r:.80}, seed {record.params.seed}")
    yield Note(told)
    found = paint_records(model, [record], inputs)
    yield from saved(found, request.target, count=1)
