"""What to set beside an ensemble: its prompts alone, every way of combining, a sweep of weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import InputError, PromptError
from ..prompts.choices import variants
from ..prompts.scheduling import COMBINE_HELP, REGIONAL, CombineName, sub_prompts
from ..prompts.terms import Ensemble, Term

ARTICLES = ("a", "an", "the", "one", "some")


class Column(NamedTuple):
    """One way to paint, the same for every seed.

    Attributes:
        label: What it is called on a sheet.
        prompt: In the prompt language.
        combine: A way of combining.
        whole: Whether the ensemble's prompts are all in it, so that regions go to them.
    """

    label: str
    prompt: str
    combine: CombineName
    whole: bool


def compared(ensemble: Ensemble, steps: int, regions: bool = False) -> list[Column]:
    """Each prompt alone, a mixture of them as one prompt, and the ways that can combine them.

    Args:
        steps: Of a run; some weights fit only some ways.
        regions: Whether the prompts have areas, which only some ways know.
    """
    wanted = [term for term in ensemble.terms if term.weight > 0]
    alone = [_alone(term) for term in wanted]
    columns = [Column(text, text, "mean", False) for text in dict.fromkeys(alone)]
    if len(columns) > 1:
        text = mixture(alone)
        columns.append(Column(f"one prompt: {text}", text, "mean", False))
    ways = [way for way in COMBINE_HELP if not regions or way in REGIONAL]
    for way in ways:
        try:
            sub_prompts(variants(ensemble)[0], way, steps)
        except PromptError:  # weights that this way has no use for
            continue
        columns.append(Column(way, str(ensemble), way, True))
    return columns


def swept(ensemble: Ensemble, combine: CombineName, count: int) -> list[Column]:
    """From the first prompt to the second: the weights 1, 0 to 0, 1 in equal steps.

    Raises:
        InputError: Fewer than two steps, or not two prompts.
    """
    if count < 2:
        raise InputError(f"`sweep` {count} must be at least 2")
    if len(ensemble.terms) != 2:
        raise InputError(f"`sweep` goes from one prompt to another, and here are {_many(ensemble)}")
    columns = []
    for step in range(count):
        share = round(step / (count - 1), 6)
        terms = (
            dataclasses.replace(term, weight=weight)
            for term, weight in zip(ensemble.terms, (1 - share, share), strict=True)
        )
        columns.append(Column(f"{share:.2f}", str(Ensemble(tuple(terms))), combine, True))
    return columns


def mixture(prompts: Sequence[str]) -> str:
    """One prompt for a mixture of several; the words that they all begin with are said once.

    "photo of a giraffe" and "photo of a frog" become "photo of a mixture of a giraffe and a frog".
    """
    words = [prompt.split() for prompt in prompts]
    same = 0
    while all(len(w) > same + 1 and w[same] == words[0][same] for w in words):
        same += 1
    if same and words[0][same - 1].lower() in ARTICLES:
        same -= 1
    parts = [" ".join(w[same:]) for w in words]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return " ".join([*words[0][:same], "a mixture of", listed])


def concepts_in(template: str, concepts: Sequence[str]) -> list[str]:
    """What to look for in a picture painted `both_ways`: the concepts, as the template has them.

    "photo of a {A} that looks like a {B}" with a giraffe and a frog is looked through for "photo
    of a giraffe" and "photo of a frog".
    """
    before = template[: template.index("{A}")]
    return [f"{before}{concept.strip()}" for concept in concepts]


def _alone(term: Term) -> str:
    return str(dataclasses.replace(term, weight=1.0, start=0.0, end=1.0))


def _many(ensemble: Ensemble) -> str:
    return "one" if len(ensemble.terms) == 1 else str(len(ensemble.terms))
