"""``digress mosaic``: a picture made of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..distributed.cluster import ClusterParams
from ..generate.params import ModelParams
from ..mosaics.mosaic_spec import BuildParams, MosaicSpec
from .console import joining, load_model, show
from .options import FLAT, ModelOptions, Prompt, given, options_of, output


class MosaicOptions(options_of(MosaicSpec, without=["prompt"])):
    """See `MosaicSpec`."""


class BuildOptions(options_of(BuildParams)):
    """See `BuildParams`."""


class ClusterOptions(options_of(ClusterParams)):
    """See `ClusterParams`."""


def mosaic(
    prompt: Prompt,
    /,
    *,
    target: Annotated[Path | None, output("Folder. [default: out/PROMPT]")] = None,
    options: Annotated[MosaicOptions, FLAT] = MosaicOptions(),
    making: Annotated[BuildOptions, FLAT] = BuildOptions(),
    machines: Annotated[ClusterOptions, FLAT] = ClusterOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
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
        events = build(loaded, spec, target, build_params, executor=executor, start=start)
        where = "" if target is None else f" in {target}"
        show(events, kept=f"finished pictures are kept{where}: the same command goes on")
