"""What a hypermosaic is: `MosaicSpec` as the user asks for it, `Mosaic` with nothing left open.
Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from ..errors import InputError, errors_about
from ..generate.declare import Params, declared, option
from ..generate.kinds import (
    DEFAULT_SEED,
    CellGrid,
    GridText,
    Guidance,
    PaintedSize,
    PictureInput,
    PromptText,
    Seed,
    Share,
    Steps,
    TypedSampler,
    UpscalerName,
)
from ..generate.params import EnlargeParams, GenerationParams, ResolvedParams, check_fit, fit_option
from ..generate.presets import PresetName, PresetParams, preset_option
from ..geometry import Grid, Size
from ..images import UPSCALERS, Fit
from ..prompts.choices import drawn
from .cell_prompts import mixed_prompts, one_of
from .cell_shape import check_cell_params, check_grid, painted_part

if TYPE_CHECKING:
    from ..models.base import Model

CELL_SIDE = 8  # pixels of the base image in a cell, as in a 512 px picture of 64 x 64 cells
MAX_ENLARGE = 8
MAX_JITTER = 0.25  # of a cell; farther, a thing is squeezed to less than a third at one edge
BATCH_SIZE = 32  # pictures a worker paints at once, if nobody says; machines differ


def _no_truth(value: object) -> object:
    """A `Literal` would take true for 1."""
    if isinstance(value, bool):
        raise ValueError("must be 0, 1, 2, 4 or 8")
    return value


ToneName = Literal["auto", "off"]  # of a base image; see `mosaics.tone`

Band = Annotated[Literal[0, 1, 2, 4, 8], BeforeValidator(_no_truth)]
"""Values a cell and side in which a mosaic equals its base image; 0 for none."""

Jitter = Annotated[float, Field(ge=0, le=MAX_JITTER)]  # in cells


class CellGenerationParams(GenerationParams):
    """How cells are painted: all of them from one root seed, each in one size. Cells have no
    masks."""

    hidden = frozenset({"masked_content"})

    seed: Seed | None = declared(
        GenerationParams,
        "seed",
        help="The same seed paints the same cells.",
        default_from=f"{DEFAULT_SEED}",
    )
    size: PaintedSize | None = declared(
        GenerationParams, "size", help="Width and height of each cell's picture in pixels."
    )

    steps: Steps | None = declared(
        GenerationParams,
        "steps",
        help="Denoising steps of a cell; a painted base image has its own.",
    )
    sampler: TypedSampler | None = declared(
        GenerationParams, "sampler", help="The cells' sampler; a base image has its own."
    )
    guidance: Guidance | None = declared(
        GenerationParams,
        "guidance",
        help="The cells' guidance scale, 1 is none; a base image has its own.",
    )


class CellParams(Params):
    """How a cell's picture keeps to the picture that it is a part of."""

    band: Band = option(
        2,
        "Values a cell and side in which the mosaic equals the base image exactly: 0 for none, 1, "
        "2, 4 or 8.",
        group="Cells",
    )
    anchor: Share = option(
        0.3, "0 to 1: how strongly each step is pulled to the cell's colours.", group="Cells"
    )
    adapt: Share = option(
        0.5,
        "0 to 1: how much strength and anchor follow the base image: cells of fine detail keep "
        "closer to it, flat ones are painted more freely.",
        group="Cells",
    )
    mirror: Share = option(
        0.5,
        "0 to 1: how many of the cells look the other way; each is painted over its mirrored cell "
        "and mirrored back, so colours stay. 0 for none.",
        group="Cells",
    )
    jitter: Jitter = option(
        0.16,
        f"0 to {MAX_JITTER:g}: how far from the middle of its cell a thing may stand, in cells; "
        "the picture is squeezed on that side and stretched on the other, and not cut.",
        group="Cells",
    )


class CellEnlargeParams(EnlargeParams):
    """How the cells' pictures are enlarged: less than others, since a mosaic has many."""

    enlarge: int = option(
        1, "Enlarge each picture this many times.", group="Output", ge=1, le=MAX_ENLARGE
    )
    upscaler: UpscalerName = declared(
        EnlargeParams,
        "upscaler",
        help="What enlarges the base image to 8 pixels a cell, and what `enlarge` asks for: "
        f"{', '.join(UPSCALERS)}, a .safetensors file, or the name of one in `models`.",
    )


class SharingParams(Params):
    """Which cells of a mosaic show the same painted picture, each with its own exact correction."""

    reuse: int | None = option(
        None,
        "Paint only so many pictures, and use each wherever it fits.",
        group="Cells",
        default_from="a picture of its own for every cell",
        ge=1,
    )
    merge_similar: Share | None = option(
        None,
        "Cells whose colours differ by at most this in OKLab (such as 0.02) share a painted "
        "picture.",
        group="Cells",
        default_from="no cells share",
    )

    def check(self) -> None:
        """Raises `InputError` where both say what cells share."""
        if self.reuse is not None and self.merge_similar is not None:
            raise InputError(
                "`reuse` and `merge_similar` both decide which cells share a picture: choose one "
                "of them"
            )


class MosaicSpec(PresetParams):
    """What mosaic to make.

    ``params`` are those of the cells. The base image has the same prompt, negative prompt, seed,
    way of combining and schedule (``timestep_spacing``, ``zero_snr``), and is otherwise painted as
    the model is best used.
    """

    params: CellGenerationParams
    image: PictureInput = option(
        None,
        "Start from this picture, its transparent parts white, instead of a painted one.",
        group="Start",
        form="picture",
    )
    fit: Fit = fit_option()
    tone: ToneName = option(
        "auto",
        "auto brings a base image with black or white cells to about 8-94 %, so that they show "
        "something; off keeps it as it is.",
        group="Start",
    )
    cell_prompt: list[PromptText] | None = option(
        None,
        "What the cells show. Repeat it to mix several over the cells, with shares such as "
        "'a cat :3'.",
        group="Cells",
        default_from="the prompt",
    )
    grid: GridText = option(
        "64", "Cells across, or ACROSSxDOWN; one number is the longer side.", group="Cells"
    )
    cells: CellParams
    sharing: SharingParams
    larger: CellEnlargeParams
    preset: PresetName | None = preset_option()

    def check(self) -> None:
        """Raises `InputError` for settings that are out of range, contradict each other or would do
        nothing."""
        self.sharing.check()
        check_fit(self.fit, self.image)
        check_cell_params(self.params, self.cells.band)
        check_grid(Grid.parse(self.grid))
        _check_upscaler(self.larger.upscaler)


class Mosaic(Params):
    """A mosaic with nothing left open, but for its base image. The same settings and the same model
    make the same picture.

    Attributes:
        params: Of the cells; ``size`` is what is painted of a cell's picture. The seed is the root
            seed: each cell's own comes from it and the cell's place.
        shape: Of a cell's picture where it is not all painted; see `cells.paint_cells`.
        mix: Where the cells have several prompts: each and its share, which is more than 0.
            ``params.prompt`` is the first of them.
        grid: Cells across and down.
        band, anchor, adapt, mirror, jitter: See `CellParams`.
        enlarge, upscaler: How many times each picture is enlarged after it is painted, by what.
    """

    params: ResolvedParams
    grid: CellGrid
    band: Band
    anchor: Share
    adapt: Share = 0.0  # as in every file of earlier versions, and what follows
    mirror: Share = 0.0
    jitter: Jitter = 0.0
    enlarge: int = Field(ge=1, le=MAX_ENLARGE)
    upscaler: str
    mix: dict[str, Annotated[float, Field(gt=0)]] = Field({})
    shape: PaintedSize | None = None

    @model_serializer(mode="wrap")
    def _without_usual_shape(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """So that a mosaic of squares is the job that it was before there were shapes."""
        found: dict[str, Any] = dump(self)
        if self.shape is None:
            del found["shape"]
        return found

    @property
    def cell(self) -> Size:
        """Of a cell's picture in pixels, not enlarged."""
        return self.shape or self.params.size

    @property
    def size(self) -> Size:
        """Of the whole, in pixels."""
        return self.grid.over(self.cell.times(self.enlarge))

    @property
    def base_size(self) -> Size:
        """Of the base image that the cells are cut from: 8 x 8 values a cell, whatever its
        shape."""
        return self.grid.size(CELL_SIDE)

    @property
    def prompts(self) -> list[str]:
        """All prompts of the cells, the first one first."""
        return list(self.mix) or [self.params.prompt]

    def prompt_for(self, seed: int) -> str:
        """The prompt of the cell with a seed, its choices drawn."""
        return drawn(one_of(self.mix, seed) if self.mix else self.params.prompt, seed)

    def check(self) -> None:
        """Raises `InputError` for settings that no mosaic can have."""
        check_cell_params(self.params.but(size=self.cell), self.band)
        if any(painted > side for painted, side in zip(self.params.size, self.cell, strict=True)):
            raise InputError(f"`shape` {self.cell} does not hold the {self.params.size} painted")
        check_grid(self.grid)
        _check_upscaler(self.upscaler)


def mosaic_of(
    model: Model,
    params: GenerationParams,
    cells: CellParams,
    grid: Grid,
    *,
    prompts: Sequence[str] = (),
    larger: CellEnlargeParams | None = None,
    shape: Size | None = None,
    deeper: Sequence[str] = (),
) -> Mosaic:
    """A mosaic with the model's defaults where the user said nothing.

    Args:
        model: Paints it.
        params: Of the cells.
        cells, grid: Of the mosaic.
        prompts: Of the cells, with their shares, if it is not that of the base image.
        larger: How pictures are enlarged; not at all if not given.
        shape: Of a cell's picture; ``params.size`` or the model's own if not given.
        deeper: Prompts of the cells' own cells, which are painted likewise.
    """
    shape = params.size if shape is None else shape
    if shape is not None:
        params = params.but(size=shape)
    check_cell_params(params, cells.band)
    if shape is not None:
        params = params.but(size=painted_part(model, shape))
    if params.seed is None:
        params = params.but(seed=DEFAULT_SEED)
    from ..generate.resolving import resolve  # with torch, which a help page does not need

    mix = mixed_prompts(prompts)
    if prompts:
        params = params.but(prompt=next(iter(mix)) if mix else prompts[0])
    with errors_about("cell_prompt" if prompts else "prompt"):
        resolved = resolve(model, params, cells=True, prompts=[*mix, *deeper])
    enlarge = 1 if larger is None else larger.enlarge
    upscaler = "lanczos" if larger is None or enlarge == 1 else larger.upscaler
    return Mosaic(
        params=resolved,
        grid=grid,
        band=cells.band,
        anchor=cells.anchor,
        adapt=cells.adapt,
        mirror=cells.mirror,
        jitter=cells.jitter,
        enlarge=enlarge,
        upscaler=upscaler,
        mix=mix,
        shape=None if shape == resolved.size else shape,
    )


def _check_upscaler(name: str) -> None:
    from ..images.upscale import check_upscaler  # with torch, which a help page does not need

    check_upscaler(name)
