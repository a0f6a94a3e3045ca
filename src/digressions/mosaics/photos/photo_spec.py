"""What a mosaic of photos is: `PhotoMosaicSpec` as the user asks for it, `PhotoMosaic` with nothing
left open. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from ...errors import InputError
from ...generate.declare import Params, declared, option
from ...generate.kinds import CellGrid, FilePath, Named, PaintedSize, PictureInput, Share
from ...generate.params import fit_option
from ...generate.presets import PresetName, PresetParams, preset_option
from ...geometry import Grid, Size
from ...images import Fit
from ..cell_shape import MAX_CELL_SIDE, MAX_CELLS, PAINTED_UNIT, CellAspect, fitted_grid
from ..cell_shape import check_grid as check_few_cells
from ..mosaic_spec import CELL_SIDE, Band, CellParams, MosaicSpec
from .repaint_params import RepaintParams

_Spec = TypeVar("_Spec", bound=Params)
AUTO = "auto"
DEFAULT_SIDE = 64
INDEX = Path("out") / "photos.sqlite"
Crop = Literal["attention", "centre"]


def _read_grid(value: Any) -> str:
    text = "x".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
    if text.strip().lower() == AUTO:
        return AUTO
    Grid.parse(text)  # raises what is wrong with it
    return text


PhotoGrid = Annotated[str, BeforeValidator(_read_grid)]
"""A grid as somebody asks for it, or ``"auto"``."""


class AlbumParams(Params):
    """Photos in the place of painted pictures: which, and how they are cropped."""

    tiles: list[Named] = option(
        [],
        "Make the cells of your own photos instead of painting them: folders, photos, or text "
        "files with a path a line.",
        group="Photos",
        default_from="cells are painted",
        form="picture",
    )
    crop: Crop = option(
        "attention",
        "Where a photo is cut to the cell's aspect: around what draws attention, or at its centre.",
        group="Photos",
    )
    keep_similar: bool = option(
        False, "Also use photos that look like another one.", group="Photos"
    )
    index: FilePath = option(
        INDEX, "File that remembers what photos look like.", group="Photos", form="path"
    )
    forget_paths: bool = option(
        False, "Leave names and places of photos out of all that is written.", group="Photos"
    )

    @property
    def remembered(self) -> dict[str, Any]:
        """What pictures of these photos depend on, in JSON's values; where photos are only if that
        is not to be forgotten."""
        found = self.json_object()
        del found["index"]
        if self.forget_paths:
            del found["tiles"]
        return found


class PhotoParams(AlbumParams):
    """Photos in the place of painted cells: also how they are chosen and bent."""

    cell_aspect: CellAspect = option(
        "1:1", "Width and height of a cell, such as 3:2.", group="Photos"
    )
    repeat: int | None = option(
        None,
        "How many times a photo may be used.",
        group="Photos",
        default_from="twice as often as is needed to fill the cells; once with `grid` auto",
        ge=1,
    )
    apart: int = option(
        3, "Cells between which the same photo is not used again.", group="Photos", ge=0, le=32
    )
    mirrored: bool = option(False, "Also try each photo mirrored.", group="Photos")
    rotated: bool = option(
        False, "Also try each photo rotated, as far as cells have room for it.", group="Photos"
    )
    bend: Share = option(
        1.0,
        "0 to 1: how far photos are bent towards their cells; 1 is exact in the band.",
        group="Photos",
    )
    paint: float | None = option(
        None,
        "Repaint each chosen photo towards its cell, image to image by this strength, more than 0 "
        "to 1; with a prompt, as that.",
        group="Photos",
        default_from="nothing is painted",
        gt=0,
        le=1,
    )

    @property
    def remembered(self) -> dict[str, Any]:
        """As of `AlbumParams`; without ``paint`` where nothing is painted, so that a mosaic of
        photos alone is the job that it was before they could be."""
        found = super().remembered
        if self.paint is None:
            del found["paint"]
        return found


class PhotoMosaicSpec(PresetParams):
    """What mosaic of photos to make."""

    preset: PresetName | None = preset_option()

    image: PictureInput = declared(MosaicSpec, "image", help="The picture that the mosaic shows.")
    fit: Fit = fit_option()
    grid: PhotoGrid = declared(
        MosaicSpec,
        "grid",
        help="Cells across, or ACROSSxDOWN; one number is the longer side. Or auto: as many as "
        "there are photos.",
    )
    size: PaintedSize | None = option(
        None,
        "The shorter side of each cell in pixels.",
        group="Cells",
        default_from=f"{DEFAULT_SIDE}; with `paint`, the model",
    )
    band: Band = declared(CellParams, "band")
    photos: PhotoParams
    painting: RepaintParams

    def check(self) -> None:
        """Raises `InputError` for settings that are out of range, contradict each other or would do
        nothing."""
        if not self.photos.tiles:
            raise InputError("`tiles` are missing: say where the photos are")
        if self.image is None:
            raise InputError("`image` is missing: say which picture the mosaic is to show")
        if self.size is not None and self.size.width != self.size.height:
            raise InputError(f"`size` {self.size}: give one number, the cell's shorter side")
        if self.side > MAX_CELL_SIDE:
            raise InputError(f"`size` {self.side} of a cell is out of range: 1 to {MAX_CELL_SIDE}")
        if self.grid != AUTO:
            check_few_cells(Grid.parse(self.grid))
        if not self.band and self.photos.bend != 1:
            raise InputError("`bend` does nothing with `band` 0, where no photo is bent")
        unit = self._unit
        if self.side % unit:
            what = f"`band` {unit}" if self.photos.paint is None else f"{unit}, to be painted"
            raise InputError(f"`size` {self.side} is not a multiple of {what}")
        if self.photos.paint is None:
            for name in sorted(self.painting.model_fields_set):
                raise InputError(
                    f"`{name}` is about painting, and nothing is painted with `tiles` unless you "
                    "give `paint`"
                )

    @property
    def side(self) -> int:
        """The shorter side of each cell in pixels."""
        return DEFAULT_SIDE if self.size is None else self.size.width

    @property
    def _unit(self) -> int:
        """Pixels that a cell's sides are multiples of."""
        return PAINTED_UNIT if self.photos.paint is not None else self.band or 1

    @property
    def cell(self) -> Size:
        """Of each cell's picture in pixels: both sides are multiples of the band."""
        wide, high = map(int, self.photos.cell_aspect.split(":"))
        unit, scale = self._unit, self.side / min(wide, high)
        return Size(*(max(1, round(side * scale / unit)) * unit for side in (wide, high)))

    def grid_for(self, picture: Size, photos: int) -> Grid:
        """The grid over a picture of a size, for a number of photos.

        Raises:
            InputError: Photos are too few, or it has more cells than the picture has pixels.
        """
        if self.grid == AUTO:
            aspect = picture.width / picture.height * self.cell.height / self.cell.width
            return _finest(aspect, picture, photos * (self.photos.repeat or 1))
        grid = fitted_grid(self.grid, picture, "the image", self.fit, self.cell)
        check_few_cells(grid)
        repeat = self.photos.repeat
        if repeat is not None and photos * repeat < grid.cells:
            missing = -(-grid.cells // repeat) - photos
            raise InputError(
                f"`grid` {grid} has {grid.cells:,} cells, and {photos:,} photos used "
                f"{_times(repeat)} fill at most {photos * repeat:,}: at least {missing:,} more are "
                "needed. Add photos, let `repeat` be larger, or let `grid` be auto"
            )
        return grid


class PhotoMosaic(Params):
    """A mosaic of photos with nothing left open, but for its picture and its photos.

    Attributes:
        grid: Cells across and down.
        cell: Of each cell's picture in pixels.
        repeat: How many times a photo may be used.
        band, bend, apart, mirrored, rotated: See `PhotoMosaicSpec`.
    """

    grid: CellGrid
    cell: PaintedSize
    band: Band
    bend: Share
    repeat: int = Field(ge=1)
    apart: int = Field(ge=0)
    mirrored: bool
    rotated: bool

    @property
    def size(self) -> Size:
        """Of the whole, in pixels."""
        return self.grid.over(self.cell)

    @property
    def base_size(self) -> Size:
        """Of the picture that cells are compared with: 8 x 8 values a cell, whatever its aspect."""
        return self.grid.size(CELL_SIDE)


def photo_mosaic_of(spec: PhotoMosaicSpec, grid: Grid, photos: int) -> PhotoMosaic:
    """The mosaic that a spec asks for.

    Args:
        spec: What the user asks for.
        grid: See `PhotoMosaicSpec.grid_for`.
        photos: How many there are to choose from.
    """
    asked = spec.photos
    return PhotoMosaic(
        grid=grid,
        cell=spec.cell,
        band=spec.band,
        bend=asked.bend,
        repeat=asked.repeat or (1 if spec.grid == AUTO else -(-2 * grid.cells // photos)),
        apart=asked.apart,
        mirrored=asked.mirrored,
        rotated=asked.rotated,
    )


def spec_of_photos(
    kind: type[_Spec], prompt: str | None, asked: Mapping[str, object], idle: Iterable[str] = ()
) -> _Spec:
    """The spec of what is made of photos, out of what was asked for: the pictures of photos and
    painted ones are asked for by one form, in which not everything is about both.

    Args:
        kind: Its class.
        prompt: That was given; there must be none unless photos are painted over.
        asked: Parameters by name.
        idle: What was asked for besides, that is about painting alone.

    Raises:
        InputError: Something is about painting; or is wrong.
    """
    repainted = "paint" in asked
    if prompt is not None and not repainted:
        raise InputError(
            "`tiles` are photos, and nothing is painted: leave the prompt out, or give `paint`, as "
            "in 0.4, to repaint them"
        )
    if prompt is not None:
        asked = {**asked, "prompt": prompt}
    known = kind.flat_fields()
    for name in [*(name for name in asked if name not in known), *idle]:
        if name == "strength" and repainted:
            raise InputError("`strength`: with `tiles`, `paint` says how far photos are repainted")
        if repainted:
            raise InputError(f"`{name}` does nothing for photos that are repainted: leave it out")
        raise InputError(f"`{name}` is about painting, and nothing is painted with `tiles`")
    return kind.of(**asked)


def _finest(aspect: float, picture: Size, most: int) -> Grid:
    """The finest grid of at most so many cells."""
    found = Grid(1, 1)
    for longer in range(1, MAX_CELLS + 1):
        grid = Grid.parse(str(longer), aspect)
        if grid.cells > most or grid.columns > picture.width or grid.rows > picture.height:
            break
        found = grid
    return found


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
