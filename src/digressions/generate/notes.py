"""What a user should know before a painting: which parameters will not do what they seem to."""

from __future__ import annotations

from ..diffusion.sample import SAMPLERS
from ..events import Note
from ..models.base import Model
from ..prompts.scheduling import OF_DIRECTIONS, is_plain, parsed
from .params import ResolvedParams


def notes_on(model: Model, params: ResolvedParams, *prompts: str) -> list[Note]:
    """What a user should know about parameters that will not do what they seem to.

    Args:
        prompts: Others that are painted as well.
    """
    found: list[str] = []
    together = [params.prompt, *prompts]
    unknown = [] if model.vocabulary is None else model.vocabulary.unknown(" ".join(together))
    if unknown:
        words = ", ".join(map(str, unknown))
        found.append(f"{model.name} was not taught {words}: it paints what it makes of the rest")
    plain = params.combine == "mean" or all(is_plain(parsed(prompt)) for prompt in together)
    idle = [f"`{name}`" for name in ("negative", "guidance_rescale") if getattr(params, name)]
    if idle:
        nothing = f"{' and '.join(idle)} {'does' if len(idle) == 1 else 'do'} nothing"
        if model.guidance_embedded:
            found.append(f"{nothing}: {model.name} has its guidance inside")
        elif params.guidance <= 1 and (plain or params.combine not in OF_DIRECTIONS):
            found.append(
                f"at a guidance of {params.guidance:g} {nothing}: set `guidance` to 2 or more"
            )
    if params.timestep_spacing is not None and SAMPLERS[params.sampler].distilled_steps:
        found.append(
            f"`timestep_spacing` does nothing: {params.sampler} keeps to the steps that its models "
            "were distilled with"
        )
    if params.combine != "mean" and plain:
        found.append(f"`combine` {params.combine} does nothing for a single prompt: add AND")
    return [Note(text, "note") for text in found]
