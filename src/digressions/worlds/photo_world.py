"""From folders of photos to an open world. No model is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..events import Event, Note, counted
from ..generate.job import Job
from ..generate.params import ResolvedParams
from ..geometry import Size
from ..images.fitting import fitted
from ..images.image_files import read_text
from ..images.source_image import SourceImage, source_image
from ..images.upscale import Lanczos
from ..images.xmp import bare_mark
from ..mosaics.mosaic_spec import CELL_SIDE, Mosaic
from ..mosaics.photos.album import Album, album_of
from ..mosaics.photos.cropping import crop_box, cut
from ..mosaics.photos.photo_files import photo_paths
from ..mosaics.photos.photo_index import PhotoIndex, PhotoPreview
from ..mosaics.sharing import covering
from .bank import Bank, colours_of
from .cache import Cache, check_cache
from .manifest import Manifest
from .photo_bank import PhotoBank, PhotoWorld
from .photo_world_spec import PhotoWorldSpec
from .world import World
from .world_spec import CacheParams

_ASPECT = "1:1"


@dataclass(frozen=True, eq=False)
class ResolvedPhotoWorld:
    """A world of photos with nothing left open: the same photos make the same pictures.

    Attributes:
        spec: What was asked for.
        start: The picture that it starts from, or ``None`` for the first photo.
        bank: The photos and what leads from one to the next.
        manifest: What the world is.
        digest: Tells its photos from others.
    """

    spec: PhotoWorldSpec
    start: SourceImage | None
    bank: Bank
    manifest: Manifest
    digest: str

    def open(self, cache: Cache) -> PhotoWorld:
        """The world, open; reads one photo."""
        world = World(self.manifest, self.bank.canvases[0], _paints_nothing, Lanczos(), cache)
        return PhotoWorld(world, self.bank)

    @property
    def remembered(self) -> dict[str, Any]:
        """What files of it remember, in JSON's values."""
        spec, origin = self.spec, {"path": "", "sha256": ""}
        if self.start is not None:
            origin = dict(self.start.origin)
        if spec.photos.forget_paths:
            origin["path"] = ""
        own = {"grid": spec.grid, "size": spec.side, "band": spec.band, "seed": spec.root_seed}
        return (
            own
            | _unusual_fit(spec)
            | {
                "image": origin,
                "photos": spec.photos.remembered,
                "reuse": len(self.bank.next),
                "digest": self.digest,
            }
        )

    @property
    def mark(self) -> dict[str, str]:
        """That AI made the picture that it starts from, where AI did."""
        path = "" if self.start is None else self.start.origin["path"]
        return bare_mark(read_text(path)) if path else {}


def check_photo_world(spec: PhotoWorldSpec, cache: CacheParams) -> None:
    """Raises what can be told before photos are read.

    Raises:
        InputError: Settings that are out of range or contradict each other.
        OutputError: The cache cannot be written.
    """
    spec.check()
    check_cache(cache.cache)


def resolve_photo_world(
    spec: PhotoWorldSpec, most: int
) -> Generator[Event, None, ResolvedPhotoWorld]:
    """Reads the photos, once, and chooses those that a world is made of.

    Args:
        spec: What it is.
        most: How many photos it is made of at most.

    Raises:
        InputError, ImageError: There are no photos, or the picture cannot be read.
        OutputError: The index cannot be written.
    """
    spec.check()
    start = None if spec.image is None else source_image(spec.image, "image")
    paths = photo_paths(spec.photos.tiles)
    with PhotoIndex(spec.photos.index, _ASPECT, spec.photos.crop) as index:
        yield from index.take(paths)
        album = album_of(*index.photos(paths), keep_similar=spec.photos.keep_similar)
        chosen = _chosen(album, most, spec.root_seed)
        found = [index.preview(album.photos[number].sha256) for number in chosen]
    photos = [photo for photo in found if photo is not None]
    if len(photos) + (start is not None) < 2:
        raise InputError("`tiles`: a world needs two photos or more")
    if skipped := album.skipped():
        yield Note(f"left out: {skipped}", "note")
    if start is not None:
        yield from start.notes()
        if spec.fit == "cover":
            size = Size(start.pixels.shape[1], start.pixels.shape[0])
            yield from _cropped_note(start.name, size)
    grid, side = spec.cell_grid, spec.cell_grid.columns * CELL_SIDE
    root = None if start is None else _square(start.pixels, side, spec)
    bank = PhotoBank(photos, root, grid, spec.side, side, spec.band).bank()
    yield Note(
        f"{counted(len(photos), 'photo')} of {len(album.photos):,}; {bank.coverage}"
        if len(photos) < len(album.photos)
        else str(bank.coverage)
    )
    digest = _digest(photos, spec)
    return ResolvedPhotoWorld(spec, start, bank, _manifest(spec, start, digest, bank), digest)


def _chosen(album: Album, most: int, seed: int) -> Sequence[int]:
    """The first photo, and as many more as a world may have, whose colours cover those of all."""
    if len(album.photos) <= most:
        return range(len(album.photos))
    found = covering(colours_of(album.coarse), most, np.random.default_rng(seed)).tolist()
    return sorted(found if 0 in found else {0, *found[: most - 1]})


def _square(pixels: np.ndarray, side: int, spec: PhotoWorldSpec) -> np.ndarray:
    """The picture to start from: cropped as the photos are, or all of it."""
    if spec.fit == "pad":
        return fitted(pixels, Size(side, side), "pad")
    return cut(pixels, crop_box(pixels, _ASPECT, spec.photos.crop), Size(side, side))


def _cropped_note(name: str, picture: Size) -> list[Note]:
    """That not all of the picture to start from is seen."""
    if picture.width == picture.height:
        return []
    mend = "`fit` pad keeps all of it"
    return [
        Note(f"{name} is {picture}: what does not fit into a square is cut off ({mend})", "note")
    ]


def _unusual_fit(spec: PhotoWorldSpec) -> dict[str, str]:
    """How the picture to start from comes to a square, where it is not as it always was."""
    return {} if spec.fit == "cover" else {"fit": spec.fit}


def _digest(photos: Sequence[PhotoPreview], spec: PhotoWorldSpec) -> str:
    lines = [spec.photos.crop, *(photo.sha256 for photo in photos)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _manifest(spec: PhotoWorldSpec, start: SourceImage | None, digest: str, bank: Bank) -> Manifest:
    side = Size(spec.side, spec.side)
    # Nothing is painted: of these, only the size and the seed count.
    params = ResolvedParams(
        prompt="",
        seed=spec.root_seed,
        size=side,
        steps=1,
        sampler="ddim",
        guidance=1.0,
        strength=0.0,
    )
    cells = Mosaic(
        params=params,
        grid=spec.cell_grid,
        band=spec.band,
        anchor=0.0,
        enlarge=1,
        upscaler="lanczos",
        mix={},
    )
    root = "" if start is None else start.origin["sha256"]
    manifest = Manifest(
        model=f"photos {digest}",
        root=json.dumps({"image": root, "crop": spec.photos.crop} | _unusual_fit(spec)),
        cells=cells,
        reuse=len(bank.next),
    )
    manifest.check()
    return manifest


def _paints_nothing(jobs: Sequence[Job]) -> Tensor:
    raise AssertionError("a world of photos paints nothing")
