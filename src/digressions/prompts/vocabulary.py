"""The words that a small model was taught, so that a user can be told which words of a prompt it
does not know."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

# Carry no picture of their own; a model need not have been taught them.
SMALL = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "into", "is", "it", "its", "like", "looks"}
    | {"made", "of", "on", "or", "over", "that", "the", "this", "to", "under", "with"}
)
_COMPARED = frozenset({"looks", "like"})
_CLOSE = 0.8
_SHOWN = 8
_GAPS = frozenset("ZPC")  # white space, punctuation, control and format characters
_SIGNS = frozenset({"Sk", "Sm", "Sc"})  # such as ^, + and $; an emoji is So


class Unknown(NamedTuple):
    """A word of a prompt that the model was not taught, and one that it was, spelled nearly so."""

    word: str
    nearest: str | None

    def __str__(self) -> str:
        return f"{self.word!r}" + (f" (did you mean {self.nearest!r}?)" if self.nearest else "")


class Vocabulary:
    """Every word of the captions that a model was trained with.

    Attributes:
        captions: They, in order.
        things: What it can be asked for, such as "frog" and "polar bear"; may be empty.
        words: Their words, as `words_of` reads them.
    """

    def __init__(self, captions: Iterable[str], things: Iterable[str] = ()) -> None:
        """Takes captions or names, and things where they are told apart from other words."""
        self.captions, self.things = tuple(captions), tuple(things)
        self.words = frozenset(word for caption in self.captions for word in words_of(caption))

    def unknown(self, *texts: str) -> list[Unknown]:
        """The words of texts that are not known, each once, in their order.

        Small words are never missed, and a plural is known with its singular. The nearest is a slip
        of the pen: it begins alike and is nearly the same by spelling (difflib's ratio).

        Args:
            texts: As the model reads them, without the prompt language.
        """
        words = dict.fromkeys(word for text in texts for word in words_of(text))
        return [Unknown(word, self._nearest(word)) for word in words if not self._knows(word)]

    def lacks_comparison(self, *texts: str) -> bool:
        """Whether texts say that something looks like another, which no caption did."""
        said = any(set(words_of(text)) >= _COMPARED for text in texts)
        return said and not self.words >= _COMPARED

    def containing(self, part: str) -> list[str]:
        """The captions that a text is in, as the model reads both; all for an empty one."""
        wanted = " ".join(words_of(part))
        return [caption for caption in self.captions if wanted in " ".join(words_of(caption))]

    def _knows(self, word: str) -> bool:
        return word in SMALL or any(form in self.words for form in _forms(word))

    def _nearest(self, word: str) -> str | None:
        alike = sorted(known for known in self.words if known[0] == word[0] and len(known) > 2)
        for form in _forms(word):
            if found := difflib.get_close_matches(form, alike, n=1, cutoff=_CLOSE):
                return found[0]
        return None


def words_of(text: str) -> list[str]:
    """The words of a text as the bundled model's tokenizer separates them.

    NFKC and lower case; white space, punctuation, signs (``+``, ``$``, ``^``), control and format
    characters of any kind separate words, and an emoji is a word like another.
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    return "".join(" " if _is_gap(mark) else mark for mark in plain).split()


def _is_gap(mark: str) -> bool:
    kind = unicodedata.category(mark)
    return kind[0] in _GAPS or kind in _SIGNS


def listed(unknown: list[Unknown]) -> str:
    """Unknown words for a sentence, the first of many."""
    more = len(unknown) - _SHOWN
    words = ", ".join(f"{each!s:.80}" for each in unknown[:_SHOWN])
    return words if more <= 0 else f"{words} and {more:,} more words"


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
