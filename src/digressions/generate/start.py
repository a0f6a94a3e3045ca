"""What a painting starts from: the user's files read, and the parameters resolved accordingly.

Everything that can be found wrong without a model is found here, before one is loaded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from .. import __version__
from ..errors import InputError
from ..events import Note
from ..geometry import Size, contained
from ..images import Fit
from ..images.carried import Carried
from ..images.colour import (
    PaletteOrigin,
    read_palette,
    remembered_palette,
    start_of_masked,
)
from ..images.fitting import cut_note, fitted
from ..images.image_files import resample, to_array
from ..images.mask_files import read_mask, remembered_mask
from ..images.masks import read_region, region_masks
from ..images.source_image import SourceImage, remembered_image, source_image
from ..images.upscale import Upscaler
from ..models.base import Model
from .found_files import used_files
from .job import Job, job_of
from .keeping import kept_of, notes_on_keeping
from .masked_area import MaskedArea
from .metadata import Record, dtype_name
from .model_params import ModelAdditions
from .params import (
    GenerationParams,
    KeepParams,
    MaskFile,
    ResolvedParams,
    SourceFile,
    StartParams,
    check_fit,
)
from .resolving import resolve

_SOFTNESS = StartParams.model_fields["region_softness"].default


class Inputs(NamedTuple):
    """What a painting starts from, read.

    Attributes:
        image: Of any size.
        mask: Of the image's size.
        palette: A picture of a few pixels, and how to remember it.
        regions: As files remember them (see `images.masks`).
        region_softness: Of their edges.
        fit: How the image comes to the picture's aspect; with a mask it does not have to.
        keep: What of the image's file goes along.
    """

    image: SourceImage | None = None
    mask: SourceImage | None = None
    palette: tuple[np.ndarray, PaletteOrigin] | None = None
    regions: list[dict[str, str]] | None = None
    region_softness: float = 0.0
    fit: Fit = "cover"
    keep: KeepParams = KeepParams()

    @property
    def carried(self) -> Carried:
        """What of the image's file goes along."""
        return Carried() if self.image is None else kept_of(self.image, self.keep)

    @property
    def image_size(self) -> Size | None:
        """In pixels."""
        if self.image is None:
            return None
        return Size(self.image.pixels.shape[1], self.image.pixels.shape[0])

    def area(self, size: Size) -> MaskedArea | None:
        """What of the image is painted at a size, where there is a mask."""
        return None if self.mask is None else MaskedArea.of(self.mask.pixels, size)

    def result_size(self, size: Size) -> Size:
        """The size of the picture, where the model paints at another."""
        return self.image_size or size if self.mask is not None else size


def read_inputs(start: StartParams) -> Inputs:
    """Reads the user's files.

    Raises:
        ImageError: One of them cannot be read.
        InputError: They do not go together.
    """
    if start.mask is not None and start.image is None:
        raise InputError("`mask` needs an `image`, the picture to keep the rest of")
    if start.mask_alpha is not None and start.mask is None:
        raise InputError("`mask_alpha` is about a `mask`, and needs one")
    check_fit(start.fit, start.image)
    for name in start.keep.wanted if start.image is None else ():
        raise InputError(f"`{name}` is about the file of a start picture, and needs an `image`")
    if start.fit != "cover" and start.mask is not None:
        raise InputError("`fit` does nothing with a `mask`: the image stays whole, at its own size")
    if start.palette is not None and start.mask is None:
        raise InputError("`palette` needs a `mask`, the area that it is for")
    if not start.region and start.region_softness != _SOFTNESS:
        raise InputError("`region_softness` is about the edges of a `region`, and needs one")
    regions = [read_region(region) for region in start.region] if start.region else None
    image = None if start.image is None else source_image(start.image, "image")
    mask = None
    if image is not None and start.mask is not None:
        mask = read_mask(start.mask, image, start.mask_alpha)
    return Inputs(
        image,
        mask,
        None if start.palette is None else read_palette(start.palette),
        regions,
        start.region_softness if regions else 0.0,
        start.fit,
        start.keep,
    )


def notes_on_inputs(inputs: Inputs, size: Size) -> list[Note]:
    """What a user should know of what is not taken from a start picture.

    Args:
        size: That is painted.
    """
    image, own = inputs.image, inputs.image_size
    if image is None or own is None:
        return []
    found = [*image.notes(), *notes_on_keeping(image, inputs.keep)]
    if inputs.mask is None and inputs.fit == "cover":
        mend = "`fit` contain or pad keeps all of it"
        found += cut_note(image.name, own, size.width / size.height, f"{size}", mend)
    return found


def resolve_with(model: Model, params: GenerationParams, inputs: Inputs) -> ResolvedParams:
    """As `resolve`, for a picture that starts from inputs.

    Raises:
        InputError: As `resolve`.
    """
    masked, coloured = inputs.mask is not None, inputs.palette is not None
    found = resolve(model, params, mask=masked, palette=coloured)
    if inputs.image_size is None or inputs.fit != "contain":
        return found
    factor = model.vae_scale_factor
    if found.size.width % factor or found.size.height % factor:
        return found  # which is refused as it was typed
    return found.but(size=contained(inputs.image_size, found.size, factor))


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
        mask=None if inputs.mask is None else MaskFile.from_json_object(inputs.mask.origin),
        fit=inputs.fit,
        keep=inputs.keep,
        palette=None if inputs.palette is None else dict(inputs.palette[1]),
        regions=inputs.regions,
        region_softness=inputs.region_softness,
        dtype=dtype_name(model),
        additions=ModelAdditions(**model.additions),
        files=used_files(model, prompt=[params.prompt], negative=[params.negative]),
        version=__version__,
        **more,
    )


def start_job(params: ResolvedParams, inputs: Inputs) -> Job:
    """The job of one picture: its inputs brought to the size that is painted.

    What is in the masked area is replaced before the picture is made smaller, which would mix it
    into the area's edge.

    Raises:
        ImageError, InputError: A region's file cannot be read or does not fit, or a region has
            nothing of the masked area in it.
    """
    size, area = params.size, inputs.area(params.size)
    image, mask = inputs.image, inputs.mask
    regions = None
    if inputs.regions is not None:
        regions = region_masks(inputs.regions, inputs.result_size(size), inputs.region_softness)
    if area is None or image is None or mask is None:
        start = None if image is None else fitted(image.pixels, size, inputs.fit)
        return job_of(params, start, None, regions)
    part, exact = area.picture(image.pixels), area.mask(mask.pixels)
    colours = None if inputs.palette is None else inputs.palette[0]
    part = start_of_masked(part, exact, params.masked_content, colours)
    if regions is not None:
        seen = [area.mask(region) for region in regions]
        for number, region in enumerate(seen, 1):
            if not (region & exact).any():
                raise InputError(
                    f"region {number} has nothing of the masked area in it: its prompt would count "
                    "nowhere",
                    field="region",
                )
        regions = np.stack([resample(region, *size) for region in seen])
    return job_of(params, resample(part, *size), area.painted_mask(mask.pixels), regions)


def finished(painted: Tensor, inputs: Inputs, upscaler: Upscaler) -> np.ndarray:
    """The picture that a painting becomes: what was painted or, with a mask, the start picture with
    that in its masked area.

    Args:
        painted: ``(3, h, w)`` float32 in 0..1.
        inputs: That it was painted by.
        upscaler: Of a masked area that was painted at fewer pixels than it has.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    area = inputs.area(Size(painted.shape[2], painted.shape[1]))
    if area is None or inputs.image is None or inputs.mask is None:
        return to_array(painted)
    return area.put_back(painted, inputs.image.pixels, inputs.mask.pixels, upscaler)


def inputs_of(record: Record) -> Inputs:
    """The pictures that a record names, read again; they must still be what they were.

    Raises:
        ImageError: One of them cannot be read.
        InputError: One of them is not there, or another picture by now.
    """
    palette = record.palette
    image = None if record.image is None else remembered_image(record.image.json_object())
    mask = None
    if record.mask is not None:
        if image is None:
            raise InputError("the settings are damaged: a mask without its picture")
        mask = remembered_mask(record.mask.json_object(), image)
    return Inputs(
        image,
        mask,
        None if palette is None else (remembered_palette(palette), palette),
        record.regions or None,
        record.region_softness,
        record.fit,
        record.keep,
    )
