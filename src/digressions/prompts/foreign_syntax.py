"""Prompts as other programs read them, written in ours.

A typed prompt is read strictly (`parse`); a prompt out of another program's file means what it
meant there, however its brackets stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ..errors import PromptError
from .parse import MOST, parse
from .terms import ROUND, Ensemble, Piece, Pieces, Term, Weighted

_NETWORK = re.compile(r"\s*<(?:lora|lyco|hypernet):([^<>:]+)(?::([^<>]*))?>", re.IGNORECASE)
_MARK = re.compile(
    r"\\(?P<escaped>[\\()\[\]{}])|:\s*(?P<weight>[-+]?[.\d]+)\s*\)|(?P<mark>[()\[\]])"
)
_CURLY = re.compile(r"\\?([{}])")
_TERM_WEIGHT = re.compile(r":\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*$", re.ASCII)


class ForeignPrompt(NamedTuple):
    """A prompt of another program.

    Attributes:
        text: In our language.
        networks: LoRAs and their like that it names, which are no words.
        rewritten: Whether our language had to say it another way.
    """

    text: str
    networks: tuple[str, ...] = ()
    rewritten: bool = False


def from_a1111(text: str) -> ForeignPrompt:
    """A prompt of A1111's web UI and what follows it (Forge, SD.Next, ...).

    Where our grammar refuses it, it is read as there: a bracket that is never closed counts to the
    end, one that closes nothing is text, and where brackets do not match there are no switches.
    """
    text, networks = _without_networks(text)
    text = _CURLY.sub(r"\\\1", text)  # their choices were drawn before the file was written
    try:
        return ForeignPrompt(str(parse(text)) and text, networks)
    except PromptError:
        terms = tuple(map(_a1111_term, re.split(r"\bAND\b", text)))
    kept = tuple(term for term in terms if term.pieces) or (Term(()),)
    return ForeignPrompt(str(Ensemble(kept)), networks, rewritten=True)


def from_comfyui(text: str) -> ForeignPrompt:
    """A prompt of ComfyUI and of what builds on it: round brackets and their numbers, no more."""
    text, networks = _without_networks(text)
    segments = _attention(text, squares=False) if _is_balanced(text) else [(text, 1.0)]
    return _written(Term(_pieces(segments)), text, networks)


def from_plain(text: str) -> ForeignPrompt:
    """A prompt in which nothing is syntax that we know."""
    text, networks = _without_networks(text)
    return _written(Term(_pieces([(text, 1.0)])), text, networks)


Reader = Callable[[str], ForeignPrompt]
"""How a program's prompts are read."""


def _written(term: Term, before: str, networks: tuple[str, ...]) -> ForeignPrompt:
    text = str(Ensemble((term,)))
    return ForeignPrompt(text, networks, rewritten=text.split() != before.split())


def _without_networks(text: str) -> tuple[str, tuple[str, ...]]:
    found = tuple(
        f"{name} {weight}".strip() for name, weight in _NETWORK.findall(text) if name.strip()
    )
    return (_NETWORK.sub("", text).strip(), found) if found else (text, ())


def _a1111_term(text: str) -> Term:
    weight = 1.0
    if (found := _TERM_WEIGHT.search(text)) is not None:
        weight, text = float(found[1]), text[: found.start()]
    return Term(_pieces(_attention(text, squares=True)), max(-MOST, min(weight, MOST)))


def _attention(text: str, *, squares: bool) -> list[tuple[str, float]]:
    """Stretches of a text and the attention that each gets; brackets need not match.

    Args:
        squares: Whether square brackets count, too.
    """
    found: list[tuple[str, float]] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def times(start: int, factor: float) -> None:
        found[start:] = [(part, attention * factor) for part, attention in found[start:]]

    end = 0
    for token in _MARK.finditer(text):
        found.append((text[end : token.start()], 1.0))
        end = token.end()
        mark, weight = token["mark"], token["weight"]
        if weight is not None and opened["("] and (factor := _number(weight)) is not None:
            times(opened["("].pop(), factor)
        elif mark == "(" or (mark == "[" and squares):
            opened[mark].append(len(found))
        elif mark == ")" and opened["("]:
            times(opened["("].pop(), ROUND)
        elif mark == "]" and opened["["]:
            times(opened["["].pop(), 1 / ROUND)
        else:
            found.append((token["escaped"] or token[0], 1.0))
    found.append((text[end:], 1.0))
    for mark, factor in (("(", ROUND), ("[", 1 / ROUND)):
        for start in opened[mark]:
            times(start, factor)
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # such as 1.2.3
        return None


def _is_balanced(text: str) -> bool:
    depth = 0
    for mark in re.findall(r"\\.|[()]", text, re.DOTALL):
        depth += (mark == "(") - (mark == ")")
        if depth < 0:
            return False
    return depth == 0


def _pieces(segments: list[tuple[str, float]]) -> Pieces:
    """Segments as the pieces of a term: neighbours of one attention joined, the ends stripped."""
    joined: list[tuple[str, float]] = []
    for text, attention in segments:
        if text and joined and joined[-1][1] == attention:
            joined[-1] = (joined[-1][0] + text, attention)
        elif text:
            joined.append((text, attention))
    if joined:
        joined[0] = (joined[0][0].lstrip(), joined[0][1])
        joined[-1] = (joined[-1][0].rstrip(), joined[-1][1])
    return tuple(_piece(text, attention) for text, attention in joined if text)


def _piece(text: str, attention: float) -> Piece:
    attention = max(-MOST, min(attention, MOST))
    return text if attention == 1 else Weighted((text,), attention)
