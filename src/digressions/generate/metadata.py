"""Every image file remembers how it was made, for people, for other tools and for `replay`.

Two texts: ``parameters`` in the form that AUTOMATIC1111's web UI made common, and ``digressions``,
JSON, which is exact and is read back. Of a file that has the first alone, such as another
program's, that is read.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from ..diffusion.names import A1111_SAMPLERS
from ..errors import ImageError, InputError
from ..files import parsed
from ..geometry import Size
from .declare import Params, option
from .params import ResolvedParams, SourceFile

if TYPE_CHECKING:
    from ..models.base import Model

KEY = "digressions"
_DEEPEST = 64


def _check_json(value: dict[str, Any]) -> dict[str, Any]:
    """Raises `ValueError` for what JSON cannot keep: numbers beyond floats, endless nesting."""
    left: list[tuple[Any, int]] = [(value, 0)]
    while left:
        each, depth = left.pop()
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        if isinstance(each, dict):
            left += [(inner, depth + 1) for inner in each.values()]
        elif isinstance(each, (list, tuple)):
            left += [(inner, depth + 1) for inner in each]
        # So written that NaN fails too, and integers beyond every float.
        elif isinstance(each, (int, float)) and not abs(each) <= sys.float_info.max:
            raise ValueError("a number in it is beyond every float")
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_check_json)]
"""Values that JSON gives back as they are."""


class Record(Params):
    """How one file was made.

    Attributes:
        kind: What made it; see `replay`.
        params: Of the picture, or of the first picture of whatever it is.
        model, model_hash: The name that the model was asked for by, and the SHA-256 of its weights.
            Empty when read from a file of another program, whose names mean nothing here; the first
            ten digits of the hash when read from one that lost its JSON.
        image, mask: Start picture and mask, or ``None``.
        palette: What the masked area was filled with before it was painted (see `images.colour`),
            or ``None``.
        regions, region_softness: Where each prompt counts (see `images.masks`), or ``None``; the
            width of the edges.
        enlarge, upscaler: How many times the painted picture was enlarged, and by what.
        dtype: What the networks computed in, such as ``"float16"``; empty of other programs' files.
        version: Of the program that wrote it.
        details: What only its kind knows, such as the grid of a mosaic.
    """

    kind: str = option(..., "What made it.")
    params: ResolvedParams = option(..., "Of the picture.")
    model: str = option("", "The model's name.")
    model_hash: str = option("", "SHA-256 of its weights.")
    image: SourceFile | None = option(None, "The start picture.")
    mask: SourceFile | None = option(None, "The mask.")
    palette: JsonObject | None = option(None, "What the masked area was filled with.")
    regions: list[dict[str, str]] | None = option(None, "Where each prompt counts.")
    region_softness: float = option(0.0, "The width of the regions' edges.", ge=0, le=0.5)
    enlarge: int = option(1, "How many times it was enlarged.", ge=1, le=16)
    upscaler: str | None = option(None, "What enlarged it.")
    dtype: str = option("", "What the networks computed in.")
    version: str = option("", "Of the program that wrote it.")
    details: JsonObject = option({}, "What only its kind knows.")

    def to_text(self) -> dict[str, str]:
        """As the texts of an image file."""
        return {"parameters": a1111(self), KEY: json.dumps(self.json_object(), allow_nan=False)}


def dtype_name(model: Model) -> str:
    """What a model's networks compute in, as `Record.dtype` has it."""
    return str(model.dtype).removeprefix("torch.")


_NEGATIVE = "Negative prompt:"
_NEEDED = ("Steps", "Sampler", "CFG scale", "Seed", "Size")
_KARRAS = "DPM++ 2M Karras"
_SAMPLERS: dict[str, str] = {
    **{name: name for name in A1111_SAMPLERS},  # as older versions of ours wrote them
    **{foreign: name for name, foreign in A1111_SAMPLERS.items()},
    _KARRAS: "dpmpp_2m",
}
_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')  # as the web UI itself


def a1111(record: Record) -> str:
    """The form that other tools read: prompt, negative prompt, then ``Key: value, ...``."""
    params = record.params
    started = record.image is not None
    pairs = {
        "Steps": params.steps,
        "Sampler": A1111_SAMPLERS[params.sampler],
        "CFG scale": params.guidance,
        "Seed": params.seed,
        "Size": params.size,
        "Model hash": record.model_hash[:10],
        "Model": _quoted(record.model),
        "Denoising strength": params.strength if started else None,
        "Hires upscaler": record.upscaler,
        "CFG rescale": params.guidance_rescale or None,
        "Timestep spacing": params.timestep_spacing,
        "Zero SNR": params.zero_snr or None,
        "Ensemble": None if params.combine == "mean" else params.combine,
        "Regions": None if record.regions is None else len(record.regions),
        "Version": f"digressions {record.version}",
    }
    lines = [params.prompt]
    if params.negative:
        lines.append(f"{_NEGATIVE} {params.negative}")
    lines.append(", ".join(f"{key}: {value}" for key, value in pairs.items() if value is not None))
    return "\n".join(lines)


def record_of(text: Mapping[str, str], source: str = "the file") -> Record:
    """The record that `Record.to_text` wrote, or that another program left as ``parameters``.

    Keys that this version does not know are an error: they would be dropped in silence, and the
    replayed picture would be another.

    Raises:
        ImageError: There is none, or it is damaged, out of range or of a newer version.
    """
    try:
        if KEY in text:
            return Record.from_json_object(parsed(text[KEY]))
        return _from_parameters(text.get("parameters", ""), source)
    except ImageError:
        raise
    except (InputError, ValueError) as error:
        raise ImageError(f"{source} has damaged settings: {error!s:.200}") from error


def _from_parameters(text: str, source: str) -> Record:
    """A record from the form that `a1111` writes."""
    *lines, last = _lines(text)
    pairs = _pairs(last)
    if "Steps" not in pairs:
        raise ImageError(f"{source} does not say how it was made (no {KEY!r} text in it)")
    lacking = [key for key in _NEEDED if key not in pairs]
    if lacking:
        raise ImageError(f"{source} does not say its {', '.join(lacking)}: paint anew")
    if "Denoising strength" in pairs and "Hires upscale" not in pairs:
        raise ImageError(f"{source} was painted over a picture that it does not name: paint anew")
    if "Regions" in pairs:
        raise ImageError(f"{source} was painted in regions that it does not name: paint anew")
    if (sampler := pairs["Sampler"]) not in _SAMPLERS:
        raise ImageError(
            f"{source} needs the sampler {sampler!r:.80}, which is not known here: paint anew"
        )
    width, height = (int(side) for side in pairs["Size"].split("x"))
    start = next((i for i, line in enumerate(lines) if line.startswith(_NEGATIVE)), len(lines))
    version = pairs.get("Version", "")
    ours = version.startswith("digressions")
    own: dict[str, Any] = {"sampler": _SAMPLERS[sampler]}
    if ours:
        own |= {
            "combine": pairs.get("Ensemble", "mean"),
            "guidance_rescale": float(pairs.get("CFG rescale", 0)),
            "timestep_spacing": pairs.get("Timestep spacing"),
            "zero_snr": pairs.get("Zero SNR") == "True",
        }
    params = ResolvedParams(
        prompt="\n".join(lines[:start]),
        negative="\n".join(lines[start:]).removeprefix(_NEGATIVE).removeprefix(" "),
        seed=int(pairs["Seed"]),
        steps=int(pairs["Steps"]),
        guidance=float(pairs["CFG scale"]),
        size=Size(width, height),
        strength=1.0,
        **own,
    )
    return Record(
        kind="picture",
        params=params,
        model=pairs.get("Model", "") if ours else "",
        model_hash=pairs.get("Model hash", "") if ours else "",
        version=version,
    )


def foreign_schedule(text: Mapping[str, str]) -> str | None:
    """The noise levels that another program stepped through and that are not known here, such as
    ``"Karras"``, if the texts of a file say so."""
    if KEY in text:
        return None
    pairs = _pairs(_lines(text.get("parameters", ""))[-1])
    if pairs.get("Sampler") == _KARRAS:
        return "Karras"
    schedule = pairs.get("Schedule type")
    if schedule == "Automatic":  # the web UI's choice, by sampler
        return "Karras" if pairs.get("Sampler") == A1111_SAMPLERS["dpmpp_2m"] else None
    return None if schedule == "Uniform" else schedule


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").rstrip().split("\n")


def _pairs(line: str) -> dict[str, str]:
    return {key: _unquoted(value) for key, value in _PAIR.findall(line)}


def _quoted(value: str) -> str:
    return json.dumps(value) if any(mark in value for mark in ',:\n"') else value


def _unquoted(value: str) -> str:
    try:
        return str(parsed(value)) if value.startswith('"') else value.strip()
    except ValueError:
        return value
