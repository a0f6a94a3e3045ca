"""Several prompts in one picture, and ways to see what became of each: the use case."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..errors import InputError
from ..events import Estimate, Event, Note, Progress, Saved, counted
from ..files import slug
from ..generate.job import check
from ..generate.kinds import MAX_SEED
from ..generate.metadata import Record
from ..generate.notes import notes_on
from ..generate.pictures import (
    Picture,
    enlarged,
    notes_on_enlargement,
    with_enlargement,
    with_seed,
)
from ..generate.presets import notes_on_preset
from ..generate.start import (
    Inputs,
    check_given,
    check_regions,
    keep_sources,
    read_inputs,
    record_for,
    resolve,
    start_job,
)
from ..images.contact_sheet import comparison_sheet, contact_sheet, for_sheet
from ..images.image_files import check_suffix, to_array, write_image
from ..images.upscale import check_upscaler, load_upscaler
from ..images.video import FrameList, write_video
from ..models.base import Model
from ..prompts.choices import drawn
from ..prompts.scheduling import network_rows, side_by_side
from .balance import balances, check_judge, rows_for
from .comparison import Column, compared, swept
from .disagreement import PaintedWithMap, overlay, paint_with_maps
from .ensemble_spec import EnsembleSpec

FRAME_SECONDS = 0.12  # of a sweep's film


def check_spec(spec: EnsembleSpec, inputs: Inputs) -> None:
    """Refuses what can be refused without a model.

    Raises:
        InputError: Parameters that contradict each other or would do nothing.
    """
    tables = (spec.compare, spec.sweep is not None)
    if (*tables, spec.best is not None).count(True) > 1:
        raise InputError("`compare`, `sweep` and `best` each need the run for themselves")
    if any(tables) and (spec.map or spec.balance or spec.judge):
        raise InputError("`map`, `balance` and `judge` are for pictures, not for a table of ways")
    if spec.best is not None and spec.best > spec.n:
        raise InputError(f"`best` {spec.best} is out of range: 1 to the {spec.n} of `n`")
    if spec.compare and "combine" in spec.params.model_fields_set:
        raise InputError("`combine` does nothing with `compare`, which shows every way: choose one")
    if spec.sweep is not None and any(term.weight != 1 for term in spec.ensemble.terms):
        raise InputError(
            "`sweep` gives the prompts weights of its own: leave out `weights`, and those in the "
            "prompts"
        )
    sized = spec.params.size is not None or inputs.mask is not None
    spec.larger.check(sized=sized or any(tables))
    check_upscaler(spec.larger.upscaler)
    check_regions(spec.params.prompt, inputs)
    check_given(spec.params, image=inputs.image is not None, mask=inputs.mask is not None)


def paint_ensemble(
    model: Model, spec: EnsembleSpec, target: Path, inputs: Inputs | None = None
) -> Iterator[Event]:
    """Paints several prompts as one picture, or compares ways of combining them.

    Args:
        target: The file of a single picture; of several, each seed goes into its name. Tables get
            ``-compare`` or ``-sweep`` appended, and a folder of that name for their pictures.
        inputs: What `read_inputs` made of ``spec.start``, if the caller has it already.

    Raises:
        InputError, PromptError, ImageError: Something cannot be painted, before anything is.
    """
    inputs = read_inputs(spec.start) if inputs is None else inputs
    check_spec(spec, inputs)
    masked, coloured = inputs.mask is not None, inputs.palette is not None
    first = resolve(model, spec.params, mask=masked, palette=coloured)
    tables = spec.compare or spec.sweep is not None
    sized = spec.params.size is not None or masked or tables
    times = spec.larger.times(first.size, given=sized)
    check_suffix(target, *(times * side for side in first.size))
    keep_sources(spec.start, target, several=spec.n > 1 or tables)
    if first.seed + spec.n - 1 > MAX_SEED:
        raise InputError(f"`seed` {first.seed} leaves no room for {spec.n} pictures")
    record = with_enlargement(record_for(model, first, inputs), spec.larger, given=sized)
    records = [with_seed(record, first.seed + i) for i in range(spec.n)]
    yield from notes_on(model, first)
    if not tables:
        check(model, start_job(first, inputs))  # before anything is said that is no note
    yield from notes_on_preset(spec, preset=spec.preset)
    yield from notes_on_enlargement(record, spec.larger)
    if spec.compare:
        steps = start_job(first, inputs).num_steps
        columns = compared(spec.ensemble, steps, inputs.regions is not None)
        yield from _table(model, columns, records, inputs, _suffixed(target, "compare"), film=False)
    elif spec.sweep is not None:
        columns = swept(spec.ensemble, first.combine, spec.sweep)
        yield from _table(model, columns, records, inputs, _suffixed(target, "sweep"), film=True)
    else:
        yield from _pictures(model, spec, records, inputs, target)


class _Candidate(NamedTuple):
    """A picture, where its prompts disagreed, and its balance where it was judged."""

    picture: Picture
    painted: PaintedWithMap
    balance: float | None = None

    @property
    def label(self) -> str:
        seed = self.picture.params.seed
        return f"seed {seed}" if self.balance is None else f"{seed}: {self.balance:.1%}"


def _pictures(
    model: Model, spec: EnsembleSpec, records: list[Record], inputs: Inputs, target: Path
) -> Iterator[Event]:
    """Pictures that differ in their seeds, judged, chosen and written."""
    job = start_job(records[0].params, inputs)
    check(model, job)
    if spec.map and not side_by_side(job.sub_prompts, job.params.combine):
        raise InputError(
            f"`map`: `combine` {job.params.combine} asks one prompt at a time: nothing can differ"
        )
    if spec.judged:
        check_judge(model, spec.judged)
    found = yield from _painted(model, records, inputs)
    shown = [
        _Candidate(Picture(to_array(painted.image), record), painted)
        for record, painted in zip(records, found, strict=True)
    ]
    if spec.judged:
        shown = yield from _judged(model, shown, spec.judged)
    yield from _written(shown[: spec.best], target, spec.map)


def _judged(
    model: Model, shown: list[_Candidate], prompts: list[str]
) -> Generator[Event, None, list[_Candidate]]:
    """How much of each prompt is in each picture; returns them with the best balance first."""
    rows = len(shown) * rows_for(len(prompts))
    yield Estimate(
        f"for judging, the network is asked {counted(rows, 'time')}", pictures=len(shown)
    )
    images = torch.stack([candidate.painted.image for candidate in shown])
    judged: list[_Candidate] = []
    for candidate, balance in zip(shown, balances(model, images, prompts), strict=True):
        told = dict(zip(prompts, balance.explained, strict=True))
        record = candidate.picture.record.but(details={"balance": told})
        picture = Picture(candidate.picture.array, record)
        judged.append(_Candidate(picture, candidate.painted, balance.least))
        shares = ", ".join(f"{share:.1%} {text}" for text, share in told.items())
        yield Progress("judging", len(judged), len(shown))
        yield Note(f"seed {record.params.seed}: balance {balance.least:.1%} ({shares})")
    return sorted(judged, key=lambda candidate: -(candidate.balance or 0.0))


def _written(shown: list[_Candidate], target: Path, maps: bool) -> Iterator[Event]:
    sheets: dict[str, list[np.ndarray]] = {}
    upscaler = load_upscaler(shown[0].picture.record.upscaler or "lanczos")
    for raw, painted, _ in shown:
        picture = enlarged(raw, upscaler)
        arrays = {"": picture.array}
        if maps and painted.spread is not None:
            arrays["-map"] = overlay(picture.array, painted.spread)
            rms = float(painted.spread.square().mean().sqrt())
            yield Note(f"seed {picture.params.seed}: the prompts differ by {rms:.3f} of a latent")
        number = f"-{picture.params.seed}" if len(shown) > 1 else ""
        for kind, array in arrays.items():
            path = target.with_stem(f"{target.stem}{number}{kind}")
            yield Saved(Picture(array, picture.record).save(path))
            sheets.setdefault(kind, []).append(for_sheet(array, len(shown)))
    if len(shown) > 1:
        for kind, each in sheets.items():
            sheet = contact_sheet(each, labels=[candidate.label for candidate in shown])
            path = target.with_stem(f"{target.stem}-sheet{kind}")
            yield Saved(write_image(path, sheet, shown[0].picture.record.to_text()))


def _table(
    model: Model,
    columns: list[Column],
    records: list[Record],
    inputs: Inputs,
    target: Path,
    *,
    film: bool,
) -> Iterator[Event]:
    """Every column with every seed: each picture, the sheet and, if asked, a film."""
    wanted = [
        record.but(
            params=record.params.but(
                prompt=drawn(column.prompt, record.params.seed), combine=column.combine
            ),
            regions=record.regions if column.whole else None,
        )
        for record in records
        for column in columns
    ]
    found = yield from _painted(model, wanted, inputs)
    upscaler = load_upscaler(records[0].upscaler or "lanczos")
    pictures = [
        enlarged(Picture(to_array(painted.image), record), upscaler).array
        for painted, record in zip(found, wanted, strict=True)
    ]
    width, folder = len(str(len(columns))), target.with_suffix("")
    for i, (record, array) in enumerate(zip(wanted, pictures, strict=True)):
        number, label = i % len(columns) + 1, slug(columns[i % len(columns)].label)
        name = f"{number:0{width}}-{label}-{record.params.seed}.png"
        Picture(array, record).save(folder / name)
    rows = [pictures[i : i + len(columns)] for i in range(0, len(pictures), len(columns))]
    labels = [column.label for column in columns]
    sheet = comparison_sheet(rows, labels, [f"seed {record.params.seed}" for record in records])
    text = records[0].to_text()
    yield Saved(folder, f"{len(wanted)} pictures, each of which can be replayed")
    yield Saved(write_image(target, sheet, text))
    if film:
        frames = [np.concatenate(row, axis=1) for row in zip(*rows, strict=True)]
        path = target.with_suffix(".webp" if target.suffix != ".webp" else ".film.webp")
        there_and_back = FrameList(frames + frames[-2:0:-1], 1 / FRAME_SECONDS)
        for done in write_video(path, there_and_back, text=text):
            yield Progress("filming", done, there_and_back.count)
        yield Saved(path)


def _painted(
    model: Model, records: Sequence[Record], inputs: Inputs
) -> Generator[Event, None, list[PaintedWithMap]]:
    """Paints records, having said what they cost; returns the pictures in their order."""
    without = inputs._replace(regions=None)
    jobs = [start_job(r.params, inputs if r.regions is not None else without) for r in records]
    for job in jobs:
        check(model, job)
    cost = sum(network_rows(job.sub_prompts, job.params.combine) for job in jobs)
    yield Estimate(
        f"{counted(len(jobs), 'picture')}; the network is asked {counted(cost, 'time')}",
        pictures=len(jobs),
    )
    found: list[PaintedWithMap] = []
    for event in paint_with_maps(model, jobs):
        if isinstance(event, PaintedWithMap):
            found.append(event)
        else:
            yield event
    return sorted(found, key=lambda painted: painted.job)


def _suffixed(target: Path, name: str) -> Path:
    return target.with_stem(f"{target.stem}-{name}")
