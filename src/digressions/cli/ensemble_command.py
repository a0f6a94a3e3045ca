"""``digress ensemble``: several prompts in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..ensembles.ensemble_spec import EnsembleSpec, SuggestSpec
from ..errors import InputError
from ..generate.model_params import ModelParams
from .console import load_model, show
from .options import FLAT, ModelOptions, OutputOptions, given, group, options_of, output


class EnsembleOptions(options_of(EnsembleSpec, without=["prompt", "prompts"])):
    """See `EnsembleSpec`."""


def ensemble(
    *prompts: Annotated[str, Parameter(help=EnsembleSpec.model_fields["prompts"].description)],
    suggest: Annotated[
        str | None,
        Parameter(
            help=f"{SuggestSpec.model_fields['thing'].description} Of those named as prompts, or "
            "of all that the model says it was taught. [default: none]",
            group=group("Picture"),
            show_default=False,
        ),
    ] = None,
    target: Annotated[Path | None, output("File. [default: out/PROMPTS.png]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[EnsembleOptions, FLAT] = EnsembleOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    chosen = ModelParams.of(**given(model))
    if suggest is not None:
        idle = sorted(given(options).keys() - {"n"} | given(place).keys())
        idle += [] if target is None else ["output"]
        if idle:
            raise InputError(f"`suggest` paints nothing: leave out `{idle[0]}`")
        wanted = SuggestSpec.of(thing=suggest, among=list(prompts), n=options.n)
        from ..ensembles.suggestions import suggest_things

        show(suggest_things(load_model(chosen), wanted))
        return
    if not prompts:
        raise InputError("PROMPTS is missing: give two or more, or `suggest`")
    spec = EnsembleSpec.of(prompts=list(prompts), **given(options, model))
    from ..generate.outputs import check_file_place

    check_file_place(target)  # before torch is imported, which takes seconds
    from ..ensembles.ensemble import check_spec, check_target, paint_ensemble
    from ..generate.start import read_inputs

    check_target(spec, target)
    inputs = read_inputs(spec.start)
    check_spec(spec, inputs)
    show(paint_ensemble(load_model(chosen), spec, target, inputs, **given(place)))
