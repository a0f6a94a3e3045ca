"""The main job from a prompt to a folder: plan, paint, assemble.

A folder holds `primary.png`, the store of pictures, the Deep Zoom pyramid with its page, a
preview and `manifest.json`. The manifest is written first and says whose folder it is; every step
after it can be killed and is taken up again by the same call.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .. import __version__
from ..engines.engine import Engine
from ..errors import OutputError
from ..job import check, job_of
from ..models import Model
from ..output import writing
from ..pictures.images import read_image, to_tensor, write_image
from ..pictures.metadata import Settings, to_text
from ..pictures.texts import xmp_packet
from ..upscale import check_upscaler
from .far import fill_far
from .fidelity import Fidelity, Gauge
from .manifest import difference, read_manifest, write_manifest
from .mosaic import CELL_SIDE, Mosaic, check_cells, fill, strips
from .preview import Preview
from .primary import Primary, make_primary
from .pyramid import write_deep_zoom, write_single
from .store import Store
from .viewer import write_viewer

PREVIEW_SIDE = 2048
BYTES_PER_PIXEL = 2.2  # store (lossless) and pyramid together, measured on the bundled model


@dataclass(frozen=True)
class Estimate:
    """What a mosaic will take.

    Attributes:
        pictures: In all, and how many of them are done already.
        pixels: Of the whole mosaic.
        disk: Bytes.
    """

    pictures: int
    done: int
    pixels: int
    disk: int


class Work(NamedTuple):
    """What a stretch of painting came to: pictures, seconds, and seconds inside the model."""

    pictures: int
    seconds: float
    inside: float

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds

    def plus(self, other: Work) -> Work:
        """Both stretches together."""
        return Work(
            self.pictures + other.pictures,
            self.seconds + other.seconds,
            self.inside + other.inside,
        )


class Hypermosaic:
    """One mosaic and its folder.

    Opening it checks everything that can be checked: settings, model, folder. It writes nothing
    until `start`.
    """

    def __init__(self, model: Model, mosaic: Mosaic, primary: Primary, folder: Path) -> None:
        """Raises:
        InputError: Settings that cannot be.
        OutputError: The folder belongs to another job or holds other files.
        """
        check_cells(model, mosaic)
        if primary.image is None:
            check(model, job_of(dataclasses.replace(primary.settings, image=None)))
        check_upscaler(primary.upscaler)
        self.model, self.mosaic, self.primary, self.folder = model, mosaic, primary, folder
        self._manifest = self._describe()
        found = read_manifest(folder)
        if found is not None and found["job"] != self._manifest["job"]:
            raise OutputError(
                f"{folder} belongs to another job ({difference(found, self._manifest)}): "
                "choose another -o, or delete it"
            )
        self.resumed = found is not None

    def _describe(self) -> dict[str, object]:
        job = {
            "mosaic": json.loads(self.mosaic.job()),
            "primary": asdict(self.primary.settings) | {"upscaler": self.primary.upscaler},
            "model": self.model.hash,
        }
        return {
            "format": 1,
            "kind": "digressions mosaic",
            "version": __version__,
            "job": json.loads(json.dumps(job)),
            "columns": self.mosaic.grid.columns,
            "rows": self.mosaic.grid.rows,
            "width": self.mosaic.size.width,
            "height": self.mosaic.size.height,
        }

    def start(self) -> Estimate:
        """Claims the folder, makes the primary unless it is there, and says what is to come."""
        self._make_folder()
        if not (self.folder / "primary.png").exists():
            image = make_primary(self.model, self.primary, self.mosaic)
            write_image(self.folder / "primary.png", image, to_text(self._primary_settings()))
        with self._store() as store:
            done = len(store.done())
        pixels = self.mosaic.size.pixels
        return Estimate(self.mosaic.grid.cells, done, pixels, int(pixels * BYTES_PER_PIXEL))

    def paint(
        self,
        *,
        batch_size: int = 32,
        most: int | None = None,
        on_batch: Callable[[int], None] | None = None,
        engine: Engine[Model] | None = None,
    ) -> Work:
        """Paints what is missing, ``most`` pictures at most; here, if no engine is given."""
        painted, begun, inside = 0, time.perf_counter(), self.model.seconds

        def count(pictures: int) -> None:
            nonlocal painted
            painted += pictures
            if on_batch is not None:
                on_batch(pictures)

        if engine is not None:
            with self._store() as store:
                far = fill_far(
                    store,
                    engine,
                    self.mosaic,
                    self._pixels(),
                    batch_size=batch_size,
                    most=most,
                    on_batch=count,
                )
            return Work(painted, time.perf_counter() - begun, far / engine.workers)
        with self._store() as store:
            fill(
                store,
                self.model,
                self.mosaic,
                self._pixels(),
                batch_size=batch_size,
                most=most,
                on_batch=count,
            )
        return Work(painted, time.perf_counter() - begun, self.model.seconds - inside)

    def assemble(self, *, single: str | None = None) -> Fidelity:
        """Writes pyramid, page, preview and, if asked, one big image; measures the fidelity.

        Args:
            single: ``"jpg"`` or ``"tif"``, or ``None`` for no big image.
        """
        size, mosaic = self.mosaic.size, self.mosaic
        gauge, small = Gauge(mosaic, self._pixels()), Preview(size, PREVIEW_SIDE)
        with self._store() as store:
            # One pass over the store: what measures and what averages down look on.
            passing = small.watch(gauge.watch(strips(store, mosaic)))
            write_deep_zoom(passing, size.width, size.height, self.folder, quality=95)
            if single is not None:
                # Another pass: libvips pulls each file's strips at its own pace, so one pass for
                # both would take a thread more, or the whole mosaic in a temporary file.
                path = self.folder / f"mosaic.{single}"
                packet = xmp_packet(to_text(self._mosaic_settings()))
                write_single(strips(store, mosaic), size.width, size.height, path, xmp=packet)
        fidelity = gauge.fidelity()
        write_image(self.folder / "preview.jpg", small.image(), to_text(self._mosaic_settings()))
        write_viewer(
            self.folder,
            width=size.width,
            height=size.height,
            title=mosaic.prompt,
            facts=self._facts(),
            rows=mosaic.grid.rows,
            columns=mosaic.grid.columns,
            seeds=mosaic.seeds(),
        )
        results = {"fidelity": {k: _finite(v) for k, v in fidelity._asdict().items()}}
        write_manifest(self.folder, self._manifest | results)
        return fidelity

    def _facts(self) -> list[str]:
        pixels = self.mosaic.size.pixels / 1e6
        return [
            f"{self.mosaic.grid.cells:,} pictures",
            f"{pixels:,.1f} Mpx",
            f"model {self.model.name}",
            f"seed {self.mosaic.seed}",
        ]

    def _store(self) -> Store:
        return Store(self.folder / "pictures.sqlite", json.dumps(self._manifest["job"]))

    def _pixels(self) -> torch.Tensor:
        return to_tensor(read_image(self.folder / "primary.png"))

    def _primary_settings(self) -> Settings:
        size = self.mosaic.primary_size
        extra = {"enlarged": [size.width, size.height]}
        return replace(self.primary.settings, upscaler=self.primary.upscaler, extra=extra)

    def _mosaic_settings(self) -> Settings:
        mosaic = json.loads(self.mosaic.job())
        return replace(
            self.primary.settings,
            command="mosaic",
            upscaler=self.primary.upscaler,
            extra={"mosaic": mosaic, "cell_side": CELL_SIDE},
        )

    def _make_folder(self) -> None:
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if not self.resumed:
            write_manifest(self.folder, self._manifest)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
