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
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from .. import __version__
from ..batching import BatchSize
from ..engines.engine import Engine
from ..errors import OutputError
from ..job import check, job_of
from ..models import Model
from ..output import writing
from ..pictures.images import read_image, to_tensor, write_image
from ..pictures.metadata import Settings, to_text
from ..pictures.texts import xmp_packet
from ..upscale import check_upscaler
from .factory import fill
from .far import BATCH, fill_far
from .fidelity import Fidelity, Gauge
from .manifest import difference, read_manifest, write_manifest
from .mosaic import CELL_SIDE, Mosaic, cell_seed, check_cells, exact_cells, strips
from .preview import Preview
from .primary import Primary, make_primary
from .pyramid import write_deep_zoom, write_single
from .sharing import Sharing, Variety, pieces_of
from .store import Store
from .viewer import write_viewer
from .work import Estimate, Work

PREVIEW_SIDE = 2048
BYTES_PER_PIXEL = 2.2  # store (lossless) and pyramid together, measured on the bundled model


class Hypermosaic:
    """One mosaic and its folder.

    Opening it checks everything that can be checked: settings, model, folder. It writes nothing
    until `start`.
    """

    def __init__(
        self,
        model: Model,
        mosaic: Mosaic,
        primary: Primary,
        folder: Path,
        sharing: Sharing | None = None,
    ) -> None:
        """``sharing`` says which cells show the same picture; none do if not given.

        Raises:
        InputError: Settings that cannot be.
        OutputError: The folder belongs to another job or holds other files.
        """
        check_cells(model, mosaic)
        self.sharing = sharing or Sharing()
        self.sharing.check()
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
        self._sizes = BatchSize(model.device)

    def _describe(self) -> dict[str, object]:
        job: dict[str, object] = {
            "mosaic": json.loads(self.mosaic.job()),
            "primary": asdict(self.primary.settings) | {"upscaler": self.primary.upscaler},
            "model": self.model.hash,
        }
        job |= self._shared()
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
            done = store.done()
        self._leads = self._cells_leads()
        missing = [cell for cell in range(self.mosaic.grid.cells) if cell not in done]
        pixels = self.mosaic.size.pixels
        return Estimate(
            self.mosaic.grid.cells,
            len(done),
            len(pieces_of(self._leads, missing)),
            pixels,
            int(pixels * BYTES_PER_PIXEL),
        )

    def paint(
        self,
        *,
        batch_size: int | None = None,
        enough: Callable[[int], bool] = lambda _: False,
        on_batch: Callable[[int], None] | None = None,
        engine: Engine[Model] | None = None,
    ) -> Work:
        """Paints what is missing.

        Args:
            batch_size: Pictures painted at once; found by measuring if not given, `far.BATCH` for
                an engine.
            enough, on_batch: As in `factory.fill`.
            engine: Whose workers paint; this process if not given.
        """
        begun = time.perf_counter()
        with self._store() as store:
            done = store.done()
            missing = [cell for cell in range(self.mosaic.grid.cells) if cell not in done]
            pieces = pieces_of(self._leads, missing)
            if engine is not None:
                tally, inside = fill_far(
                    store,
                    engine,
                    self.mosaic,
                    self._pixels(),
                    pieces,
                    batch_size=batch_size or BATCH,
                    on_batch=on_batch,
                )
                return Work(time.perf_counter() - begun, inside / engine.workers, tally)
            before = self.model.seconds
            sizes = self._sizes if batch_size is None else BatchSize(self.model.device, batch_size)
            tally = fill(
                store,
                self.model,
                self.mosaic,
                self._pixels(),
                pieces,
                sizes=sizes,
                enough=enough,
                on_batch=on_batch,
            )
        return Work(time.perf_counter() - begun, self.model.seconds - before, tally)

    @property
    def tuned(self) -> bool:
        """Whether the best batch size is known."""
        return self._sizes.settled

    @property
    def batch_size(self) -> int:
        """As far as it is known."""
        return self._sizes.now

    def variety(self) -> Variety:
        """What the cells' sharing leaves."""
        return self.sharing.variety(self._leads, self._exact(), self.mosaic.grid)

    def _cells_leads(self) -> np.ndarray:
        return self.sharing.leads(self._exact(), self.mosaic.grid, self.mosaic.seed)

    def _exact(self) -> torch.Tensor:
        return exact_cells(self._pixels(), self.mosaic, range(self.mosaic.grid.cells))

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
            seeds=[cell_seed(mosaic.seed, cell) for cell in self._leads.tolist()],
        )
        results = {"fidelity": {k: _finite(v) for k, v in fidelity._asdict().items()}}
        write_manifest(self.folder, self._manifest | results)
        return fidelity

    def _facts(self) -> list[str]:
        return [
            f"{self.mosaic.grid.cells:,} pictures",
            self.mosaic.size.megapixels,
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
            extra={"mosaic": mosaic, "cell_side": CELL_SIDE, **self._shared()},
        )

    def _shared(self) -> dict[str, object]:
        shared = self.sharing.job()
        return {"sharing": shared} if shared else {}

    def _make_folder(self) -> None:
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if not self.resumed:
            write_manifest(self.folder, self._manifest)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
