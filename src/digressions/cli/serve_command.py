"""``digress serve`` and ``digress screensaver``: a page on which one flies into a world."""

from __future__ import annotations

from typing import Annotated

from ..generate.model_params import ModelParams
from ..worlds.photo_world_spec import PhotoScreensaverSpec, PhotoServeSpec
from ..worlds.world_spec import ScreensaverSpec, ServeSpec
from .console import load_model, show
from .options import FLAT, ModelOptions, given, options_of
from .photo_options import (
    AlbumOptions,
    PromptUnlessPhotos,
    are_photos,
    needed_prompt,
    photo_spec,
)


class ServeOptions(options_of(ServeSpec, without=["prompt"])):
    """See `ServeSpec`."""


class ScreensaverOptions(options_of(ScreensaverSpec, without=["prompt"])):
    """See `ScreensaverSpec`."""


def serve(
    prompt: PromptUnlessPhotos = None,
    /,
    *,
    options: Annotated[ServeOptions, FLAT] = ServeOptions(),
    photos: Annotated[AlbumOptions, FLAT] = AlbumOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    if are_photos(photos):
        album = photo_spec(PhotoServeSpec, prompt, given(options) | given(photos), model)
        from ..worlds.serving import serve_photos

        show(serve_photos(album))
        return
    spec = ServeSpec.of(prompt=needed_prompt(prompt, "serve"), **given(options, model))
    chosen = ModelParams.of(**given(model))
    from ..worlds.opening import read_start
    from ..worlds.serving import check_installed, serve_world

    check_installed()
    start = read_start(spec.world, spec.cache)
    show(serve_world(load_model(chosen), spec, start=start))


def screensaver(
    prompt: PromptUnlessPhotos = None,
    /,
    *,
    options: Annotated[ScreensaverOptions, FLAT] = ScreensaverOptions(),
    photos: Annotated[AlbumOptions, FLAT] = AlbumOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    if are_photos(photos):
        album = photo_spec(PhotoScreensaverSpec, prompt, given(options) | given(photos), model)
        from ..worlds.serving import show_photo_screensaver

        show(show_photo_screensaver(album))
        return
    spec = ScreensaverSpec.of(prompt=needed_prompt(prompt, "screensaver"), **given(options, model))
    chosen = ModelParams.of(**given(model))
    from ..worlds.opening import read_start
    from ..worlds.serving import check_installed, show_screensaver

    check_installed()
    start = read_start(spec.world, spec.cache)
    show(show_screensaver(load_model(chosen), spec, start=start))
