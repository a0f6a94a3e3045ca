"""A table of pictures: every way of combining, or every step of a sweep, with every seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..events import Event, Progress, Saved
from ..files import slug
from ..generate.enlarging import enlarged
from ..generate.hires import made_large
from ..generate.metadata import Record
from ..generate.pictures import Picture
from ..generate.previews import PaintPreviews
from ..generate.replay import sheet_text
from ..generate.start import Inputs, finished
from ..images.contact_sheet import comparison_sheet, side_on_sheet
from ..images.image_files import thumbnail, write_image
from ..images.upscale import load_upscaler
from ..images.video import FrameList, write_video
from ..models.base import Model
from ..prompts.choices import drawn
from .comparison import Column
from .disagreement import PaintedWithMap, painting_records

FRAME_SECONDS = 0.12  # of a sweep's film


@dataclass(frozen=True)
class Table:
    """A column for each way to paint, a row for each seed.

    Attributes:
        columns: Ways to paint.
        seeds: A record for each seed, of the ensemble itself.
        film: Whether the columns are a film as well.
    """

    columns: list[Column]
    seeds: list[Record]
    film: bool = False

    @property
    def records(self) -> list[Record]:
        """Of all pictures, row by row."""
        return [
            record.but(
                params=record.params.but(
                    prompt=drawn(column.prompt, record.params.seed), combine=column.combine
                ),
                regions=record.regions if column.whole else None,
            )
            for record in self.seeds
            for column in self.columns
        ]

    def text(self, target: Path) -> dict[str, str]:
        """What sheet and film remember."""
        what = "a sweep" if self.film else "a comparison"
        text = self.seeds[0].to_text()
        return sheet_text(text, what, target.parent, self.pictures(target))

    def pictures(self, target: Path) -> dict[Path, Record]:
        """The files of all pictures, row by row."""
        width, folder = len(str(len(self.columns))), target.with_suffix("")
        files = {}
        for i, record in enumerate(self.records):
            number = i % len(self.columns)
            label = slug(self.columns[number].label)
            name = f"{number + 1:0{width}}-{label}-{record.params.seed}.png"
            files[folder / name] = record
        return files

    def files(self, target: Path) -> dict[Path, dict[str, str]]:
        """All files, and what each remembers."""
        files = {path: record.to_text() for path, record in self.pictures(target).items()}
        files[target] = text = self.text(target)
        return files | ({film_path(target): text} if self.film else {})


def film_path(target: Path) -> Path:
    """Where the film of a sweep goes."""
    return target.with_suffix(".webp" if target.suffix != ".webp" else ".film.webp")


def paint_table(
    model: Model,
    table: Table,
    inputs: Inputs,
    target: Path,
    previews: PaintPreviews | None = None,
) -> Iterator[Event]:
    """Paints every column with every seed: each picture, the sheet and, if asked, a film.

    The sheet is `Saved` with ``labels`` of its columns, ``pictures``, their files, row by row, and
    whether it is a ``sweep``.
    ``previews`` are as of `generate.paint.paint_jobs`.
    """
    files = table.pictures(target)
    upscaler = load_upscaler(table.seeds[0].upscaler or "lanczos")
    places, small = list(files.items()), dict[int, np.ndarray]()
    for event in painting_records(model, list(files.values()), inputs, previews):
        if not isinstance(event, PaintedWithMap):
            yield event
            continue
        path, record = places[event.job]
        picture = finished(event.image, inputs, upscaler)
        picture = yield from made_large(model, picture, record, upscaler)
        picture = enlarged(picture, record, upscaler)
        Picture(picture, record, inputs.carried).save(path)
        small[event.job] = thumbnail(picture, side_on_sheet(len(files)))
    pictures = [small[i] for i in range(len(places))]
    columns = len(table.columns)
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    labels = [column.label for column in table.columns]
    seeds = [f"seed {record.params.seed}" for record in table.seeds]
    sheet = comparison_sheet(rows, labels, seeds)
    yield Saved(target.with_suffix(""), f"{len(files)} pictures, each of which can be replayed")
    text = table.text(target)
    paths = [str(path) for path, _ in places]
    details = {"sweep": table.film, "labels": labels, "pictures": paths}
    yield Saved(write_image(target, sheet, text), details=details)
    if table.film:
        frames = [np.concatenate(row, axis=1) for row in zip(*rows, strict=True)]
        path = film_path(target)
        there_and_back = FrameList(frames + frames[-2:0:-1], 1 / FRAME_SECONDS)
        for done in write_video(path, there_and_back, text=text):
            yield Progress("filming", done, there_and_back.count)
        yield Saved(path)
