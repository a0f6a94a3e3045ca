"""A prompt as the chunks of tokens that a text encoder takes.

As in A1111's web UI a chunk has 75 tokens between its marks, ``BREAK`` starts a new one, and the
vectors of an embedding stay in one chunk where they fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from torch import Tensor

from ..errors import PromptError, verbatim
from ..prompts.terms import Plain, Segment

CLIP_WINDOW = 77
"""Tokens that CLIP takes, marks of start and end included; what was taught with others keeps to
them."""

_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_STAND_IN = 0  # the id of a token that a vector takes the place of


class Token(NamedTuple):
    """A token of a text, and its attention; or a vector that stands in the place of one."""

    id: int
    attention: float
    vector: Tensor | None = None


class Chunk(NamedTuple):
    """A part of a prompt that is encoded by itself.

    Attributes:
        ids, attention: Of its tokens, marks and filling included.
        vectors: ``(D,)``, by the places where they stand for a token's own.
    """

    ids: list[int]
    attention: list[float]
    vectors: Mapping[int, Tensor]


class Vectors(NamedTuple):
    """Where a text names an embedding, and the vectors that this is, ``(N, D)``."""

    start: int
    end: int
    vectors: Tensor


Finder = Callable[[str], Sequence[Vectors]]
"""The embeddings that a text names, in their order."""


def chunks_of(tokenizer: Any, prompt: Plain, named: Finder) -> list[Chunk]:
    """A prompt in chunks of what a text encoder takes.

    Raises:
        PromptError: It is longer than an encoder takes that does not have CLIP's window.
    """
    limit = tokenizer.model_max_length
    room = limit - len(tokenizer("").input_ids)
    parts = _parts(prompt) if limit == CLIP_WINDOW else [prompt]
    chunks: list[Chunk] = []
    for number, part in enumerate(parts, 1):
        units = _units(tokenizer, part, named)
        if limit != CLIP_WINDOW and sum(map(len, units)) > room:
            _refuse(tokenizer, [token.id for unit in units for token in unit], room)
        chunks += [_chunk(tokenizer, tokens) for tokens in _filled(units, room)]
        if not units and (number < len(parts) or not chunks):
            chunks.append(_chunk(tokenizer, []))
    return chunks


def empty_chunk(tokenizer: Any) -> Chunk:
    """A chunk of no text."""
    return _chunk(tokenizer, [])


def _units(tokenizer: Any, part: Plain, named: Finder) -> list[list[Token]]:
    """What is not cut in two: the tokens of a text, each alone, and the vectors of embeddings."""
    text = "".join(segment.text for segment in part)
    units: list[list[Token]] = []
    end = 0
    for found in named(text):
        units += _tokens(tokenizer, part, end, found.start)
        (attention,) = token_attention(part, [(found.start, found.end)])
        units.append([Token(_STAND_IN, attention, vector) for vector in found.vectors])
        end = found.end
    return units + _tokens(tokenizer, part, end, len(text))


def _tokens(tokenizer: Any, part: Plain, start: int, end: int) -> list[list[Token]]:
    """The tokens of a stretch of a text."""
    found = tokenizer(
        "".join(segment.text for segment in part)[start:end],
        add_special_tokens=False,
        truncation=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    spans = [(start + first, start + last) for first, last in found.offset_mapping]
    attention = token_attention(part, spans)
    return [[Token(*pair)] for pair in zip(found.input_ids, attention, strict=True)]


def _filled(units: list[list[Token]], room: int) -> list[list[Token]]:
    """Units in as few chunks as hold them in their order; only one too long for any is cut."""
    chunks: list[list[Token]] = []
    for unit in units:
        for at in range(0, len(unit), room):
            piece = unit[at : at + room]
            if not chunks or len(chunks[-1]) + len(piece) > room:
                chunks.append([])
            chunks[-1] += piece
    return chunks


def _refuse(tokenizer: Any, ids: list[int], room: int) -> NoReturn:
    cut = tokenizer.decode(ids[room:], skip_special_tokens=True).strip()
    shown = repr(cut if len(cut) <= 100 else f"{cut[:60]} ... {cut[-30:]}")
    marks = tokenizer.model_max_length - room
    raise PromptError(
        f"the prompt is {len(ids) + marks:,} tokens long and the text encoder takes "
        f"{room + marks}: shorten it by {verbatim(shown)}, which would be cut"
    )


def _chunk(tokenizer: Any, tokens: list[Token]) -> Chunk:
    """A chunk between its marks, filled up to what the encoder takes."""
    marks = tokenizer("").input_ids
    start, end = marks[:1], marks[1:]
    filling = tokenizer.model_max_length - len(tokens) - len(marks)
    ids = [*start, *(token.id for token in tokens), *end, *[tokenizer.pad_token_id] * filling]
    own = [token.attention for token in tokens]
    attention = [*[1.0] * len(start), *own, *[1.0] * (len(end) + filling)]
    vectors = {
        place: token.vector
        for place, token in enumerate(tokens, len(start))
        if token.vector is not None
    }
    return Chunk(ids, attention, vectors)


def _parts(prompt: Plain) -> list[Plain]:
    """A prompt cut at every ``BREAK``."""
    parts: list[list[Segment]] = [[]]
    for text, weight in prompt:
        first, *others = _BREAK.split(text)
        parts[-1].append(Segment(first, weight))
        parts += [[Segment(each, weight)] for each in others]
    return [tuple(part) for part in parts]


def token_attention(prompt: Plain, spans: Sequence[Sequence[int]]) -> list[float]:
    """The attention of each token: that of its first character that is not a space.

    Args:
        prompt: Segments of the text.
        spans: Where each token starts and ends in the text; empty for marks of start, end and
            filling, which get 1.
    """
    text = "".join(segment.text for segment in prompt)
    weights = [segment.attention for segment in prompt for _ in segment.text]
    found = []
    for start, end in spans:
        inked = (i for i in range(start, end) if not text[i].isspace())
        place = next(inked, start)
        found.append(weights[place] if start < end else 1.0)
    return found
