r"""Lists of words in files: ``__animals__`` in a prompt is one line of ``wildcards/animals.txt``.

As in sd-dynamic-prompts: a line is an option and may hold syntax, other lists too; empty lines and
those that begin with ``#`` do not count; ``3::cat`` is three times as likely as others. The lines
are put into the prompt as a choice, ``{cat|dog}``, so that what is painted depends on no file, and
a replay needs none. ``\__`` is text.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import PromptError, verbatim
from .parse import parse

FOLDER = "wildcards"
LONGEST = 1_000_000  # characters of a prompt with its lists
DEEPEST = 10  # lists in one another

# Alone after 2$$, its lines are the options themselves, of which 2 are taken.
_LIST = re.compile(
    r"(?P<alone>(?<=\$\$)\s*)?(?<![\w\\])__(?P<name>\w(?:[\w/ -]*?\w)?)__(?!\w)(?P<end>(?=\s*\}))?"
)


def with_lists(text: str, field: str = "prompt") -> str:
    """A prompt with every list of words in place of its name.

    Args:
        text: As typed, in the prompt language.
        field: The parameter that it is.

    Raises:
        PromptError: There is no such list, or it cannot be read.
    """
    return _with_lists(text, field, 0) if "__" in text else text


def _with_lists(text: str, field: str, depth: int) -> str:
    if depth > DEEPEST:
        raise PromptError("lists of words name one another without end", field=field)
    whole, end = [], 0
    for found in _LIST.finditer(text):
        lines = "|".join(
            _with_lists(line, field, depth + 1) for line in _lines(found["name"], field)
        )
        alone = found["alone"] is not None and found["end"] is not None
        whole += [text[end : found.start()], lines if alone else f"{{{lines}}}"]
        end = found.end()
    new = "".join([*whole, text[end:]])
    if len(new) > LONGEST:
        raise PromptError(f"its lists of words are longer than {LONGEST:,} characters", field=field)
    return new


def _lines(name: str, field: str) -> list[str]:
    """The options in a list of words."""
    places = [Path(FOLDER) / f"{name}.txt", Path(f"{name}.txt")]
    path = next((place for place in places if place.is_file()), None)
    shown = verbatim(name)
    if path is None:
        raise PromptError(
            rf"__{shown}__ is a list of words, and there is no {FOLDER}/{shown}.txt here; "
            rf"type \__{shown}__ if it is text",
            field=field,
        )
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise PromptError(f"the list {verbatim(str(path))} cannot be read: {error}") from error
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise PromptError(f"the list {verbatim(str(path))} is empty", field=field)
    for line in lines:
        try:
            parse(f"{{{line}}}")
        except PromptError as error:
            raise PromptError(
                f"{verbatim(str(path))} has the line {verbatim(repr(line)):.80}: {error.reason}",
                field=field,
            ) from None
    return lines
