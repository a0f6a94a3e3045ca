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
    asked = given(options, device)
    spec = PrintSpec.of(**asked)
    from ..generate.outputs import check_file_place

    if target is not None:
        check_file_place(target)  # before torch is imported, which takes seconds
    from ..prints.printing import print_picture as printing

    where = given_device(device, asked)
    show(printing(picture, spec, target, **given(place), **where))
