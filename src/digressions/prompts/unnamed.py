"""A prompt without the thing that it names, for parts of a picture that cannot show it."""

from __future__ import annotations

import re

from .vocabulary import SMALL, words_of

_OF = re.compile(r"\s+of\s+", re.IGNORECASE)


def without_thing(prompt: str, of: str) -> str:
    """A prompt for the parts of a picture where its thing is not.

    What has none of the thing's words ("oil on canvas" for a fox) is the prompt itself; of what
    names it ("drawing of a fox") the kind of picture stays ("drawing").

    Args:
        prompt: What the picture is repainted by.
        of: What it was painted by.
    """
    thing = {*words_of(_OF.split(of, 1)[-1])} - SMALL
    if not thing & {*words_of(prompt)}:
        return prompt
    kind, *rest = _OF.split(prompt, 1)
    return kind if rest and not thing & {*words_of(kind)} else ""
