"""Several prompts in one picture, and ways to see what became of each: the use case."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..errors import InputError, errors_about
from ..events import Estimate, Event, Note, Progress, Saved, counted
from ..files import check_file, check_folder, slug
from ..generate.enlarging import (
    check_enlargement,
    enlarged,
    notes_on_enlargement,
    result_size,
    with_enlargement,
)
from ..generate.hires import first_job, made_large, notes_on_hires, with_hires
from ..generate.job import check
from ..generate.kinds import MAX_SEED
from ..generate.metadata import Record
from ..generate.notes import notes_on
from ..generate.outputs import FOLDER, chosen_output
from ..generate.pictures import Picture, with_seed
from ..generate.presets import notes_on_preset
from ..generate.previews import PaintPreviews
from ..generate.replay import sheet_text
from ..generate.start import (
    Inputs,
    finished,
    notes_on_inputs,
    read_inputs,
    record_for,
    resolve_with,
)
from ..generate.start_checks import check_given, check_regions, keep_sources
from ..images.carried import Carried
from ..images.contact_sheet import contact_sheet, side_on_sheet
from ..images.image_files import check_suffix, thumbnail, to_array, write_image
from ..images.upscale import Upscaler, load_upscaler
from ..models.base import Model
from ..prompts.scheduling import side_by_side
from .balance import balances, check_judge, rows_for
from .comparison import compared, swept
from .disagreement import PaintedWithMap, overlay, painting_records
from .ensemble_spec import EnsembleSpec
from .table import Table, paint_table


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
    check_enlargement(spec.larger, inputs, given=_sized(spec))
    check_regions(spec.params.prompt, inputs)
    check_given(spec.params, image=inputs.image is not None, mask=inputs.mask is not None)


def _is_table(spec: EnsembleSpec) -> bool:
    return spec.compare or spec.sweep is not None


def _sized(spec: EnsembleSpec) -> bool:
    """Whether pictures are as large as is wanted: those of a table are for comparing."""
    return spec.params.size is not None or _is_table(spec)


def check_target(spec: EnsembleSpec, target: Path | None, folder: Path = FOLDER) -> None:
    """Makes sure, before the model is loaded, that pictures can be written to a path, or to a
    folder where none is said.

    Raises:
        OutputError: They cannot.
        InputError: A picture that they start from would be written over.
    """
    if target is None:
        check_folder(folder)
        return
    check_suffix(target)
    check_file(target)
    keep_sources(spec.start, target, several=spec.n > 1 and not _is_table(spec))


def paint_ensemble(
    model: Model,
    spec: EnsembleSpec,
    target: Path | None = None,
    inputs: Inputs | None = None,
    *,
    overwrite: bool = False,
    folder: Path = FOLDER,
    previews: PaintPreviews | None = None,
) -> Iterator[Event]:
    """Paints several prompts as one picture, or compares ways of combining them.

    Args:
        target: The file of a single picture or of a table, whose pictures go into a folder of its
            name; of several pictures, each seed goes into its name. A free name after the prompts,
            of a table with ``-compare`` or ``-sweep``, if not given.
        overwrite: As of `outputs.chosen_output`.
        inputs: What `read_inputs` made of ``spec.start``, if the caller has it already.
        folder: Where a name after the prompts goes.
        previews: As of `generate.paint.paint_jobs`.

    Yields:
        Events. A picture is `Saved` with its ``balance`` by prompt where it was judged, and with
        the path of its ``map`` where there is one; a table as by `table.paint_table`.

    Raises:
        InputError, PromptError, ImageError: Something cannot be painted, before anything is.
    """
    inputs = read_inputs(spec.start) if inputs is None else inputs
    check_spec(spec, inputs)
    check_target(spec, target, folder)
    with errors_about("prompts"):
        first = resolve_with(model, spec.params, inputs)
        own = record_for(model, first, inputs)
    record = with_hires(model, own, inputs, spec.larger.upscaler)
    record = with_enlargement(record, spec.larger, inputs, given=_sized(spec))
    if target is not None:
        check_suffix(target, *result_size(first.size, record.enlarge, inputs))
    if first.seed + spec.n - 1 > MAX_SEED:
        raise InputError(f"`seed` {first.seed} leaves no room for {spec.n} pictures")
    records = [with_seed(record, first.seed + i) for i in range(spec.n)]
    yield from notes_on(model, first)
    yield from notes_on_inputs(inputs, first.size)
    if not _is_table(spec):
        with errors_about("prompts"):
            check(model, first_job(record, inputs))  # before anything is said that is no note
    yield from notes_on_preset(spec, preset=spec.preset)
    yield from notes_on_hires(model, record, inputs)
    yield from notes_on_enlargement(record, spec.larger, inputs)
    table, kind = None, ""
    if spec.compare:
        steps = first_job(record, inputs).num_steps
        columns = compared(spec.ensemble, steps, inputs.regions is not None)
        table, kind = Table(columns, records), "-compare"
    elif spec.sweep is not None:
        columns = swept(spec.ensemble, first.combine, spec.sweep)
        table, kind = Table(columns, records, film=True), "-sweep"
    usual = folder / f"{slug(' '.join(spec.prompts))}{kind}.png"

    def plan(place: Path) -> dict[Path, dict[str, str]]:
        return _files(spec, records, place) if table is None else table.files(place)

    late = ("balance", "pictures") if spec.best else ("balance",)  # show once they are judged
    target = chosen_output(target, usual, plan, overwrite=overwrite, aside=late)
    if table is not None:
        yield from paint_table(model, table, inputs, target, previews)
    else:
        yield from _pictures(model, spec, records, inputs, target, previews)


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
    model: Model,
    spec: EnsembleSpec,
    records: list[Record],
    inputs: Inputs,
    target: Path,
    previews: PaintPreviews | None,
) -> Iterator[Event]:
    """Pictures that differ in their seeds, judged, chosen and written."""
    job = first_job(records[0], inputs)
    with errors_about("prompts"):
        check(model, job)
    if spec.map and not side_by_side(job.sub_prompts, job.params.combine):
        raise InputError(
            f"`map`: `combine` {job.params.combine} asks one prompt at a time: nothing can differ"
        )
    if spec.judged:
        check_judge(model, spec.judged)
    upscaler = load_upscaler(records[0].upscaler or "lanczos")
    found = _candidates(model, records, inputs, upscaler, previews)
    if not spec.judged:  # each is a file as soon as it is painted
        yield from _written(model, found, upscaler, spec, target)
        return
    shown: list[_Candidate] = []
    for each in found:
        if isinstance(each, _Candidate):
            shown.append(each)
        else:
            yield each
    shown = yield from _judged(model, shown, spec.judged)
    yield from _written(model, shown[: spec.best], upscaler, spec, target)


def _candidates(
    model: Model,
    records: list[Record],
    inputs: Inputs,
    upscaler: Upscaler,
    previews: PaintPreviews | None,
) -> Iterator[Event | _Candidate]:
    for event in painting_records(model, records, inputs, previews):
        if isinstance(event, PaintedWithMap):
            picture = Picture(
                finished(event.image, inputs, upscaler), records[event.job], inputs.carried
            )
            yield _Candidate(picture, event)
        else:
            yield event


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
        picture = Picture(candidate.picture.array, record, candidate.picture.carried)
        judged.append(_Candidate(picture, candidate.painted, balance.least))
        shares = ", ".join(f"{share:.1%} {text}" for text, share in told.items())
        yield Progress("judging", len(judged), len(shown))
        yield Note(f"seed {record.params.seed}: balance {balance.least:.1%} ({shares})")
    return sorted(judged, key=lambda candidate: -(candidate.balance or 0.0))


def _written(
    model: Model,
    found: Iterable[Event | _Candidate],
    upscaler: Upscaler,
    spec: EnsembleSpec,
    target: Path,
) -> Iterator[Event]:
    shown: list[_Candidate] = []
    sheets: dict[str, list[np.ndarray]] = {}
    files: dict[str, list[Path]] = {}
    count = min(spec.n, spec.best or spec.n)
    for event in found:
        if not isinstance(event, _Candidate):
            yield event
            continue
        shown.append(event)
        raw, painted, _ = event
        large = yield from made_large(model, raw.array, raw.record, upscaler)
        picture = Picture(enlarged(large, raw.record, upscaler), raw.record, raw.carried)
        path = _picture_path(target, picture.params.seed if _several(spec) else None)
        arrays = {"": (path, picture.array, picture.text)}
        details = dict(picture.record.details)
        if spec.map and painted.spread is not None:
            rms = float(painted.spread.square().mean().sqrt())
            yield Note(f"seed {picture.params.seed}: the prompts differ by {rms:.3f} of a latent")
            shown_map = overlay(to_array(painted.image), painted.spread)
            details["map"] = str(_map_path(path))
            arrays[_MAP] = (
                _map_path(path),
                shown_map,
                sheet_text(picture.text, _A_MAP, path.parent, [path]),
            )
        for kind, (place, array, text) in arrays.items():
            carried = Carried() if kind else picture.carried
            written = write_image(place, array, text, carried)
            yield Saved(written, details={} if kind else details)
            sheets.setdefault(kind, []).append(thumbnail(array, side_on_sheet(count)))
            files.setdefault(kind, []).append(path)
    if _several(spec):
        labels = [candidate.label for candidate in shown]
        first = min((candidate.picture for candidate in shown), key=lambda each: each.params.seed)
        for kind, each in sheets.items():
            text = sheet_text(first.text, "a contact sheet", target.parent, files[kind])
            sheet = contact_sheet(each, labels=labels)
            yield Saved(write_image(_sheet_path(target, kind), sheet, text))


_MAP = "-map"
_A_MAP = "a map of where prompts disagree"


def _several(spec: EnsembleSpec) -> bool:
    """Whether several pictures are written, so that names need seeds."""
    return min(spec.n, spec.best or spec.n) > 1


def _picture_path(target: Path, seed: int | None) -> Path:
    return target if seed is None else target.with_stem(f"{target.stem}-{seed}")


def _map_path(picture: Path) -> Path:
    return picture.with_stem(f"{picture.stem}{_MAP}")


def _sheet_path(target: Path, kind: str) -> Path:
    return target.with_stem(f"{target.stem}-sheet{kind}")


def _files(spec: EnsembleSpec, records: list[Record], target: Path) -> dict[Path, dict[str, str]]:
    """The files of pictures, whichever of them are the best, and what each remembers."""
    files: dict[Path, dict[str, str]] = {}
    pictures = []
    for record in records:
        path = _picture_path(target, record.params.seed if _several(spec) else None)
        pictures.append(path)
        files[path] = record.to_text()
        if spec.map:
            files[_map_path(path)] = sheet_text(record.to_text(), _A_MAP, path.parent, [path])
    if _several(spec):
        text = sheet_text(records[0].to_text(), "a contact sheet", target.parent, pictures)
        files |= {_sheet_path(target, kind): text for kind in ("", *([_MAP] * spec.map))}
    return files
