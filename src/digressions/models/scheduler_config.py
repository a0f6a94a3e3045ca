"""The scheduler of a checkpoint: its config checked, as a `TableSchedule`, and as defaults.

For families whose noise is a table of betas, such as Stable Diffusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..diffusion.schedule import TableSchedule
from ..errors import ModelError, verbatim
from .base import Defaults

_WHOLE = {"num_train_timesteps": (1, 1_000_000), "steps_offset": (0, 1_000_000)}
_BETAS = ("beta_start", "beta_end")


def check_scheduler(config: Mapping[str, Any], path: Path) -> None:
    """Raises `ModelError`, with the file's ``path``, where numbers of a config cannot be."""
    for name, (least, most) in _WHOLE.items():
        value = config.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ModelError(
                f"{verbatim(path)}: {name} is {verbatim(repr(value)):.80}, not a number from "
                f"{least} to {most}"
            )
    for name in _BETAS:
        if not _is_beta(value := config.get(name, 0.5)):
            raise ModelError(
                f"{verbatim(path)}: {name} is {verbatim(repr(value)):.80}, not a number between 0 "
                "and 1"
            )
    trained = config.get("trained_betas")
    if trained is not None and not (
        isinstance(trained, list) and trained and all(map(_is_beta, trained))
    ):
        raise ModelError(
            f"{verbatim(path)}: trained_betas are not a list of numbers between 0 and 1"
        )


def _is_beta(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def schedule_of(config: Mapping[str, Any]) -> TableSchedule:
    """The training schedule of a config that `check_scheduler` let through.

    Raises:
        ModelError: A kind of schedule or prediction that is not known here.
    """
    total = config.get("num_train_timesteps", 1000)
    kind = config.get("beta_schedule", "scaled_linear")
    low, high = config.get("beta_start", 0.00085), config.get("beta_end", 0.012)
    if config.get("trained_betas") is not None:
        betas = torch.tensor(config["trained_betas"], dtype=torch.float32)
    elif kind == "scaled_linear":
        betas = torch.linspace(low**0.5, high**0.5, total) ** 2
    elif kind == "linear":
        betas = torch.linspace(low, high, total)
    else:
        raise ModelError(f"the scheduler's beta_schedule {kind!r} is not known here")
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in ("epsilon", "v_prediction", "sample"):
        raise ModelError(f"the scheduler's prediction_type {prediction!r} is not known here")
    schedule = TableSchedule(prediction, alphas_cumprod=torch.cumprod(1 - betas, dim=0))
    return schedule.zero_terminal_snr() if config.get("rescale_betas_zero_snr") else schedule


def defaults_of(config: Mapping[str, Any], *, guidance_embedded: bool) -> Defaults:
    """How a model with this scheduler is best used.

    Args:
        guidance_embedded: Whether its network takes the guidance scale as an input.
    """
    kind = str(config.get("_class_name", ""))
    if kind == "LCMScheduler" or guidance_embedded:
        return Defaults("lcm", steps=4, guidance=8.5 if guidance_embedded else 1.0)
    if kind.startswith("EulerAncestral"):
        if config.get("timestep_spacing") == "trailing":  # SD-Turbo and SDXL-Turbo
            return Defaults("euler_ancestral", steps=2, guidance=1.0, strength=0.5)
        return Defaults("euler_ancestral")
    return Defaults("dpmpp_2m" if kind.startswith("DPMSolver") else "ddim")
