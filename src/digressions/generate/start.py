"""What a painting starts from: the user's files read, and the parameters resolved accordingly.

Everything that can be found wrong without a model is found here, before one is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import __version__
from ..errors import InputError
from ..files import refuse_overwrite
from ..geometry import Size
from ..images.colour import (
    PALETTE_STRENGTH,
    PaletteOrigin,
    read_palette,
    remembered_palette,
    start_of_masked,
)
from ..images.image_files import cover
from ..images.masks import read_region, region_masks
from ..images.source_image import SourceImage, remembered_image, source_image
from ..models.base import Model
from .job import Job, job_of
from .metadata import Record, dtype_name
from .params import GenerationParams, ResolvedParams, SourceFile, StartParams

_SOFTNESS = StartParams.model_fields["region_softness"].default


class Inputs(NamedTuple):
    """What a painting starts from, read.

    Attributes:
        image, mask: Of any size.
        palette: A picture of a few pixels, and how to remember it.
        regions: As files remember them (see `images.masks`).
        region_softness: Of their edges.
    """

    image: SourceImage | None = None
    mask: SourceImage | None = None
    palette: tuple[np.ndarray, PaletteOrigin] | None = None
    regions: list[dict[str, str]] | None = None
    region_softness: float = 0.0


def read_inputs(start: StartParams) -> Inputs:
    """Reads the user's files.

    Raises:
        ImageError: One of them cannot be read.
        InputError: They do not go together.
    """
    if start.mask is not None and start.image is None:
        raise InputError("`mask` needs an `image`, the picture to keep the rest of")
    if start.palette is not None and start.mask is None:
        raise InputError("`palette` needs a `mask`, the area that it is for")
    if not start.region and start.region_softness != _SOFTNESS:
        raise InputError("`region_softness` is about the edges of a `region`, and needs one")
    regions = [read_region(region) for region in start.region] if start.region else None
    return Inputs(
        None if start.image is None else source_image(start.image),
        None if start.mask is None else source_image(start.mask, mask=True),
        None if start.palette is None else read_palette(start.palette),
        regions,
        start.region_softness if regions else 0.0,
    )


def keep_sources(start: StartParams, target: Path, *, several: bool) -> None:
    """Refuses a target that is one of the user's files that a painting starts from.

    Args:
        several: Whether the pictures go into files named after the target, not into itself.

    Raises:
        InputError: It is.
    """
    if several:
        return
    for source in (start.image, start.mask, start.palette, *(start.region or ())):
        if isinstance(source, str | Path):
            refuse_overwrite(Path(source), target)


def check_given(params: GenerationParams, *, image: bool, mask: bool) -> None:
    """Refuses parameters that would do nothing.

    Args:
        image, mask: Whether there is one.

    Raises:
        InputError: A parameter is about a picture that is not there.
    """
    if params.strength is not None and not image:
        raise InputError("`strength` is about a start picture, and needs an `image`")
    if params.masked_content is not None and not mask:
        raise InputError(
            "`masked_content` is about the masked area, and needs an `image` and a `mask`"
        )


def resolve(
    model: Model,
    params: GenerationParams,
    *,
    mask: bool = False,
    palette: bool = False,
    cells: bool = False,
    size: Size | None = None,
) -> ResolvedParams:
    """Parameters with the model's defaults where the user said nothing.

    Where nobody says, a masked area starts from noise alone, so that what is in it pulls nothing;
    with a palette it starts from that, as freely as still holds its colours.

    Args:
        mask, palette: Whether there is one.
        cells: Whether they are for the cells of a mosaic.
        size: Of the picture if the parameters do not say; the model's own if not given.

    Raises:
        InputError: They contradict each other, or the model cannot work with them.
    """
    model.with_timesteps(params.timestep_spacing, params.zero_snr)  # or it says why not
    if mask:
        params = _with_masked_content(model, params, palette)
    defaults = model.defaults.values(cells=cells)
    return params.resolved(defaults, size=size or Size(model.size, model.size))


def _with_masked_content(model: Model, params: GenerationParams, palette: bool) -> GenerationParams:
    """Parameters that say what a masked area is painted from."""
    content = params.masked_content
    if palette and content == "noise":
        raise InputError("`masked_content` noise would forget the `palette`: give one of them")
    strength = params.strength
    if strength is None:
        strength = PALETTE_STRENGTH if palette else 1.0
    if content is None:
        content = "noise" if strength == 1 and not palette else "original"
    spacing = params.timestep_spacing
    if content == "noise" and spacing is None and not params.zero_snr:
        suits = model.spacing_for_noise(params.sampler or model.defaults.sampler)
        spacing = None if suits == model.spacing else suits
    return params.but(strength=strength, masked_content=content, timestep_spacing=spacing)


def record_for(
    model: Model, params: ResolvedParams, inputs: Inputs, *, kind: str = "picture", **more: Any
) -> Record:
    """What a file made by these parameters and inputs remembers."""

    def origin(source: SourceImage | None) -> SourceFile | None:
        return None if source is None else SourceFile(**source.origin)

    return Record(
        kind=kind,
        params=params,
        model=model.name,
        model_hash=model.hash,
        image=origin(inputs.image),
        mask=origin(inputs.mask),
        palette=None if inputs.palette is None else dict(inputs.palette[1]),
        regions=inputs.regions,
        region_softness=inputs.region_softness,
        dtype=dtype_name(model),
        version=__version__,
        **more,
    )


def start_job(params: ResolvedParams, inputs: Inputs) -> Job:
    """The job of one picture: its inputs brought to its size.

    What is in the masked area is replaced before the picture is made smaller, which would mix it
    into the area's edge.
    """
    image = None if inputs.image is None else inputs.image.pixels
    mask = None if inputs.mask is None else inputs.mask.pixels
    size = params.size
    if image is not None and mask is not None:
        exact = cover(mask, image.shape[1], image.shape[0])
        colours = None if inputs.palette is None else inputs.palette[0]
        image = start_of_masked(image, exact, params.masked_content, colours)
    return job_of(
        params,
        None if image is None else cover(image, *size),
        None if mask is None else cover(mask, *size),
        None
        if inputs.regions is None
        else region_masks(inputs.regions, size, inputs.region_softness),
    )


def inputs_of(record: Record) -> Inputs:
    """The pictures that a record names, read again; they must still be what they were.

    Raises:
        ImageError: One of them cannot be read.
        InputError: One of them is not there, or another picture by now.
    """
    image, mask, palette = record.image, record.mask, record.palette
    return Inputs(
        None if image is None else remembered_image(image.json_object()),
        None if mask is None else remembered_image(mask.json_object(), mask=True),
        None if palette is None else (remembered_palette(palette), palette),
        record.regions or None,
        record.region_softness,
    )
