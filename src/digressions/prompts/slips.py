"""What somebody types as a prompt and cannot have meant as one.

Nothing at all, the name of a file, words without their quotes, a time that is read as a weight:
each would be painted as it stands, and is refused or noted with what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError, PromptError, verbatim
from .choices import has_choices, variants
from .parse import parse
from .terms import Ensemble, Term, number
from .vocabulary import SMALL, words_of
from .wildcards import with_lists

_PICTURES = {
    *("png", "jpg", "jpeg", "jfif", "webp", "tif", "tiff", "gif", "bmp", "avif", "heic", "heif"),
    *("pdf", "psd", "svg", "mp4", "webm"),
}
_FILE_NAME = re.compile(rf"\S+\.({'|'.join(sorted(_PICTURES))})", re.IGNORECASE)
_ROOTED = re.compile(r"(/|~/|\.\.?/|[A-Za-z]:[\\/]|\.\\)\S*")
_WEIGHT = re.compile(r":\s*[-+.,\d]*\d\s*$", re.ASCII)


def check_typed(text: str, field: str = "prompt", *, instead: str = "image") -> str:
    """A prompt, if somebody can have meant it as one, with its lists of words in it.

    Args:
        text: As typed, in the prompt language.
        field: The parameter that it is.
        instead: The parameter that takes a file, where a file is named.

    Raises:
        PromptError: It is empty, cannot be read, or counts for nothing; a list is not there.
        InputError: It names a file.
    """
    check_said(text, field)
    check_no_file(text, field, instead=instead)
    text = with_lists(text, field)
    _check_options(text, field)
    if (found := silent_weight(text)) is not None:
        raise PromptError(
            f'nothing would be painted: "{text[found:].strip()}" at the end is read as a weight of '
            rf"0; type \{text[found:].strip()} if it is text",
            found,
            text,
            field=field,
        )
    return text


def check_said(text: str, field: str = "prompt") -> None:
    """Raises `PromptError` where a text has no word in it, or bytes that are no characters."""
    check_characters(text, field)
    if not words_of(text):
        seen = "empty" if not text.strip() else f"{verbatim(ascii(text[:40]))} and no word"
        raise PromptError(f"{_called(field)} is {seen}: say what to paint", field=field)


def check_characters(text: str, field: str = "prompt") -> None:
    """Raises `PromptError` where a text holds a NUL, which files end texts with, or what came of
    bytes that are no UTF-8."""
    if "\0" in text:
        raise PromptError(
            f"{_called(field)} {verbatim(ascii(text)):.80} holds a NUL character: type it anew",
            field=field,
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PromptError(
            f"{_called(field)} {verbatim(ascii(text)):.80} holds bytes that are no characters, "
            f"from place {error.start + 1} on: type it anew",
            field=field,
        ) from None


def _check_options(text: str, field: str) -> None:
    """Raises `PromptError` where an option of a choice leaves a prompt without a word."""
    ensemble = parse(text)
    if not has_choices(ensemble):
        return
    for each in variants(ensemble):
        empty = not words_of(str(each)) or not all(term.pieces for term in each.terms)
        if empty:
            raise PromptError(
                f"{_called(field)} {verbatim(repr(text)):.80} has an option that leaves nothing to "
                "paint",
                field=field,
            )


def check_no_file(text: str, field: str = "prompt", *, instead: str = "image") -> None:
    """Raises `InputError` where a prompt is the name of a file or a folder.

    A single plain word is a prompt, whatever folders there are; a name with a folder in it is not
    where there is such a file, and what ends like a picture or begins like a path never is.
    """
    name = text.strip()
    if not (_FILE_NAME.fullmatch(name) or _ROOTED.fullmatch(name) or _is_path(name)):
        return
    there = "" if _exists(name) else ", which is not there"
    raise InputError(
        f"{_called(field)} {verbatim(repr(name)):.90} is a file or folder{there}, and would be "
        f"painted as words: a picture is given with `{instead}`, beside a prompt",
        field=field,
    )


def _called(field: str) -> str:
    """How a message calls a prompt: one of several has no name of its own."""
    return "a prompt" if field == "prompts" else f"`{field}`"


def _is_path(name: str) -> bool:
    """Whether a text with a folder or a picture's ending in it names something that is there."""
    looks = "/" in name or "\\" in name or Path(name).suffix.lower().lstrip(".") in _PICTURES
    return looks and _exists(name)


def _exists(name: str) -> bool:
    try:
        return Path(name).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # no name that a system accepts
        return False


def check_quoted(prompts: Sequence[str], field: str = "prompts") -> None:
    """Raises `PromptError` where several prompts look like the words of one without quotes."""
    words = [prompt.strip() for prompt in prompts]
    if len(words) > 1 and any(word.lower() in SMALL for word in words):
        small = next(word for word in words if word.lower() in SMALL)
        raise PromptError(
            f'{small!r} alone is no prompt: put quotes around each, like "photo of a frog"',
            field=field,
        )


def silent_weight(text: str) -> int | None:
    """Where the only prompt of a text gets its weight of 0, or ``None`` where it counts."""
    ensemble = parse(text)
    found = _WEIGHT.search(text)
    silent = len(ensemble.terms) == 1 and ensemble.terms[0].weight == 0
    return found.start() if silent and found else None


def notes_on_weights(ensemble: Ensemble, combine: str = "mean") -> list[str]:
    """What is said of weights that somebody may not have meant as such: of 0, of an only prompt, or
    after a digit as in a time or a ratio.

    Args:
        ensemble: The prompts.
        combine: Their way of combining; by most ways the weight of an only prompt changes nothing.
    """
    notes = []
    for place, term in enumerate(ensemble.terms, 1):
        weight, text = number(term.weight), verbatim(_shortened(term))
        hint = r"type \: for a colon that is text"
        which = f"prompt {place}, {text!r}," if len(ensemble.terms) > 1 else f"{text!r}"
        if term.weight == 0:
            notes.append(f"{which} has a weight of 0 and is silent; {hint}")
        elif term.weight != 1 and _ends_in_digit(term):
            notes.append(f"{which} has a weight of {weight}, not a time or a ratio; {hint}")
        elif term.weight not in (0, 1) and len(ensemble.terms) == 1 and combine == "mean":
            notes.append(f"the weight of {weight} does nothing for a single prompt; {hint}")
    return notes


def _ends_in_digit(term: Term) -> bool:
    last = term.pieces[-1] if term.pieces else ""
    return isinstance(last, str) and last[-1:].isdigit()


def _shortened(term: Term) -> str:
    text = "".join(map(str, term.pieces))
    return text if len(text) <= 40 else f"{text[:40]}..."
