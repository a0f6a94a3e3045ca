"""LoRAs that were distilled for few steps, and the settings that they are made for, as their names
or headers say.

As published: Lightning (arXiv 2402.13929), Hyper-SD (arXiv 2404.13686), LCM-LoRA
(arXiv 2311.05556), DMD2 (arXiv 2405.14867) and what was drawn out of the Turbo models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..diffusion.names import SamplerName, SpacingName
from .header import read_header
from .lora import Lora

_STEPS = re.compile(r"(?<!\d)(\d{1,2})[-_ ]?steps?(?![a-z])")
_MOST_STEPS = 32
_GUIDED = 5.0  # Hyper-SD's LoRAs that keep guidance: 5 to 8 by their card


class MadeFor(NamedTuple):
    """The settings that a LoRA is made for.

    Attributes:
        path: Of the LoRA.
        spacing: As `Model.spacing`; ``None`` where the sampler has its own.
    """

    path: Path
    sampler: SamplerName
    steps: int
    guidance: float
    spacing: SpacingName | None

    def values(self) -> dict[str, Any]:
        """Sampler, steps and guidance, by the names of `GenerationParams`."""
        return {"sampler": self.sampler, "steps": self.steps, "guidance": self.guidance}


class _Kind(NamedTuple):
    """What a name has of a kind by itself, or only where it gives a number of steps as well."""

    alone: str
    counted: str
    sampler: SamplerName
    steps: int
    spacing: SpacingName | None


# A word alone may be what a LoRA paints: lightning, a turbo engine, something hyperrealistic.
_KINDS = (
    _Kind(r"(sd|xl)[-_ ]?lightning", r"lightning", "euler", 4, "trailing"),
    _Kind(r"hyper[-_ ]?sd", r"\bhyper(?![a-z])", "euler", 8, "trailing"),
    _Kind(r"(?<![a-z])dmd2?(?![a-z])", r"dmd", "lcm", 4, None),
    _Kind(r"(?<![a-z])lcm(?![a-z])", r"lcm", "lcm", 4, None),
    _Kind(r"(sd|xl)[-_ ]?turbo", r"(?<![a-z])turbo", "euler_ancestral", 4, "trailing"),
)


def made_for(loras: Sequence[Lora]) -> MadeFor | None:
    """The settings of the first of some LoRAs that was distilled for few steps and counts.

    Raises:
        ModelError: A file cannot be read.
    """
    for lora in loras:
        if lora.strength > 0 and (found := _settings(lora.path)) is not None:
            return found
    return None


def _settings(path: Path) -> MadeFor | None:
    metadata = read_header(path).metadata
    said = (metadata.get(name, "") for name in ("modelspec.title", "ss_output_name"))
    for name in (path.stem, *said):
        name = name.lower()
        counted = [int(each) for each in _STEPS.findall(name) if 1 <= int(each) <= _MOST_STEPS]
        for kind in _KINDS:
            if re.search(kind.alone, name) or (counted and re.search(kind.counted, name)):
                steps = counted[0] if counted else kind.steps
                guidance = _GUIDED if re.search(r"(?<![a-z])cfg(?![a-z])", name) else 1.0
                return MadeFor(path, kind.sampler, steps, guidance, kind.spacing)
    return None
