"""Commands that make of the user's photos what they otherwise paint, once `tiles` are given."""

from __future__ import annotations

from typing import Annotated, TypeVar

from cyclopts import Parameter

from ..errors import InputError
from ..generate.declare import Params
from ..generate.params import GenerationParams
from ..mosaics.photos.photo_spec import AlbumParams, spec_of_photos
from .options import given, options_of

_Spec = TypeVar("_Spec", bound=Params)
_PROMPT = GenerationParams.model_fields["prompt"].description
_HELP = f"{_PROMPT} None with photos, unless they are repainted."
PromptUnlessPhotos = Annotated[str | None, Parameter(help=_HELP, show_default=False)]


class AlbumOptions(options_of(AlbumParams)):
    """See `AlbumParams`."""


def are_photos(options: object) -> bool:
    """Whether a command is about photos.

    Raises:
        InputError: It has options about photos, and none are named.
    """
    asked = given(options)
    if "tiles" in asked:
        return True
    for name in asked:
        raise InputError(f"`{name}` is about photos: name them with `tiles`, or leave it out")
    return False


def needed_prompt(prompt: str | None, example: str) -> str:
    """What is painted.

    Raises:
        InputError: Nobody says it.
    """
    if prompt is None:
        raise InputError(f"say what to paint, as in digress {example} 'a frog', or give `tiles`")
    return prompt


def photo_spec(
    kind: type[_Spec], prompt: str | None, asked: dict[str, object], *painting: object
) -> _Spec:
    """The spec of what is made of photos.

    Args:
        kind: Its class.
        prompt: That was given; there must be none unless photos are painted over.
        asked: Parameters by name.
        painting: Groups of options that are about painting alone.

    Raises:
        InputError: Something is about painting; or is wrong.
    """
    idle = [name for options in painting for name in given(options)]
    return spec_of_photos(kind, prompt, asked, idle)
