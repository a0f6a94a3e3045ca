"""Every image file remembers how it was made, for people, for other tools and for `replay`.

Two texts: ``parameters`` in the form that AUTOMATIC1111's web UI made common, and ``digressions``,
JSON, which is exact and is read back. Of a file that has the first alone, such as another
program's, that is read.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ImageError
from ..jsontext import parsed

KEY = "digressions"


@dataclass(frozen=True)
class Settings:
    """How one picture was made.

    Attributes:
        command: ``"paint"`` or ``"mosaic"``.
        model, model_hash: The name it was asked for by, and the SHA-256 of its weights. Empty when
            read from a file of another program, whose names mean nothing here; the first ten
            digits of the hash when read from one that lost its JSON.
        seed: ``0 .. 2**63 - 1``.
        steps: ``1 .. 1000``.
        width, height: In pixels, ``1 .. 16384``.
        strength: ``0..1``, or ``None`` for text-to-image.
        image, mask: Start picture and mask as ``{"path": ..., "sha256": ...}``, or ``None``.
        upscaler: What enlarged it, or ``None``.
        how: How several prompts become one picture; a name in `ensemble.HOW`.
        hole, rescale: See `Job`.
        timing: See `timing.retimed`.
        palette: What the hole was filled with before it was painted (see `palette`), or ``None``.
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
    hole: str | None = None
    rescale: float = 0.0
    timing: str = "published"
    palette: dict[str, Any] | None = None
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
    "hole": (str, type(None)),
    "rescale": (int, float),
    "timing": (str,),
    "palette": (dict, type(None)),
    "version": (str,),
    "extra": (dict,),
}
_RANGES: dict[str, tuple[int, int]] = {
    "seed": (0, 2**63 - 1),
    "steps": (1, 1000),
    "width": (1, 16_384),
    "height": (1, 16_384),
    "strength": (0, 1),
    "rescale": (0, 1),
}
_NEGATIVE = "Negative prompt:"
_NEEDED = ("Steps", "Sampler", "CFG scale", "Seed", "Size")
_SAMPLERS = {
    "DDIM": "ddim",
    "Euler a": "euler_ancestral",
    "DPM++ 2M": "dpmpp_2m",
    "DPM++ 2M Karras": "dpmpp_2m",
    "LCM": "lcm",
}
_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')  # as the web UI itself


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
        "CFG rescale": settings.rescale or None,
        "Timing": None if settings.timing == "published" else settings.timing,
        "Ensemble": None if settings.how == "mean" else settings.how,
        "Regions": None if settings.regions is None else len(settings.regions),
        "Version": f"digressions {settings.version}",
    }
    lines = [settings.prompt]
    if settings.negative:
        lines.append(f"{_NEGATIVE} {settings.negative}")
    lines.append(", ".join(f"{key}: {value}" for key, value in pairs.items() if value is not None))
    return "\n".join(lines)


def from_text(text: Mapping[str, str], source: str = "the file") -> Settings:
    """The settings that `to_text` wrote, or that another program left as ``parameters``.

    Keys that this version does not know are an error: they would be dropped in silence, and the
    replayed picture would be another.

    Raises:
        ImageError: There are none, or they are damaged, out of range or of a newer version.
    """
    if KEY not in text:
        return _checked(_from_parameters(text.get("parameters", ""), source), source)
    try:
        found = parsed(text[KEY])
    except ValueError as error:
        raise ImageError(f"{source} has damaged settings: {error}") from error
    if not isinstance(found, dict):
        raise ImageError(f"{source} has damaged settings: not an object")
    return _checked(found, source)


def _checked(found: dict[str, Any], source: str) -> Settings:
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
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            raise ImageError(f"{source} has damaged settings: {name} is {value!r:.80}")
        for number in _numbers(value):
            # So written that NaN fails too, and integers beyond every float.
            if not -sys.float_info.max <= number <= sys.float_info.max:
                raise ImageError(f"{source} has damaged settings: {name} has {number!r:.80} in it")
        if name in _RANGES and value is not None:
            low, high = _RANGES[name]
            if not low <= found[name] <= high:
                raise ImageError(
                    f"{source} has damaged settings: {name} is {value!r:.80}, not {low} to {high}"
                )
    return Settings(**found)


def _numbers(value: Any) -> Iterator[float]:
    """All numbers anywhere in a JSON value."""
    left = [value]  # no recursion: a damaged file may nest as deeply as it likes
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, (int, float)):
            yield value


def _from_parameters(text: str, source: str) -> dict[str, Any]:
    """Settings from the form that `a1111` writes."""
    *lines, last = text.replace("\r\n", "\n").rstrip().split("\n")
    pairs = {key: _unquoted(value) for key, value in _PAIR.findall(last)}
    if "Steps" not in pairs:
        raise ImageError(f"{source} does not say how it was made (no {KEY!r} text in it)")
    lacking = [key for key in _NEEDED if key not in pairs]
    if lacking:
        raise ImageError(f"{source} does not say its {', '.join(lacking)}: paint anew")
    if "Denoising strength" in pairs and "Hires upscale" not in pairs:
        raise ImageError(f"{source} was painted over a picture that it does not name: paint anew")
    if "Regions" in pairs:
        raise ImageError(f"{source} was painted in regions that it does not name: paint anew")
    sampler = _SAMPLERS.get(pairs["Sampler"], pairs["Sampler"])
    if sampler not in _SAMPLERS.values():
        raise ImageError(
            f"{source} needs the sampler {sampler!r:.80}, which is not known here: paint anew"
        )
    start = next((i for i, line in enumerate(lines) if line.startswith(_NEGATIVE)), len(lines))
    version = pairs.get("Version", "")
    ours = version.startswith("digressions")
    try:
        width, height = (int(side) for side in pairs["Size"].split("x"))
        return {
            "command": "paint",
            "prompt": "\n".join(lines[:start]),
            "negative": "\n".join(lines[start:]).removeprefix(_NEGATIVE).removeprefix(" "),
            "model": pairs.get("Model", "") if ours else "",
            "model_hash": pairs.get("Model hash", "") if ours else "",
            "seed": int(pairs["Seed"]),
            "steps": int(pairs["Steps"]),
            "sampler": sampler,
            "guidance": float(pairs["CFG scale"]),
            "width": width,
            "height": height,
            "how": pairs.get("Ensemble", "mean") if ours else "mean",
            "rescale": float(pairs.get("CFG rescale", 0)) if ours else 0.0,
            "timing": pairs.get("Timing", "published") if ours else "published",
            "version": version,
        }
    except ValueError as error:
        raise ImageError(f"{source} has damaged settings: {error!s:.80}") from error


def _quoted(value: str) -> str:
    return json.dumps(value) if any(mark in value for mark in ',:\n"') else value


def _unquoted(value: str) -> str:
    try:
        return str(parsed(value)) if value.startswith('"') else value.strip()
    except ValueError:
        return value
