"""``digress paint``: a picture, or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..files import slug
from ..generate.params import ModelParams, PaintSpec
from .console import load_model, show
from .options import FLAT, ModelOptions, Prompt, given, options_of, output


class PaintOptions(options_of(PaintSpec, without=["prompt"])):
    """See `PaintSpec`."""


def paint(
    prompt: Prompt,
    /,
    *,
    target: Annotated[Path | None, output("File. [default: out/PROMPT.png]")] = None,
    options: Annotated[PaintOptions, FLAT] = PaintOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = PaintSpec.of(prompt=prompt, **given(options))
    chosen = ModelParams.of(**given(model))
    from ..generate.pictures import check_spec, check_target, paint_to_files
    from ..generate.start import read_inputs

    path = target or Path("out") / f"{slug(prompt)}.png"
    inputs = read_inputs(spec.start)  # before the model is loaded: it answers faster
    check_target(path, spec, inputs)
    check_spec(spec, inputs)
    show(paint_to_files(load_model(chosen), spec, path, inputs))
