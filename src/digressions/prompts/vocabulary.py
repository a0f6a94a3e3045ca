"""The words that a small model was taught, so that a user can be told which words of a prompt it
does not know."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# Carry no picture of their own; a model need not have been taught them.
_SMALL = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "into", "is", "it", "its", "like", "looks"}
    | {"made", "of", "on", "or", "over", "that", "the", "this", "to", "under", "with"}
)


class Unknown(NamedTuple):
    """A word of a prompt that the model was not taught, and the nearest that it was, if any."""

    word: str
    nearest: str | None

    def __str__(self) -> str:
        return f"{self.word!r}" + (f" (but {self.nearest!r})" if self.nearest else "")


class Vocabulary:
    """Every word of the captions that a model was trained with."""

    def __init__(self, captions: Iterable[str]) -> None:
        """Takes captions or names; only their words count."""
        self.words = frozenset(word for caption in captions for word in words_of(caption))

    def unknown(self, prompt: str) -> list[Unknown]:
        """The words of a prompt that are not known, each once, in their order.

        Small words are never missed, and a plural is known with its singular. The nearest is by
        spelling (difflib's ratio, at least 0.7): it catches slips and word families, not meanings.
        """
        missing = dict.fromkeys(word for word in words_of(prompt) if not self._knows(word))
        return [Unknown(word, self._nearest(word)) for word in missing]

    def _knows(self, word: str) -> bool:
        return word in _SMALL or any(form in self.words for form in _forms(word))

    def _nearest(self, word: str) -> str | None:
        found = difflib.get_close_matches(word, sorted(self.words), n=1, cutoff=0.7)
        return found[0] if found else None


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.lower())


def _forms(word: str) -> list[str]:
    """A word and what it may be the plural of."""
    forms = [word]
    if word.endswith("ies"):
        forms.append(f"{word[:-3]}y")
    if word.endswith("es"):
        forms.append(word[:-2])
    if word.endswith("s"):
        forms.append(word[:-1])
    return forms
