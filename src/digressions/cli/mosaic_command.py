"""``digress mosaic``: a picture made of pictures, painted ones or photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..distributed.cluster import ClusterParams
from ..generate.model_params import ModelParams
from ..mosaics.build_params import BuildParams
from ..mosaics.mosaic_spec import MosaicSpec
from ..mosaics.photos.photo_spec import PhotoMosaicSpec, PhotoParams
from .console import joining, load_model, show
from .options import FLAT, ModelOptions, OutputOptions, given, options_of, output
from .photo_options import PromptUnlessPhotos, are_photos, needed_prompt, photo_spec


class MosaicOptions(options_of(MosaicSpec, without=["prompt"])):
    """See `MosaicSpec`."""


class PhotoOptions(options_of(PhotoParams)):
    """See `PhotoParams`."""


class BuildOptions(options_of(BuildParams)):
    """See `BuildParams`."""


class ClusterOptions(options_of(ClusterParams)):
    """See `ClusterParams`."""


def mosaic(
    prompt: PromptUnlessPhotos = None,
    /,
    *,
    target: Annotated[Path | None, output("Folder. [default: out/PROMPT or out/IMAGE]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[MosaicOptions, FLAT] = MosaicOptions(),
    photos: Annotated[PhotoOptions, FLAT] = PhotoOptions(),
    making: Annotated[BuildOptions, FLAT] = BuildOptions(),
    machines: Annotated[ClusterOptions, FLAT] = ClusterOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    if are_photos(photos):
        asked = given(options) | given(photos)
        painter = model if "paint" in asked else None
        idle = (machines,) if painter else (machines, model)
        of_photos = photo_spec(PhotoMosaicSpec, prompt, asked, *idle)
        _of_photos(of_photos, target, making, place, painter)
        return
    spec = MosaicSpec.of(prompt=needed_prompt(prompt, "mosaic"), **given(options, model))
    build_params = BuildParams.of(**given(making))
    cluster = ClusterParams.of(**given(machines))
    chosen = ModelParams.of(**given(model))
    cluster.check()
    build_params.check(cluster.executor)
    from ..generate.outputs import check_place

    check_place(target)  # before torch is imported, which takes seconds
    from ..mosaics.build import build
    from ..mosaics.planning import read_start

    start = read_start(spec)
    loaded = load_model(chosen)
    with joining(cluster, loaded, chosen) as executor:
        events = build(
            *(loaded, spec, target, build_params), executor=executor, start=start, **given(place)
        )
        where = "" if target is None else f" in {target}"
        show(events, kept=f"finished pictures are kept{where}: the same command goes on")


def _of_photos(
    spec: PhotoMosaicSpec,
    target: Path | None,
    making: BuildOptions,
    place: OutputOptions,
    painter: ModelOptions | None,
) -> None:
    """A mosaic of photos, for which nothing is painted unless there is a painter."""
    spec.check()
    build_params = BuildParams.of(**given(making))
    from ..generate.outputs import check_place

    check_place(target)
    from ..mosaics.photos.photo_build import build_photos

    model = None if painter is None else load_model(ModelParams.of(**given(painter)))
    events = build_photos(spec, target, build_params, model=model, **given(place))
    where = "" if target is None else f" in {target}"
    show(events, kept=f"what is done is kept{where}: the same command goes on")
