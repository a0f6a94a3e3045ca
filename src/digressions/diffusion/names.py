"""The names of samplers and of spacings of time steps. Needs no torch, so that options can list
them."""

from __future__ import annotations

from typing import Literal

SamplerName = Literal[
    "ddim",
    "euler",
    "euler_ancestral",
    "heun",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "dpmpp_sde",
    "unipc",
    "lcm",
]
SpacingName = Literal["leading", "trailing", "linspace", "karras", "exponential", "simple"]

A1111_SAMPLERS: dict[SamplerName, str] = {
    "ddim": "DDIM",
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_sde": "DPM++ SDE",
    "unipc": "UniPC",
    "lcm": "LCM",
}
"""What A1111's web UI calls them."""
