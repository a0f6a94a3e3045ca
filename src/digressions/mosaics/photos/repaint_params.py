"""How chosen photos are repainted, where they are. Needs no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from ...generate.declare import declared, option
from ...generate.kinds import Share
from ...prompts.slips import check_typed
from ..mosaic_spec import CellGenerationParams, CellParams

PhotoPrompt = Annotated[str, AfterValidator(lambda text: check_typed(text) if text else text)]
"""What photos are repainted as; empty for whatever they show."""


class RepaintParams(CellGenerationParams):
    """How photos are painted over; how far is up to ``paint``, their size to the mosaic."""

    hidden = CellGenerationParams.hidden | {"size", "strength"}

    prompt: PhotoPrompt = option(
        "", "What photos are repainted as.", default_from="whatever they show"
    )
    anchor: Share = declared(CellParams, "anchor")
