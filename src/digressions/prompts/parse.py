r"""From what people type to the prompts of a picture.

The forms are those of A1111's web UI
(https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/Features), and a range of the steps:

    a AND b :0.7      several prompts with weights; 1 if none is given, negative for "away from"
    a AND b @0.2-0.8  b only from 20 % to 80 % of the steps; beside a weight, in either order
    (a:1.3)           attention times 1.3; (a) times 1.1; [a] divided by 1.1
    [a:b:0.4]         a for the first 40 % of the steps, then b
    [a:b:8]           a for the first 8 steps, then b: without a point it is a number of steps
    [a:0.4]           nothing, then a
    [a::0.4]          a, then nothing
    [a|b]             a and b take turns, a step each

And of sd-dynamic-prompts (https://github.com/adieyal/sd-dynamic-prompts), drawn for each picture
from its seed:

    {a|b|c}           one of them
    {3::a|b}          a three times as often as b
    {2$$a|b|c}        two of them, with ", " between them; {1-2$$...} one or two
    {2$$ and $$a|b|c} with " and " between them
    __animals__       a line of the file wildcards/animals.txt (`prompts.wildcards` reads it)

And ``<lora:name:0.8>`` outside brackets: the LoRA of this name counts 0.8, for the whole picture.

What stands in brackets may have brackets in it. A backslash takes the meaning from what follows:
``\( \) \[ \] \{ \} \: \| \@ \$ \__ \\ \AND``; before anything else it is a backslash.

As in A1111, what is not meant as syntax is read as syntax where it looks like it: "a car (1999)"
gives 1999 more attention, "Tom AND Jerry" is two prompts, and "at 10:30" ends in a weight of 30.
Type ``a car \(1999\)``, ``Tom \AND Jerry``, ``at 10\:30``. ``AND`` counts only in capitals, as a
whole word and outside brackets. Elsewhere colons, ``|`` and ``@`` are text, and so is ``[a:b]``
with no number at its end, which is ``[a]`` with a colon in it.

Unlike A1111, what cannot be read is an error and not text: a bracket without its partner, a number
such as ``0,7``, an empty prompt beside ``AND``. ``BREAK`` is text.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import NamedTuple

from ..errors import PromptError, verbatim
from .terms import (
    ROUND,
    SEPARATOR,
    Alternate,
    Choice,
    Ensemble,
    LoraTag,
    Option,
    Piece,
    Pieces,
    Switch,
    Term,
    Weighted,
    joined_texts,
    stripped,
)

PAIRS = {"(": ")", "[": "]", "{": "}"}

DEEPEST = 50
"""How many brackets may stand in one another."""

MOST_STRENGTH = 10.0
"""How much a LoRA may count, either way."""

MOST = 1000.0
"""How much a weight or an attention may be, either way: beyond it, networks only overflow."""

TOKEN = re.compile(
    r"\\(?P<escaped>AND\b|__|[\\()\[\]{}:|@$])"
    r"|(?P<special>[()\[\]{}:|@]|\bAND\b)"
    r"|\s*<lora:(?P<lora>[^<>:]+)(?::(?P<strength>[^<>]*))?>"
    r"|(?P<plain>(?:(?!\bAND\b|\s*<lora:[^<>]+>)[^\\()\[\]{}:|@])+|\\)"
)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
COUNT = re.compile(r"\s*(\d{1,4})(?:-(\d{1,4}))?\$\$(?:([^$]*)\$\$)?", re.ASCII)
# What somebody must have meant as a number, so that a slip is an error and not a part of the text.
NUMBERISH = re.compile(r"[-+.,\d]*\d[.%]?", re.ASCII)
RANGISH = re.compile(r"[-+.,\d%\s]*\d[.%]?", re.ASCII)


class Item(NamedTuple):
    """A finished piece, or a special character (``mark``) whose meaning is not yet decided."""

    piece: Piece
    mark: str
    position: int


def parse(text: str) -> Ensemble:
    """The prompts in a text; see the module for the forms.

    Raises:
        PromptError: The text cannot be read; points at the character.
    """
    try:
        return _parsed(text)
    except PromptError as error:
        raise PromptError(error.reason, error.position, text) from None


def _parsed(text: str) -> Ensemble:
    tokens = _tokens(text)
    items, _ = _group(tokens, 0, None, 0)
    terms = tuple(map(_term, _split(items, "AND")))
    ands = [item.position for item in items if item.mark == "AND"]
    for i, term in enumerate(terms):
        if ands and not term.pieces:
            message = r"a prompt beside AND is empty; type \AND for the word"
            raise PromptError(message, ands[max(i - 1, 0)])
    return Ensemble(terms)


def _tokens(text: str) -> list[Item]:
    found = []
    for token in TOKEN.finditer(text):
        if token["lora"]:
            found.append(Item(str(_lora(token)), "<lora>", token.start()))
            continue
        special = token["special"] or ""
        piece = special or token["escaped"] or token["plain"]
        found.append(Item(piece, special, token.start()))
    return found


def _lora(token: re.Match[str]) -> LoraTag:
    strength = (token["strength"] or "1").strip()
    if not NUMBER.fullmatch(strength) or abs(float(strength)) > MOST_STRENGTH:
        typed = verbatim(strength)
        message = f'"{typed:.40}" is no strength of a LoRA such as 0.8: -10 to 10'
        raise PromptError(message, token.start())
    return LoraTag(token["lora"].strip(), float(strength))


def _group(tokens: list[Item], i: int, opener: Item | None, depth: int) -> tuple[list[Item], int]:
    """The items from token ``i`` to the partner of ``opener``, and the token after it."""
    items: list[Item] = []
    while i < len(tokens):
        token = tokens[i]
        i += 1
        if token.mark in PAIRS:
            if depth == DEEPEST:
                raise PromptError(f"more than {DEEPEST} brackets in one another", token.position)
            inner, i = _group(tokens, i, token, depth + 1)
            piece = _READERS[token.mark](inner)
            items.append(Item(piece, "", token.position))
        elif token.mark in PAIRS.values():
            if opener is None or PAIRS[opener.mark] != token.mark:
                raise PromptError(_unopened(token, opener), token.position)
            return items, i
        else:
            if token.mark == "<lora>" and opener is not None:
                message = "a LoRA counts for a whole prompt: write it outside brackets"
                raise PromptError(message, token.position)
            items.append(token)
    if opener is not None:
        raise PromptError(f'"{opener.mark}" is never closed; {_literal(opener)}', opener.position)
    return items, i


def _round(items: list[Item]) -> Weighted:
    end = _tail(items, ":")
    if end is None:
        return Weighted(_pieces(items), ROUND)
    return Weighted(_pieces(items[:end]), _weight(items, end))


def _square(items: list[Item]) -> Piece:
    end = _tail(items, ":")
    options = _split(items, "|")
    if len(options) > 1:
        if end is not None:
            where = items[end].position
            raise PromptError(r"[a|b] takes no number; [[a|b]:0.5] does, and \: is text", where)
        return Alternate(tuple(map(_pieces, options)))
    if end is None:
        return Weighted(_pieces(items), 1 / ROUND)
    sides = _split(items[:end], ":")
    if len(sides) > 2:
        where = [item.position for item in items if item.mark == ":"][1]
        raise PromptError(r"a switch is [before:after:when]; type \: for a colon", where)
    before, after = sides if len(sides) == 2 else ([], sides[0])
    when, counted = _number(items, end), "." not in _after(items, end)
    if when < 0 or (when > 1 and not counted):
        message = "a switch happens after a number of steps, or a fraction of them 0.0-1.0"
        raise PromptError(message, items[end + 1].position)
    return Switch(_pieces(before), _pieces(after), int(when) if counted else when, counted)


def _curly(items: list[Item]) -> Choice:
    for item in items:
        if item.mark == "AND":
            message = r"AND does not count inside { }; give whole prompts outside, or type \AND"
            raise PromptError(message, item.position)
    low, high, separator = 1, 1, SEPARATOR
    head = items[0] if items else None
    if head is not None and isinstance(head.piece, str) and (found := COUNT.match(head.piece)):
        low, high = int(found[1]), int(found[2] or found[1])
        separator = SEPARATOR if found[3] is None or high == 1 else found[3]
        items = [head._replace(piece=head.piece[found.end() :]), *items[1:]]
    parts = _split(items, "|")
    if not 1 <= low <= high <= len(parts) and head is not None:
        message = f"{{2$$a|b|c}} takes 1 to all of its options, and here are {len(parts)}"
        raise PromptError(message, head.position)
    return Choice(tuple(map(_option, parts)), low, high, separator)


def _option(items: list[Item]) -> Option:
    """One of the options in ``{3::a|b}``."""
    items = [item for item in items if item.piece != ""]
    if [item.mark for item in items[:3]] == ["", ":", ":"] and isinstance(items[0].piece, str):
        chance = items[0].piece.strip()
        if NUMBER.fullmatch(chance):
            if not 0 < float(chance) <= MOST:
                message = rf"{chance} is out of range for a chance: more than 0, at most {MOST:g}"
                raise PromptError(message, items[0].position)
            return Option(float(chance), _pieces(items[3:]))
    return Option(1.0, _pieces(items))


_READERS: dict[str, Callable[[list[Item]], Piece]] = {"(": _round, "[": _square, "{": _curly}


def _term(items: list[Item]) -> Term:
    named = [TOKEN.match(str(item.piece)) for item in items if item.mark == "<lora>"]
    term = Term((), loras=tuple(_lora(token) for token in named if token))
    items = [item for item in items if item.mark != "<lora>"]
    given: set[str] = set()
    for mark in (":", "@", ":"):  # either order
        end = None if mark in given else _tail(items, mark)
        if end is not None:
            given.add(mark)
            if mark == ":":
                term = dataclasses.replace(term, weight=_weight(items, end))
            else:
                start, stop = _range(items, end)
                term = dataclasses.replace(term, start=start, end=stop)
            items = items[:end]
    return dataclasses.replace(term, pieces=stripped(_pieces(items)))


def _tail(items: list[Item], mark: str) -> int | None:
    """Where the last ``mark`` is, if nothing but a number, right or wrong, comes after it."""
    places = [i for i, item in enumerate(items) if item.mark == mark]
    if not places:
        return None
    after = items[places[-1] + 1 :]
    if any(item.mark or not isinstance(item.piece, str) for item in after):
        return None
    form = RANGISH if mark == "@" else NUMBERISH
    return places[-1] if form.fullmatch(_after(items, places[-1])) else None


def _after(items: list[Item], end: int) -> str:
    return "".join(str(item.piece) for item in items[end + 1 :]).strip()


def _number(items: list[Item], end: int) -> float:
    text = _after(items, end)
    value = float(text) if NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(value):
        such = "0.4 for 40 %" if text.endswith("%") else "0.7"
        message = rf'"{text}" is not a number such as {such}; type \: if the colon is text'
        raise PromptError(message, items[end].position)
    return value


def _weight(items: list[Item], end: int) -> float:
    value = _number(items, end)
    if abs(value) > MOST:
        message = rf'"{_after(items, end)}" is out of range for a weight: -1000 to 1000; type \: if'
        raise PromptError(f"{message} the colon is text", items[end].position)
    return value


def _range(items: list[Item], end: int) -> tuple[float, float]:
    text = _after(items, end)
    sides = [side.strip() for side in text.split("-")]
    if len(sides) == 2 and all(map(NUMBER.fullmatch, sides)):
        start, stop = map(float, sides)
        if 0 <= start < stop <= 1:
            return start, stop
    message = rf'"@{text}" is not a range of the steps such as @0.2-0.8; type \@ if it is text'
    raise PromptError(message, items[end].position)


def _split(items: list[Item], mark: str) -> list[list[Item]]:
    parts: list[list[Item]] = [[]]
    for item in items:
        if item.mark == mark:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def _pieces(items: list[Item]) -> Pieces:
    """Items as pieces: a mark that got no meaning is text, and neighbouring texts are one."""
    return joined_texts(item.piece for item in items)


def _unopened(token: Item, opener: Item | None) -> str:
    if opener is None:
        return f'"{token.mark}" closes nothing; {_literal(token)}'
    return f'"{opener.mark}" is closed by "{token.mark}"; {_literal(token)}'


def _literal(token: Item) -> str:
    return f"type \\{token.mark} if it is text"
