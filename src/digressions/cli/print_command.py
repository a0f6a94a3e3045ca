"""``digress print``: a picture as a file for a printer, exact in size and colours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..generate.model_params import ModelParams
from ..prints.print_spec import PrintSpec
from .console import show
from .options import FLAT, PICTURE, OutputOptions, given, given_device, options_of, output


class PrintOptions(options_of(PrintSpec)):
    """See `PrintSpec`."""


class DeviceOptions(options_of(ModelParams, only=["device", "models"])):
    """See `ModelParams`."""


def print_picture(
    picture: PICTURE,
    /,
    *,
    target: Annotated[
        Path | None, output(".pdf, .tif, .png or .jpg. [default: PICTURE.pdf]")
    ] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[PrintOptions, FLAT] = PrintOptions(),
    device: Annotated[DeviceOptions, FLAT] = DeviceOptions(),
) -> None:
    from ..prints.printing import print_picture as printing

    asked = given(options, device)
    where = given_device(device, asked)
    show(printing(picture, PrintSpec.of(**asked), target, **given(place), **where))
