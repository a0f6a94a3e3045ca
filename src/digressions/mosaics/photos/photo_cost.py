"""What a mosaic of photos takes, said before it is begun: cells, pixels, disk, and how long."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...errors import InputError
from ...events import Estimate, counted, duration, in_bytes
from ...generate.kinds import check_model
from ...generate.signatures import takes
from ...geometry import Size
from ...images.source_image import PictureLike, source_image
from ...models.base import Model
from ..cost import seconds_a_picture
from .photo_files import photo_paths
from .photo_index import PhotoIndex, PhotoPreview, looked_at
from .photo_spec import PhotoMosaic, PhotoMosaicSpec, photo_mosaic_of
from .placing import Filler, PhotoBatch
from .repainting import repainting_of

BYTES_PER_PIXEL = 2.6  # store (lossless) and pyramid together, measured on photos
_TIMED = 6  # photos that are read and placed to tell the time
_MOST_USES = 8  # of one of them


@takes(PhotoMosaicSpec)
def photo_mosaic_cost(
    image: PictureLike,
    tiles: str | Path | Iterable[str | Path],
    *,
    model: Model | None = None,
    **parameters: Any,
) -> Iterator[Estimate]:
    """What a mosaic of photos takes, before anything is written: without the time at once, and with
    it after a few photos are read and placed to tell it.

    Args:
        image, tiles, model, parameters: As of `digressions.photo_mosaic`.
    """
    check_model(model)
    places = [tiles] if isinstance(tiles, (str, Path)) else list(tiles)
    spec = PhotoMosaicSpec.of(image=image, tiles=[str(place) for place in places], **parameters)
    return photo_costing(spec, model)


def photo_costing(spec: PhotoMosaicSpec, model: Model | None = None) -> Iterator[Estimate]:
    """As `photo_mosaic_cost`, of a spec. Photos that turn out to be copies, or none at all, are
    counted; choosing among them is not in the time.

    Raises:
        InputError, ImageError, OutputError: It cannot be.
    """
    spec = for_model(spec, model)
    picture = source_image(spec.image, "image")
    paths = photo_paths(spec.photos.tiles)
    mosaic = photo_mosaic_of(spec, spec.grid_for(picture.size, len(paths)), len(paths))
    cost = cost_of_photos(mosaic, f"up to {counted(len(paths), 'photo')}", spec.photos.paint)
    yield cost
    seconds = _seconds(spec, mosaic, paths)
    if seconds is None:
        return
    if model is not None:
        seconds += mosaic.grid.cells * seconds_a_picture(model, repainting_of(model, spec, mosaic))
    doing = "read and place" if spec.photos.paint is None else "read, place and repaint"
    text = f"{cost.text}; about {duration(seconds)} to {doing} them"
    yield replace(cost, text=text, seconds=seconds)


def for_model(spec: PhotoMosaicSpec, model: Model | None) -> PhotoMosaicSpec:
    """A spec, checked, with cells of the model's size where nobody says and a model paints them.

    Raises:
        InputError: See `PhotoMosaicSpec.check`; or there is no model to paint with, or one that
            would do nothing.
    """
    spec.check()
    if spec.photos.paint is None:
        if model is not None:
            raise InputError("`model` does nothing with `tiles` unless you give `paint`")
        return spec
    if model is None:
        raise InputError("`paint` needs a `model` to paint with: give one, such as load()")
    return spec if spec.size is not None else spec.but(size=Size(model.size, model.size))


def cost_of_photos(mosaic: PhotoMosaic, photos: str, paint: float | None) -> Estimate:
    """What a mosaic takes, without the time.

    Args:
        photos: That it is made of, in words.
        paint: How far they are repainted, if they are.
    """
    disk = int(mosaic.size.pixels * BYTES_PER_PIXEL)
    painted = "" if paint is None else f", each repainted by {paint:g}"
    return Estimate(
        f"{mosaic.grid} cells of {mosaic.cell} px, together {mosaic.size.width:,} x "
        f"{mosaic.size.height:,} px ({mosaic.size.megapixels}), of {photos}{painted}; about "
        f"{in_bytes(disk)} on disk",
        pictures=0 if paint is None else mosaic.grid.cells,
        disk=disk,
    )


def _seconds(spec: PhotoMosaicSpec, mosaic: PhotoMosaic, paths: Sequence[Path]) -> float | None:
    """Of reading what is not read yet and of placing, told by a few photos; ``None`` where none of
    them is one."""
    asked = spec.photos
    some = paths[:: -(-len(paths) // _TIMED)]
    begun = time.perf_counter()
    found = [looked_at(path, asked.cell_aspect, asked.crop).shown for path in some]
    reading = (time.perf_counter() - begun) / len(some)
    photos = [photo for photo in found if photo is not None]
    if not photos:
        return None
    unread: Sequence[Path] = paths
    if asked.index.exists():
        with PhotoIndex(asked.index, asked.cell_aspect, asked.crop) as index:
            unread = index.unread(paths)
    placing = _seconds_a_cell(mosaic, photos, len(paths))
    return (len(unread) * reading + mosaic.grid.cells * placing) / (os.cpu_count() or 1)


def _seconds_a_cell(mosaic: PhotoMosaic, photos: Sequence[PhotoPreview], count: int) -> float:
    """Of placing, over plain grey, each photo as often as it will be used."""
    uses = max(1, min(_MOST_USES, mosaic.grid.cells // count))
    placed = [photo for photo in photos for _ in range(uses)][: mosaic.grid.cells]
    grey = torch.full((3, mosaic.base_size.height, mosaic.base_size.width), 0.5)
    filler = Filler(mosaic, grey)
    begun = time.perf_counter()
    cells = list(range(len(placed)))
    filler.finish(filler.cut(PhotoBatch(cells, placed, [0] * len(placed))))
    return (time.perf_counter() - begun) / len(placed)
