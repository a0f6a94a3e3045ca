"""``digress replay``: a picture again, from what its file remembers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ..errors import InputError
from ..events import Note
from ..generate.model_params import ModelAdditions, ModelParams
from .console import load_model, show
from .options import FLAT, OutputOptions, given, group, options_of, output, path_argument

if TYPE_CHECKING:
    from ..models.base import Model


class ReplayOptions(
    options_of(
        ModelParams, only=["device", "dtype", "models", "offload", *ModelAdditions.model_fields]
    )
):
    """See `ModelParams`."""


def replay(
    file: Annotated[Path, path_argument("A picture, a film, a print or the folder of a mosaic.")],
    /,
    *,
    target: Annotated[Path | None, output("File or folder. [default: FILE-replay]")] = None,
    place: Annotated[OutputOptions, FLAT] = OutputOptions(),
    model: Annotated[
        str | None,
        Parameter(
            help="Where the model is now. [default: where it was]",
            group=group("Model"),
            show_default=False,
        ),
    ] = None,
    show_only: Annotated[
        bool,
        Parameter(
            name=["--show"],
            help="Only say what the file remembers, whatever program made it. [default: off]",
            group=group("Output"),
            negative=(),
            show_default=False,
        ),
    ] = False,
    options: Annotated[ReplayOptions, FLAT] = ReplayOptions(),
) -> None:
    from ..replaying import remembered
    from ..replaying import replay as replayed

    if show_only:
        for name in [
            *(["output"] if target else []),
            *(["model"] if model else []),
            *given(options),
        ]:
            raise InputError(f"`{name}` does nothing with `show`: leave one of them out")
        show(remembered(file))
        return

    from ..generate.outputs import check_place_by_name

    if target is not None:
        check_place_by_name(target)
    others = ModelParams.of(**given(options))
    loaded = []

    def load(name: str, dtype: str | None, **additions: Any) -> Model:
        chosen, named = others.given(), additions.pop("named", None)
        own = {key: chosen.get(key, value) for key, value in additions.items()}
        params = others.but(**own, model=name, dtype=others.dtype or dtype)
        loaded.append(load_model(params, named))
        return loaded[0]

    events = replayed(
        *(file, load),
        model=model,
        models=others.models,
        output=target,
        device=others.device,
        **given(place),
    )
    show(events)
    named = ["model"] if model is not None else []
    idle = [f"`{name}`" for name in (*named, *given(options)) if name != "device"]
    if idle and not loaded:
        text = f"{' and '.join(idle)} changed nothing: no model was needed to make it again"
        show(iter([Note(text, "note")]))
