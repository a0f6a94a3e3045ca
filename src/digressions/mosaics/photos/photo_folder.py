"""A mosaic of photos and the folder that it is made in."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import torch

from ... import __version__
from ...events import Progress
from ...files import check_folder, cleared
from ...generate.metadata import Record
from ...geometry import Grid
from ...images.fitting import padded
from ...images.image_files import cover, read_image, read_text, resample, to_tensor, write_image
from ...images.source_image import SourceImage
from ...images.xmp import SourceType, bare_mark, marked
from ...models.base import Model
from ..assembly import PARTS, MosaicFiles, single_path, write_whole
from ..base_image import largest
from ..cells import band_of, exact_cells, strips
from ..deep_zoom import check_single
from ..fidelity import Fidelity, Gauge, psnr
from ..folder import FORMAT, KIND
from ..mosaic_spec import Mosaic
from ..store import begun, write_manifest
from ..viewer_page import PagePhotos, write_viewer
from .album import Album
from .cropping import turned
from .photo_index import PhotoIndex
from .photo_spec import PhotoMosaic, PhotoMosaicSpec
from .placing import Choice, PhotoStore
from .repainting import record_of_repainting

TEXT = "photos"
"""The key of the text by which a file remembers the mosaic of photos that it shows."""


class Bending(NamedTuple):
    """How far photos were changed: mean absolute change of a value, in grey levels of 255."""

    mean: float
    worst: float

    def in_words(self, done: str) -> str:
        """Such as "photos were bent by 12.3 grey levels on average, ...", after what was done to
        them."""
        return (
            f"photos were {done} by {self.mean:.1f} grey levels on average, the worst by "
            f"{self.worst:.1f}"
        )


class PhotoFolder(MosaicFiles):
    """A folder with a mosaic of photos, finished or not; as `folder.MosaicFolder`.

    Attributes:
        path: Where it is.
        grid: Of the mosaic, if an earlier run has begun it.
    """

    def __init__(
        self,
        spec: PhotoMosaicSpec,
        start: SourceImage,
        path: Path,
        model: Model | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Checks all that can be checked; nothing is written before `start`. ``model`` is what
        paints over photos, if anything does; ``overwrite`` is as of `store.begun`.

        Raises:
            OutputError: The folder cannot be written, belongs to another job or holds other files.
        """
        check_folder(path)
        self.spec, self.path, self._start, self._overwrite = spec, path, start, overwrite
        self._model = model
        self._record: Record | None = None
        self._job = job_of(spec, start, model)
        path_of_start = start.origin["path"]
        # A mosaic of a picture that was made by AI is marked as that picture is.
        self._mark = bare_mark(read_text(path_of_start)) if path_of_start else {}
        claim = {"format": FORMAT, "job": self._job}
        found: dict[str, Any] | None = begun(path, KIND, claim, overwrite=overwrite)
        self.grid = None if found is None else Grid(int(found["columns"]), int(found["rows"]))

    def start(
        self, mosaic: PhotoMosaic, single: str | None, painting: Mosaic | None = None
    ) -> None:
        """Claims the folder and writes the picture in 8 x 8 values a cell, unless they are there.

        Args:
            mosaic: What it is.
            single: As of `assemble`.
            painting: How photos are painted over, if they are.

        Raises:
            OutputError: The folder, or the store in it, cannot be written or is another job's; or
                the mosaic is too large for one big image of that kind.
        """
        self.mosaic = mosaic
        if self._model is not None and painting is not None:
            self._record = record_of_repainting(self._model, painting)
        if single is not None:
            check_single(single_path(self.path, single), *mosaic.size)
        if self.grid is None and self._overwrite:
            cleared(self.path, PARTS)
        if self.grid != mosaic.grid:
            self._base_path.unlink(missing_ok=True)
            write_manifest(self.path, self._description())
        self.store().close()
        if not self._base_path.exists():
            pixels = self._start.pixels
            aspect = mosaic.size.width / mosaic.size.height
            if self.spec.fit == "pad":
                pixels = padded(pixels, mosaic.size)
            shown = cover(pixels, *largest(pixels.shape[1], pixels.shape[0], aspect))
            write_image(self._base_path, resample(shown, *mosaic.base_size), self._text())

    def chosen(self) -> Choice | None:
        """What an earlier run has chosen, if one has."""
        if self.grid is None:
            return None
        with self.store() as store:
            return None if store.digest() is None else store.choice()

    @cached_property
    def base(self) -> torch.Tensor:
        """The picture, once the folder is started: ``(3, H, W)`` float32 in 0..1."""
        return to_tensor(read_image(self._base_path))

    @cached_property
    def cells(self) -> np.ndarray:
        """The picture's own values in each cell: ``(cells, 8, 8, 3)`` uint8."""
        cells = exact_cells(self.base, self.mosaic, range(self.mosaic.grid.cells))
        return (cells.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()

    def store(self) -> PhotoStore:
        """The pictures and the choice."""
        job = json.dumps(self._job, sort_keys=True)
        return PhotoStore(self._store_path, job)

    def assemble(
        self, index: PhotoIndex, album: Album, single: str | None
    ) -> Generator[Progress, None, tuple[Fidelity, Fidelity, Bending]]:
        """Writes pyramid, page, preview and, if asked, one big image.

        Returns:
            The fidelity, that of the photos as they were, and how far they were bent.
        """
        mosaic, gauge = self.mosaic, Gauge(self.mosaic, self.base)
        with self.store() as store:
            fidelity = yield from write_whole(
                lambda: strips(store, mosaic),
                mosaic.size,
                gauge,
                self.path,
                self._text(album),
                single,
            )
            choice, bent = store.choice(), store.bent() * 255
        seen = {photo: index.coarse(photo) for photo in set(choice.photos)}
        shown = [
            turned(seen[photo], turn)
            for photo, turn in zip(choice.photos, choice.turns, strict=True)
        ]
        unbent = fidelity_of(np.stack(shown), self.cells, mosaic.band or 1)
        bending = Bending(float(bent.mean()), float(bent.max()))
        self._write_page(album, choice.photos)
        results = {
            "fidelity": fidelity.json_object(),
            "unbent": unbent.json_object(),
            "bending": bending._asdict(),
        }
        write_manifest(self.path, self._description() | results)
        return fidelity, unbent, bending

    def _text(self, album: Album | None = None) -> dict[str, str]:
        """What its files remember."""
        origin = dict(self._start.origin)
        if self.spec.photos.forget_paths:
            origin["path"] = ""
        remembered = {"version": __version__, "image": origin, **settings(self.spec)}
        if album is not None:
            remembered["digest"] = album.digest
        if self._record is not None:
            text = self._record.to_text() | {TEXT: json.dumps(remembered)}
            return marked(text, SourceType.COMPOSITE)
        return {TEXT: json.dumps(remembered), **self._mark}

    def _write_page(self, album: Album, chosen: list[str]) -> None:
        mosaic, path = self.mosaic, self._start.origin["path"]
        named = path and not self.spec.photos.forget_paths
        write_viewer(
            self.path,
            width=mosaic.size.width,
            height=mosaic.size.height,
            title=Path(path).stem if named else "Photo mosaic",
            facts=[
                f"{mosaic.grid.cells:,} cells",
                f"{len(set(chosen)):,} photos",
                mosaic.size.megapixels,
                *([] if self._model is None else [f"repainted by model {self._model.name}"]),
            ],
            rows=mosaic.grid.rows,
            columns=mosaic.grid.columns,
            photos=None if self.spec.photos.forget_paths else self._page_photos(album, chosen),
        )

    def _page_photos(self, album: Album, chosen: list[str]) -> PagePhotos:
        """Names of photos, and where they are as seen from the page."""
        numbers = {photo: number for number, photo in enumerate(dict.fromkeys(chosen))}
        places = {photo.sha256: photo.path for photo in album.photos}
        names, links = [], []
        for photo in numbers:
            place = places.get(photo)
            names.append("" if place is None else place.name)
            beside = "" if place is None else os.path.relpath(place, self.path.absolute())
            links.append(quote(os.fsencode(Path(beside).as_posix())) if beside else "")
        return PagePhotos(names, links, [numbers[photo] for photo in chosen])

    def _description(self) -> dict[str, object]:
        mosaic = self.mosaic
        return {
            "format": FORMAT,
            "kind": f"digressions {KIND}",
            "version": __version__,
            "job": self._job,
            "columns": mosaic.grid.columns,
            "rows": mosaic.grid.rows,
            "width": mosaic.size.width,
            "height": mosaic.size.height,
        }


def job_of(spec: PhotoMosaicSpec, start: SourceImage, model: Model | None = None) -> dict[str, Any]:
    """What a folder is claimed for: the settings, the picture, and the model if one paints."""
    painted = {} if model is None else {"model": model.hash}
    return {"image": start.origin["sha256"], **settings(spec), **painted}


def settings(spec: PhotoMosaicSpec) -> dict[str, Any]:
    """What a mosaic of photos depends on besides its picture, its photos and its model, in JSON's
    values."""
    own = {"grid": spec.grid, "size": spec.side, "band": spec.band}
    own |= {"photos": spec.photos.remembered}
    if spec.fit != "cover":  # so that others are the job that they were before it could be said
        own["fit"] = spec.fit
    return own if spec.photos.paint is None else own | {"painting": spec.painting.json_object()}


def fidelity_of(shown: np.ndarray, wanted: np.ndarray, band: int) -> Fidelity:
    """How well cells agree with a picture, both ``(cells, 8, 8, 3)`` uint8."""
    tensors = [torch.from_numpy(each).permute(0, 3, 1, 2).float() / 255 for each in (shown, wanted)]
    fine = tensors[0] - tensors[1]
    coarse = band_of(fine, band)
    return Fidelity(
        band,
        float(coarse.abs().max()) * 255,
        psnr(float(coarse.square().mean())),
        psnr(float(fine.square().mean())),
    )
