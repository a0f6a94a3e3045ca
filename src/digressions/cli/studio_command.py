"""``digress studio``: everything the commands do, in a page."""

from __future__ import annotations

from typing import Annotated

from ..generate.model_params import ModelParams
from ..studio.studio_spec import StudioSpec
from .console import show
from .options import FLAT, ModelOptions, given, options_of


class StudioOptions(options_of(StudioSpec)):
    """See `StudioSpec`."""


def studio(
    *,
    options: Annotated[StudioOptions, FLAT] = StudioOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = StudioSpec.of(**given(options))
    chosen = ModelParams.of(**given(model))
    from ..studio.studio_server import serve_studio

    show(serve_studio(spec, chosen))
