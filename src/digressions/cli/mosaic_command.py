"""``digress mosaic``: a picture made of pictures, painted ones or photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..distributed.cluster import ClusterParams
from ..errors import InputError
from ..generate.params import GenerationParams, ModelParams
from ..mosaics.mosaic_spec import BuildParams, MosaicSpec
from ..mosaics.photos.photo_spec import PhotoMosaicSpec, PhotoParams
from .console import joining, load_model, show
from .options import FLAT, ModelOptions, OutputOptions, given, options_of, output

_PROMPT = f"{GenerationParams.model_fields['prompt'].description} None with photos."


class MosaicOptions(options_of(MosaicSpec, without=["prompt"])):
    """See `MosaicSpec`."""


class PhotoOptions(options_of(PhotoParams)):
    """See `PhotoParams`."""


class BuildOptions(options_of(BuildParams)):
    """See `BuildParams`."""


class ClusterOptions(options_of(ClusterParams)):
    """See `ClusterParams`."""


def mosaic(
    prompt: Annotated[str | None, Parameter(help=_PROMPT, show_default=False)] = None,
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
    if "tiles" in given(photos):
        painting = [*given(machines), *given(model)]
        asked = given(options) | given(photos)
        _of_photos(prompt, target, asked, given(making), painting, place)
        return
    for name in given(photos):
        raise InputError(f"`{name}` is about photos: name them with `tiles`, or leave it out")
    if prompt is None:
        raise InputError("say what to paint, as in digress mosaic 'a frog', or give `tiles`")
    spec = MosaicSpec.of(prompt=prompt, **given(options))
    build_params = BuildParams.of(**given(making))
    cluster = ClusterParams.of(**given(machines))
    chosen = ModelParams.of(**given(model))
    cluster.check()
    build_params.check(cluster.executor)
    from ..generate.outputs import check_place
    from ..mosaics.build import build, read_start

    check_place(target)
    start = read_start(spec)
    loaded = load_model(chosen)
    with joining(cluster, loaded, chosen) as executor:
        events = build(
            *(loaded, spec, target, build_params), executor=executor, start=start, **given(place)
        )
        where = "" if target is None else f" in {target}"
        show(events, kept=f"finished pictures are kept{where}: the same command goes on")


def _of_photos(
    prompt: str | None,
    target: Path | None,
    asked: dict[str, object],
    making: dict[str, object],
    painting: list[str],
    place: OutputOptions,
) -> None:
    """A mosaic of photos, for which nothing is painted."""
    if prompt is not None:
        raise InputError("`tiles` are photos, and nothing is painted: leave the prompt out")
    known = PhotoMosaicSpec.flat_fields()
    for name in [*(name for name in asked if name not in known), *painting]:
        raise InputError(f"`{name}` is about painting, and nothing is painted with `tiles`")
    spec = PhotoMosaicSpec.of(**asked)
    spec.check()
    build_params = BuildParams.of(**making)
    from ..mosaics.photos.photo_build import build_photos

    events = build_photos(spec, target, build_params, **given(place))
    where = "" if target is None else f" in {target}"
    show(events, kept=f"what is done is kept{where}: the same command goes on")
