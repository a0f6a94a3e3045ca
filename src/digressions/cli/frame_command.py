"""``digress frame``: picture frames in a photo, and pictures painted or hung into them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import InputError
from ..frames.frame_spec import FrameSpec
from ..generate.model_params import ModelParams
from .console import load_model, show
from .options import FLAT, ModelOptions, OutputOptions, given, options_of, output, path_argument


class FrameOptions(options_of(FrameSpec, without=["prompts"])):
    """See `FrameSpec`."""


def frame(
    photo: Annotated[Path, path_argument("A photo of a wall with frames.")],
    /,
    *prompts: Annotated[str, Parameter(help=FrameSpec.model_fields["prompts"].description)],
    target: Annotated[Path | None, output("Folder. [default: out/PHOTO-frame]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    options: Annotated[FrameOptions, FLAT] = FrameOptions(),
    model: Annotated[ModelOptions, FLAT] = ModelOptions(),
) -> None:
    spec = FrameSpec.of(prompts=list(prompts), **given(options, model))
    chosen = ModelParams.of(**given(model))
    spec.check()
    idle = given(model).keys() - ({"models"} if "upscaler" in given(options) else set())
    for name in [] if prompts else sorted(idle):
        raise InputError(f"`{name}` is about painting, and needs a prompt")
    from ..frames.choosing import read_frames
    from ..frames.inserting import save_found, save_inserted

    inputs = read_frames(photo, spec, target)
    if spec.find:
        show(save_found(inputs, target, **given(place)))
    if spec.insert:
        show(save_inserted(inputs, spec.paper, target, **given(place)))
    if not prompts:
        return
    where = "" if target is None else f" in {target}"
    kept = f"finished pictures are kept{where}: the same command goes on"
    if spec.explain:  # with torch from here on: finding goes without
        from ..frames.explain import explain_frame

        folder = None if target is None else target / "explain"
        explaining = explain_frame(load_model(chosen), photo, spec, folder, inputs, **given(place))
        show(explaining, kept=kept)
        return
    from ..frames.filling import fill_frames

    loaded = load_model(chosen)
    events = fill_frames(loaded, photo, spec, target, inputs, device=chosen.device, **given(place))
    show(events, kept=kept)
