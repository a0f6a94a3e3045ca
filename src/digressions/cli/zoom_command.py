"""``digress zoom``: a film that falls into a picture made of pictures, for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..distributed.cluster import ClusterParams
from ..generate.model_params import ModelParams
from ..worlds.photo_world_spec import PhotoFilmSpec
from ..worlds.world_spec import FilmSpec
from .console import joining, load_model, show
from .options import FLAT, ModelOptions, OutputOptions, given, options_of, output
from .photo_options import (
    AlbumOptions,
    PromptUnlessPhotos,
    are_photos,
    needed_prompt,
    photo_spec,
)


class FilmOptions(options_of(FilmSpec, without=["prompt"])):
    """See `FilmSpec`."""


class ClusterOptions(options_of(ClusterParams)):
    """See `ClusterParams`."""


def zoom(
    prompt: PromptUnlessPhotos = None,
    /,
    *,
    target: Annotated[
        Path | None,
        output("FILE.mp4, .webm, .gif or .webp, or a folder for PNGs. [default: out/PROMPT.mp4]"),
    ] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[FilmOptions, FLAT] = FilmOptions(),
    photos: Annotated[AlbumOptions, FLAT] = AlbumOptions(),
    machines: Annotated[ClusterOptions, FLAT] = ClusterOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    from ..generate.outputs import check_place_by_name

    check_place_by_name(target)  # before torch is imported, which takes seconds
    if are_photos(photos):
        asked = given(options) | given(photos)
        film = photo_spec(PhotoFilmSpec, prompt, asked, machines, model)
        from ..worlds.photo_film import make_photo_film

        kept = f"what is placed is kept in {film.cache.cache}: the same command goes on"
        show(make_photo_film(film, target, **given(place)), kept=kept)
        return
    spec = FilmSpec.of(prompt=needed_prompt(prompt, "zoom"), **given(options, model))
    cluster = ClusterParams.of(**given(machines))
    chosen = ModelParams.of(**given(model))
    cluster.check()
    from ..worlds.film import make_film
    from ..worlds.filming import check_film
    from ..worlds.opening import read_start

    check_film(spec, target)
    start = read_start(spec.world, spec.cache)
    loaded = load_model(chosen)
    with joining(cluster, loaded, chosen) as executor:
        events = make_film(loaded, spec, target, start=start, executor=executor, **given(place))
        kept = f"what is painted is kept in {spec.cache.cache}: the same command goes on"
        show(events, kept=kept)
