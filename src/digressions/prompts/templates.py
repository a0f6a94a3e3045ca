"""Several prompts as one: given side by side, or filled into a template in every order."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence

from ..errors import PromptError
from .parse import MOST, parse
from .terms import Ensemble, Term


def combine_prompts(
    prompts: Sequence[str],
    weights: Sequence[float] | None = None,
    ranges: Sequence[tuple[float, float]] | None = None,
) -> Ensemble:
    """Several prompts, each parsed by itself, as one ensemble.

    Args:
        prompts: At least one.
        weights: One a prompt, finite; multiplies the weights in the prompt.
        ranges: One a prompt, fractions of the steps, ``0 <= start < end <= 1``; a range in the
            prompt keeps what the two have in common.

    Raises:
        PromptError: A prompt, weight or range cannot be used, or their numbers differ.
    """
    if not prompts:
        raise PromptError("there is no prompt")
    for name, values in (("weights", weights), ("ranges", ranges)):
        if values is not None and len(values) != len(prompts):
            raise PromptError(f"prompts: {len(prompts)}, {name}: {len(values)}; give one for each")
    weights = [1.0] * len(prompts) if weights is None else weights
    ranges = [(0.0, 1.0)] * len(prompts) if ranges is None else ranges
    terms: list[Term] = []
    for i, (prompt, weight, span) in enumerate(zip(prompts, weights, ranges, strict=True), 1):
        try:
            found = parse(prompt).terms
            if len(prompts) > 1 and not all(term.pieces for term in found):
                raise PromptError("it is empty")
            terms += [_within(term, weight, *span) for term in found]
        except PromptError as error:
            # A shell command shows no prompt numbers, so the error says which one it is about.
            message = f"prompt {i}: {error.reason}"
            raise PromptError(message, error.position, error.text) from None
    return Ensemble(tuple(terms))


def require_several(ensemble: Ensemble) -> Ensemble:
    """The ensemble itself.

    Raises:
        PromptError: It is one prompt that stays the same at all steps.
    """
    if len(ensemble.terms) == 1 and not ensemble.terms[0].changes:
        raise PromptError("this needs several prompts and there is one; give another, or use AND")
    return ensemble


def both_ways(template: str, concepts: Sequence[str]) -> tuple[str, ...]:
    """A prompt for every ordered pair of concepts, so that none of them leads.

    ``"a {A} that looks like a {B}"`` with a giraffe and a frog gives "a giraffe that looks like a
    frog" and "a frog that looks like a giraffe". N concepts give N (N - 1) prompts. Concepts go
    in as they are, special syntax included.

    Raises:
        PromptError: ``{A}`` or ``{B}`` is missing, or there are not two or more concepts, none
            empty and no two the same.
    """
    for place in ("{A}", "{B}"):
        if place not in template:
            raise PromptError(f"the template has no {place}")
    names = [concept.strip() for concept in concepts]
    if not all(names):
        raise PromptError("a concept is empty")
    if len(names) < 2:
        raise PromptError(f"both ways needs two or more concepts, not {len(names)}")
    if len(set(names)) < len(names):
        raise PromptError("two concepts are the same")

    def filled(a: str, b: str) -> str:
        return re.sub(r"\{[AB]\}", lambda place: a if place[0] == "{A}" else b, template)

    return tuple(filled(a, b) for a, b in itertools.permutations(names, 2))


def _within(term: Term, weight: float, start: float, end: float) -> Term:
    """A term with its weight times another, in the part of its range that is in another."""
    if not abs(weight * term.weight) <= MOST:  # so written that NaN fails too
        raise PromptError(f"{weight:g} cannot be its weight: -{MOST:g} to {MOST:g}")
    if not 0 <= start < end <= 1:
        raise PromptError(f"{start}-{end} is not a range of the steps such as 0.2-0.8")
    start, end = max(start, term.start), min(end, term.end)
    if start >= end:
        raise PromptError("its two ranges of the steps have nothing in common")
    return dataclasses.replace(term, weight=weight * term.weight, start=start, end=end)
