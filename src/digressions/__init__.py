"""Pictures made of pictures, and other digressions with diffusion models.

>>> import digressions as dg
>>> model = dg.load()                                      # the bundled one
>>> picture = dg.paint(model, "photo of a frog", seed=1)   # .image, .array, .params
>>> picture.save("frog.png")
>>> for event in dg.mosaic(model, "photo of a turtle", image="me.jpg", grid=48, output="out/me"):
...     print(event)

Names are fetched on first use, so that importing the package is quick and pulls in no torch. None
is the name of a module: once imported, the module would take its place.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers; a test compares the two lists
    from .api import ensemble as ensemble
    from .api import fill_frames as fill_frames
    from .api import film as film
    from .api import find_frames as find_frames
    from .api import hang as hang
    from .api import mosaic as mosaic
    from .api import paint as paint
    from .api import print_file as print_file
    from .api import upscale as upscale
    from .ensembles.suggestions import suggest as suggest
    from .errors import DigressionsError as DigressionsError
    from .errors import InputError as InputError
    from .events import Estimate as Estimate
    from .events import Note as Note
    from .events import Preview as Preview
    from .events import Progress as Progress
    from .events import Saved as Saved
    from .events import SoFar as SoFar
    from .generate.params import GenerationParams as GenerationParams
    from .generate.params import ResolvedParams as ResolvedParams
    from .generate.pictures import Picture as Picture
    from .generate.results import finish as finish
    from .models.base import Model as Model
    from .models.loading import load as load
    from .mosaics.build_params import BuildParams as BuildParams
    from .mosaics.cost import mosaic_cost as mosaic_cost
    from .mosaics.photos.photo_build import photo_mosaic as photo_mosaic
    from .mosaics.photos.photo_cost import photo_mosaic_cost as photo_mosaic_cost
    from .replaying import replay as replay
    from .worlds.photo_film import photo_film as photo_film
    from .worlds.world import World as World

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(
        (
            *("ensemble", "film", "find_frames", "fill_frames", "hang", "mosaic", "paint"),
            *("print_file", "upscale"),
        ),
        "api",
    ),
    **dict.fromkeys(("DigressionsError", "InputError"), "errors"),
    **dict.fromkeys(("Estimate", "Note", "Preview", "Progress", "Saved", "SoFar"), "events"),
    **dict.fromkeys(("GenerationParams", "ResolvedParams"), "generate.params"),
    "Picture": "generate.pictures",
    "finish": "generate.results",
    "suggest": "ensembles.suggestions",
    "Model": "models.base",
    "load": "models.loading",
    "BuildParams": "mosaics.build_params",
    "mosaic_cost": "mosaics.cost",
    "photo_film": "worlds.photo_film",
    "replay": "replaying",
    "photo_mosaic": "mosaics.photos.photo_build",
    "photo_mosaic_cost": "mosaics.photos.photo_cost",
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
