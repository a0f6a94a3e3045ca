"""Textual inversion embeddings (Gal et al. 2022, arXiv 2208.01618): vectors that a text encoder
reads in the place of a word's own.

A file holds some vectors: ``emb_params`` or any other name for one text encoder, ``clip_l`` and
``clip_g`` for the two of SDXL. It is named by its file's name: as a bare word of a prompt, as in
A1111's web UI, or as ``embedding:name``, as in ComfyUI.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ModelError, PromptError, verbatim
from .chunks import Finder, Vectors
from .fingerprint import FileFingerprint, Source
from .header import read_header
from .library import EMBEDDINGS, PICKLES, Library, why_not_found
from .recognise import recognise
from .tensors import read_tensors

_EXPLICIT = re.compile(r"\bembedding:\s*(?P<name>[^\s,;:()\[\]{}|<>]+)", re.IGNORECASE)
_PAIR = ("clip_l", "clip_g")  # of SDXL, in the order of its text encoders


class Embedding(NamedTuple):
    """A file's vectors, ``(N, D)`` for each text encoder."""

    path: Path
    vectors: tuple[Tensor, ...]


class Misfit(NamedTuple):
    """A file that is an embedding for other text encoders, or damaged; and why, for "it is ..."."""

    path: Path
    why: str


class NamedEmbedding(NamedTuple):
    """Where a text names an embedding, and which."""

    start: int
    end: int
    name: str
    embedding: Embedding


class Embeddings:
    """The embeddings that the prompts of a model may name.

    A file is looked for where its name stands in a prompt, and read once.
    """

    def __init__(
        self,
        widths: Sequence[int],
        library: Library | None,
        named: Mapping[str, Path] | None = None,
    ) -> None:
        """Of text encoders that read vectors of some widths.

        Args:
            library: Where names are looked for.
            named: Files by name that count before those of the library.
        """
        self._widths, self._library = tuple(widths), library
        self._named = {name.lower(): [path] for name, path in (named or {}).items()}
        self._files: dict[str, list[Path]] | None = None
        self._read: dict[Path, Embedding | Misfit | None] = {}
        self._sources: dict[Path, FileFingerprint] = {}

    def finder(self, encoder: int) -> Finder:
        """What finds the vectors for a text encoder, by its number, in a text."""

        def found(text: str) -> list[Vectors]:
            return [
                Vectors(place.start, place.end, place.embedding.vectors[encoder])
                for place in self.places(text)
            ]

        return found

    def places(self, text: str) -> list[NamedEmbedding]:
        """Where a text names embeddings, from first to last.

        Raises:
            PromptError: It names one as ``embedding:name`` that is not there, or does not fit.
        """
        found = [self._explicit(token) for token in _EXPLICIT.finditer(text)]
        words, pattern = self._words(text)
        for token in pattern.finditer(text) if pattern else ():
            if not any(each.start < token.end() and token.start() < each.end for each in found):
                embedding = words[token[0].lower()]
                found.append(NamedEmbedding(token.start(), token.end(), token[0], embedding))
        return sorted(found)

    def sources(self, texts: Iterable[str]) -> list[Source]:
        """The files that texts name, each once. Raises `PromptError` as `places`."""
        found = {}
        for place in [place for text in texts for place in self.places(text)]:
            path = place.embedding.path
            found[path] = Source("embedding", place.name, self._sources[path])
        return list(found.values())

    def notes(self, texts: Sequence[str]) -> list[str]:
        """What a user should know: which words are embeddings, and which stay words although there
        is an embedding of their name.

        Raises:
            PromptError: As `places`.
        """
        places = [place for text in texts for place in self.places(text)]
        used = {place.embedding.path: place.name for place in reversed(places)}
        said = [
            f"{verbatim(repr(used[path]))} is the embedding {verbatim(path)}"
            for path in dict.fromkeys(place.embedding.path for place in places)
        ]
        together = "\n".join(texts)
        for name in self._candidates(together.lower()):
            looked = [self._look(path) for path in self._paths(name)]
            misfits = [each for each in looked if isinstance(each, Misfit)]
            fits = any(isinstance(each, Embedding) for each in looked)
            typed = _pattern([name]).search(together) if misfits and not fits else None
            if typed is not None:
                path, why = misfits[0]
                said.append(f"{verbatim(repr(typed[0]))} stays a word: {verbatim(path)} {why}")
        return said

    def check_unchanged(self) -> None:
        """Raises `ModelError` where a file that was read is not what it was."""
        for each in self._sources.values():
            each.check()

    def _explicit(self, token: re.Match[str]) -> NamedEmbedding:
        """The embedding that ``embedding:name`` names; its name may end a sentence."""
        typed = token["name"]
        for name in (typed, typed.rstrip(".!?'\"")):
            plain = name.lower().replace("\\", "/")
            for suffix in (".safetensors", *PICKLES):
                plain = plain.removesuffix(suffix)
            looked = [self._look(path) for path in self._paths(plain)]
            for each in looked:
                if isinstance(each, Embedding):
                    end = token.start("name") + len(name)
                    return NamedEmbedding(token.start(), end, name, each)
            for each in looked:
                if isinstance(each, Misfit):
                    raise PromptError(f"the embedding {verbatim(each.path)} {each.why}")
        reason = why_not_found(typed, EMBEDDINGS, self._library)
        raise PromptError(f"there is no embedding {reason}")

    def _words(self, text: str) -> tuple[dict[str, Embedding], re.Pattern[str] | None]:
        """The embeddings whose names stand in a text as words, and what finds them there."""
        words = {}
        for name in self._candidates(text.lower()):
            looked = [self._look(path) for path in self._paths(name)]
            if fitting := [each for each in looked if isinstance(each, Embedding)]:
                words[name] = fitting[0]
        return words, _pattern(words) if words else None

    def _candidates(self, lowered: str) -> list[str]:
        return [name for name in {**self._named, **self._stems()} if name in lowered]

    def _stems(self) -> dict[str, list[Path]]:
        """The files of the library by their names, without suffix and in small letters."""
        if self._files is None:
            self._files = {}
            for path in [] if self._library is None else self._library.files():
                self._files.setdefault(path.stem.lower(), []).append(path)
        return self._files

    def _paths(self, name: str) -> list[Path]:
        """The files of a name in small letters, which may have a folder before it."""
        found = self._named.get(name) or self._stems().get(name.rpartition("/")[2], [])
        at = f"/{name}"
        return [
            path
            for path in found
            if "/" not in name or path.with_suffix("").as_posix().lower().endswith(at)
        ]

    def _look(self, path: Path) -> Embedding | Misfit | None:
        """What a file is to these text encoders; ``None`` where it is no embedding."""
        if path not in self._read:
            self._read[path] = self._opened(path)
        return self._read[path]

    def _opened(self, path: Path) -> Embedding | Misfit | None:
        try:
            fingerprint = FileFingerprint(path)
            header = read_header(path)
        except ModelError as error:
            return Misfit(path, error.message.removeprefix(f"{verbatim(path)} "))
        contents = recognise(header)
        if contents.kind != "embedding":
            return None
        tensors = read_tensors(header, "", torch.float32)
        if len(self._widths) == 2:
            chosen = [tensors[name] for name in _PAIR if name in tensors]
        else:
            chosen = [tensors["emb_params"]] if "emb_params" in tensors else list(tensors.values())
        vectors = tuple(each.reshape(-1, each.shape[-1]) for each in chosen)
        widths = tuple(each.shape[-1] for each in vectors)
        if widths != self._widths:
            whole = sorted(each.shape[-1] for each in tensors.values())
            return Misfit(
                path,
                f"is {contents.what} with vectors of {_listed(whole)} numbers, where the model "
                f"takes {_listed(self._widths)}",
            )
        self._sources[path] = fingerprint
        return Embedding(path, vectors)


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Any of some names, the longest first, as a whole word."""
    listed = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?<!\w[-.])(?:{listed})(?![-.]?\w)", re.IGNORECASE)


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(f"{number:,}" for number in numbers)
