"""The names of samplers and of spacings of time steps. Needs no torch, so that options can list
them."""

from __future__ import annotations

from typing import Literal

SamplerName = Literal["ddim", "euler_ancestral", "dpmpp_2m", "lcm"]
SpacingName = Literal["leading", "trailing", "linspace"]

A1111_SAMPLERS: dict[SamplerName, str] = {
    "ddim": "DDIM",
    "euler_ancestral": "Euler a",
    "dpmpp_2m": "DPM++ 2M",
    "lcm": "LCM",
}
"""What A1111's web UI calls them."""
