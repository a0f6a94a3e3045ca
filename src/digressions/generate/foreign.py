"""A picture of another program, as one kind of settings, whatever that program writes.

`infotext` reads A1111's web UI and its kin, `comfyui` graphs, `programs` the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ..diffusion.names import SamplerName, SpacingName
from ..prompts.foreign_syntax import ForeignPrompt, Reader, from_plain
from ..prompts.terms import LoraTag

_SAMPLERS: dict[str, SamplerName] = {
    "ddim": "ddim",
    "ddimv3": "ddim",
    "euler": "euler",
    "heun": "heun",
    "eulera": "euler_ancestral",
    "eulerancestral": "euler_ancestral",
    "dpmpp2m": "dpmpp_2m",
    "dpmpp2msde": "dpmpp_2m_sde",
    "dpmpp2msdegpu": "dpmpp_2m_sde",  # of ComfyUI: the same on a GPU
    "dpmppsde": "dpmpp_sde",
    "dpmppsdegpu": "dpmpp_sde",
    "unipc": "unipc",
    "unipcbh2": "unipc",
    "lcm": "lcm",
}
_SPACINGS: dict[str, SpacingName] = {
    "karras": "karras",
    "exponential": "exponential",
    "simple": "simple",
    "sgm_uniform": "trailing",
    "sgm uniform": "trailing",
}
_SPREADS = {"Karras": "karras", "Exponential": "exponential", "SGM Uniform": "sgmuniform"}
"""What samplers of A1111 end in, until their spread became a setting of its own."""
_USUAL = ("normal", "automatic", "uniform", "native", "")  # noise levels that are the model's own

MODEL_HASH = "Model hash"
"""The key of the model's hash among what another program says besides; A1111's."""
BLAKE3 = "blake3:"
"""Before a hash that is no SHA-256."""


@dataclass
class ForeignSettings:
    """How a picture of another program was made, in that program's words.

    Attributes:
        program: What made it.
        prompt, negative: As written there.
        reads: How its prompts are read.
        values: ``steps``, ``sampler``, ``guidance``, ``seed``, ``width`` and ``height``, as far as
            they are said, numbers or texts.
        schedule: How its noise levels are spread, or nothing.
        start: Whether it was painted over another picture.
        loras: That were used beside those in its prompts.
        hashes: Of LoRAs and embeddings, by kind and name, as far as they are said; InvokeAI's with
            ``blake3:`` before them.
        clip_skip: Which layer of the text encoder counted, as `loading.load` has it.
        others: What has no meaning here, and is kept.
        notes: What else a reader should know.
    """

    program: str
    prompt: str
    negative: str = ""
    reads: Reader = from_plain
    values: dict[str, Any] = field(default_factory=dict)
    schedule: str = ""
    start: bool = False
    loras: list[LoraTag] = field(default_factory=list)
    hashes: dict[tuple[str, str], str] = field(default_factory=dict)
    clip_skip: int | None = None
    others: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def prompts(self) -> tuple[ForeignPrompt, ForeignPrompt]:
        """The prompt and the negative prompt in our language."""
        return self.reads(self.prompt), self.reads(self.negative)


def sampler_named(name: str) -> tuple[SamplerName | None, str]:
    """Our sampler that steps as one of another program, if there is one, and the spread of noise
    levels that its name includes, such as ``"Karras"``."""
    plain = re.sub(r"[\s_\-]", "", name.lower()).replace("++", "pp").removeprefix("sample")
    spread = next((each for each in _SPREADS if plain.endswith(_SPREADS[each])), "")
    plain = plain.removesuffix(_SPREADS.get(spread, ""))
    if name.endswith("_k") and plain[:-1] in _SAMPLERS:
        spread, plain = "Karras", plain[:-1]
    return _SAMPLERS.get(plain) or _SAMPLERS.get(plain.removeprefix("k")), spread


def spacing_named(schedule: str) -> SpacingName | None:
    """Our spacing of the steps that another program's spread of noise levels is, if any."""
    return _SPACINGS.get(schedule.lower())


def is_usual(schedule: str) -> bool:
    """Whether noise levels of this name are spread as the model's own."""
    return schedule.lower() in _USUAL


def text_of(value: Any) -> str:
    """A value as a text: of a list, its parts."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text_of, value))
    return "" if value is None else str(value)
