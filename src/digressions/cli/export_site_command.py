"""``digress export-site``: a finite world as a folder for any web server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..generate.model_params import ModelParams
from ..worlds.photo_world_spec import PhotoSiteSpec
from ..worlds.world_spec import SiteSpec
from .console import load_model, show
from .options import FLAT, ModelOptions, OutputOptions, given, options_of, output
from .photo_options import (
    AlbumOptions,
    PromptUnlessPhotos,
    are_photos,
    needed_prompt,
    photo_spec,
)


class SiteOptions(options_of(SiteSpec, without=["prompt"])):
    """See `SiteSpec`."""


def export_site(
    prompt: PromptUnlessPhotos = None,
    /,
    *,
    target: Annotated[Path | None, output("Folder. [default: out/PROMPT-site]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[SiteOptions, FLAT] = SiteOptions(),
    photos: Annotated[AlbumOptions, FLAT] = AlbumOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    from ..generate.outputs import check_place

    check_place(target)  # before torch is imported, which takes seconds
    if are_photos(photos):
        album = photo_spec(PhotoSiteSpec, prompt, given(options) | given(photos), model)
        from ..worlds.photo_site import export_photo_site

        show(export_photo_site(album, target, **given(place)))
        return
    spec = SiteSpec.of(prompt=needed_prompt(prompt, "export-site"), **given(options, model))
    chosen = ModelParams.of(**given(model))
    from ..worlds.opening import read_start
    from ..worlds.site_export import export_site as export

    start = read_start(spec.world, spec.cache)
    kept = f"what is painted is kept in {spec.cache.cache}: the same command goes on"
    show(export(load_model(chosen), spec, target, start=start, **given(place)), kept=kept)
