"""``digress serve`` and ``digress screensaver``: a page on which one flies into a world."""

from __future__ import annotations

from typing import Annotated

from ..generate.model_params import ModelParams
from ..worlds.world_spec import ScreensaverSpec, ServeSpec
from .console import load_model, show
from .options import FLAT, ModelOptions, Prompt, given, options_of


class ServeOptions(options_of(ServeSpec, without=["prompt"])):
    """See `ServeSpec`."""


class ScreensaverOptions(options_of(ScreensaverSpec, without=["prompt"])):
    """See `ScreensaverSpec`."""


def serve(
    prompt: Prompt,
    /,
    *,
    options: Annotated[ServeOptions, FLAT] = ServeOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = ServeSpec.of(prompt=prompt, **given(options))
    chosen = ModelParams.of(**given(model))
    from ..worlds.opening import read_start
    from ..worlds.serving import check_installed, serve_world

    check_installed()
    start = read_start(spec.world, spec.cache)
    show(serve_world(load_model(chosen), spec, start=start))


def screensaver(
    prompt: Prompt,
    /,
    *,
    options: Annotated[ScreensaverOptions, FLAT] = ScreensaverOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = ScreensaverSpec.of(prompt=prompt, **given(options))
    chosen = ModelParams.of(**given(model))
    from ..worlds.opening import read_start
    from ..worlds.serving import check_installed, show_screensaver

    check_installed()
    start = read_start(spec.world, spec.cache)
    show(show_screensaver(load_model(chosen), spec, start=start))
