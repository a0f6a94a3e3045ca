"""Specs of worlds, films, pages and sites. Nothing here needs torch."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ..errors import InputError, verbatim
from ..generate.declare import Params, declared, option
from ..generate.kinds import FilePath, GridText, PictureInput, PromptText, UpscalerName
from ..generate.params import check_fit, upscaler_option
from ..generate.presets import PresetName, PresetParams, preset_option
from ..geometry import CellPath, Grid
from ..images import Fit
from ..mosaics.cell_shape import CellAspect, check_cell_params, check_grid
from ..mosaics.mosaic_spec import (
    BATCH_SIZE,
    CellGenerationParams,
    CellParams,
    MosaicSpec,
    ToneName,
)
from .flight_params import FlightParams, PageParams

MAX_BANK = 4096


BankSize = Annotated[int, Field(ge=2, le=MAX_BANK)]
"""How many pictures a finite world is made of."""


class WorldSpec(Params):
    """What world to make.

    ``params`` are those of its pictures. The root has the same prompt, negative prompt, seed, way
    of combining and schedule (``timestep_spacing``, ``zero_snr``), and is otherwise painted as the
    model is best used.
    """

    params: CellGenerationParams
    image: PictureInput = declared(MosaicSpec, "image")
    fit: Fit = declared(
        MosaicSpec,
        "fit",
        help="How an image of another aspect than `size` or `cell_aspect` comes to that. cover: "
        "cut off what sticks out; pad: keep all of the image, with the colours of its edges around "
        "it.",
    )
    tone: ToneName = declared(MosaicSpec, "tone")
    grid: GridText = option("64", "Cells across, and as many down.", group="Cells")
    cell_aspect: CellAspect | None = option(
        None,
        "Width and height of a cell, such as 4:3, and so of every picture, which a cell holds.",
        group="Cells",
        default_from="of `size`, or else of the image; 1:1 without one",
    )
    cell_prompt: list[PromptText] | None = declared(MosaicSpec, "cell_prompt")
    deeper_prompt: list[PromptText] | None = option(
        None,
        "What the cells of the next depth show. Repeat it for each next one; after the last, "
        "`cell_prompt` comes again.",
        group="Cells",
        default_from="the same at every depth",
    )
    cells: CellParams
    upscaler: UpscalerName = upscaler_option(group="Cells")

    @property
    def title(self) -> str:
        """What the world is called."""
        return self.params.prompt

    @property
    def cell_grid(self) -> Grid:
        """The grid, in which a cell has the shape of a picture."""
        return Grid.parse(self.grid)

    def check(self) -> None:
        """Raises `InputError` for a grid that cannot repeat, and for settings that are out of range
        or would do nothing."""
        check_square(self.cell_grid)
        check_grid(self.cell_grid)
        check_fit(self.fit, self.image)
        shaped = self.cell_aspect is not None or self.params.size is not None
        if self.fit == "contain":
            raise InputError(
                "`fit` contain: a world has the aspect of its image by itself, without `size` and "
                "`cell_aspect`; choose cover or pad"
            )
        if self.fit == "pad" and not shaped:
            raise InputError(
                "`fit` pad does nothing: a world has the aspect of its image; give `cell_aspect` "
                "1:1 for a square"
            )
        if self.cell_aspect is not None and self.params.size is not None:
            raise InputError(
                f"`size` {self.params.size} has an aspect already: leave `cell_aspect` out, or "
                "`size`"
            )
        check_cell_params(self.params, self.cells.band)


def path_of(path: object) -> CellPath:
    """A path of cells as somebody gives it: numbers, of Python or of numpy, in any sequence.

    Raises:
        InputError: It is no sequence, or not of whole numbers.
    """
    if isinstance(path, Iterable) and not isinstance(path, (str, bytes)):
        with contextlib.suppress(TypeError):
            return tuple(operator.index(cell) for cell in path)
    raise InputError(
        f"{verbatim(repr(path)):.80} is no path of cells such as (3, 200, 17), or () for the root",
        field="path",
    )


def check_way(path: CellPath, levels: int, grid: Grid) -> None:
    """Raises `InputError` for first cells of a way down that are too many, or not in the grid."""
    if len(path) > levels:
        raise InputError(f"{len(path)} cells in `into` are more than `levels` {levels}")
    for cell in path:
        if not 0 <= cell < grid.cells:
            raise InputError(f"cell {cell} is not in a grid of {grid}")


def check_square(grid: Grid, *, any_shape: bool = True) -> None:
    """Raises `InputError` for a grid that cannot repeat in each of its cells.

    Args:
        any_shape: Whether pictures may have another aspect than 1:1.
    """
    if grid.columns != grid.rows:
        shared = math.gcd(*grid)
        aspect = f"{grid.columns // shared}:{grid.rows // shared}"
        mend = f"`grid` {max(grid)} `cell_aspect` {aspect} gives all of them that aspect"
        raise InputError(
            f"`grid` {grid}: a world has as many cells across as down, since each cell holds a "
            f"picture; {mend if any_shape else 'give one number'}"
        )
    if grid.columns < 2:
        raise InputError(f"`grid` {grid}: a world's grid is 2x2 or more")


class CacheParams(Params):
    """The file that keeps what is painted."""

    cache: FilePath = option(
        Path("out/worlds.sqlite"),
        "File that keeps what is painted, for any number of worlds.",
        group="Output",
        form="path",
    )
    cache_size: int = option(1000, "Megabytes that the cache may take.", group="Output", ge=0)

    @property
    def limit(self) -> int:
        """Bytes that the cache may take."""
        return self.cache_size * 1_000_000


class BankParams(Params):
    """Whether a world is made of a number of pictures that are used again and again."""

    reuse: BankSize | None = option(
        None,
        "Paint only so many pictures, and use them again wherever they fit.",
        group="Cells",
        default_from="as many as are seen",
    )


class BatchParams(Params):
    """How many pictures are painted at once."""

    batch_size: int = option(
        BATCH_SIZE,
        "Pictures painted at once, by each worker with `executor` ray.",
        group="Machines",
        ge=1,
    )


class FilmSpec(FlightParams, PresetParams):
    """A film that falls into a world and comes out where it began."""

    world: WorldSpec
    bank: BankParams
    cache: CacheParams
    batch: BatchParams
    preset: PresetName | None = preset_option()

    def check(self) -> None:
        """Raises `InputError` for a wrong world, and for cells that are not in it."""
        self.world.check()
        check_way(self.first_cells, self.levels, self.world.cell_grid)


class SiteSpec(PresetParams):
    """A finite world as a folder for any web server."""

    world: WorldSpec
    cache: CacheParams
    batch: BatchParams
    reuse: BankSize = option(
        256, "Pictures that the whole world is made of, again and again.", group="Cells"
    )
    max_mb: float = option(
        20.0,
        "Size limit of the folder in megabytes; the pictures' quality is chosen to fit.",
        group="Output",
        gt=0,
    )
    preset: PresetName | None = preset_option()


class ScreensaverSpec(PresetParams):
    """A flight through a world on the whole screen."""

    world: WorldSpec
    bank: BankParams
    cache: CacheParams
    preset: PresetName | None = preset_option()


class ServeSpec(PageParams, PresetParams):
    """A page on which one flies into a world, and who may open it."""

    world: WorldSpec
    bank: BankParams
    cache: CacheParams
    preset: PresetName | None = preset_option()
