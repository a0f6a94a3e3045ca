"""``digress ensemble``: several prompts in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..ensembles.ensemble_spec import EnsembleSpec
from ..generate.model_params import ModelParams
from .console import load_model, show
from .options import FLAT, ModelOptions, OutputOptions, given, options_of, output


class EnsembleOptions(options_of(EnsembleSpec, without=["prompt", "prompts"])):
    """See `EnsembleSpec`."""


def ensemble(
    *prompts: Annotated[
        str, Parameter(help=EnsembleSpec.model_fields["prompts"].description, required=True)
    ],
    target: Annotated[Path | None, output("File. [default: out/PROMPTS.png]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[EnsembleOptions, FLAT] = EnsembleOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = EnsembleSpec.of(prompts=list(prompts), **given(options))
    chosen = ModelParams.of(**given(model))
    from ..ensembles.ensemble import check_spec, check_target, paint_ensemble
    from ..generate.start import read_inputs

    check_target(spec, target)
    inputs = read_inputs(spec.start)
    check_spec(spec, inputs)
    show(paint_ensemble(load_model(chosen), spec, target, inputs, **given(place)))
