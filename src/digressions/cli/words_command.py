"""``digress words``: what a small model was taught."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ..errors import InputError, verbatim
from ..generate.model_params import ModelParams
from .console import out, shown
from .options import FLAT, given, options_of


class WordsOptions(options_of(ModelParams, only=["model", "models"])):
    """See `ModelParams`."""


def words(
    part: Annotated[
        str, Parameter(help="Only what has this in it, such as 'cat'.", show_default=False)
    ] = "",
    /,
    *,
    options: Annotated[WordsOptions, FLAT] = WordsOptions(),
) -> None:
    params = ModelParams.of(**given(options))
    from ..models.library import Library
    from ..models.loading import located_model, open_checkpoint
    from ..prompts.vocabulary import listed

    name = located_model(params.model, Library.of(params.models))
    vocabulary = open_checkpoint(name).vocabulary()
    if vocabulary is None:
        raise InputError(f"`model` {name} does not say what it was taught: it may know any word")
    found = vocabulary.containing(part)
    if not found:
        unknown = listed(vocabulary.unknown(part)) or repr(part)
        raise InputError(f"{name} was taught nothing with {verbatim(unknown)} in it")
    for caption in found:
        out.print(shown(verbatim(caption)))
