"""Every image file remembers how it was made, for people, for other tools and for `replay`.

Two texts: ``parameters`` in the form that AUTOMATIC1111's web UI made common, and ``digressions``,
JSON, which is exact and is read back. Of a file that has the first alone, or that another program
made, what is there is read (see `foreign`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from ..diffusion.names import A1111_SAMPLERS
from ..images import ComposeName, Fit
from ..images.xmp import SourceType, marked
from .declare import Params, option
from .infotext import NEGATIVE, pairs_line, quoted
from .kinds import PaintedSize, Share
from .model_params import ModelAdditions, RememberedFile
from .params import Enlargement, KeepParams, MaskFile, ResolvedParams, SourceFile

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


class Hires(Params):
    """How a picture was painted that its model cannot paint at once; see `generate.hires`.

    Attributes:
        painted: The size that was painted at once.
        compose: How that was brought to the picture's aspect.
        strength: Of the repainting in windows; ``None`` where it was enlarged alone.
    """

    painted: PaintedSize
    compose: ComposeName
    strength: Share | None = None


class Record(Params):
    """How one file was made.

    Attributes:
        kind: What made it; see `replay`.
        params: Of the picture, or of the first picture of whatever it is.
        model, model_hash: The name that the model was asked for by, and the SHA-256 of its weights.
            Empty when read from a file of another program, whose names mean nothing here; the first
            ten digits of the hash when read from one that lost its JSON.
        image, mask: Start picture and mask, or ``None``.
        fit: How the start picture was brought to the picture's aspect (see `images.fitting`).
        palette: What the masked area was filled with before it was painted (see `images.colour`),
            or ``None``.
        regions, region_softness: Where each prompt counts (see `images.masks`), or ``None``; the
            width of the edges.
        hires: How it was painted where its model cannot paint its size at once, or ``None``.
        keep: What of the start picture's file, or of the photo's, went along.
        enlarge, upscaler: How many times the painted picture was enlarged, and by what.
        dtype: What the networks computed in, such as ``"float16"``; empty of other programs' files.
        version: Of the program that wrote it.
        details: What only its kind knows, such as the grid of a mosaic.
        additions: What the model was loaded with beside its own files.
        files: The single files that it was painted with: model, LoRAs, embeddings.
    """

    kind: str = option(..., "What made it.")
    params: ResolvedParams = option(..., "Of the picture.")
    model: str = option("", "The model's name.")
    model_hash: str = option("", "SHA-256 of its weights.")
    image: SourceFile | None = option(None, "The start picture.")
    mask: MaskFile | None = option(None, "The mask.")
    fit: Fit = option("cover", "How the start picture was brought to the picture's aspect.")
    palette: JsonObject | None = option(None, "What the masked area was filled with.")
    regions: list[dict[str, str]] | None = option(None, "Where each prompt counts.")
    region_softness: float = option(0.0, "The width of the regions' edges.", ge=0, le=0.5)
    hires: Hires | None = option(None, "How it was painted larger than its model paints.")
    keep: KeepParams = option(KeepParams(), "What of the start picture's file went along.")
    enlarge: Enlargement = option(1, "How many times it was enlarged.")
    upscaler: str | None = option(None, "What enlarged it.")
    dtype: str = option("", "What the networks computed in.")
    version: str = option("", "Of the program that wrote it.")
    details: JsonObject = option({}, "What only its kind knows.")
    additions: ModelAdditions = option(ModelAdditions(), "What the model was loaded with.")
    files: list[RememberedFile] = option([], "The single files that it was painted with.")

    @property
    def source_type(self) -> SourceType:
        """What made the picture: AI alone, or over another picture."""
        return SourceType.TRAINED if self.image is None else SourceType.COMPOSITE

    def to_text(self) -> dict[str, str]:
        """As the texts of an image file, marked as made by AI."""
        own = {"parameters": a1111(self), KEY: json.dumps(self.json_object(), allow_nan=False)}
        return marked(own, self.source_type)


def dtype_name(model: Model) -> str:
    """What a model's networks compute in, as `Record.dtype` has it."""
    return str(model.dtype).removeprefix("torch.")


def a1111(record: Record) -> str:
    """The form that other tools read: prompt, negative prompt, then ``Key: value, ...``."""
    params = record.params
    started = record.image is not None
    pairs: dict[str, object] = {
        "Steps": params.steps,
        "Sampler": A1111_SAMPLERS[params.sampler],
        "CFG scale": params.guidance,
        "Seed": params.seed,
        "Size": params.size,
        "Model hash": checkpoint_hash(record)[:10],
        "Model": quoted(record.model),
        "VAE": None if record.additions.vae is None else quoted(Path(record.additions.vae).name),
        "Clip skip": record.additions.clip_skip,
        "Lora hashes": _hashes(record, "lora"),
        "TI hashes": _hashes(record, "embedding"),
        "Denoising strength": params.strength if started else None,
        "Hires upscaler": record.upscaler,
        "CFG rescale": params.guidance_rescale or None,
        "Timestep spacing": params.timestep_spacing,
        "Zero SNR": params.zero_snr or None,
        "Ensemble": None if params.combine == "mean" else params.combine,
        "Regions": None if record.regions is None else len(record.regions),
        "Version": f"digressions {record.version}",
    }
    loras = [(Path(path).stem, strength) for path, strength in record.additions.loras()]
    lines = [" ".join([params.prompt, *(f"<lora:{name}:{much}>" for name, much in loras)])]
    if params.negative:
        lines.append(f"{NEGATIVE} {params.negative}")
    lines.append(pairs_line(pairs))
    return "\n".join(lines)


def checkpoint_hash(record: Record) -> str:
    """The SHA-256 of the model's file where it is a single one, else `Record.model_hash`."""
    own = [each.sha256 for each in record.files if each.kind == "checkpoint"]
    return own[0] if own else record.model_hash


def _hashes(record: Record, kind: str) -> str | None:
    """Names and hashes of files, as A1111 writes them."""
    found = [each for each in record.files if each.kind == kind]
    pairs = [
        f"{Path(each.name).stem}: {(each.content_sha256 or each.sha256)[:12]}" for each in found
    ]
    return quoted(", ".join(pairs)) if pairs else None
