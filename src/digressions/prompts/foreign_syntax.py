"""Prompts as other programs read them, written in ours.

A typed prompt is read strictly (`parse`); a prompt out of another program's file means what it
meant there, however its brackets stand.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..errors import PromptError
from .parse import MOST, MOST_STRENGTH, parse
from .terms import ROUND, Ensemble, LoraTag, Piece, Pieces, Term, Weighted

_NETWORK = re.compile(
    r"\s*<(?P<kind>lora|lyco|hypernet):(?P<name>[^<>:]+)(?::(?P<rest>[^<>]*))?>", re.IGNORECASE
)
_LORAS = ("lora", "lyco")
_MARK = re.compile(
    r"\\(?P<escaped>[\\()\[\]{}])|:\s*(?P<weight>[-+]?[.\d]+)\s*\)|(?P<mark>[()\[\]])"
)
_NOVELAI_MARK = re.compile(
    r"(?<![\w.])(?P<weight>-?(?:\d+\.?\d*|\.\d+))::|(?P<mark>[{}\[\]]|::)", re.ASCII
)
_INVOKEAI_MARK = re.compile(
    r"\\(?P<escaped>[\\()])|(?P<open>\()|\)(?P<factor>\++|-+(?![.\d])|-?(?:\d+\.?\d*|\.\d+))?"
    r"|(?<=[\s()])(?P<word>[^\s()\\]*[^\s()\\+-])(?P<signs>\++|-+)(?=[\s,.;:!?)]|$)",
    re.ASCII,
)
_FUNCTION = re.compile(r"\)\.(?:and|blend|swap)\(")
_CURLY = re.compile(r"\\?([{}])")
_TERM_WEIGHT = re.compile(r":\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*$", re.ASCII)


CURLY = 1.05
"""What ``{word}`` multiplies attention with; ``[word]`` divides by it (NovelAI)."""
PLUS, MINUS = 1.1, 0.9
"""What each sign of ``word+`` and ``word-`` multiplies attention with (InvokeAI)."""


class ForeignPrompt(NamedTuple):
    """A prompt of another program.

    Attributes:
        text: In our language.
        loras: That it names, which are no words.
        left_out: What else it names that is no word, such as hypernetworks.
        rewritten: Whether our language had to say it another way.
    """

    text: str
    loras: tuple[LoraTag, ...] = ()
    left_out: tuple[str, ...] = ()
    rewritten: bool = False


def from_a1111(text: str) -> ForeignPrompt:
    """A prompt of A1111's web UI and what follows it (Forge, SD.Next, ...).

    Where our grammar refuses it, it is read as there: a bracket that is never closed counts to the
    end, one that closes nothing is text, and where brackets do not match there are no switches.
    """
    text, loras, left_out = _without_networks(text)
    text = _CURLY.sub(r"\\\1", text)  # their choices were drawn before the file was written
    try:
        return ForeignPrompt(str(parse(text)) and text, loras, left_out)
    except PromptError:
        terms = tuple(map(_a1111_term, re.split(r"\bAND\b", text)))
    kept = tuple(term for term in terms if term.pieces) or (Term(()),)
    return ForeignPrompt(str(Ensemble(kept)), loras, left_out, rewritten=True)


def from_comfyui(text: str) -> ForeignPrompt:
    """A prompt of ComfyUI and of what builds on it: round brackets and their numbers, no more."""
    return _read(text, lambda own: _attention(own, squares=False) if _is_balanced(own) else None)


def from_novelai(text: str) -> ForeignPrompt:
    """A prompt of NovelAI: ``{word}``, ``[word]`` and ``1.5::word::``; round brackets are text.

    As in https://docs.novelai.net/en/image/strengthening-weakening/. A bracket that is never closed
    counts to the end, and one that closes nothing is text.
    """
    return _read(text, _novelai_attention)


def from_invokeai(text: str) -> ForeignPrompt:
    """A prompt of InvokeAI: ``word+``, ``word--``, ``(two words)++`` and ``(two words)1.3``.

    As in https://github.com/damian0815/compel/blob/main/doc/syntax.md. Brackets without a number or
    a sign after them weigh nothing. A prompt with one of its functions, such as ``.blend()``, or
    with brackets that do not match is read as text.
    """
    return _read(text, _invokeai_attention)


def from_plain(text: str) -> ForeignPrompt:
    """A prompt in which nothing is syntax that we know."""
    return _read(text, lambda own: None)


_Segments = list[tuple[str, float]]
Reader = Callable[[str], ForeignPrompt]
"""How a program's prompts are read."""


def _read(text: str, weighed: Callable[[str], _Segments | None]) -> ForeignPrompt:
    """A prompt of one term.

    Args:
        weighed: Its stretches and the attention that each gets; ``None`` where all is text.
    """
    own, loras, left_out = _without_networks(text)
    segments = weighed(own)
    term = Term(_pieces([(own, 1.0)] if segments is None else segments))
    ours = str(Ensemble((term,)))
    return ForeignPrompt(ours, loras, left_out, rewritten=ours.split() != own.split())


def _without_networks(text: str) -> tuple[str, tuple[LoraTag, ...], tuple[str, ...]]:
    found = [match for match in _NETWORK.finditer(text) if match["name"].strip()]
    if not found:
        return text, (), ()
    kinds = [match["kind"].lower() for match in found]
    pairs = list(zip(kinds, found, strict=True))
    loras = tuple(lora_named(each["name"], each["rest"]) for kind, each in pairs if kind in _LORAS)
    others = tuple(f"{kind} {each['name'].strip()}" for kind, each in pairs if kind not in _LORAS)
    return _NETWORK.sub("", text).strip(), loras, others


def loras_in(text: str) -> tuple[LoraTag, ...]:
    """The LoRAs that a prompt of another program names."""
    return _without_networks(text)[1]


def lora_named(name: str, strength: object = None) -> LoraTag:
    """A LoRA as another program names it, by our name of its file.

    Args:
        strength: A number; or, as in A1111's prompts, several with colons between them, of which
            the second, where there is one, is that of the network that denoises.
    """
    plain = name.strip().replace("\\", "/").removesuffix(".safetensors")
    parts = [part.strip() for part in str(1 if strength is None else strength).split(":")]
    numbers = [each for part in parts if (each := _number(part)) is not None]
    named = [_number(part.removeprefix("unet=")) for part in parts if part.startswith("unet=")]
    much = named[0] if named and named[0] is not None else [1.0, *numbers[:2]][-1]
    return LoraTag(re.sub("[<>:]", "", plain), max(-MOST_STRENGTH, min(much, MOST_STRENGTH)))


def with_loras(text: str, loras: Sequence[LoraTag]) -> str:
    """A prompt of ours that names LoRAs, in each of its prompts."""
    if not loras:
        return text
    tags = tuple(dict.fromkeys(loras))
    ensemble = parse(text)
    if len(ensemble.terms) == 1:
        return " ".join([text, *map(str, tags)]).strip()
    terms = [dataclasses.replace(term, loras=tags) for term in ensemble.terms]
    return str(Ensemble(tuple(terms)))


def embeddings_named(prompt: str) -> list[str]:
    """The embeddings that a prompt names as ComfyUI does."""
    found = re.findall(r"\bembedding\\?:\s*([^\s,;:()\[\]{}|<>]+)", prompt, re.IGNORECASE)
    return [re.sub(r"\.(safetensors|pt|bin)$", "", name.rstrip(".")) for name in found]


def _a1111_term(text: str) -> Term:
    weight = 1.0
    if (found := _TERM_WEIGHT.search(text)) is not None:
        weight, text = float(found[1]), text[: found.start()]
    return Term(_pieces(_attention(text, squares=True)), max(-MOST, min(weight, MOST)))


class _Stretches:
    """Stretches of a text and the attention that each gets; brackets need not match."""

    def __init__(self) -> None:
        self.found: _Segments = []
        self._opened: dict[str, list[tuple[int, float]]] = {}

    def marks(self, text: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """The marks in a text; what stands between them is added."""
        end = 0
        for mark in pattern.finditer(text):
            self.add(text[end : mark.start()])
            end = mark.end()
            yield mark
        self.add(text[end:])

    def add(self, text: str) -> None:
        self.found.append((text, 1.0))

    def open(self, mark: str, factor: float) -> None:
        self._opened.setdefault(mark, []).append((len(self.found), factor))

    def close(self, mark: str, factor: float | None = None) -> bool:
        """Ends what was opened last by this mark; whether there was any."""
        if not self._opened.get(mark):
            return False
        start, usual = self._opened[mark].pop()
        self._times(start, usual if factor is None else factor)
        return True

    def finished(self) -> _Segments:
        """All of them; what was never closed counts to the end."""
        for each in self._opened.values():
            for start, factor in each:
                self._times(start, factor)
        return self.found

    def _times(self, start: int, factor: float) -> None:
        self.found[start:] = [(text, attention * factor) for text, attention in self.found[start:]]


def _attention(text: str, *, squares: bool) -> _Segments:
    """Stretches of a text as the web UI weighs them.

    Args:
        squares: Whether square brackets count, too.
    """
    stretches = _Stretches()
    for token in stretches.marks(text, _MARK):
        mark, weight = token["mark"], token["weight"]
        factor = None if weight is None else _number(weight)
        if mark == "(" or (mark == "[" and squares):
            stretches.open(mark, ROUND if mark == "(" else 1 / ROUND)
        elif factor is not None and stretches.close("(", factor):
            continue
        elif mark not in (")", "]") or not stretches.close("(" if mark == ")" else "["):
            stretches.add(token["escaped"] or token[0])
    return stretches.finished()


def _novelai_attention(text: str) -> _Segments:
    """Stretches of a text as NovelAI weighs them."""
    stretches = _Stretches()
    for token in stretches.marks(text, _NOVELAI_MARK):
        mark = token["mark"]
        if token["weight"] is not None:
            stretches.close("::")  # the next number takes the place of the one before
            stretches.open("::", float(token["weight"]))
        elif mark in ("{", "["):
            stretches.open(mark, CURLY if mark == "{" else 1 / CURLY)
        elif not stretches.close({"}": "{", "]": "["}.get(mark, "::")):
            stretches.add(token[0])
    return stretches.finished()


def _invokeai_attention(text: str) -> _Segments | None:
    """Stretches of a text as InvokeAI weighs them, where we know how."""
    if _FUNCTION.search(text) or not _is_balanced(text):
        return None
    text = f" {text}"  # so that a space or a bracket comes before each word
    stretches = _Stretches()
    for token in stretches.marks(text, _INVOKEAI_MARK):
        if token["escaped"]:
            stretches.add(token["escaped"])
        elif token["open"]:
            stretches.open("(", 1.0)
        elif token["word"]:
            stretches.open("+", _signs(token["signs"]))
            stretches.add(token["word"])
            stretches.close("+")
        else:
            factor = token["factor"] or ""
            stretches.close("(", _signs(factor) if factor.strip("+-") == "" else float(factor))
    return stretches.finished()


def _signs(signs: str) -> float:
    return float((MINUS if signs.startswith("-") else PLUS) ** len(signs))


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


def _pieces(segments: _Segments) -> Pieces:
    """Segments as the pieces of a term: neighbours of one attention joined, the ends stripped."""
    joined: _Segments = []
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
