"""``digress ensemble``: several prompts in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..ensembles.ensemble_spec import EnsembleSpec
from ..files import slug
from ..generate.params import ModelParams
from .console import load_model, show
from .options import FLAT, ModelOptions, given, options_of, output


class EnsembleOptions(options_of(EnsembleSpec, without=["prompt", "prompts"])):
    """See `EnsembleSpec`."""


def ensemble(
    *prompts: Annotated[
        str, Parameter(help=EnsembleSpec.model_fields["prompts"].description, required=True)
    ],
    target: Annotated[Path | None, output("File. [default: out/PROMPTS.png]")] = None,
    options: Annotated[EnsembleOptions, FLAT] = EnsembleOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = EnsembleSpec.of(prompts=list(prompts), **given(options))
    chosen = ModelParams.of(**given(model))
    from ..ensembles.ensemble import check_spec, paint_ensemble
    from ..generate.start import read_inputs

    path = target or Path("out") / f"{slug(' '.join(prompts))}.png"
    inputs = read_inputs(spec.start)
    check_spec(spec, inputs)
    show(paint_ensemble(load_model(chosen), spec, path, inputs))
