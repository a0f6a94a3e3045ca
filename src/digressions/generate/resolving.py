"""What nobody said of a picture: the model's defaults, and those of what is painted into a mask."""

from __future__ import annotations

from collections.abc import Sequence

from ..diffusion.sample import SAMPLERS
from ..errors import InputError
from ..geometry import Size
from ..images.colour import PALETTE_STRENGTH
from ..models.base import Model
from .params import GenerationParams, ResolvedParams


def resolve(
    model: Model,
    params: GenerationParams,
    *,
    mask: bool = False,
    palette: bool = False,
    cells: bool = False,
    prompts: Sequence[str] = (),
    size: Size | None = None,
) -> ResolvedParams:
    """Parameters with the model's defaults where the user said nothing.

    Where nobody says, a masked area starts from noise alone, so that what is in it pulls nothing;
    with a palette it starts from that, as freely as still holds its colours.

    Args:
        mask, palette: Whether there is one.
        cells: Whether they are for the cells of a mosaic.
        prompts: Others that are painted by the same parameters: where ``params`` names no LoRA that
            says how it wants to be sampled, the first of these that does counts.
        size: Of the picture if the parameters do not say; the model's own if not given.

    Raises:
        InputError: They contradict each other, or the model cannot work with them.
    """
    model.with_timesteps(params.timestep_spacing, params.zero_snr)  # or it says why not
    defaults = model.defaults.values(cells=cells)
    told = (model.made_for(prompt) for prompt in (params.prompt, *prompts))
    if (made_for := next(filter(None, told), None)) is not None:
        defaults |= made_for.values()
        free = params.timestep_spacing is None and not params.zero_snr
        fixed = SAMPLERS[params.sampler or made_for.sampler].distilled_steps is not None
        if free and not fixed:
            params = params.but(timestep_spacing=made_for.spacing)
    if mask:
        params = _with_masked_content(model, params, palette)
    return params.resolved(defaults, size=size or Size(model.size, model.size))


def _with_masked_content(model: Model, params: GenerationParams, palette: bool) -> GenerationParams:
    """Parameters that say what a masked area is painted from."""
    content = params.masked_content
    if palette and content == "noise":
        raise InputError("`masked_content` noise would forget the `palette`: give one of them")
    strength = params.strength
    if strength is None:
        strength = PALETTE_STRENGTH if palette else 1.0
    if content is None:
        content = "noise" if strength == 1 and not palette else "original"
    spacing = params.timestep_spacing
    if content == "noise" and spacing is None and not params.zero_snr:
        suits = model.spacing_for_noise(params.sampler or model.defaults.sampler)
        spacing = None if suits == model.spacing else suits
    return params.but(strength=strength, masked_content=content, timestep_spacing=spacing)
