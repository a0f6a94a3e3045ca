"""``digress upscale``: a picture with more pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..generate.model_params import ModelParams
from ..generate.params import UpscaleSpec
from .console import show
from .options import FLAT, PICTURE, OutputOptions, given, given_device, options_of, output


class UpscaleOptions(options_of(UpscaleSpec)):
    """See `UpscaleSpec`."""


class DeviceOptions(options_of(ModelParams, only=["device", "models"])):
    """See `ModelParams`."""


def upscale(
    picture: PICTURE,
    /,
    *,
    target: Annotated[Path | None, output("File. [default: PICTURE-upscaled.png]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[UpscaleOptions, FLAT] = UpscaleOptions(),
    device: Annotated[DeviceOptions, FLAT] = DeviceOptions(),
) -> None:
    from ..generate.upscaling import upscale_picture

    asked = given(options, device)
    where = given_device(device, asked)
    show(upscale_picture(picture, UpscaleSpec.of(**asked), target, **given(place), **where))
