"""Pictures made of pictures, and other digressions with diffusion models.

>>> import digressions
>>> from digressions.paint import paint
>>> model = digressions.load()  # the bundled one
>>> job = digressions.Job("photo of a turtle", seed=1, width=64, height=64,
...                       steps=12, guidance=4.0, sampler="ddim")
>>> picture = next(paint(model, [job])).image  # (3, 64, 64) float32 in 0..1

Names are fetched on first use, so that importing the package is quick and pulls in no torch. None
is the name of a module: once imported, the module would stand in its place.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "DigressionsError": "errors",
    "Grid": "geometry",
    "Size": "geometry",
    "Schedule": "denoise",
    "Denoiser": "denoise",
    "SAMPLERS": "sample",
    "Model": "models",
    "load": "loading",
    "Job": "job",
    "Mosaic": "mosaics.mosaic",
    "Hypermosaic": "mosaics.hypermosaic",
    "Manifest": "worlds.manifest",
    "World": "worlds.world",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOMES[name]}", __name__)
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
