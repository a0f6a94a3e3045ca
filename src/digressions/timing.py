"""A model's noise laid out in time: as published, or so that paintings start from noise alone.

Published schedules end short of pure noise, and many time grids do not even begin at their end. A
network that always saw a trace of the picture there goes by its mean: what starts from pure noise
comes out of medium brightness (Lin et al. 2023, arXiv 2305.08891).
"""

from __future__ import annotations

import dataclasses

from .errors import InputError
from .models import Model

PUBLISHED, TRAILING, ZERO_SNR = "published", "trailing", "zero-snr"
TIMINGS = (PUBLISHED, TRAILING, ZERO_SNR)


def retimed(model: Model, timing: str) -> Model:
    """The same model with another timing; the weights are shared.

    Args:
        timing: ``published`` for the scheduler's own; ``trailing`` for a time grid that begins at
            the noisiest step; ``zero-snr`` for that, and a schedule whose noisiest step is noise
            alone.

    Raises:
        InputError: No such timing, or the network cannot work with it.
    """
    if timing not in TIMINGS:
        raise InputError(f"--timing {timing!r} is not known: choose one of {', '.join(TIMINGS)}")
    if timing == PUBLISHED:
        return model
    schedule = model.schedule
    if timing == ZERO_SNR:
        if schedule.prediction == "epsilon":
            raise InputError(
                f"--timing zero-snr: {model.name} predicts the noise, which says nothing about the "
                "picture where all is noise: it needs a model with v prediction; trailing is as "
                "near as this one comes"
            )
        schedule = schedule.zero_terminal_snr()
    return dataclasses.replace(model, schedule=schedule, spacing="trailing", to_zero=True)


def timing_for_noise(model: Model, sampler: str) -> str:
    """The timing that suits a start from pure noise, where the user does not say.

    Grids of consistency models are those of their distillation, and stay.
    """
    if model.spacing == "leading" and sampler != "lcm":
        return TRAILING
    return PUBLISHED
