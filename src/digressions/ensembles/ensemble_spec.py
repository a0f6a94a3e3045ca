"""`EnsembleSpec`: pictures of several prompts; `SuggestSpec`: which. Needs no torch."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from ..errors import PromptError
from ..generate.declare import Params, declared, option
from ..generate.kinds import Named
from ..generate.params import (
    LARGE,
    Enlargement,
    EnlargeParams,
    GenerationParams,
    StartParams,
)
from ..generate.presets import PresetName, PresetParams, preset_option
from ..prompts.choices import has_choices
from ..prompts.parse import parse
from ..prompts.slips import check_no_file, check_quoted, check_said
from ..prompts.templates import both_ways, combine_prompts, require_several
from ..prompts.terms import Ensemble
from ..prompts.wildcards import with_lists
from .comparison import concepts_in


class EnsembleEnlargeParams(EnlargeParams):
    """How pictures of several prompts are enlarged. Those of a table are to be compared as painted,
    unless somebody asks."""

    enlarge: Enlargement | None = declared(
        EnlargeParams,
        "enlarge",
        default_from=f"to {LARGE} px or more, for a model of fewer, without `size` or `mask`; "
        "1 for `compare` and `sweep`",
    )


class EnsembleSpec(PresetParams):
    """Which pictures of several prompts to make. ``params.prompt`` holds all
    prompts in the prompt language; `of` puts it together."""

    params: GenerationParams
    start: StartParams
    larger: EnsembleEnlargeParams
    prompts: list[str] = option([], "Two or more prompts, or concepts for both ways.")
    weights: list[float] | None = option(
        None,
        "One for each prompt, such as 1,0.7; negative means 'away from'.",
        default_from="1 each",
        form="numbers",
    )
    both_ways: Named | None = option(
        None,
        "A template such as 'photo of a {A} that looks like a {B}', filled with the concepts in "
        "every order.",
    )
    n: int = option(1, "How many, with seeds one after the other.", group="Output", ge=1, le=9999)
    best: int | None = option(
        None,
        "Keep only so many of the pictures, those with the best balance.",
        group="Output",
        ge=1,
    )
    balance: bool = option(False, "Say how much of each prompt is in each picture.", group="Output")
    judge: list[Named] | None = option(
        None, "What the balance looks for.", group="Output", default_from="the prompts"
    )
    map: bool = option(
        False, "Also show where in the picture the prompts disagree.", group="Output"
    )
    compare: bool = option(
        False, "A sheet of every way of combining, and of each prompt alone.", group="Output"
    )
    sweep: int | None = option(
        None, "From the first prompt to the second in so many pictures.", group="Output", ge=2
    )
    preset: PresetName | None = preset_option()

    @classmethod
    def of(cls, **flat: Any) -> Self:
        """As `Params.of`; ``prompts``, ``weights`` and ``both_ways`` become the prompt.

        Raises:
            PromptError: They are not several prompts.
        """
        prompts, template = list(flat.get("prompts") or []), flat.get("both_ways")
        check_quoted(prompts)
        for each in prompts:
            check_said(each, "prompts")
            check_no_file(each, "prompts")
        listed = [with_lists(each, "prompts") for each in prompts]
        texts = listed if template is None else both_ways(with_lists(template), listed)
        found = require_several(combine_prompts(texts, flat.get("weights")))
        return super().of(**flat | {"prompts": prompts, "prompt": str(found)})

    @property
    def ensemble(self) -> Ensemble:
        """The prompts, parsed."""
        return parse(self.params.prompt)

    @property
    def judged(self) -> list[str]:
        """What to look for in the pictures; nothing where none are judged."""
        if not (self.balance or self.best is not None or self.judge is not None):
            return []
        concepts = [] if self.both_ways is None else concepts_in(self.both_ways, self.prompts)
        return self.judge or concepts or _towards(self.ensemble)


class SuggestSpec(Params):
    """Which things a thing would go well with."""

    thing: Named = option(
        ..., "Paint nothing: say which things are most like this one in their outlines."
    )
    among: list[Named] = option(
        [], "Things to choose from.", default_from="all that the model says it was taught"
    )
    n: int = option(12, "How many to name.", group="Output", ge=1, le=9999)


def _towards(ensemble: Ensemble) -> list[str]:
    """The texts that an ensemble goes towards, without syntax."""
    terms = tuple(term for term in ensemble.terms if term.weight > 0)
    if not terms:
        raise PromptError("no prompt has a weight above 0: say what to look for with `judge`")
    towards = dataclasses.replace(ensemble, terms=terms)
    if has_choices(towards):
        raise PromptError("pictures draw different prompts: say what to look for with `judge`")
    return ["".join(part.text for part in text) for text in towards.texts(1000)]
