"""Specs of worlds that are made of the user's photos, and of films, pages and sites of them. Needs
no torch."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..generate.declare import Params, declared, option
from ..generate.kinds import DEFAULT_SEED, GridText, PaintedSize, PictureInput, Seed
from ..generate.params import check_fit
from ..generate.presets import PresetName, PresetParams, preset_option
from ..geometry import Grid, Size
from ..images import Fit
from ..mosaics.cell_shape import MAX_CELL_SIDE, check_grid
from ..mosaics.mosaic_spec import Band, CellGenerationParams, CellParams, MosaicSpec
from ..mosaics.photos.photo_spec import AlbumParams
from .flight_params import FlightParams, PageParams
from .world_spec import (
    MAX_BANK,
    BankParams,
    BankSize,
    CacheParams,
    SiteSpec,
    WorldSpec,
    check_square,
    check_way,
)

MOST_PHOTOS = 1024  # of which a world is made, if nobody says
_SIDE = 128


class PhotoWorldSpec(Params):
    """What world to make of photos: each is made of all of them, again and again."""

    image: PictureInput = declared(
        MosaicSpec,
        "image",
        help="The picture to start from.",
        default_from="the first of the photos",
    )
    fit: Fit = declared(
        WorldSpec,
        "fit",
        help="How an image that is no square comes to one. cover: cut off what sticks out; pad: "
        "keep all of the image, with the colours of its edges around it.",
    )
    grid: GridText = declared(WorldSpec, "grid")
    size: PaintedSize = option(Size(_SIDE, _SIDE), "Side of a photo in pixels.", group="Cells")
    seed: Seed | None = declared(
        CellGenerationParams,
        "seed",
        help="The same seed takes the same photos, if not all, and the same way through them.",
    )
    band: Band = declared(CellParams, "band")
    photos: AlbumParams

    @property
    def title(self) -> str:
        """What the world is called: after its picture or its photos."""
        if self.photos.forget_paths:
            return "photos"
        named = self.image if isinstance(self.image, (str, Path)) else self.photos.tiles[0]
        return Path(named).resolve().stem or "photos"

    @property
    def side(self) -> int:
        """Width and height of a photo in pixels."""
        return self.size.width

    @property
    def root_seed(self) -> int:
        """The seed, given or not."""
        return DEFAULT_SEED if self.seed is None else self.seed

    @property
    def cell_grid(self) -> Grid:
        """The grid, in which a cell has the shape of a photo."""
        return Grid.parse(self.grid)

    def check(self) -> None:
        """Raises `InputError` for settings that are out of range or contradict each other."""
        if not self.photos.tiles:
            raise InputError("`tiles` are missing: say where the photos are")
        check_square(self.cell_grid, any_shape=False)
        check_grid(self.cell_grid)
        check_fit(self.fit, self.image)
        if self.fit == "contain":
            raise InputError(
                "`fit` contain: pictures of a world of photos are squares; choose cover or pad"
            )
        if self.size.width != self.size.height:
            raise InputError(f"`size` {self.size}: a world's photos are squares: give one number")
        if self.side > MAX_CELL_SIDE:
            raise InputError(f"`size` {self.side} is out of range: 1 to {MAX_CELL_SIDE}")
        if self.band and self.side % self.band:
            raise InputError(f"`size` {self.side} is not a multiple of `band` {self.band}")


class PhotoBankParams(Params):
    """How many photos a world is made of."""

    reuse: BankSize | None = declared(
        BankParams,
        "reuse",
        help="Make the world of only so many of the photos, whose colours cover those of all.",
        default_from=f"all of them, {MOST_PHOTOS:,} at most",
    )

    @property
    def most(self) -> int:
        """How many photos the world has at most."""
        return min(MAX_BANK, self.reuse or MOST_PHOTOS)


class PhotoFilmSpec(FlightParams, PresetParams):
    """A film that falls into photos made of photos and comes out where it began."""

    preset: PresetName | None = preset_option()

    world: PhotoWorldSpec
    bank: PhotoBankParams
    cache: CacheParams

    def check(self) -> None:
        """Raises `InputError` for a wrong world, and for cells that are not in it."""
        self.world.check()
        check_way(self.first_cells, self.levels, self.world.cell_grid)


class PhotoSiteSpec(PresetParams):
    """A world of photos as a folder for any web server."""

    preset: PresetName | None = preset_option()

    world: PhotoWorldSpec
    cache: CacheParams
    reuse: BankSize = declared(
        SiteSpec, "reuse", help="Photos that the whole world is made of, again and again, at most."
    )
    max_mb: float = declared(SiteSpec, "max_mb")


class PhotoScreensaverSpec(PresetParams):
    """A flight through photos made of photos on the whole screen."""

    preset: PresetName | None = preset_option()

    world: PhotoWorldSpec
    bank: PhotoBankParams
    cache: CacheParams


class PhotoServeSpec(PageParams, PresetParams):
    """A page on which one flies into photos made of photos, and who may open it."""

    preset: PresetName | None = preset_option()

    world: PhotoWorldSpec
    bank: PhotoBankParams
    cache: CacheParams
