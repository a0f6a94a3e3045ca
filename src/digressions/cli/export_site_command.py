"""``digress export-site``: a finite world as a folder for any web server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..generate.params import ModelParams
from ..worlds.world_spec import SiteSpec
from .console import load_model, show
from .options import FLAT, ModelOptions, OutputOptions, Prompt, given, options_of, output


class SiteOptions(options_of(SiteSpec, without=["prompt"])):
    """See `SiteSpec`."""


def export_site(
    prompt: Prompt,
    /,
    *,
    target: Annotated[Path | None, output("Folder. [default: out/PROMPT-site]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[SiteOptions, FLAT] = SiteOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = SiteSpec.of(prompt=prompt, **given(options))
    chosen = ModelParams.of(**given(model))
    from ..generate.outputs import check_place
    from ..worlds.opening import read_start
    from ..worlds.site import export_site as export

    check_place(target)
    start = read_start(spec.world, spec.cache)
    kept = f"what is painted is kept in {spec.cache.cache}: the same command goes on"
    show(export(load_model(chosen), spec, target, start=start, **given(place)), kept=kept)
