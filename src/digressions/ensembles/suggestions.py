"""Use case: which things a thing goes well with in one picture."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from ..errors import InputError, verbatim
from ..events import Estimate, Event, Note, Progress, SoFar, completed, counted
from ..generate.kinds import check_model
from ..generate.signatures import takes
from ..models.base import Model
from ..prompts.vocabulary import listed
from .ensemble_spec import SuggestSpec
from .outlines import likeness, mean_pictures, outlines, rows_for

_KINDS = "photo|photograph|picture|image|painting|drawing|sketch|cartoon|icon|illustration|render"
_STYLE = re.compile(rf"((?:.*\b)?(?:{_KINDS}) of (?:an? |the )?)(.+)", re.IGNORECASE | re.DOTALL)
_ARTICLE = re.compile(r"\A(?:an?|the) ", re.IGNORECASE)
_PLAIN = "photo of a "


class Suggestion(NamedTuple):
    """A thing that another may be painted with.

    Attributes:
        thing: As it is called.
        prompt: That asks for it, in the other's style.
        likeness: Of their outlines, 0..1.
    """

    thing: str
    prompt: str
    likeness: float


@takes(SuggestSpec)
def suggest(model: Model, thing: str, **parameters: Any) -> list[Suggestion]:
    """Things with outlines like that of ``thing``, which go well with it: the most alike first,
    each with ``thing``, ``prompt`` and ``likeness``, 0..1.

    Args:
        parameters: Those of `SuggestSpec`: ``among``, things to choose from, and ``n``, how many.
    """
    check_model(model)
    return completed(ranked(model, SuggestSpec.of(thing=thing, **parameters)))


def suggest_things(model: Model, spec: SuggestSpec) -> Iterator[Event]:
    """Says which things are most like one in their outlines, as the model sees them.

    Raises:
        InputError: Nothing to choose from, or an inpainting model.
        PromptError: A prompt is too long.
    """
    prompts = _prompts(model, spec)
    if model.vocabulary is not None and (unknown := model.vocabulary.unknown(*prompts)):
        words = verbatim(listed(unknown))
        yield Note(
            f"{model.shown} was not taught {words}: it sees what it makes of the rest",
            "note",
        )
    rows = rows_for(len(prompts))
    yield Estimate(
        f"{counted(len(prompts) - 1, 'thing')} to look at; the network is asked "
        f"{counted(rows, 'time')}"
    )
    found = yield from ranked(model, spec)
    for each in found:
        yield Note(_told(each))
    pair = " and ".join(f'"{verbatim(text)}"' for text in (next(iter(prompts)), found[0].prompt))
    yield Note(f"for the best of eight of the first: {pair}, with `n` 8 and `best` 1")


def ranked(model: Model, spec: SuggestSpec) -> Generator[Progress | SoFar, None, list[Suggestion]]:
    """The suggestions themselves, the most alike first. Raises as `suggest_things`.

    Yields:
        The best of those that were looked at, again and again.
    """
    prompts = _prompts(model, spec)
    things, found, first = list(prompts.items())[1:], list[Suggestion](), None
    with closing(mean_pictures(model, list(prompts))) as looking:
        for pictures in looking:
            seen = outlines(pictures)
            if first is None:
                first, seen = seen[0], seen[1:]
            now = things[len(found) : len(found) + len(seen)]
            found += [
                Suggestion(thing, prompt, alike)
                for (prompt, thing), alike in zip(now, likeness(first, seen).tolist(), strict=True)
            ]
            yield Progress("looking", len(found) + 1, len(prompts))
            yield SoFar(tuple(_told(each) for each in _best(found, spec)))
    return _best(found, spec)


def _best(found: Sequence[Suggestion], spec: SuggestSpec) -> list[Suggestion]:
    return sorted(found, key=lambda each: -each.likeness)[: spec.n]


def _told(found: Suggestion) -> str:
    return f"{found.likeness:.0%} {verbatim(found.thing)}"


def _prompts(model: Model, spec: SuggestSpec) -> dict[str, str]:
    """What is asked of each thing, the first that of the thing itself, and what it is called."""
    things = spec.among or (() if model.vocabulary is None else model.vocabulary.things)
    if not things:
        raise InputError(
            f"{model.shown} does not say what it was taught: name things to choose from",
            field="among",
        )
    style, thing = _parts(spec.thing)
    found = {style + thing: thing}
    for each in things:
        own, name = _parts(each)
        found.setdefault((own if own != _PLAIN else style) + name, name)
    if len(found) == 1:
        raise InputError("`among` names nothing but the thing itself", field="among")
    return found


def _parts(text: str) -> tuple[str, str]:
    """How a prompt begins, and the thing in it."""
    match = _STYLE.fullmatch(text.strip())
    return (match[1], match[2]) if match else (_PLAIN, _ARTICLE.sub("", text.strip()))
