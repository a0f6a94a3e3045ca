"""Specs of worlds, films, pages and sites, and the `Manifest`: what a world is, in one immutable
value. Nothing here needs torch."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import operator
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ..errors import InputError, verbatim
from ..generate.declare import Params, declared, option
from ..generate.kinds import FilePath, GridText, PictureInput, PromptText
from ..generate.params import check_fit, upscaler_option
from ..generate.presets import PresetName, PresetParams, preset_option
from ..geometry import CellPath, Grid
from ..images import Fit
from ..mosaics.mosaic_spec import (
    BATCH_SIZE,
    CELL_SIDE,
    CellGenerationParams,
    CellParams,
    Mosaic,
    MosaicSpec,
    ToneName,
    check_cell_params,
    check_grid,
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
        help="How an image comes to a square, which every picture of a world is. cover: cut off "
        "what sticks out; pad: keep all of the image, with the colours of its edges around it.",
    )
    tone: ToneName = declared(MosaicSpec, "tone")
    grid: GridText = option("64", "Cells across, and as many down.", group="Cells")
    cell_prompt: list[PromptText] | None = declared(MosaicSpec, "cell_prompt")
    deeper_prompt: list[PromptText] | None = option(
        None,
        "What the cells of the next depth show. Repeat it for each next one; after the last, "
        "`cell_prompt` comes again.",
        group="Cells",
        default_from="the same at every depth",
    )
    cells: CellParams
    upscaler: str = upscaler_option(group="Cells")

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
        if self.fit == "contain":
            raise InputError("`fit` contain: a world's picture is a square, choose cover or pad")
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


def check_square(grid: Grid) -> None:
    """Raises `InputError` for a grid that cannot repeat in each of its cells."""
    if grid.columns != grid.rows or grid.columns < 2:
        raise InputError(f"`grid` {grid}: a world's grid is square, 2x2 or more")


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


FORMAT = 2  # of worlds; another one means other pictures


class Manifest(Params):
    """What a world is.

    Attributes:
        model: SHA-256 of the model's weights.
        root: What the root picture is: its parameters or its SHA-256, any text that tells it apart.
        cells: How every other picture is painted. The grid is square, so that a cell has the shape
            of a picture. Its prompt is that of depth 1.
        deeper: Prompts of depth 2, 3, ...; after the last comes depth 1's again.
        upscaler: Name of what enlarges a picture to its canvas.
        reuse: Pictures that all others are made of (see `bank`); 0 for no such limit.
        loop: Path of the cell that the root is embedded in, so that ``loop`` leads to the root
            again; empty for none.
    """

    model: str
    root: str
    cells: Mosaic
    deeper: tuple[str, ...] = ()
    upscaler: str = "lanczos"
    reuse: int = 0
    loop: CellPath = ()

    @property
    def canvas_side(self) -> int:
        """Width and height of a canvas in pixels."""
        return self.cells.grid.columns * CELL_SIDE

    def cells_at(self, depth: int) -> Mosaic:
        """How the pictures of a depth, 1 or more, are painted."""
        place = (depth - 1) % (len(self.deeper) + 1)
        if place == 0:
            return self.cells
        params = self.cells.params.but(prompt=self.deeper[place - 1])
        return self.cells.but(params=params, mix={})

    def json_object(self) -> dict[str, Any]:
        """As JSON has it, with the format."""
        return super().json_object() | {"format": FORMAT}

    @functools.cached_property
    def id(self) -> str:
        """SHA-256 of the manifest: what the pictures of this world are kept under."""
        return hashlib.sha256(self.json_line().encode()).hexdigest()

    def check(self) -> None:
        """Raises `InputError` for settings that no world can have."""
        self.cells.check()
        check_square(self.cells.grid)
        if self.cells.enlarge != 1:
            raise InputError("a world enlarges its pictures to canvases: it takes no `enlarge`")
        self.check_path(self.loop)

    def check_path(self, path: CellPath) -> None:
        """Raises `InputError` for a path with a cell that is not in the grid."""
        check_way(path, len(path), self.cells.grid)
