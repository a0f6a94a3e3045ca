"""Files of any kind made again from what they remember, and what they remember shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .events import Event
from .files import output_path

if TYPE_CHECKING:
    from .models.base import Model

_REPLAYING = (
    *("generate.pictures", "generate.upscaling", "prints.printing", "mosaics.build"),
    *("mosaics.photos.photo_build", "worlds.film", "worlds.photo_film", "frames.inserting"),
    "frames.filling",
)
"""The modules that register how their kinds of files are made again."""


def replay(
    source: str | Path,
    load: Callable[..., Model] | None = None,
    *,
    model: str | None = None,
    models: str | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    device: str | None = None,
    offload: bool = False,
) -> Iterator[Event]:
    """Makes a file again, from what it remembers.

    Args:
        source: A picture, film or print that this package made.
        load: Loads a model by its name and dtype, where one is needed, with what it was loaded with
            besides (``vae=``, ...) and ``named=``, where a LoRA of a prompt is another file by now;
            `digressions.load` if not given.
        model: Its name, if it is not where the file says.
        models: The folder in which it is looked for by its hash; that of the environment's
            ``DIGRESSIONS_MODELS`` if not given.
        output: Where to; a free name beside the source if not given.
        overwrite: Whether what is at ``output`` may go, whatever made it.
        device: Where models and upscalers from files run; the best there is if not given.
        offload: As of `digressions.load`, where ``load`` is not given.
    """
    from .generate.replay import replay_file

    _register()
    from .models.loading import load as load_by_name

    def usual(name: str, dtype: str | None, **more: Any) -> Model:
        return load_by_name(name, device, dtype, models=models, offload=offload, **more)

    return replay_file(
        Path(source),
        load or usual,
        model=model,
        models=models,
        output=None if output is None else output_path(output),
        overwrite=overwrite,
        device=device,
    )


def remembered(source: str | Path) -> Iterator[Event]:
    """What a file says of how it was made, whatever program made it: a `Note` for each setting."""
    from .generate.file_words import shown

    _register()
    return shown(Path(source))


def _register() -> None:
    for module in _REPLAYING:
        importlib.import_module(f".{module}", __package__)
