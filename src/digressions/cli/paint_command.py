"""``digress paint``: a picture, or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..generate.model_params import ModelParams
from ..generate.params import PaintSpec
from .console import load_model, show
from .options import FLAT, ModelOptions, OutputOptions, Prompt, given, options_of, output


class PaintOptions(options_of(PaintSpec, without=["prompt"])):
    """See `PaintSpec`."""


def paint(
    prompt: Prompt,
    /,
    *,
    target: Annotated[Path | None, output("File. [default: out/PROMPT.png]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[PaintOptions, FLAT] = PaintOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = PaintSpec.of(prompt=prompt, **given(options, model))
    chosen = ModelParams.of(**given(model))
    from ..generate.outputs import check_file_place

    check_file_place(target)  # before torch is imported, which takes seconds
    from ..generate.pictures import check_spec, check_target, paint_to_files
    from ..generate.start import read_inputs

    inputs = read_inputs(spec.start)  # before the model is loaded: it answers faster
    check_target(target, spec, inputs)
    check_spec(spec, inputs)
    events = paint_to_files(load_model(chosen), spec, target, inputs, **given(place))
    show(events, kept="the pictures that were named are kept" * (spec.n > 1))
