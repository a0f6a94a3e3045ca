"""A parsed prompt as a run asks it: which text, mixed how, with what weight, at which step.

`sub_prompts` resolves a parsed `Ensemble` and a way of combining to the steps of one run: switches,
ranges and turns become weights by step. `generate.conditioning` encodes the result.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import InputError, PromptError, verbatim
from .parse import parse
from .terms import Active, Ensemble, Plain, Segment, number

CombineName = Literal[
    "mean",
    "sum",
    "latents",
    "lerp",
    "slerp",
    "alternate",
    "switch",
    "perp",
    "max",
    "superpose",
    "superpose-or",
]
"""The ways of combining prompts."""

COMBINE_HELP: dict[CombineName, str] = {
    "mean": "the prompts' predictions averaged at every step; they share the guidance",
    "sum": "the predictions added up: every prompt adds its own guidance (AND of A1111)",
    "latents": "a step is taken for each prompt alone, then the latents are averaged",
    "lerp": "the encoded texts averaged into one",
    "slerp": "the encoded texts averaged along the arc between them",
    "alternate": "the prompts take turns, a step each",
    "switch": "one prompt after the other, a stretch of the steps each",
    "perp": "the first prompt, and of the others what is perpendicular to it (Perp-Neg)",
    "max": "at each place the prompt that wants most",
    "superpose": "so that the picture becomes likelier under every prompt alike (SuperDiff AND)",
    "superpose-or": "one prompt or the other: whichever the picture comes to look like "
    "(SuperDiff OR)",
}
"""Each way in one line."""

REGIONAL = ("mean", "sum", "perp", "max", "superpose")
"""Ways in which a prompt may have an area of its own."""

ONE_SIDED = ("slerp", "alternate", "switch", "superpose-or")
"""Ways in which "away from" has no meaning."""

OF_DIRECTIONS = ("sum", "perp", "max", "superpose", "superpose-or")
"""Ways that are about what each prompt adds to the unconditional guess."""

Mix = tuple[tuple[Plain, float], ...]


@dataclass(frozen=True)
class SubPrompt:
    """What is asked of the network as one row, at the steps where it is active.

    Attributes:
        term: The number of its prompt in the ensemble, or of the first of a mixture.
        mix: The texts that are mixed into one and their shares, which add up to 1. One as a rule.
        weight: For every step; 0 where it is inactive.
    """

    term: int
    mix: Mix
    weight: tuple[float, ...]


parsed = functools.lru_cache(maxsize=256)(parse)
"""`parse`, remembered."""


def is_plain(ensemble: Ensemble) -> bool:
    """Whether it is one text at all steps at its usual weight: nothing is to be combined."""
    term = ensemble.terms[0]
    whole = (term.weight, term.start, term.end) == (1, 0, 1)
    return len(ensemble.terms) == 1 and whole and not term.changes


def text_of(plain: Ensemble) -> Plain:
    """The text of an ensemble that `is_plain`; an empty one is an empty text."""
    return plain.at(0, 1)[0].text or (Segment("", 1.0),)


def negative_text(prompt: str) -> Plain:
    """The text of a negative prompt, which is the same at all steps.

    Raises:
        PromptError: It cannot be read, or is several prompts or one that changes.
    """
    found = parsed(prompt)
    if not is_plain(found):
        weighs = any(term.weight != 1 for term in found.terms)
        colon = r" (type \: for a colon that is text)" if weighs else ""
        raise PromptError(
            f"`negative` {verbatim(repr(prompt)):.80} must be one text at its usual weight{colon}: "
            "AND, switches and ranges are for the prompt",
            field="negative",
        )
    return text_of(found)


@functools.lru_cache(maxsize=256)
def sub_prompts(ensemble: Ensemble, combine: CombineName, steps: int) -> tuple[SubPrompt, ...]:
    """The sub-prompts of an ensemble in a run of so many steps, in the order of its prompts.

    Raises:
        InputError: Unknown way of combining.
        PromptError: Weights that this way cannot use, or no prompt is active at any step.
    """
    if combine not in COMBINE_HELP:
        choices = ", ".join(COMBINE_HELP)
        raise InputError(f"`combine` {combine!r} is not known: choose one of {choices}")
    found: dict[tuple[int, Mix], list[float]] = {}
    credit = [0.0] * len(ensemble.terms)
    for step in range(steps):
        active: dict[int, Active] = {}
        for place, term in enumerate(ensemble.terms):
            now = term.at(step, steps)
            if now is not None:
                active[place] = now
        _check_weights(active, combine, step, steps)
        if combine == "alternate":
            active = _turn(active, credit)
        elif combine == "switch":
            active = _stretch(active, step, steps)
        if combine in ("lerp", "slerp") and active:
            key = min(active), _mixed(active.values())
            found.setdefault(key, [0.0] * steps)[step] = 1.0
        else:
            for place, now in active.items():
                key = place, ((now.text, 1.0),)
                found.setdefault(key, [0.0] * steps)[step] = now.weight
    if not found:
        weights = [number(term.weight) for term in ensemble.terms]
        silent = f": its weight is {weights[0]}" if weights == ["0"] else ""
        hint = rf"{silent}; type \: for a colon that is text" if "0" in weights else ""
        raise PromptError(f"no prompt is active at any of the {steps} steps{hint}")
    ordered = sorted(found, key=lambda key: key[0])
    return tuple(SubPrompt(*key, tuple(found[key])) for key in ordered)


def network_rows(asked: Sequence[SubPrompt], combine: CombineName) -> int:
    """Network rows of a whole run with guidance: one for each active sub-prompt and step, and the
    unconditional."""
    active = [sum(weight != 0 for weight in step) for step in _by_step(asked)]
    if combine == "latents":
        return 2 * len(asked) * len(active)  # each prompt is guided by itself, active or not
    return sum(active) + len(active)


def has_idle_step(asked: Sequence[SubPrompt]) -> bool:
    """Whether there is a step at which no prompt is active."""
    return any(not any(step) for step in _by_step(asked))


def side_by_side(asked: Sequence[SubPrompt], combine: CombineName) -> bool:
    """Whether there is a step at which several prompts guess the same picture."""
    return combine != "latents" and any(sum(w != 0 for w in step) > 1 for step in _by_step(asked))


def _by_step(asked: Sequence[SubPrompt]) -> list[tuple[float, ...]]:
    return list(zip(*(sub_prompt.weight for sub_prompt in asked), strict=True))


def _check_weights(active: dict[int, Active], combine: str, step: int, steps: int) -> None:
    if combine == "latents" and not active:
        raise PromptError(
            f"no prompt is active at step {step + 1} of {steps}: `combine` latents needs one"
        )
    if combine in ONE_SIDED and any(now.weight < 0 for now in active.values()):
        raise PromptError(f"`combine` {combine} takes no negative weights: choose sum or perp")
    total = sum(now.weight for now in active.values())
    if combine in ("mean", "latents", "lerp") and active and total < 1e-6:
        raise PromptError(
            f"the weights add up to {total:.4g} at step {step + 1} of {steps}: `combine` {combine} "
            "shares one guidance out and needs a sum above 0; choose sum or perp"
        )


def _turn(active: dict[int, Active], credit: list[float]) -> dict[int, Active]:
    """The one whose turn it is: each earns its share of a step, and a turn costs one step."""
    total = sum(now.weight for now in active.values())
    for place, now in active.items():
        credit[place] += now.weight / total
    # A hair of floating point must not decide whose turn it is.
    chosen = max(active, key=lambda place: round(credit[place], 6), default=None)
    if chosen is None:
        return {}
    credit[chosen] -= 1
    return {chosen: active[chosen]._replace(weight=1.0)}


def _stretch(active: dict[int, Active], step: int, steps: int) -> dict[int, Active]:
    """The one in whose stretch a step is; stretches are as long as the weights say."""
    ends = list(itertools.accumulate(now.weight for now in active.values()))
    for place, end in zip(active, ends, strict=True):
        if (step + 0.5) / steps * ends[-1] < end:
            return {place: active[place]._replace(weight=1.0)}
    return {}


def _mixed(active: Iterable[Active]) -> Mix:
    shares: dict[Plain, float] = {}
    for now in active:
        shares[now.text] = shares.get(now.text, 0.0) + now.weight
    total = sum(shares.values())
    return tuple((text, share / total) for text, share in shares.items())
