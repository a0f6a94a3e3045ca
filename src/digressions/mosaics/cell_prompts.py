"""Several prompts over the cells of a mosaic, each with its share of them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence

from ..errors import PromptError, verbatim
from ..prompts.choices import weighted
from ..prompts.parse import parse
from ..prompts.terms import Ensemble


def mixed_prompts(prompts: Sequence[str]) -> dict[str, float]:
    """Several prompts of cells and their shares; none for one alone.

    A share is the weight of a prompt, ``a cat :3``, which means nothing else there; prompts that
    are joined by AND have a share of 1.

    Raises:
        PromptError: A share is not above 0.
    """
    mix: dict[str, float] = {}
    for text in prompts if len(prompts) > 1 else ():
        ensemble, share = parse(text), 1.0
        if len(ensemble.terms) == 1 and ensemble.terms[0].weight != 1:
            (term,) = ensemble.terms
            share = term.weight
            if share < 0:
                raise PromptError(
                    f"`cell_prompt` {verbatim(repr(text)):.80}: a share must be above 0",
                    field="cell_prompt",
                )
            text = str(Ensemble((dataclasses.replace(term, weight=1.0),)))
        mix[text] = mix.get(text, 0.0) + share
    return mix


def one_of(mix: Mapping[str, float], seed: int) -> str:
    """The prompt of the cell with a seed, as `mixed_prompts` gives them."""
    prompts = sorted(mix)  # JSON keeps no order
    shares = [mix[each] for each in prompts]
    return prompts[weighted(shares, random.Random(f"{seed}:mix"))]
