"""Options that commands share as a whole: one parameter each, spread out for the command line."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from ..errors import InputError
from .options import (
    DEFAULT_UPSCALER,
    Anchor,
    Band,
    CacheFile,
    CacheSize,
    CellPrompts,
    Compiled,
    Device,
    Dtype,
    Guidance,
    How,
    ModelName,
    Negative,
    OpenVino,
    PictureSize,
    RootSeed,
    SamplerName,
    StartImage,
    Steps,
    Strength,
    TinyVae,
    UpscalerName,
    WorldGrid,
)


@dataclass(frozen=True)
class ModelOptions:
    """The model, and what it runs on."""

    model: ModelName = "bundled"
    device: Device = None
    dtype: Dtype = None

    @property
    def special(self) -> dict[str, Any]:
        """The rest of what `loading.load` takes, where the user said anything."""
        return {}


@dataclass(frozen=True)
class TunedModelOptions(ModelOptions):
    """Also what makes it quicker."""

    compiled: Compiled = False
    tiny_vae: TinyVae = None
    openvino: OpenVino = False

    @property
    def special(self) -> dict[str, Any]:
        given = {
            "compiled": self.compiled,
            "tiny_vae": self.tiny_vae,
            "openvino": self.openvino,
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class RootOptions:
    """The picture that a world begins with, and what it is made of."""

    image: StartImage = None
    grid: WorldGrid = "64"
    cell_prompt: CellPrompts = None
    picture_size: PictureSize = None


@dataclass(frozen=True)
class CellOptions:
    """How the pictures of a mosaic or a world are painted."""

    strength: Strength = None
    steps: Steps = None
    guidance: Guidance = None
    negative: Negative = ""
    how: How = "mean"
    sampler: SamplerName = None
    seed: RootSeed = 0
    band: Band = 2
    anchor: Anchor = 0.3
    upscaler: UpscalerName = DEFAULT_UPSCALER


@dataclass(frozen=True)
class CacheOptions:
    """The file that keeps what is painted."""

    cache: CacheFile = Path("out/worlds.sqlite")
    cache_size: CacheSize = 1000

    def check(self) -> None:
        """Raises `InputError` for a size that cannot be."""
        if self.cache_size < 0:
            raise InputError(f"--cache-size {self.cache_size} must be at least 0")

    @property
    def store(self) -> tuple[Path, int]:
        """The file, and its limit in bytes."""
        return self.cache, self.cache_size * 1_000_000


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with each group of options among its parameters replaced by the options.

    Args:
        command: Its parameters that are dataclasses are groups.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {}
    parameters = []
    for name, parameter in signature.parameters.items():
        group = parameter.annotation
        if not dataclasses.is_dataclass(group):
            parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))
            continue
        groups[name] = group
        kinds = get_type_hints(group, include_extras=True)
        parameters += [
            parameter.replace(
                name=field.name,
                kind=parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=kinds[field.name],
            )
            for field in dataclasses.fields(group)
        ]

    @functools.wraps(command)
    def spread_out(**options: Any) -> None:
        gathered = {
            name: group(
                **{field.name: options.pop(field.name) for field in dataclasses.fields(group)}
            )
            for name, group in groups.items()
        }
        command(**options, **gathered)

    spread_out.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    spread_out.__annotations__ = {each.name: each.annotation for each in parameters}
    return spread_out
