"""What ``digress ensemble`` shows: pictures judged and chosen, tables of ways, films."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..console import out, plain, progress
from ..errors import InputError
from .chosen import slug

if TYPE_CHECKING:
    import numpy as np

    from ..ensembles.comparison import Column
    from ..ensembles.disagreement import Torn
    from ..job import Job
    from ..models import Model
    from ..pictures.metadata import Settings

FRAME_SECONDS = 0.12  # of a sweep's film


class Shared(NamedTuple):
    """What all pictures of a run have in common: the model and what they are painted over."""

    model: Model
    image: np.ndarray | None
    mask: np.ndarray | None
    regions: np.ndarray | None

    def job(self, settings: Settings) -> Job:
        from ..job import job_of

        return job_of(settings, self.image, self.mask, self.regions if settings.regions else None)


def show_pictures(
    shared: Shared,
    wanted: list[Settings],
    target: Path,
    *,
    best: int | None,
    judged: list[str],
    maps: bool,
) -> None:
    """Paints pictures that differ in their seeds, judges them, chooses, and writes the chosen.

    Args:
        target: The file of a single picture; of several, each seed goes into its name.
        best: Write only so many, those with the highest balance.
        judged: Prompts to look for in each picture; empty to judge nothing.
        maps: Also write where the prompts disagree.
    """
    from ..ensembles.balance import check_judge
    from ..ensembles.ensemble import side_by_side, voices
    from ..job import check

    job = shared.job(wanted[0])
    check(shared.model, job)
    if maps and not side_by_side(voices(job.ensemble, job.how, job.run), job.how):
        raise InputError(f"--map: --how {job.how} asks one prompt at a time: nothing can differ")
    if judged:
        check_judge(shared.model, judged)
    painted = _paint(shared, wanted)
    shown = [_Shown(settings, torn) for settings, torn in zip(wanted, painted, strict=True)]
    if judged:
        shown = _judged(shared.model, shown, judged)
    _write(shown[:best], target, maps)


class _Shown(NamedTuple):
    """A picture, how it was made, and its balance where it was judged."""

    settings: Settings
    torn: Torn
    balance: float | None = None

    @property
    def label(self) -> str:
        seed = self.settings.seed
        return f"seed {seed}" if self.balance is None else f"{seed}: {self.balance:.1%}"


def _judged(model: Model, shown: list[_Shown], prompts: list[str]) -> list[_Shown]:
    """Says how much of each prompt is in each picture; the best balance first."""
    found = []
    for picture, explained in zip(shown, _judge(model, shown, prompts), strict=True):
        told = dict(zip(prompts, explained, strict=True))
        least = min(explained)
        shares = ", ".join(f"{share:.1%} {plain(text)}" for text, share in told.items())
        out.print(f"seed {picture.settings.seed}: balance {least:.1%} ({shares})")
        settings = dataclasses.replace(picture.settings, extra={"balance": told})
        found.append((least, picture._replace(settings=settings, balance=least)))
    return [picture for _, picture in sorted(found, key=lambda pair: -pair[0])]


def _write(shown: list[_Shown], target: Path, maps: bool) -> None:
    from ..ensembles.disagreement import overlay
    from ..pictures.contactsheet import contact_sheet
    from ..pictures.images import to_array, write_image
    from ..pictures.metadata import to_text

    sheets: dict[str, list[np.ndarray]] = {}
    for settings, torn, _ in shown:
        pictures = {"": to_array(torn.image)}
        if maps and torn.spread is not None:
            pictures["-map"] = overlay(pictures[""], torn.spread)
            rms = float(torn.spread.square().mean().sqrt())
            out.print(f"seed {settings.seed}: the prompts differ by {rms:.3f} of a latent")
        number = f"-{settings.seed}" if len(shown) > 1 else ""
        for kind, picture in pictures.items():
            path = target.with_stem(f"{target.stem}{number}{kind}")
            write_image(path, picture, to_text(settings))
            out.print(str(path))
            sheets.setdefault(kind, []).append(picture)
    if len(shown) > 1:
        for kind, each in sheets.items():
            path = target.with_stem(f"{target.stem}-sheet{kind}")
            sheet = contact_sheet(each, labels=[picture.label for picture in shown])
            write_image(path, sheet, to_text(shown[0].settings))
            out.print(str(path))


def _judge(model: Model, shown: list[_Shown], prompts: list[str]) -> list[tuple[float, ...]]:
    import torch

    from ..ensembles.balance import balances, rows_for

    out.print(f"judging costs {len(shown) * rows_for(len(prompts)):,} rows of the network")
    images = torch.stack([picture.torn.image for picture in shown])
    found = []
    with progress() as bar:
        task = bar.add_task("judging", total=len(shown))
        for balance in balances(model, images, prompts):
            found.append(balance.explained)
            bar.advance(task)
    return found


def show_table(
    shared: Shared, columns: list[Column], seeds: list[Settings], target: Path, film: bool
) -> None:
    """Paints every column with every seed; writes each picture, the sheet and, if asked, a film.

    Args:
        columns: What the pictures of a column have in common.
        seeds: The settings of each row, without what its columns say.
        target: The sheet; the pictures go into a folder of its name.
    """
    import numpy as np

    from ..pictures.contactsheet import comparison_sheet
    from ..pictures.images import to_array, write_film, write_image
    from ..pictures.metadata import to_text

    wanted = [
        dataclasses.replace(
            settings,
            prompt=column.prompt,
            how=column.how,
            regions=settings.regions if column.together else None,
        )
        for settings in seeds
        for column in columns
    ]
    pictures = [to_array(torn.image) for torn in _paint(shared, wanted)]
    width = len(str(len(columns)))
    for i, (settings, picture) in enumerate(zip(wanted, pictures, strict=True)):
        column = columns[i % len(columns)]
        name = f"{i % len(columns) + 1:0{width}}-{slug(column.label)}-{settings.seed}.png"
        write_image(target.with_suffix("") / name, picture, to_text(settings))
    rows = [pictures[i : i + len(columns)] for i in range(0, len(pictures), len(columns))]
    labels = [column.label for column in columns]
    sheet = comparison_sheet(rows, labels, [f"seed {settings.seed}" for settings in seeds])
    write_image(target, sheet, to_text(seeds[0]))
    out.print(f"{len(wanted)} pictures in {target.with_suffix('')}, each of which can be replayed")
    out.print(str(target))
    if film:
        frames = [np.concatenate(row, axis=1) for row in zip(*rows, strict=True)]
        path = target.with_suffix(".webp" if target.suffix != ".webp" else ".film.webp")
        write_film(path, frames + frames[-2:0:-1], FRAME_SECONDS, to_text(seeds[0]))
        out.print(str(path))


def _paint(shared: Shared, wanted: list[Settings]) -> list[Torn]:
    """Paints pictures, having said what they cost; in the order of ``wanted``."""
    from ..ensembles.disagreement import paint_torn
    from ..ensembles.ensemble import rows, voices
    from ..job import check

    jobs = [shared.job(settings) for settings in wanted]
    for job in jobs:
        check(shared.model, job)
    asked = (voices(job.ensemble, job.how, job.run) for job in jobs)
    cost = sum(rows(spoken, job.how) for spoken, job in zip(asked, jobs, strict=True))
    out.print(f"{len(jobs)} pictures, {cost:,} rows of the network")
    with progress() as bar:
        task = bar.add_task("painting", total=sum(job.run for job in jobs))
        found = paint_torn(shared.model, jobs, on_step=lambda count: bar.advance(task, count))
        return sorted(found, key=lambda torn: torn.job)
