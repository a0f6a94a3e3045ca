"""What a user should know before a painting: which parameters will not do what they seem to."""

from __future__ import annotations

from collections.abc import Sequence

from ..diffusion.sample import SAMPLERS
from ..errors import verbatim
from ..events import Note
from ..geometry import Size
from ..models.autoencoder_tiles import SMALL_SIDE
from ..models.base import Model
from ..prompts.choices import variants
from ..prompts.scheduling import OF_DIRECTIONS, is_plain, parsed
from ..prompts.slips import notes_on_weights
from ..prompts.vocabulary import listed
from .params import ResolvedParams


def notes_on(model: Model, params: ResolvedParams, *prompts: str) -> list[Note]:
    """What a user should know about parameters that will not do what they seem to.

    Args:
        prompts: Others that are painted as well.
    """
    found: list[str] = []
    together = [params.prompt, *prompts]
    texts = dict.fromkeys(text for prompt in together for text in texts_of(prompt, params.steps))
    unknown = [] if model.vocabulary is None else model.vocabulary.unknown(*texts)
    if unknown:
        words = verbatim(listed(unknown))
        found.append(f"{model.shown} was not taught {words}: it paints what it makes of the rest")
    made = [each for prompt in together if (each := model.made_for(prompt)) is not None]
    for each in dict.fromkeys(made):
        spread = f", `timestep_spacing` {each.spacing}" if each.spacing else ""
        found.append(
            f"{verbatim(each.path.name)} is made for `steps` {each.steps}, `sampler` "
            f"{each.sampler}, `guidance` {each.guidance:g}{spread}: these count where you say "
            "nothing else"
        )
    negatives = texts_of(params.negative, params.steps) if params.negative else []
    found += model.notes_on_words(*texts, *negatives)
    if model.vocabulary is not None and model.vocabulary.lacks_comparison(*texts):
        found.append(
            f"{model.shown} was not taught what 'looks like' means, and paints neither thing well: "
            'ask for both alike, such as "photo of a frog AND photo of a fox"'
        )
    for prompt in dict.fromkeys(together):
        found += notes_on_weights(parsed(prompt), params.combine)
    plain = params.combine == "mean" or all(is_plain(parsed(prompt)) for prompt in together)
    idle = [f"`{name}`" for name in ("negative", "guidance_rescale") if getattr(params, name)]
    if idle:
        nothing = f"{' and '.join(idle)} {'does' if len(idle) == 1 else 'do'} nothing"
        if model.guidance_embedded:
            found.append(f"{nothing}: {model.shown} has its guidance inside")
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
    if model.offload and model.device.type == "cpu":
        found.append("`offload` does nothing on a CPU, whose memory is the main one")
    if model.additions.get("vae_tiles") == "on" and max(params.size) <= SMALL_SIDE:
        found.append(f"`vae_tiles` does nothing for pictures of at most {SMALL_SIDE} px")
    return [Note(text, "note") for text in found]


def notes_on_mix(model: Model, params: ResolvedParams, prompts: Sequence[str]) -> list[Note]:
    """What a user should know about cells that share the settings of a LoRA which not all of their
    prompts name.

    Args:
        params: Of all cells.
        prompts: Of the cells.
    """
    made = [model.made_for(prompt) for prompt in dict.fromkeys(prompts)]
    first = next(filter(None, made), None)
    if first is None or all(each and each.values() == first.values() for each in made):
        return []
    if any(getattr(params, name) != value for name, value in first.values().items()):
        return []  # the user's own count
    return [
        Note(
            f"all cells are painted with the settings of {verbatim(first.path.name)}, those of "
            "other prompts too: name it in every prompt of cells, or give `steps`, `sampler` and "
            "`guidance`",
            "note",
        )
    ]


def notes_on_cells(model: Model, size: Size) -> list[Note]:
    """What a user should know about cells whose pictures are larger than a model paints at once."""
    if model.paints_whole(size):
        return []
    told = (
        f"pictures of {size} are more than {model.shown} paints at once: each may show its thing "
    )
    return [Note(f"{told}several times, where `size` {model.size} shows it once", "note")]


def texts_of(prompt: str, steps: int) -> list[str]:
    """The texts that a model may read in a run of so many steps, without syntax."""
    found = (text for variant in variants(parsed(prompt)) for text in variant.texts(steps))
    return ["".join(part.text for part in text) for text in dict.fromkeys(found)]
