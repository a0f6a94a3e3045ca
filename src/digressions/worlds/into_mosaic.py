"""Use cases: into a finished mosaic: a film that falls into it, and a page that flies into it.

The world is the mosaic's own: its root is the mosaic's base image, and the pictures of its first
level are the mosaic's cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import InputError, verbatim
from ..events import Event
from ..files import check_file
from ..generate.outputs import FOLDER
from ..generate.record_reading import record_of
from ..geometry import CellPath, Grid
from ..images.image_files import cover, read_image, read_text, resample
from ..images.pyramid import preview_of
from ..images.video import check_video
from ..models.base import Model
from ..mosaics.base_image import remembered_base_image
from ..mosaics.folder import KIND
from ..mosaics.mosaic_spec import Mosaic
from ..mosaics.stored import StoredMosaic
from .film import FilmPlan, film_plan
from .filming import chosen_film, usual_film
from .into_mosaic_spec import FallSpec, FlySpec
from .opening import ResolvedWorld, notes_on_world
from .site_export import site_of_world
from .world_spec import check_square, check_way

_SIDE = 512  # pixels of a picture of the way
_LINE = (255, 255, 255)


def world_of_mosaic(folder: Path) -> ResolvedWorld:
    """The world whose root is a mosaic, with nothing left open.

    Raises:
        ImageError: It is not the folder of a finished mosaic, or the picture that it is made of
            cannot be read.
        InputError: It is made of photos, or its grid cannot repeat in its cells.
    """
    text = read_text(preview_of(folder))
    record = record_of(text, str(folder))
    if record.kind != KIND:
        raise InputError(f"{verbatim(folder.name)} is made of photos: nothing is painted in it")
    mosaic = Mosaic.from_json_object(record.details.get("mosaic"))
    check_square(mosaic.grid)
    cells = mosaic.but(enlarge=1, upscaler="lanczos")
    return ResolvedWorld(remembered_base_image(record), cells)


def fall_into(
    model: Model,
    mosaic: str | Path,
    spec: FallSpec,
    target: Path | None = None,
    *,
    overwrite: bool = False,
    folder: Path = FOLDER,
) -> Iterator[Event]:
    """Makes a film that falls into a finished mosaic and comes out where it began.

    Closing it cancels; what is painted by then is kept in the cache, and is not painted again.

    Args:
        model: Paints it: the one that painted the mosaic, for the same pictures.
        mosaic: The folder.
        spec: How it falls.
        target, overwrite, folder: As of `film.make_film`.

    Raises:
        InputError, ImageError, OutputError: It cannot be made.
    """
    world = world_of_mosaic(Path(mosaic))
    check_way(spec.first_cells, spec.levels, world.cells.grid)
    check_file(spec.cache.cache, "cache")
    usual = usual_film(Path(mosaic).name, folder)
    frame = spec.frame_for(world.cells.cell)
    check_video(target or usual, frame, spec.count, spec.fps, name="frame_size")
    if spec.max_mb is not None and (target or usual).suffix.lower() != ".gif":
        raise InputError("`max_mb` is for a GIF: leave it out, or choose an `output` that is one")
    way = (spec.bank.reuse, spec.levels, spec.first_cells, frame, spec.fps, spec.count)
    plan = FilmPlan(world, *way, spec.max_mb)
    yield from notes_on_world(model, world)
    choose = partial(chosen_film, target, usual, overwrite=overwrite)
    yield from film_plan(model, plan, choose, spec.cache, spec.batch)


def fly_into(
    model: Model,
    mosaic: str | Path,
    spec: FlySpec,
    target: Path | None = None,
    *,
    overwrite: bool = False,
    folder: Path = FOLDER,
) -> Iterator[Event]:
    """Makes a page on which one flies into a finished mosaic, without end: a folder of files.

    Args:
        model, mosaic: As of `fall_into`.
        spec: Of how many pictures.
        target, overwrite, folder: As of `site.export_site`.

    Raises:
        InputError, ImageError, OutputError: It cannot be made.
    """
    world = world_of_mosaic(Path(mosaic))
    rules: Any = {"overwrite": overwrite, "folder": folder}
    sizes = (spec.pictures, int(spec.folder_mb * 1_000_000))
    yield from site_of_world(
        *(model, world, Path(mosaic).name, *sizes, target, spec.cache), spec, **rules
    )


def way_into(mosaic: Path, path: CellPath) -> list[np.ndarray]:
    """The pictures on the way into a mosaic, as far as they are painted: the mosaic from afar, then
    the picture in the first cell. In each, the cell is outlined that the way goes on into.

    Args:
        mosaic: The folder.
        path: Cells on the way down.

    Returns:
        ``(512, 512, 3)`` uint8 each, or in the cells' aspect: one more than are chosen, at most 2.
    """
    found = read_image(preview_of(mosaic))
    with StoredMosaic(mosaic) as stored:
        grid, cell = stored.grid, stored.cell
        scale = _SIDE / max(cell)
        size = tuple(max(1, round(side * scale)) for side in cell)
        check_way(path, max(1, len(path)), grid)
        views = [cover(found, *size)]
        if path:
            views.append(resample(stored.picture(path[0]), *size))
    for view, into in zip(views, path, strict=False):
        _outline(view, grid, into)
    return views


def cell_at(grid: Grid, x: float, y: float) -> int:
    """The cell at a place in a picture, in parts of its width and height, 0..1."""
    row = min(grid.rows - 1, max(0, int(y * grid.rows)))
    return row * grid.columns + min(grid.columns - 1, max(0, int(x * grid.columns)))


def _outline(view: np.ndarray, grid: Grid, cell: int) -> None:
    """Draws a frame around a cell, wide enough to be seen."""
    row, column = grid.place(cell)
    high, wide = view.shape[0] / grid.rows, view.shape[1] / grid.columns
    corners = [(column * wide, row * high), ((column + 1) * wide, (row + 1) * high)]
    (left, top), (right, bottom) = ([round(value) for value in corner] for corner in corners)
    cv2.rectangle(view, (left - 4, top - 4), (right + 3, bottom + 3), (0, 0, 0), 6)
    cv2.rectangle(view, (left - 4, top - 4), (right + 3, bottom + 3), _LINE, 2)
