"""The kinds of values that parameters have: sizes, grids, seeds, prompts, pictures, paths.

Each reads what people type and what Python has for it, and refuses the rest in one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo

from ..device import check_device
from ..diffusion.names import SamplerName, SpacingName
from ..errors import InputError, errors_about, verbatim
from ..geometry import MAX_SIDE, Grid, Size
from ..images import UPSCALERS
from ..prompts.slips import check_typed
from ..prompts.wildcards import with_lists
from .foreign import is_usual, sampler_named, spacing_named

MAX_SEED = 2**63 - 1
DEFAULT_SEED = 0  # where the same words are to give the same pictures


def _typed(value: Any) -> str:
    """A size or a grid as somebody would type it."""
    pair = isinstance(value, (tuple, list)) and len(value) == 2
    return "x".join(map(str, value)) if pair else str(value)


def _read_size(value: Any, info: ValidationInfo) -> Size:
    return Size.parse(_typed(value), info.field_name or "size")


def _read_grid(value: Any) -> Grid:
    return Grid.parse(_typed(value))


def _check_sides(size: Size) -> Size:
    if max(size) > MAX_SIDE:
        raise InputError(f"`size` {size} is out of range: at most {MAX_SIDE:,} pixels a side")
    return size


PictureSize = Annotated[Size, BeforeValidator(_read_size), PlainSerializer(str)]
"""Width and height; reads ``512``, ``"768x512"`` and ``(768, 512)``."""

PaintedSize = Annotated[PictureSize, AfterValidator(_check_sides)]
"""Of a picture to paint: no side is longer than `MAX_SIDE`."""

CellGrid = Annotated[Grid, BeforeValidator(_read_grid), PlainSerializer(str)]
"""Columns and rows; reads ``64``, ``"64x48"`` and ``(64, 48)``."""


def _read_grid_text(value: Any) -> str:
    text = _typed(value)
    Grid.parse(text)  # raises what is wrong with it
    return text


GridText = Annotated[str, BeforeValidator(_read_grid_text)]
"""A grid as somebody asks for it, such as ``"64"``, the longer side, or ``"64x48"``: how many cells
one number means depends on the picture. Reads ``64`` and ``(64, 48)`` too."""


def _check_not_empty(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and not value.strip():
        raise InputError(f"`{info.field_name}` is empty: leave it out, or say what it is to be")
    return value


def _read_path(value: Any, info: ValidationInfo) -> Any:
    value = _check_not_empty(value, info)
    return Path(value) if isinstance(value, str) else value


FilePath = Annotated[Path, BeforeValidator(_read_path), PlainSerializer(str)]
"""The path of a file; reads text too."""

PromptText = Annotated[
    str, AfterValidator(lambda text, info: check_typed(text, info.field_name or "prompt"))
]
"""What to paint, as somebody typed it: neither empty nor the name of a file."""

NegativeText = Annotated[
    str, AfterValidator(lambda text, info: with_lists(text, info.field_name or "negative"))
]
"""What not to paint; may be empty."""

Named = Annotated[str, AfterValidator(_check_not_empty)]
"""A text that says something, such as a file's name or what to look for."""


def named_upscaler(name: str, models: str | None = None) -> str:
    """What enlarges: one of `UPSCALERS`, a path, or the path of what has this name in the user's
    model folders.

    Args:
        models: Which they are; see `library.Library.of`.

    Raises:
        InputError: There is no such folder, or neither it nor this program has such an upscaler.
    """
    from ..models.library import UPSCALERS as KINDS
    from ..models.library import Library, located, why_not_found

    if name in UPSCALERS or (library := Library.of(models)) is None:
        return name
    with errors_about("upscaler"):
        found = located(name, KINDS, library)
    if found == name and not Path(name).exists():
        raise InputError(
            f"`upscaler` {verbatim(repr(name))} is not known: choose one of "
            f"{', '.join(UPSCALERS)}, or a .safetensors file; there is no upscaler "
            f"{why_not_found(name, KINDS, library)}"
        )
    return found


UpscalerName = Annotated[str, AfterValidator(_check_not_empty), AfterValidator(named_upscaler)]
"""What enlarges, by name or path; see `named_upscaler`."""

PictureInput = Annotated[Any, AfterValidator(_check_not_empty)]
"""A picture: a path, a PIL image or an array."""


def _read_sampler(value: Any) -> Any:
    if isinstance(value, str) and value not in get_args(SamplerName):
        ours, spread = sampler_named(value)
        if ours is not None:
            spacing = spacing_named(spread)
            beside = f", and its {spread} is `timestep_spacing` {spacing}" if spacing else ""
            raise InputError(f"`sampler` {verbatim(repr(value))} is called {ours} here{beside}")
    return value


def _read_spacing(value: Any) -> Any:
    if isinstance(value, str) and value not in get_args(SpacingName):
        shown = f"`timestep_spacing` {verbatim(repr(value))}"
        if (ours := spacing_named(value)) is not None:
            raise InputError(f"{shown} is called {ours} here")
        if is_usual(value):
            raise InputError(f"{shown} is the model's own: leave it out")
    return value


TypedSampler = Annotated[SamplerName, BeforeValidator(_read_sampler)]
"""A sampler by its name here; who types another program's is told it."""

TypedSpacing = Annotated[SpacingName, BeforeValidator(_read_spacing)]
"""A spacing of time steps, likewise."""

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Steps = Annotated[int, Field(ge=1, le=1000)]
Guidance = Annotated[float, Field(ge=-100, le=1000)]
Share = Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1."""


def _check_device(name: str) -> str:
    check_device(name)
    return name


DeviceName = Annotated[str, AfterValidator(_check_device)]
"""What networks run on."""


def check_model(model: object) -> None:
    """Raises `InputError` where the name of a model stands in the place of a model."""
    if isinstance(model, (str, Path)):
        name = verbatim(repr(str(model)))
        raise InputError(
            f"the name {name:.80} is given in the place of a model: load it, as in "
            f"digressions.load({name:.80})",
            field="model",
        )
