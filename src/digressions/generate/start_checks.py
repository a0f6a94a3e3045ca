"""What is refused of what somebody gives beside a prompt, before a model is loaded."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..files import refuse_overwrite
from ..prompts.scheduling import is_plain, parsed
from .params import GenerationParams, StartParams
from .start import Inputs


def keep_sources(start: StartParams, target: Path, *, several: bool) -> None:
    """Refuses a target that is one of the user's files that a painting starts from.

    Args:
        several: Whether the pictures go into files named after the target, not into itself.

    Raises:
        InputError: It is.
    """
    if several:
        return
    for source in (start.image, start.mask, start.palette, *(start.region or ())):
        if isinstance(source, str | Path):
            refuse_overwrite(Path(source), target)


def check_regions(prompt: str, inputs: Inputs) -> None:
    """Refuses regions that are not one for each of several prompts.

    Raises:
        InputError: They are not.
    """
    if inputs.regions is None:
        return
    found = parsed(prompt)
    terms, regions = len(found.terms), len(inputs.regions)
    if is_plain(found):
        raise InputError(
            "`region` says where each of several prompts counts, and there is one prompt: join "
            "another with AND, or give an `image` and a `mask`"
        )
    if terms != regions:
        raise InputError(
            f"prompts: {terms}, regions: {regions}; give one `region` for each, such as left and "
            "right",
            field="region",
        )


def check_given(params: GenerationParams, *, image: bool, mask: bool) -> None:
    """Refuses parameters that would do nothing.

    Args:
        image, mask: Whether there is one.

    Raises:
        InputError: A parameter is about a picture that is not there.
    """
    if params.strength is not None and not image:
        raise InputError("`strength` is about a start picture, and needs an `image`")
    if params.masked_content is not None and not mask:
        raise InputError(
            "`masked_content` is about the masked area, and needs an `image` and a `mask`"
        )
