"""A mosaic and the folder that it is made in."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..distributed.executor import Executor, LocalExecutor
from ..distributed.remote_model import NamedHashes
from ..errors import errors_about
from ..events import Note, Preview, Progress
from ..files import check_folder, cleared
from ..generate.batching import BatchSize
from ..generate.metadata import Record
from ..generate.previews import PaintPreviews
from ..images.image_files import read_image, to_tensor, write_image
from ..models.base import Model
from .assembly import PARTS, MosaicFiles, single_path, write_whole
from .base_image import BaseImage, check_base_image, making_base_image, toned
from .cells import cell_seed, check_cells, exact_cells, strips
from .deep_zoom import check_single
from .fidelity import Fidelity, Gauge
from .filling_in import FillingIn
from .mosaic_spec import BATCH_SIZE, CELL_SIDE, Mosaic, SharingParams
from .production import PaintTotals, fill, fill_distributed
from .sharing import CellTask, Variety, source_cells, tasks_of, variety_of
from .store import Store, begun, free_folder, write_manifest
from .viewer_page import write_viewer

KIND = "mosaic"
FORMAT = 4  # of the folder; another one means other pictures


@dataclass(frozen=True, eq=False)
class MosaicPlan:
    """A mosaic with its base image, nothing left open.

    Attributes:
        mosaic: The cells.
        base: What they are cut from.
        sharing: Which of them show the same picture.
    """

    mosaic: Mosaic
    base: BaseImage
    sharing: SharingParams

    def check(self, model: Model) -> None:
        """Raises what making it with a model would raise, without painting.

        Raises:
            InputError, PromptError: Settings that are wrong, or that the model cannot paint.
        """
        own = [self.base.record.params.prompt]
        with errors_about("prompt" if self.mosaic.prompts == own else "cell_prompt"):
            check_cells(model, self.mosaic)
        self.sharing.check()
        check_base_image(model, self.base)

    @property
    def prompts(self) -> list[str]:
        """Of the base image and the cells, negative ones too."""
        own, cells = self.base.record.params, self.mosaic
        found = [*([] if self.base.image is not None else [own.prompt, own.negative])]
        return [*found, *cells.prompts, cells.params.negative]

    def json_object(self) -> dict[str, Any]:
        """The settings that its pictures depend on, in JSON's values; the model is not in it."""
        return {
            "mosaic": self.mosaic.json_object(),
            "base_image": self.base.identity | {"upscaler": self.base.upscaler},
            "sharing": self.sharing.json_object(),
        }

    def record(self) -> Record:
        """What a file of the whole mosaic remembers."""
        details = {
            "mosaic": self.mosaic.json_object(),
            "sharing": self.sharing.json_object(),
            "cell_side": CELL_SIDE,
            "tone": self.base.tone,
        }
        return self.base.record.but(kind=KIND, upscaler=self.base.upscaler, details=details)


def folder_for(model: Model, plan: MosaicPlan, usual: Path) -> Path:
    """Where a mosaic goes if nobody says: where it was begun, or the first place that is free."""
    return free_folder(usual, KIND, plan.json_object() | model.identity(*plan.prompts))


class MosaicFolder(MosaicFiles):
    """A folder with a mosaic, finished or not.

    It holds ``base.png``, the store of pictures, the Deep Zoom pyramid with its page, a preview and
    ``manifest.json``. The manifest is written first and says which job the folder belongs to; every
    step after it can be killed and is taken up again by the next run.

    Attributes:
        resumed: Whether an earlier run has begun it.
        sizes: How many pictures are painted at once in this process.
    """

    def __init__(
        self, model: Model, plan: MosaicPlan, path: Path, *, overwrite: bool = False
    ) -> None:
        """Checks all that can be checked; nothing is written before `start`.

        Args:
            model: Paints it.
            plan: What it is.
            path: The folder.
            overwrite: As of `store.begun`.

        Raises:
            InputError: As `MosaicPlan.check`.
            OutputError: The folder cannot be written, belongs to another job or holds other files.
        """
        plan.check(model)
        check_folder(path)
        self.model, self.plan, self.path = model, plan, path
        self._manifest = self._description()
        self.resumed = begun(path, KIND, self._manifest, overwrite=overwrite) is not None
        self._overwrite = overwrite
        self.sizes = BatchSize(model.device)

    def start(
        self, previews: PaintPreviews | None = None
    ) -> Generator[Progress | Note | Preview, None, None]:
        """Claims the folder, and makes the base image unless it is there.

        Args:
            previews: Of the base image while it is painted; as of `paint.paint_jobs`.

        Raises:
            OutputError: The folder, or the store in it, cannot be written or is another job's.
        """
        if not self.resumed:
            if self._overwrite:
                cleared(self.path, PARTS)
            write_manifest(self.path, self._manifest)
        self._store().close()
        if not self._base_path.exists():
            size, whole = self.plan.mosaic.base_size, self.plan.mosaic.size
            made = yield from making_base_image(self.model, self.plan.base, size, whole, previews)
            image, notes = toned(self.plan.base, made)
            yield from notes
            write_image(self._base_path, image, self.plan.base.record_at(size, whole).to_text())
        yield Preview(read_image(self._base_path), "base image")

    def filling_in(self, previews: PaintPreviews) -> FillingIn:
        """The mosaic as it fills in, once the folder is started, shown as often as previews are."""
        mosaic = self.plan.mosaic
        return FillingIn(read_image(self._base_path), mosaic.grid, mosaic.cell, previews.pace())

    @cached_property
    def base(self) -> torch.Tensor:
        """The base image, once the folder is started: ``(3, H, W)`` float32 in 0..1."""
        return to_tensor(read_image(self._base_path))

    @cached_property
    def sources(self) -> np.ndarray:
        """For each cell the cell that its picture is painted over; see `sharing.source_cells`."""
        mosaic, sharing = self.plan.mosaic, self.plan.sharing
        return source_cells(sharing, self._exact, mosaic.grid, mosaic.params.seed)

    def variety(self) -> Variety:
        """What the cells' sharing leaves."""
        return variety_of(self.sources, self._exact, self.plan.mosaic.grid)

    def done(self) -> set[int]:
        """The cells that have their pictures."""
        with self._store() as store:
            return store.done()

    def tasks(self, done: set[int]) -> Sequence[CellTask]:
        """The pictures to paint for the cells that are not done."""
        cells = range(self.plan.mosaic.grid.cells)
        return tasks_of(self.sources, [cell for cell in cells if cell not in done])

    def paint(
        self,
        *,
        batch_size: int | None = None,
        executor: Executor[Model] | None = None,
        filling: FillingIn | None = None,
    ) -> Generator[PaintTotals, None, PaintTotals]:
        """Paints what is missing: see `production.fill`.

        Args:
            batch_size: Pictures painted at once; found by measuring if not given, or
                `BATCH_SIZE` for workers.
            executor: Whose workers paint; this process if not given. This process goes its own
                way, which measures batches, overlaps their stages and stops at once.
            filling: Shows the pictures, those of earlier runs too.
        """
        with self._store() as store:
            tasks = self.tasks(done := store.done())
            seen: dict[str, Any] = {}
            if filling is not None:
                filling.put_stored(store, sorted(done))
                seen = {"seen": filling.put}
            if executor is not None and not isinstance(executor, LocalExecutor):
                mosaic = self.plan.mosaic
                named = NamedHashes.of(self.model, *mosaic.prompts, mosaic.params.negative)
                size = batch_size or BATCH_SIZE
                work = fill_distributed(
                    store, executor, mosaic, self.base, tasks, named, batch_size=size, **seen
                )
                return (yield from work)
            self.sizes = BatchSize(self.model.device, batch_size)
            return (
                yield from fill(
                    *(store, self.model, self.plan.mosaic, self.base, tasks),
                    sizes=self.sizes,
                    **seen,
                )
            )

    def assemble(self, *, single: str | None = None) -> Generator[Progress, None, Fidelity]:
        """Writes pyramid, page, preview and, if asked, one big image; measures the fidelity.

        Args:
            single: ``"jpg"`` or ``"tif"``, or ``None`` for no big image.
        """
        mosaic, gauge = self.plan.mosaic, Gauge(self.plan.mosaic, self.base)
        text = self.plan.record().to_text()
        with self._store() as store:
            fidelity = yield from write_whole(
                lambda: strips(store, mosaic), mosaic.size, gauge, self.path, text, single
            )
        self._write_page()
        write_manifest(self.path, self._manifest | {"fidelity": fidelity.json_object()})
        return fidelity

    def check_single(self, single: str) -> None:
        """Raises `OutputError` where the mosaic is too large for one image of a kind."""
        check_single(self.single_path(single), *self.plan.mosaic.size)

    def single_path(self, single: str) -> Path:
        """Where the one big image goes."""
        return single_path(self.path, single)

    @property
    def _exact(self) -> torch.Tensor:
        mosaic = self.plan.mosaic
        return exact_cells(self.base, mosaic, range(mosaic.grid.cells))

    def _store(self) -> Store:
        job = json.dumps(self._manifest["job"], sort_keys=True)
        return Store(self._store_path, job)

    def _write_page(self) -> None:
        mosaic = self.plan.mosaic
        seed = mosaic.params.seed
        write_viewer(
            self.path,
            width=mosaic.size.width,
            height=mosaic.size.height,
            title=mosaic.params.prompt,
            facts=[
                f"{mosaic.grid.cells:,} pictures",
                mosaic.size.megapixels,
                f"model {self.model.name}",
                f"seed {seed}",
            ],
            rows=mosaic.grid.rows,
            columns=mosaic.grid.columns,
            seeds=[cell_seed(seed, cell) for cell in self.sources.tolist()],
        )

    def _description(self) -> dict[str, object]:
        mosaic = self.plan.mosaic
        return {
            "format": FORMAT,
            "kind": f"digressions {KIND}",
            "version": __version__,
            "job": self.plan.json_object() | self.model.identity(*self.plan.prompts),
            "columns": mosaic.grid.columns,
            "rows": mosaic.grid.rows,
            "width": mosaic.size.width,
            "height": mosaic.size.height,
        }
