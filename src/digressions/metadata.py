"""Every image file remembers how it was made, for people, for other tools and for `replay`.

Two texts: ``parameters`` in the form that AUTOMATIC1111's web UI made common, and ``digressions``,
JSON, which is exact and the one that is read back.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ImageError

KEY = "digressions"


@dataclass(frozen=True)
class Settings:
    """How one picture was made.

    Attributes:
        command: ``"paint"`` or ``"mosaic"``.
        model, model_hash: The name it was asked for by, and the SHA-256 of its weights.
        strength: ``None`` for text-to-image.
        image, mask: Start picture and mask as ``{"path": ..., "sha256": ...}``, or ``None``.
        upscaler: What enlarged it, or ``None``.
        how: How several prompts become one picture; a name in `ensemble.HOW`.
        regions, soft: Where each prompt counts (see `regions`), or ``None``; its edges' width.
        extra: What only one command knows, such as the grid of a mosaic.
    """

    command: str
    prompt: str
    model: str
    model_hash: str
    seed: int
    steps: int
    sampler: str
    guidance: float
    width: int
    height: int
    negative: str = ""
    strength: float | None = None
    image: dict[str, str] | None = None
    mask: dict[str, str] | None = None
    upscaler: str | None = None
    how: str = "mean"
    regions: list[dict[str, str]] | None = None
    soft: float = 0.0
    version: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


_KINDS: dict[str, tuple[type, ...]] = {
    "command": (str,),
    "prompt": (str,),
    "model": (str,),
    "model_hash": (str,),
    "seed": (int,),
    "steps": (int,),
    "sampler": (str,),
    "guidance": (int, float),
    "width": (int,),
    "height": (int,),
    "negative": (str,),
    "strength": (int, float, type(None)),
    "image": (dict, type(None)),
    "mask": (dict, type(None)),
    "upscaler": (str, type(None)),
    "how": (str,),
    "regions": (list, type(None)),
    "soft": (int, float),
    "version": (str,),
    "extra": (dict,),
}


def to_text(settings: Settings) -> dict[str, str]:
    """Settings as the texts of an image file."""
    return {
        "parameters": a1111(settings),
        KEY: json.dumps(dataclasses.asdict(settings), ensure_ascii=True, allow_nan=False),
    }


def a1111(settings: Settings) -> str:
    """The form that other tools read: prompt, negative prompt, then ``Key: value, ...``."""
    pairs = {
        "Steps": settings.steps,
        "Sampler": settings.sampler,
        "CFG scale": settings.guidance,
        "Seed": settings.seed,
        "Size": f"{settings.width}x{settings.height}",
        "Model hash": settings.model_hash[:10],
        "Model": _quoted(settings.model),
        "Denoising strength": settings.strength,
        "Hires upscaler": settings.upscaler,
        "Ensemble": None if settings.how == "mean" else settings.how,
        "Version": f"digressions {settings.version}",
    }
    lines = [settings.prompt]
    if settings.negative:
        lines.append(f"Negative prompt: {settings.negative}")
    lines.append(", ".join(f"{key}: {value}" for key, value in pairs.items() if value is not None))
    return "\n".join(lines)


def from_text(text: Mapping[str, str], source: str = "the file") -> Settings:
    """The settings that `to_text` wrote.

    Keys that this version does not know are an error: they would be dropped in silence, and the
    replayed picture would be another.

    Raises:
        ImageError: There are none, or they are damaged or of a newer version.
    """
    if KEY not in text:
        raise ImageError(f"{source} does not say how it was made (no {KEY!r} text in it)")
    try:
        found = json.loads(text[KEY])
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{source} has damaged settings: {error}") from error
    if not isinstance(found, dict):
        raise ImageError(f"{source} has damaged settings: not an object")
    required = {
        f.name
        for f in dataclasses.fields(Settings)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    for name in sorted(required - found.keys()):
        raise ImageError(f"{source} has damaged settings: {name!r} is missing")
    for name, value in found.items():
        if name not in _KINDS:
            raise ImageError(f"{source} has the setting {name!r}, which a newer version wrote")
        right = isinstance(value, _KINDS[name]) and not isinstance(value, bool)
        if not right or (isinstance(value, float) and not math.isfinite(value)):
            raise ImageError(f"{source} has damaged settings: {name} is {value!r:.80}")
    return Settings(**found)


def _quoted(value: str) -> str:
    return json.dumps(value) if any(mark in value for mark in ',:\n"') else value
