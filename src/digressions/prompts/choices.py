"""Choices in a prompt, ``{cat|dog}``, drawn from the seed of the picture that it is for.

The same text with the same seed is the same prompt, everywhere: what a picture remembers, what a
cell is painted from, and what a replay paints.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from .scheduling import parsed
from .terms import (
    Alternate,
    Choice,
    Ensemble,
    Option,
    Piece,
    Pieces,
    Switch,
    Weighted,
    joined_texts,
    stripped,
)

Chooser = Callable[[Choice], Sequence[Option]]
"""Which options of a choice are taken, in their order."""


def drawn(text: str, seed: int, role: str = "prompt") -> str:
    """A prompt with its choices drawn; one that has none as it is.

    Args:
        text: In the prompt language.
        seed: Of the picture.
        role: Whether it is the ``"prompt"`` or the ``"negative"``, which draw by themselves.

    Raises:
        PromptError: It cannot be read.
    """
    if "{" not in text or not has_choices(ensemble := parsed(text)):
        return text
    chance = random.Random(f"{seed}:{role}")
    return str(_settled(ensemble, lambda choice: _draw(choice, chance)))


def has_choices(ensemble: Ensemble) -> bool:
    """Whether anything in it is still to be drawn."""
    return any(_holds(term.pieces) for term in ensemble.terms)


def variants(ensemble: Ensemble) -> list[Ensemble]:
    """As few prompts as show every option at least once; itself where it has no choices."""
    if not has_choices(ensemble):
        return [ensemble]
    count = max(_width(term.pieces) for term in ensemble.terms)
    return [_variant(ensemble, number) for number in range(count)]


def stretches(ensemble: Ensemble) -> list[str]:
    """Every stretch of text in it, whatever is drawn and at whichever step it counts."""
    left: list[Piece] = [piece for term in ensemble.terms for piece in term.pieces]
    found = []
    while left:
        piece = left.pop(0)
        if isinstance(piece, str):
            found.append(piece)
        else:
            left[:0] = [each for pieces in _inner(piece) for each in pieces]
    return found


def weighted(options: Sequence[float], chance: random.Random) -> int:
    """An index, as likely as its share says. Only `random.Random.random` is used, whose numbers
    every version of Python gives alike."""
    at = chance.random() * sum(options)
    for index, share in enumerate(options):
        at -= share
        if at < 0:
            return index
    return len(options) - 1


def _draw(choice: Choice, chance: random.Random) -> list[Option]:
    count = choice.low + int(chance.random() * (choice.high - choice.low + 1))
    left, found = list(choice.options), list[Option]()
    for _ in range(count):
        found.append(left.pop(weighted([option.chance for option in left], chance)))
    return found


def _variant(ensemble: Ensemble, number: int) -> Ensemble:
    terms = []
    for term in ensemble.terms:
        left = [number % _width(term.pieces)]

        def take(choice: Choice, left: list[int] = left) -> Sequence[Option]:
            at, own = left[0] % _width((choice,)), list(choice.options)
            for index, option in enumerate(own):
                if at < _width(option.pieces):
                    left[0] = at
                    return (own[index:] + own[:index])[: choice.low]
                at -= _width(option.pieces)
            raise AssertionError("a choice is as wide as its options")

        terms.append(dataclasses.replace(term, pieces=stripped(_settled_pieces(term.pieces, take))))
    return Ensemble(tuple(terms))


def _settled(ensemble: Ensemble, choose: Chooser) -> Ensemble:
    return Ensemble(
        tuple(
            dataclasses.replace(term, pieces=stripped(_settled_pieces(term.pieces, choose)))
            for term in ensemble.terms
        )
    )


def _settled_pieces(pieces: Pieces, choose: Chooser) -> Pieces:
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Weighted):
            found.append(dataclasses.replace(piece, pieces=_settled_pieces(piece.pieces, choose)))
        elif isinstance(piece, Switch):
            before, after = (_settled_pieces(each, choose) for each in (piece.before, piece.after))
            found.append(dataclasses.replace(piece, before=before, after=after))
        elif isinstance(piece, Alternate):
            options = tuple(_settled_pieces(each, choose) for each in piece.options)
            found.append(Alternate(options))
        elif isinstance(piece, Choice):
            for place, option in enumerate(choose(piece)):
                found += [piece.separator] if place else []
                found += _settled_pieces(option.pieces, choose)
        else:
            found.append(piece)
    return joined_texts(piece for piece in found if piece != "")


def _inner(piece: Piece) -> tuple[Pieces, ...]:
    """The pieces that stand in a piece."""
    if isinstance(piece, Weighted):
        return (piece.pieces,)
    if isinstance(piece, Switch):
        return (piece.before, piece.after)
    if isinstance(piece, Alternate):
        return piece.options
    return tuple(option.pieces for option in piece.options) if isinstance(piece, Choice) else ()


def _holds(pieces: Pieces) -> bool:
    """Whether there is a choice, if only of one option."""
    return any(isinstance(piece, Choice) or any(map(_holds, _inner(piece))) for piece in pieces)


def _width(pieces: Pieces) -> int:
    """How many variants show every option of some pieces: choices side by side are gone through
    together, those within one another one after the other."""
    widths = [1]
    for piece in pieces:
        inner = [_width(each) for each in _inner(piece)]
        widths.append(sum(inner) if isinstance(piece, Choice) else max(inner, default=1))
    return max(widths)
